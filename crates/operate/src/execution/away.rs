//! Tracks a lock that does not answer or has expired: when to ask again, and which failures to log.

use super::Outage;
use std::time::Duration;
use tokio::time::Instant;

/// The longest pause between two attempts to take the lock again.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// An outage of the lock, or none.
#[derive(Debug)]
pub(super) struct Away {
    outage: Outage,
    again_at: Instant,
    /// The lock has expired. This process holds it again only after it takes it again and finds the records
    /// unchanged.
    pub(super) has_ended: bool,
}

impl Away {
    /// No outage: the lock is confirmed.
    pub(super) fn none() -> Self {
        Self { outage: Outage::none(LONGEST_REST), again_at: Instant::now(), has_ended: false }
    }

    /// Whether it is time to ask again.
    pub(super) fn is_due(&self) -> bool {
        self.again_at <= Instant::now()
    }

    /// Another attempt failed to confirm the lock.
    pub(super) fn goes_on(&mut self, why: &str) {
        let now = Instant::now();
        let (rest, tell) = self.outage.goes_on(now);
        self.again_at = now + rest;
        if tell {
            tracing::warn!(%why, "nothing is begun or changed until the cluster's lock is ours for certain; what is in flight goes on");
        }
    }

    /// The lock is confirmed again.
    pub(super) fn ends(&mut self) {
        let attempts = self.outage.ends();
        if attempts > 0 || self.has_ended {
            tracing::warn!(
                attempts,
                "the cluster's lock is ours, and nobody else had it: going on"
            );
        }
        *self = Self::none();
    }
}
