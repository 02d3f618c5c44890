//! Waits for records that the holder of a claim has asked to write.

use crate::error::{Error, Lost};
use crate::topic::TOPIC;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How long to wait for a record.
const PATIENCE: Duration = Duration::from_secs(5);

/// Records that are being written. A caller that does not wait never learns the result.
#[derive(Debug)]
pub struct Pending {
    pub(crate) answered: Receiver<Result<(), Error>>,
}

/// Why records may not have been written. They may have been written despite the error.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    /// Kafka refused them.
    #[error(transparent)]
    Refused(Error),
    /// There is no answer yet.
    #[error("the topic {TOPIC} has not taken a record in {seconds} s")]
    Late {
        /// How long we waited.
        seconds: u64,
    },
    /// The claim has no renewal thread any more: [`Claim::check`](crate::Claim::check) may say why.
    #[error("the claim in {TOPIC} is not kept any more")]
    Unkept,
}

impl Pending {
    /// Blocks until the records are written, for some seconds at most.
    ///
    /// # Errors
    /// Why they may not have been written.
    pub fn wait(self) -> Result<(), Unwritten> {
        self.within(PATIENCE)
    }

    fn within(self, patience: Duration) -> Result<(), Unwritten> {
        match self.answered.recv_timeout(patience) {
            Ok(written) => written.map_err(Unwritten::Refused),
            Err(RecvTimeoutError::Timeout) => Err(Unwritten::Late { seconds: patience.as_secs() }),
            Err(RecvTimeoutError::Disconnected) => Err(Unwritten::Unkept),
        }
    }
}

impl Unwritten {
    /// The text of this error, or the claim's own error if it says more.
    #[must_use]
    pub fn why(&self, check: Result<(), Lost>) -> String {
        match (self, check) {
            (Self::Unkept, Err(lost)) => lost.to_string(),
            (other, _) => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn whoever_waits_is_told_what_came_of_it_or_that_nobody_can_say() {
        let within = |patience| {
            let (teller, answered) = channel();
            (teller, move || Pending { answered }.within(patience))
        };
        let (teller, waits) = within(Duration::from_secs(60));
        teller.send(Ok(())).unwrap();
        assert!(waits().is_ok());

        let (teller, waits) = within(Duration::from_secs(60));
        teller.send(Err(Lost::Fenced.into())).unwrap();
        assert!(matches!(waits(), Err(Unwritten::Refused(Error::Lost(Lost::Fenced)))));

        let (_kept, waits) = within(Duration::ZERO);
        let late = waits().unwrap_err();
        assert_eq!(late.to_string(), "the topic __mappr_state has not taken a record in 0 s");

        let (teller, waits) = within(Duration::from_secs(60));
        drop(teller);
        let gone = waits().unwrap_err();
        assert_eq!(gone.why(Ok(())), "the claim in __mappr_state is not kept any more");
        assert_eq!(gone.why(Err(Lost::Fenced)), Lost::Fenced.to_string());
    }
}
