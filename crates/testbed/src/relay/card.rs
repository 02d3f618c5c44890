//! A simulated network card of a broker: its limits, and the bytes that have passed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::pace::Pace;

/// Bytes per second that a card lets through in each direction; `None` means no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cap {
    /// To the broker.
    pub rx: Option<u64>,
    /// From the broker.
    pub tx: Option<u64>,
}

impl Cap {
    /// The same limit in both directions, in bytes per second.
    pub fn both(bytes_per_second: u64) -> Self {
        Self { rx: Some(bytes_per_second), tx: Some(bytes_per_second) }
    }
}

/// Bytes that have passed a card since it was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// To the broker, from clients and for replication.
    pub rx: u64,
    /// From the broker, to clients and for replication.
    pub tx: u64,
    /// The part of `rx` for replication: what the broker fetches as a follower, and its followers' requests.
    pub replication_rx: u64,
    /// The part of `tx` for replication: what followers fetch from it, and its own fetch requests.
    pub replication_tx: u64,
}

/// The direction of bytes, from the broker's view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

impl Way {
    /// The same bytes from the other end's view.
    pub(super) fn back(self) -> Self {
        match self {
            Self::In => Self::Out,
            Self::Out => Self::In,
        }
    }
}

/// A broker's network card. Tests may read and change it at any time.
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

    /// Sets the limit from now on.
    pub fn limit(&self, cap: Cap) {
        self.rx.pace().limit(cap.rx);
        self.tx.pace().limit(cap.tx);
    }

    /// The bytes that have passed so far.
    pub fn passed(&self) -> Passed {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Passed {
            rx: read(&self.rx.all),
            tx: read(&self.tx.all),
            replication_rx: read(&self.rx.replication),
            replication_tx: read(&self.tx.replication),
        }
    }

    /// The largest piece that should pass at once, so that no connection blocks the others.
    pub(super) fn piece(&self, way: Way) -> usize {
        self.port(way).pace().piece()
    }

    /// When these bytes may pass. They count as passed from this call on.
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
