//! The lock in the state topic: a claim, which Kafka transactions renew and fence.

use super::{Changes, NotOurs, Records, Seen, texts};
use crate::error::Error;
use mapper::BrokerId;
use statelog::{Access, Claim, Holder, Lost, StateTopic, TOPIC, Unwritten};

/// The name of the executors' claim.
const EXECUTOR: &str = "executor";
/// The prefix of the keys of their records.
const PREFIX: &str = "executor/";

/// A claim that this process holds.
#[derive(Debug)]
pub(in crate::execution) struct TopicLock {
    topic: StateTopic,
    claim: Claim,
}

impl TopicLock {
    /// Creates the topic, with a replica on each of these brokers; another process may have created it by now.
    pub(in crate::execution) async fn make(
        access: Access,
        brokers: &[BrokerId],
    ) -> Result<StateTopic, Error> {
        // Every broker id fits into an i32.
        let ids: Vec<i32> = brokers.iter().filter_map(|id| i32::try_from(id.0).ok()).collect();
        blocking(move || StateTopic::open_on(access, &ids)).await
    }

    /// The topic, which exists already.
    pub(in crate::execution) async fn existing(access: Access) -> Result<StateTopic, Error> {
        blocking(move || StateTopic::existing(access)).await
    }

    /// Takes the claim.
    pub(in crate::execution) async fn take(
        topic: StateTopic,
        holder: Holder,
    ) -> Result<Self, Error> {
        blocking(move || {
            let claim = Claim::take(&topic, EXECUTOR, holder)?;
            Ok(Self { topic, claim })
        })
        .await
    }

    /// The holder and the records in an existing topic. Only reads.
    pub(in crate::execution) async fn seen(access: Access) -> Result<Seen, Error> {
        blocking(move || {
            let topic = StateTopic::existing(access)?;
            let holder = Claim::holder(&topic, EXECUTOR)?.map(|holder| holder.name);
            let records = texts(topic.records(PREFIX)?);
            Ok(Seen { place: format!("the topic {TOPIC}"), holder, records })
        })
        .await
    }

    /// The records, without the holder.
    pub(in crate::execution) async fn kept(access: Access) -> Result<Records, Error> {
        let kept = move || StateTopic::existing(access)?.records(PREFIX);
        Ok(texts(blocking(kept).await?))
    }

    pub(super) fn check(&self) -> Result<(), NotOurs> {
        self.claim.check().map_err(|lost| not_ours(lost.into()))
    }

    /// The claim renews itself in the background; this only checks whether it has.
    pub(super) async fn take_again(&self) -> Result<Records, NotOurs> {
        self.check()?;
        self.records().await.map_err(|error| NotOurs::ForNow(error.to_string()))
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
        let waited = tokio::task::spawn_blocking(move || answer.wait()).await;
        match waited.unwrap_or(Err(Unwritten::Unkept)) {
            Ok(()) => Ok(()),
            Err(Unwritten::Refused(error)) => Err(not_ours(error)),
            Err(late @ Unwritten::Late { .. }) => Err(NotOurs::ForNow(late.to_string())),
            Err(Unwritten::Unkept) => {
                self.check().and(Err(NotOurs::ForNow(Unwritten::Unkept.to_string())))
            }
        }
    }

    pub(super) async fn release(self) {
        // The release waits for the thread that renews the claim.
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

/// Runs calls of librdkafka on a blocking thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, statelog::Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| Error::Claim(Box::new(error))),
        Err(panicked) => Err(Error::Runtime(panicked.into())),
    }
}
