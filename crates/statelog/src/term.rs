//! How long a claim stands by itself.

use std::time::Duration;

/// How long a claim stands without being renewed. Whoever wants the same claim has to go by the same term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// How long a record has to stay as it is before its holder counts as dead: longer than the holder may act, so that
    /// no two ever do.
    pub(crate) silence: Duration,
    /// How long a holder may act after its last renewal.
    pub(crate) lease: Duration,
    /// Between two renewals: several may fail before the lease ends.
    pub(crate) every: Duration,
}

impl Term {
    /// Whoever is silent for so long counts as dead.
    #[must_use]
    pub fn of(silence: Duration) -> Self {
        Self { silence, lease: silence * 2 / 3, every: silence / 6 }
    }
}

impl Default for Term {
    /// Half a minute: an execution lasts for hours.
    fn default() -> Self {
        Self::of(Duration::from_secs(30))
    }
}
