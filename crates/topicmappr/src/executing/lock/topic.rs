//! The lock in the state topic: a claim, which transactions renew and fence.

use super::{Changes, NotOurs, Records, Seen, texts};
use crate::error::Error;
use statelog::{Access, Claim, Holder, Lost, StateTopic, TOPIC};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

/// What executors claim.
const EXECUTOR: &str = "executor";
/// The keys of what they keep.
const PREFIX: &str = "executor/";
/// How long a run waits for its records before it goes on without.
const PATIENCE: Duration = Duration::from_secs(5);

/// A claim that is ours.
#[derive(Debug)]
pub(in crate::executing) struct TopicLock {
    topic: StateTopic,
    claim: Claim,
}

impl TopicLock {
    /// Takes the claim, in a topic that is there or (`make`) is made. And whether it was made.
    pub(in crate::executing) async fn take(
        access: Access,
        brokers: usize,
        make: bool,
        holder: Holder,
    ) -> Result<(Self, bool), Error> {
        blocking(move || {
            let topic = match make {
                true => StateTopic::open(access, brokers)?,
                false => StateTopic::existing(access)?,
            };
            let claim = Claim::take(&topic, EXECUTOR, holder)?;
            let is_new = topic.is_new();
            Ok((Self { topic, claim }, is_new))
        })
        .await
    }

    /// What is there, without taking anything; the topic is there.
    pub(in crate::executing) async fn seen(access: Access) -> Result<Seen, Error> {
        blocking(move || {
            let topic = StateTopic::existing(access)?;
            let holder = Claim::holder(&topic, EXECUTOR)?.map(|holder| holder.name);
            let records = texts(topic.records(PREFIX)?);
            Ok(Seen { place: format!("the topic {TOPIC}"), holder, records })
        })
        .await
    }

    pub(super) fn check(&self) -> Result<(), NotOurs> {
        self.claim.check().map_err(|lost| not_ours(lost.into()))
    }

    pub(super) async fn records(&self) -> Result<Records, Error> {
        let topic = self.topic.clone();
        Ok(texts(blocking(move || topic.records(PREFIX)).await?))
    }

    pub(super) async fn write(&self, changes: &Changes) -> Result<(), NotOurs> {
        let record = |(name, text): (&String, &Option<String>)| {
            (format!("{PREFIX}{name}"), text.clone().map(String::into_bytes))
        };
        let answer = self.claim.write(changes.iter().map(record).collect());
        let gone = || NotOurs::ForNow("the claim is not kept any more".to_owned());
        match tokio::task::spawn_blocking(move || answer.recv_timeout(PATIENCE)).await {
            Ok(Ok(written)) => written.map_err(not_ours),
            Ok(Err(RecvTimeoutError::Timeout)) => {
                Err(NotOurs::ForNow(format!("{TOPIC} did not take it in {} s", PATIENCE.as_secs())))
            }
            Ok(Err(RecvTimeoutError::Disconnected)) => self.check().and(Err(gone())),
            Err(_) => Err(gone()),
        }
    }

    pub(super) async fn release(self) {
        // It waits for the thread that renews.
        let _ = tokio::task::spawn_blocking(move || self.claim.release()).await;
    }
}

fn not_ours(error: statelog::Error) -> NotOurs {
    match error {
        statelog::Error::Lost(Lost::Fenced) | statelog::Error::Held { .. } => {
            NotOurs::ForGood(Error::Claim(Box::new(error)))
        }
        other => NotOurs::ForNow(other.to_string()),
    }
}

/// librdkafka blocks.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, statelog::Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| Error::Claim(Box::new(error))),
        Err(panicked) => Err(Error::Runtime(panicked.into())),
    }
}
