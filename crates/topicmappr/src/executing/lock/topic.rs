//! The lock in the state topic: a claim, which transactions renew and fence.

use super::NotOurs;
use crate::error::Error;
use statelog::{Access, Claim, Holder, Lost, StateTopic};

/// What executors claim.
const EXECUTOR: &str = "executor";

/// A claim that is ours.
#[derive(Debug)]
pub(in crate::executing) struct TopicLock(Claim);

impl TopicLock {
    /// Takes the claim; `None` where there is no topic and none is to be made. And whether it was made.
    pub(in crate::executing) async fn take(
        access: Access,
        brokers: usize,
        make: bool,
        holder: Holder,
    ) -> Result<Option<(Self, bool)>, Error> {
        blocking(move || {
            let topic = match make {
                true => Some(StateTopic::open(access, brokers)?),
                false => StateTopic::find(access)?,
            };
            let Some(topic) = topic else { return Ok(None) };
            let claim = Claim::take(&topic, EXECUTOR, holder)?;
            Ok(Some((Self(claim), topic.is_new())))
        })
        .await
    }

    pub(super) fn check(&self) -> Result<(), NotOurs> {
        self.0.check().map_err(|lost| match lost {
            Lost::NotRenewed { .. } => NotOurs::ForNow(lost.to_string()),
            Lost::Fenced => NotOurs::ForGood(Error::Claim(Box::new(lost.into()))),
        })
    }

    pub(super) async fn release(self) {
        // It waits for the thread that renews.
        let _ = tokio::task::spawn_blocking(move || self.0.release()).await;
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
