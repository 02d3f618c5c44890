//! How long a claim is valid without a renewal.

use std::time::Duration;

/// How long a claim is valid without a renewal. All processes that want the same claim must use the same term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// How long a record must stay unchanged before its holder counts as dead. It is longer than the holder may act, so
    /// no two processes ever act at the same time.
    pub(crate) silence: Duration,
    /// How long a holder may act after its last renewal.
    pub(crate) lease: Duration,
    /// The interval between two renewals. Several may fail before the lease ends.
    pub(crate) every: Duration,
}

impl Term {
    /// A holder that is silent for this long counts as dead.
    #[must_use]
    pub fn of(silence: Duration) -> Self {
        Self { silence, lease: silence * 2 / 3, every: silence / 6 }
    }
}

impl Default for Term {
    /// Half a minute, because an execution runs for hours.
    fn default() -> Self {
        Self::of(Duration::from_secs(30))
    }
}
