//! SIGINT, SIGTERM and SIGHUP: the operator ends the run, or the terminal was closed.

use crate::error::Error;
use std::fs;
use std::future::pending;
use std::time::Duration;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// The signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT.
    Interrupt,
    /// SIGTERM or SIGHUP: a closed terminal also ends the run.
    Terminate,
}

/// Handlers for all three signals.
pub struct Signals {
    interrupt: Stream,
    terminate: Stream,
    /// `None` if the parent process ignores SIGHUP (`nohup`): handling it would end a run that should outlive the
    /// terminal.
    hangup: Option<Stream>,
}

impl Signals {
    /// Handles these signals from now on; they no longer end the process directly.
    ///
    /// # Errors
    /// The operating system refuses the handlers.
    pub fn listen() -> Result<Self, Error> {
        let of = |kind| signal(kind).map_err(Error::Runtime);
        let hangup = match ignores_hangups() {
            true => None,
            false => Some(of(SignalKind::hangup())?),
        };
        Ok(Self {
            interrupt: of(SignalKind::interrupt())?,
            terminate: of(SignalKind::terminate())?,
            hangup,
        })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> Signal {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
            _ = hangup => Signal::Terminate,
        }
    }

    /// The signal that arrives within this time, if any.
    pub async fn within(&mut self, time: Duration) -> Option<Signal> {
        tokio::time::timeout(time, self.next()).await.ok()
    }
}

/// Whether the process ignores SIGHUP; only Linux reports it.
fn ignores_hangups() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_first(&status))
}

/// Whether the mask of ignored signals in a `/proc/PID/status` contains SIGHUP, which is signal 1.
fn ignores_first(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn what_nohup_has_ignored_is_read_off_the_mask() {
        assert!(ignores_first("Name:\tx\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_first("Name:\tx\nSigIgn:\t0000000000001000\n"));
        assert!(!ignores_first(""));
    }

    /// If the tests run under `nohup`, a hangup changes nothing.
    #[tokio::test]
    async fn a_hangup_ends_a_run_as_sigterm_does() {
        let ignored = ignores_hangups();
        let mut signals = Signals::listen().unwrap();
        let us = std::process::id().to_string();
        assert!(Command::new("kill").args(["-HUP", &us]).status().unwrap().success());
        let time = Duration::from_secs(if ignored { 1 } else { 30 });
        let expected = (!ignored).then_some(Signal::Terminate);
        assert_eq!(signals.within(time).await, expected);
    }
}
