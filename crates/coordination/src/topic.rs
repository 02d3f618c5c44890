//! The lead in the topic `__mappr_state`: a claim, which Kafka transactions renew and fence. The key of a record is
//! `ROLE/NAME`.
//!
//! Each write is one transaction with a renewal of the claim. Kafka refuses the next transaction of a leader that was
//! stopped, replaced, and continues.

use crate::{Error, Holder, RecordChanges, Records, Role, Seen, Wait, texts, unique};
use statelog::{Access, Campaign, Claim, Lost, StateTopic, TOPIC, Turn, Unwritten};
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How often the thread that waits for the claim checks that its caller still waits.
const LOOK: Duration = Duration::from_secs(1);
/// How long a release may take; after that, the claim expires by itself.
const RELEASE: Duration = Duration::from_secs(5);

/// A claim that this process holds.
#[derive(Debug)]
pub(crate) struct TopicLead {
    topic: StateTopic,
    claim: Claim,
    role: Role,
}

/// What the thread that waits for the claim tells.
enum News {
    /// Another process has the claim.
    Theirs { name: String, lives: bool },
    /// It is ours.
    Ours(TopicLead),
    /// It cannot be waited for.
    Failed(Error),
}

impl TopicLead {
    /// The records; none if there is no topic.
    pub(crate) async fn records(access: Access, role: Role) -> Result<Records, Error> {
        in_thread(move || match StateTopic::find(access)? {
            Some(topic) => read(&topic, role),
            None => Ok(Records::new()),
        })
        .await
    }

    pub(crate) async fn seen(access: Access, role: Role) -> Result<Seen, Error> {
        in_thread(move || {
            let (mut holder, mut records) = (None, Records::new());
            if let Some(topic) = StateTopic::find(access)? {
                holder = Claim::holder(&topic, role.claim())?.as_ref().map(unique);
                records = read(&topic, role)?;
            }
            Ok(Seen { lock: lock(role), holder, records })
        })
        .await
    }

    /// The live leader, if there is one. Watches a record until it changes or its holder must be dead.
    pub(crate) async fn leader(access: Access, role: Role) -> Result<Option<String>, Error> {
        in_thread(move || {
            let Some(topic) = StateTopic::find(access)? else { return Ok(None) };
            Ok(Claim::live_holder(&topic, role.claim(), role.term())?.as_ref().map(unique))
        })
        .await
    }

    /// Waits on a thread of its own, because librdkafka blocks. If this future is dropped, the thread ends soon.
    pub(crate) async fn take(
        access: Access,
        role: Role,
        holder: Holder,
        wait: Wait,
        mut tell: impl FnMut(&str),
    ) -> Result<Self, Error> {
        let (teller, mut told) = unbounded_channel();
        thread::spawn(move || {
            let ended = campaign(access, role, holder, &teller);
            // If the caller has stopped listening, dropping the claim releases it.
            let _ = teller.send(ended.unwrap_or_else(|error| News::Failed(error.into())));
        });
        // A dead process's last record may be seen after its end. Only a second one proves that it lives.
        let mut alive = None;
        loop {
            match told.recv().await {
                Some(News::Ours(lead)) => return Ok(lead),
                Some(News::Theirs { name: holder, lives: true }) if wait == Wait::ForTheDead => {
                    if alive.replace(holder.clone()).is_some_and(|before| before == holder) {
                        return Err(Error::Held { lock: lock(role), holder });
                    }
                }
                Some(News::Theirs { name, .. }) => tell(&name),
                Some(News::Failed(error)) => return Err(error),
                None => return Err(died()),
            }
        }
    }

    pub(crate) async fn read(&self) -> Result<Records, Error> {
        let (topic, role) = (self.topic.clone(), self.role);
        in_thread(move || read(&topic, role)).await
    }

    /// All changes, or none. They also renew the claim.
    pub(crate) async fn write(&self, changes: RecordChanges) -> Result<(), Error> {
        self.check()?;
        let record = |(name, text): (String, Option<String>)| {
            (format!("{}/{name}", self.role.claim()), text.map(String::into_bytes))
        };
        let answer = self.claim.write(changes.into_iter().map(record).collect());
        match in_thread(move || Ok(answer.wait())).await? {
            Ok(()) => Ok(()),
            Err(Unwritten::Refused(statelog::Error::Lost(lost))) => Err(self.not_ours(&lost)),
            Err(Unwritten::Refused(error)) => Err(error.into()),
            Err(late @ Unwritten::Late { .. }) => Err(silent(late.to_string())),
            Err(Unwritten::Unkept) => {
                self.check().and_then(|()| Err(silent(Unwritten::Unkept.to_string())))
            }
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        self.claim.check().map_err(|lost| self.not_ours(&lost))
    }

    pub(crate) fn until(&self) -> Instant {
        self.claim.until().map_or_else(|_| Instant::now(), Into::into)
    }

    /// Releases the claim in the background, whether Kafka answers or not.
    pub(crate) fn abandon(self) {
        thread::spawn(move || self.claim.release());
    }

    pub(crate) async fn release(self) {
        let released = in_thread(move || {
            self.claim.release();
            Ok(())
        });
        if tokio::time::timeout(RELEASE, released).await.is_err() {
            tracing::info!(
                "the claim is not released yet: the next process may have to wait until it expires"
            );
        }
    }

    fn not_ours(&self, lost: &Lost) -> Error {
        let (lock, why) = (lock(self.role), lost.to_string());
        match lost {
            Lost::Fenced => Error::Lost { lock, why },
            // The thread that renews the claim goes on: the claim may become valid again.
            Lost::NotRenewed { .. } => Error::Ended { lock, why },
        }
    }
}

fn campaign(
    access: Access,
    role: Role,
    holder: Holder,
    teller: &UnboundedSender<News>,
) -> Result<News, statelog::Error> {
    let topic = StateTopic::existing(access);
    let mut campaign = Campaign::begin(&topic, role.claim(), holder, role.term())?;
    loop {
        // A caller that has stopped waiting may wait again, on another thread.
        if teller.is_closed() {
            return Ok(News::Failed(died()));
        }
        let (name, lives) = match campaign.turn(LOOK)? {
            Turn::Ours(claim) => return Ok(News::Ours(TopicLead { topic, claim, role })),
            Turn::Theirs(holder) => (unique(&holder), true),
            Turn::Open(holder) => (unique(&holder), false),
        };
        let _ = teller.send(News::Theirs { name, lives });
    }
}

fn read(topic: &StateTopic, role: Role) -> Result<Records, statelog::Error> {
    Ok(texts(topic.records(&format!("{}/", role.claim()))?))
}

fn lock(role: Role) -> String {
    format!("the claim {} in {TOPIC}", role.claim())
}

fn silent(why: String) -> Error {
    Error::Silent { store: format!("the topic {TOPIC}"), why }
}

fn died() -> Error {
    silent("the thread that asks it has died".to_owned())
}

/// Runs calls of librdkafka, which block, on a thread that does not delay the end of the process.
async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, statelog::Error> + Send + 'static,
) -> Result<T, Error> {
    let (answer, answered) = oneshot::channel();
    thread::spawn(move || {
        let _ = answer.send(work());
    });
    Ok(answered.await.map_err(|_| died())??)
}
