//! What the loop hears from the canary.

use super::Daemon;
use crate::board::Heard;
use crate::error::Error;
use mapper::BrokerId;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The shortest pause between rounds that begin because of the canary.
const APART: Duration = Duration::from_secs(5);

/// How often the waiting loop reads the canary.
const HEARING: Duration = Duration::from_millis(100);

/// The brokers that were slow in a round, and when that was.
#[derive(Debug)]
pub(super) struct SlowBrokers {
    brokers: BTreeSet<BrokerId>,
    at: Instant,
}

impl Default for SlowBrokers {
    fn default() -> Self {
        Self { brokers: BTreeSet::new(), at: Instant::now() }
    }
}

impl Daemon<'_> {
    /// Gives the slow brokers to a round.
    pub(super) fn listen(&mut self, seen: &mut throttle::ThrottleInputs) {
        for (id, canary) in self.canary.readings() {
            if let Some(broker) = seen.brokers.get_mut(&id) {
                broker.health.canary = Some(canary);
            }
        }
        self.slow = SlowBrokers { brokers: self.slow_now(), at: Instant::now() };
    }

    /// Updates the API, also between rounds.
    pub(super) fn tell_what_is_heard(&self) {
        if self.canary.is_asked() {
            self.board.hears(Heard {
                messages: self.canary.messages(),
                readings: self.canary.readings(),
                problem: self.canary.problem(),
                most: self.settings.limits.terms().health.canary,
            });
        }
    }

    /// Returns when the set of slow brokers differs from the last round's, while rates depend on it.
    pub(super) async fn hears_news(&self) {
        if !self.canary.is_asked() {
            return std::future::pending().await;
        }
        while !self.is_news() {
            tokio::time::sleep(HEARING).await;
        }
    }

    fn is_news(&self) -> bool {
        let counts = !self.before.rates.is_empty() && self.slow.at.elapsed() >= APART;
        counts && self.slow_now() != self.slow.brokers
    }

    fn slow_now(&self) -> BTreeSet<BrokerId> {
        let asked = self.settings.limits.terms().health.canary;
        let readings = self.canary.readings().into_iter();
        readings.filter(|(_, canary)| canary.is_slow(asked)).map(|(id, _)| id).collect()
    }

    /// After a round: what throttles comes first.
    pub(super) async fn tend(&mut self, live: &BTreeSet<BrokerId>) -> Result<(), Error> {
        let Some(client) = &self.client else { return Ok(()) };
        self.canary.tend(client, &self.book, live).await?;
        self.tell_what_is_heard();
        Ok(())
    }
}
