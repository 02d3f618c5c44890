//! Moves that have ended, of which the broker that was asked for the replicas does not know yet.
//!
//! Of running moves the controller tells, of replicas any broker; brokers learn of a move's end a little later, and a busy
//! controller with ZooKeeper tells them seconds later. Meanwhile a partition that nobody moves has replicas of both lists.

use crate::course::between;
use crate::legs::by_partition;
use crate::seen::Seen;
use mapper::{Move, Plan, TopicPartition};
use std::collections::BTreeMap;

/// Who has replicas of both lists for longer has been given them by somebody.
const LAG_SECONDS: u64 = 60;

/// Since when, in the seconds of what is seen, partitions of a plan have looked so.
#[derive(Debug, Clone, Default)]
pub struct Settling(BTreeMap<TopicPartition, u64>);

impl Settling {
    /// Marks them in a look.
    pub fn mark(&mut self, plan: &Plan, seen: &mut Seen) {
        let settles = |legs: &&[Move]| {
            let partition = seen.partition(&legs[0]);
            partition.is_some_and(|p| between(legs, &p.replicas).is_some())
                && !seen.running.contains_key(&legs[0].of())
        };
        let found = by_partition(&plan.moves).filter(settles);
        let since = found.map(|legs| {
            let of = legs[0].of();
            let since = self.0.get(&of).copied().unwrap_or(seen.at_seconds);
            (of, since)
        });
        self.0 = since.collect();
        let now = seen.at_seconds;
        let recent = self.0.iter().filter(|(_, since)| now.saturating_sub(**since) < LAG_SECONDS);
        seen.settling = recent.map(|(of, _)| of.clone()).collect();
    }
}
