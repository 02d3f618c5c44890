//! SIGINT and SIGTERM: the operator wants us gone.

use crate::error::Error;
use crate::failure::Failure;
use std::time::Duration;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// Which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// Listens for both.
pub struct Signals {
    interrupt: Stream,
    terminate: Stream,
}

impl Signals {
    /// From now on; the process no longer ends by itself.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn listen() -> Result<Self, Failure> {
        let of = |kind| signal(kind).map_err(Error::Runtime);
        Ok(Self {
            interrupt: of(SignalKind::interrupt())?,
            terminate: of(SignalKind::terminate())?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }

    /// The signal that comes within this time, if one does.
    pub async fn within(&mut self, time: Duration) -> Option<Signal> {
        tokio::time::timeout(time, self.next()).await.ok()
    }
}
