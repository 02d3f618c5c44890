//! The thread that keeps a claim.

use crate::claim::LEASE;
use crate::error::Lost;
use crate::holder::Holder;
use crate::writer::Writer;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between two renewals: several may fail before the lease ends.
const EVERY: Duration = Duration::from_secs(5);

/// How the claim stands.
#[derive(Debug, Clone)]
struct Standing {
    /// When the last renewal that succeeded was begun.
    renewed: Instant,
    fenced: bool,
    /// What the renewals since then came to.
    failure: String,
}

/// Renews until it is dropped, then gives the claim back.
#[derive(Debug)]
pub(crate) struct Renewal {
    standing: Arc<Mutex<Standing>>,
    /// Dropped to end the thread.
    until: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Renewal {
    pub(crate) fn begin(
        mut writer: Writer,
        key: String,
        mut holder: Holder,
        renewed: Instant,
    ) -> Self {
        let standing = Standing { renewed, fenced: false, failure: "no answer".to_owned() };
        let standing = Arc::new(Mutex::new(standing));
        let (until, ended) = mpsc::channel();
        let kept = Arc::clone(&standing);
        let thread = thread::spawn(move || {
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                holder.renew();
                let begun = Instant::now();
                let written = writer.write(&key, Some(&holder.to_json()));
                let mut standing = kept.lock().unwrap_or_else(PoisonError::into_inner);
                match written {
                    Ok(()) => standing.renewed = begun,
                    Err(error) if writer.is_fenced(&error) => {
                        standing.fenced = true;
                        return;
                    }
                    Err(error) => standing.failure = error.to_string(),
                }
            }
            if let Err(error) = writer.write(&key, None) {
                tracing::info!(%error, "the claim is not given back: the next holder has to wait");
            }
        });
        Self { standing, until: Some(until), thread: Some(thread) }
    }

    pub(crate) fn check(&self) -> Result<(), Lost> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).check(Instant::now())
    }
}

impl Standing {
    fn check(&self, now: Instant) -> Result<(), Lost> {
        let since = now.saturating_duration_since(self.renewed);
        if self.fenced {
            Err(Lost::Fenced)
        } else if since >= LEASE {
            Err(Lost::NotRenewed { seconds: since.as_secs(), why: self.failure.clone() })
        } else {
            Ok(())
        }
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.until = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to say that a panic would tell better.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_ends_by_itself_when_it_is_not_renewed() {
        let renewed = Instant::now();
        let standing = Standing { renewed, fenced: false, failure: "timed out".to_owned() };
        assert_eq!(standing.check(renewed + LEASE / 2), Ok(()));
        let lost = Lost::NotRenewed { seconds: 20, why: "timed out".to_owned() };
        assert_eq!(standing.check(renewed + LEASE), Err(lost));
        let fenced = Standing { fenced: true, ..standing };
        assert_eq!(fenced.check(renewed), Err(Lost::Fenced));
    }
}
