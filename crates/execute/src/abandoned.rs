//! Moves of other tools that wait for dead brokers.
//!
//! An execution waits for the moves of other tools, so that the two do not share brokers and disks. A move whose
//! destinations are all dead copies nothing, possibly for ever. The execution waits for such a move only as long as a
//! restart takes.

use crate::seen::Seen;
use mapper::TopicPartition;
use std::collections::BTreeMap;

/// How long a broker has to come back, in seconds. An execution waits as long for anything that keeps its own moves
/// from being submitted.
const RESTART_SECONDS: u64 = 60;

/// Since when all destinations of each running move have been dead, in seconds as in `Seen::at_seconds`.
#[derive(Debug, Clone, Default)]
pub struct Abandoned(BTreeMap<TopicPartition, u64>);

impl Abandoned {
    /// Marks the abandoned moves in `seen`.
    pub fn mark(&mut self, seen: &mut Seen) {
        let waits = seen.running.iter().filter(|(_, run)| run.waits_for_the_dead(&seen.live));
        let since = waits.map(|(of, _)| {
            let since = self.0.get(of).copied().unwrap_or(seen.at_seconds);
            (of.clone(), since)
        });
        self.0 = since.collect();
        let now = seen.at_seconds;
        let old = self.0.iter().filter(|(_, since)| now.saturating_sub(**since) >= RESTART_SECONDS);
        seen.abandoned = old.map(|(of, _)| of.clone()).collect();
    }
}
