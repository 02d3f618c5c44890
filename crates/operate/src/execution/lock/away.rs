//! A lock that does not answer, or has ended: when it is asked for again, and how often that is told.

use crate::execution::Outage;
use std::time::Duration;
use tokio::time::Instant;

/// A lock that may be had again is not waited for longer than this.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// Since when nobody vouches for the lock.
#[derive(Debug)]
pub(in crate::execution) struct Away {
    outage: Outage,
    again_at: Instant,
    /// It is ours no more: only to take it again, and to find the records as they were left, makes it so.
    pub(in crate::execution) has_ended: bool,
}

impl Away {
    /// It answers, and is ours.
    pub(in crate::execution) fn none() -> Self {
        Self { outage: Outage::none(LONGEST_REST), again_at: Instant::now(), has_ended: false }
    }

    /// Whether it is time to ask again.
    pub(in crate::execution) fn is_due(&self) -> bool {
        self.again_at <= Instant::now()
    }

    /// Still nobody says that it is ours.
    pub(in crate::execution) fn goes_on(&mut self, why: &str) {
        let now = Instant::now();
        let (rest, tell) = self.outage.goes_on(now);
        self.again_at = now + rest;
        if tell {
            tracing::warn!(%why, "nothing is begun or changed until the cluster's lock is ours for certain; what is in flight goes on");
        }
    }

    /// It is ours.
    pub(in crate::execution) fn ends(&mut self) {
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
