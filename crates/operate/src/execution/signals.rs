//! SIGINT, SIGTERM and SIGHUP: the operator ends the run, or the terminal was closed.

use crate::Status;
use crate::error::Error;
use std::fs;
use std::future::pending;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
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
    /// Whether it is among the commands that handle signals.
    is_counted: bool,
}

/// How many commands of this process handle its signals now.
static HANDLED: AtomicUsize = AtomicUsize::new(0);
static ENDS: Once = Once::new();

/// Lets signals end the first process of a container, too: the kernel ignores a signal that this process does not handle.
///
/// # Errors
/// The operating system refuses a handler.
pub fn end_first_process_by_signals() -> Result<(), Error> {
    if std::process::id() == 1 { end_by_signals() } else { Ok(()) }
}

/// Lets signals end this process, also after a command has handled them. A command that handles them now is left alone.
///
/// # Errors
/// The operating system refuses a handler.
pub fn end_by_signals() -> Result<(), Error> {
    if ENDS.is_completed() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::Runtime)?;
    let mut signals = runtime.block_on(async { Signals::open() })?;
    #[expect(clippy::exit, reason = "a signal ends a process wherever it is")]
    let ends = move || loop {
        let signal = runtime.block_on(signals.next());
        if HANDLED.load(Ordering::SeqCst) == 0 {
            let status = match signal {
                Signal::Interrupt => Status::Interrupted,
                Signal::Terminate => Status::Terminated,
            };
            std::process::exit(status.code().into());
        }
    };
    ENDS.call_once(|| drop(thread::spawn(ends)));
    Ok(())
}

impl Signals {
    /// Handles these signals from now on; they no longer end the process directly.
    ///
    /// # Errors
    /// The operating system refuses the handlers.
    pub fn listen() -> Result<Self, Error> {
        let mut signals = Self::open()?;
        HANDLED.fetch_add(1, Ordering::SeqCst);
        signals.is_counted = true;
        Ok(signals)
    }

    fn open() -> Result<Self, Error> {
        let of = |kind| signal(kind).map_err(Error::Runtime);
        let hangup = match ignores_hangups() {
            true => None,
            false => Some(of(SignalKind::hangup())?),
        };
        Ok(Self {
            interrupt: of(SignalKind::interrupt())?,
            terminate: of(SignalKind::terminate())?,
            hangup,
            is_counted: false,
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

impl Drop for Signals {
    fn drop(&mut self) {
        if self.is_counted {
            HANDLED.fetch_sub(1, Ordering::SeqCst);
        }
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
