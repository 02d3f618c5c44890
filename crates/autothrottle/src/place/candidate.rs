//! A candidate for the claim in the topic `__mappr_state`. It finds or creates the topic, and waits for its turn.

use super::topic::Way;
use crate::error::Error;
use operate::marks::line::PREFIX;
use operate::marks::{CLAIM, SILENCE};
use statelog::{Campaign, Claim, Holder, StateTopic, TOPIC, Term, Turn};
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How often the thread checks that a caller still waits.
const LOOK: Duration = Duration::from_secs(1);

/// Runs until it is dropped, on its own thread, because librdkafka blocks.
#[derive(Debug)]
pub(super) struct Candidate(UnboundedReceiver<Heard>);

/// What there is to hear while one waits.
#[derive(Debug)]
pub(super) enum Heard {
    /// The topic is there.
    Topic(StateTopic),
    /// Another has the claim. Who does not live may be dead.
    Theirs { name: String, lives: bool },
    /// It is our turn, the last that is heard.
    Ours(Ours),
    /// It cannot be waited for: the last that is heard.
    Not(Error),
}

/// A claim, and what those who had it before have left.
#[derive(Debug)]
pub(super) struct Ours {
    pub(super) claim: Claim,
    pub(super) records: BTreeMap<String, Vec<u8>>,
}

impl Candidate {
    /// Begins to wait, in this topic, or in one that is looked for first.
    pub(super) fn stands(way: Way, topic: Option<StateTopic>, holder: Holder) -> Self {
        let (teller, heard) = unbounded_channel();
        tokio::spawn(async move {
            let topic = match topic {
                Some(topic) => topic,
                None => match found(&way).await {
                    Ok(topic) => {
                        let _ = teller.send(Heard::Topic(topic.clone()));
                        topic
                    }
                    Err(error) => {
                        let _ = teller.send(Heard::Not(Error::NoTopic(Box::new(error))));
                        return;
                    }
                },
            };
            thread::spawn(move || {
                if let Err(error) = waits(&topic, holder, &teller) {
                    let _ = teller.send(Heard::Not(error.into()));
                }
            });
        });
        Self(heard)
    }

    /// Waits for the next that there is to hear; `None` after the last.
    pub(super) async fn hears(&mut self) -> Option<Heard> {
        self.0.recv().await
    }
}

/// The topic, which is made on first use.
async fn found(way: &Way) -> Result<StateTopic, Error> {
    let client = way.client().await?;
    let access = way.access()?;
    // A user without the right to create the topic may still use it.
    if client.has_topic(TOPIC).await? {
        return in_thread(move || StateTopic::existing(access)).await;
    }
    let brokers = client.describe_cluster().await?.live().count();
    let topic = in_thread(move || StateTopic::open(access, brokers)).await?;
    if topic.is_new() {
        tracing::info!(
            topic = TOPIC,
            "made, compacted, for what is set in this cluster and for overrides: --state-file keeps them in a file instead"
        );
    }
    Ok(topic)
}

/// Waits until it is our turn, or until no caller listens any more.
fn waits(
    topic: &StateTopic,
    holder: Holder,
    teller: &UnboundedSender<Heard>,
) -> Result<(), statelog::Error> {
    let mut campaign = Campaign::begin(topic, CLAIM, holder, Term::of(SILENCE))?;
    while !teller.is_closed() {
        let heard = match campaign.turn(LOOK)? {
            Turn::Theirs(holder) => Heard::Theirs { name: holder.name, lives: true },
            Turn::Open(holder) => Heard::Theirs { name: holder.name, lives: false },
            Turn::Ours(claim) => {
                // The earlier writer is fenced by now.
                let records = topic.records(PREFIX)?;
                // If the caller has stopped listening, dropping the claim releases it.
                let _ = teller.send(Heard::Ours(Ours { claim, records }));
                return Ok(());
            }
        };
        let _ = teller.send(heard);
    }
    Ok(())
}

/// Does what blocks, without an end to wait for.
pub(super) async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, statelog::Error> + Send + 'static,
) -> Result<T, Error> {
    match operate::runtime::in_thread(work).await {
        Some(done) => Ok(done?),
        None => Err(Error::lost(&format!("the topic {TOPIC}"), "the thread that asks it has died")),
    }
}
