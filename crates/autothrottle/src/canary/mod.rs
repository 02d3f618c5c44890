//! `--canary`: keeps the topic of the canary in place, and has messages sent to each live broker.
//!
//! The leading daemon does it. It reports each problem once, and continues without what is missing.

mod keep;

use crate::book::Book;
use crate::error::Error;
use kafka::admin::{Altering, CANARY_TOPIC, MorePartitions, NewTopic};
use kafka::{Client, ResponseError};
use keep::{TopicUpkeep, UpkeepStep, keep};
use mapper::{BrokerId, PartitionId, Replicas, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use throttle::CanaryTimes;

/// What keeping the topic may take in one round, all in all.
const PATIENCE: Duration = Duration::from_secs(10);
/// After a change, the cluster is looked at again.
const SOON: Duration = Duration::from_millis(500);
/// So often, until what was begun is done; then the next round looks.
const LOOKS: u32 = 6;
/// Nothing in it is worth keeping, and all of it must stay small. Producers ask for no more than the one replica.
const CONFIG: [(&str, &str); 5] = [
    ("cleanup.policy", "delete"),
    ("min.insync.replicas", "1"),
    ("retention.ms", "600000"),
    ("segment.ms", "600000"),
    ("segment.bytes", "1048576"),
];
/// The rights that it needs.
const RIGHTS: &str = "Create, Describe, Alter, Read and Write on topic __mappr_canary, Alter on the cluster to move its partitions back";

/// The canary of one cluster.
pub(crate) struct Flight {
    /// Where to, and how often; `None`: it was not asked for.
    asked: Option<(statelog::Access, Duration)>,
    messages: Option<Arc<statelog::Canary>>,
    /// What keeps it from measuring all brokers.
    problem: Option<String>,
}

impl Flight {
    pub(crate) fn new(asked: Option<(statelog::Access, Duration)>) -> Self {
        Self { asked, messages: None, problem: None }
    }

    /// Whether it was asked for.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Another leads: it ends.
    pub(crate) fn rest(&mut self) {
        (self.messages, self.problem) = (None, None);
    }

    /// What messages take now, to each broker from which they come back.
    pub(crate) fn readings(&self) -> BTreeMap<BrokerId, CanaryTimes> {
        self.messages.as_deref().map(readings).unwrap_or_default()
    }

    /// The messages, for readers that need them more often than once a round.
    pub(crate) fn messages(&self) -> Option<Arc<statelog::Canary>> {
        self.messages.clone()
    }

    /// What keeps it from measuring all brokers, where something does.
    pub(crate) fn problem(&self) -> Option<String> {
        let forbidden = self.messages.as_deref().and_then(statelog::Canary::forbidden);
        self.problem.clone().or_else(|| forbidden.map(needs))
    }

    /// Keeps the topic, and goes to the partitions that are in place.
    ///
    /// # Errors
    /// One that [`is_lost`](Error::is_lost): another may act on the cluster now. All else is said, and no more.
    pub(crate) async fn tend(
        &mut self,
        client: &Client,
        book: &Book,
        live: &BTreeSet<BrokerId>,
    ) -> Result<(), Error> {
        if self.asked.is_none() {
            return Ok(());
        }
        let before = self.problem();
        let kept = tokio::time::timeout(PATIENCE, self.kept(client, book, live)).await;
        self.problem = match kept {
            Ok(Ok(())) => None,
            Ok(Err(NotKept::Lost(error))) => return Err(error),
            Ok(Err(NotKept::Said(problem))) => Some(problem),
            Err(_) => Some(format!("the cluster does not answer within {} s", PATIENCE.as_secs())),
        };
        match self.problem() {
            Some(problem) if before.as_ref() != Some(&problem) => {
                tracing::warn!(
                    topic = CANARY_TOPIC,
                    problem,
                    "the canary does not measure all brokers"
                );
            }
            None if before.is_some() => tracing::info!("the canary measures all brokers"),
            Some(_) | None => {}
        }
        Ok(())
    }

    async fn kept(
        &mut self,
        client: &Client,
        book: &Book,
        live: &BTreeSet<BrokerId>,
    ) -> Result<(), NotKept> {
        for _ in 0..LOOKS {
            let TopicUpkeep { in_place, steps } = look(client, live).await?;
            self.fly(&in_place)?;
            if steps.is_empty() {
                break;
            }
            // One right may be missing and another not.
            let mut refused = None;
            for step in steps {
                tracing::info!(topic = CANARY_TOPIC, ?step, "keeping the canary's topic");
                book.hold().await.map_err(of_place)?;
                refused =
                    book.in_time(take(client, step)).await.map_err(of_place)?.err().or(refused);
            }
            if let Some(refused) = refused {
                return Err(refused);
            }
            tokio::time::sleep(SOON).await;
        }
        Ok(())
    }

    fn fly(&mut self, in_place: &BTreeMap<BrokerId, PartitionId>) -> Result<(), NotKept> {
        let Some((access, every)) = &self.asked else { return Ok(()) };
        let messages = match self.messages.take() {
            Some(messages) => messages,
            None => Arc::new(statelog::Canary::start(access, CANARY_TOPIC, *every)?),
        };
        let number = |n: u32| i32::try_from(n).ok();
        let of = |(broker, of): (&BrokerId, &PartitionId)| Some((number(broker.0)?, number(of.0)?));
        messages.watch(&in_place.iter().filter_map(of).collect());
        self.messages = Some(messages);
        Ok(())
    }
}

/// What messages take now, to each broker from which they come back.
pub(crate) fn readings(messages: &statelog::Canary) -> BTreeMap<BrokerId, CanaryTimes> {
    let known = |(id, reading): (i32, statelog::CanaryReading)| {
        let statelog::CanaryReading { produce, end_to_end, usual } = reading;
        Some((BrokerId(u32::try_from(id).ok()?), CanaryTimes { produce, end_to_end, usual }))
    };
    messages.readings().into_iter().filter_map(known).collect()
}

/// Why the topic is not kept.
enum NotKept {
    /// The cluster may be another's now.
    Lost(Error),
    /// For operators.
    Said(String),
}

impl<E: std::error::Error> From<E> for NotKept {
    fn from(error: E) -> Self {
        Self::Said(error.to_string())
    }
}

fn of_place(error: Error) -> NotKept {
    match error.is_lost() {
        true => NotKept::Lost(error),
        false => NotKept::Said(error.to_string()),
    }
}

fn needs(why: String) -> String {
    format!("{why}; it needs {RIGHTS}")
}

async fn look(client: &Client, live: &BTreeSet<BrokerId>) -> Result<TopicUpkeep, NotKept> {
    let named = client.topics_named(&[CANARY_TOPIC.to_owned()].into()).await?;
    if named.forbidden.contains(CANARY_TOPIC) {
        return Err(NotKept::Said(needs("it may not be described".to_owned())));
    }
    let moving = client.canary_moves().await?;
    Ok(keep(named.found.get(CANARY_TOPIC), &moving, live))
}

/// Takes a step. A step that another process has taken meanwhile counts as taken.
async fn take(client: &Client, step: UpkeepStep) -> Result<(), NotKept> {
    let name = || CANARY_TOPIC.to_owned();
    let one = |id: BrokerId| Replicas::from_iter([id]);
    let on = |brokers: Vec<BrokerId>| brokers.into_iter().map(one).collect();
    let refused = match step {
        UpkeepStep::Create(brokers) => {
            let config = CONFIG.map(|(key, value)| (key.to_owned(), value.to_owned()));
            let topic = NewTopic { name: name(), replicas: on(brokers), config: config.into() };
            let answers = client.create_topics(&[topic]).await?;
            answers.into_values().find_map(Result::err)
        }
        UpkeepStep::Add { from, brokers } => {
            let more = MorePartitions { topic: name(), from, replicas: on(brokers) };
            let answers = client.create_partitions(&[more]).await?;
            answers.into_values().find_map(Result::err)
        }
        UpkeepStep::Move(moves) => {
            let to = |(partition, to)| (TopicPartition { topic: name(), partition }, Some(one(to)));
            let moves: Vec<_> = moves.into_iter().map(to).collect();
            let refused = client.alter_reassignments(&moves, Altering::Factor).await?;
            refused.into_values().next()
        }
    };
    match refused {
        None => Ok(()),
        Some(refusal) => match refusal.code {
            ResponseError::TopicAlreadyExists | ResponseError::InvalidPartitions => Ok(()),
            _ if refusal.denied.is_some() => Err(NotKept::Said(needs(refusal.to_string()))),
            _ => Err(NotKept::Said(refusal.to_string())),
        },
    }
}
