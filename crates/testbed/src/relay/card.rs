//! A broker's network card: what may pass, what has passed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::pace::Pace;

/// Bytes per second that a card passes each way; `None` passes everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cap {
    /// To the broker.
    pub rx: Option<u64>,
    /// From the broker.
    pub tx: Option<u64>,
}

impl Cap {
    /// The same both ways, in bytes per second.
    pub fn both(bytes_per_second: u64) -> Self {
        Self { rx: Some(bytes_per_second), tx: Some(bytes_per_second) }
    }
}

/// Bytes that have passed a card since it exists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// To the broker, of clients and of replication.
    pub rx: u64,
    /// From the broker, likewise.
    pub tx: u64,
    /// The part of `rx` that is replication: what it fetches as a follower, and what followers ask.
    pub replication_rx: u64,
    /// The part of `tx` that is replication: what followers fetch from it, and what it asks.
    pub replication_tx: u64,
}

/// Which way bytes go, as the broker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

impl Way {
    /// The same bytes, as the other end sees them.
    pub(super) fn back(self) -> Self {
        match self {
            Self::In => Self::Out,
            Self::Out => Self::In,
        }
    }
}

/// A broker's network card, which tests may watch and change at any time.
#[derive(Debug)]
pub struct Card {
    rx: Port,
    tx: Port,
}

#[derive(Debug, Default)]
struct Port {
    pace: Mutex<Pace>,
    all: AtomicU64,
    replication: AtomicU64,
}

impl Card {
    pub(super) fn new(cap: Cap) -> Self {
        let card = Self { rx: Port::default(), tx: Port::default() };
        card.limit(cap);
        card
    }

    /// Sets what passes from now on.
    pub fn limit(&self, cap: Cap) {
        self.rx.pace().limit(cap.rx);
        self.tx.pace().limit(cap.tx);
    }

    /// What has passed so far.
    pub fn passed(&self) -> Passed {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Passed {
            rx: read(&self.rx.all),
            tx: read(&self.tx.all),
            replication_rx: read(&self.rx.replication),
            replication_tx: read(&self.tx.replication),
        }
    }

    /// The most that should pass at once, so that no connection makes the others wait.
    pub(super) fn piece(&self, way: Way) -> usize {
        self.port(way).pace().piece()
    }

    /// When these bytes may pass: they count as passed from here on.
    pub(super) fn admit(&self, way: Way, bytes: usize, replication: bool) -> Instant {
        let port = self.port(way);
        let when = port.pace().admit(Instant::now(), bytes);
        port.all.fetch_add(bytes as u64, Ordering::Relaxed);
        if replication {
            port.replication.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        when
    }

    fn port(&self, way: Way) -> &Port {
        match way {
            Way::In => &self.rx,
            Way::Out => &self.tx,
        }
    }
}

impl Port {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
