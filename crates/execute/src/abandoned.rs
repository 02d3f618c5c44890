//! Moves that wait for dead brokers.
//!
//! An execution waits for the moves of other tools, so that two of them do not share brokers and disks. A move whose
//! destinations are all dead copies nothing, and may do so for ever: nobody waits for it for longer than for a restart.

use crate::seen::Seen;
use mapper::TopicPartition;
use std::collections::BTreeMap;

/// What a broker is given to come back: as long as an execution waits for what keeps its own moves from being submitted.
const RESTART_SECONDS: u64 = 60;

/// Since when, in the seconds of what is seen, all destinations of running moves have been dead.
#[derive(Debug, Clone, Default)]
pub struct Abandoned(BTreeMap<TopicPartition, u64>);

impl Abandoned {
    /// Marks them in a look.
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
