//! Moves that have ended, of which the broker that reported the replicas does not know yet.
//!
//! The controller reports running moves; any broker reports replicas. Brokers learn of a move's end a little later. A
//! busy controller with ZooKeeper informs them seconds later. In that time a partition that is not being moved has the
//! replicas of both lists, or those of before the move. A cancel of our move by another tool leaves the latter state as
//! well.

use crate::journal::ExecutionHistory;
use crate::legs::by_partition;
use crate::move_state::WhyLeft;
use crate::progress::{between, vanished};
use crate::seen::Seen;
use mapper::{Move, Plan, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// After this time a difference is real. If the replicas of both lists remain, another tool has set them. If those of
/// before the move remain, the partition never got the others.
const LAG_SECONDS: u64 = 60;
/// If brokers have already shown the replicas of both lists, the old replicas are a new state: a broker's report does
/// not go back. A few looks are still allowed, because another broker may answer.
const BACK_SECONDS: u64 = 5;

/// Since when partitions of a plan have looked unclear, in seconds as in `Seen::at_seconds`.
#[derive(Debug, Clone, Default)]
pub struct Settling {
    since: BTreeMap<TopicPartition, u64>,
    /// Partitions that had the replicas of both lists while their move was in flight.
    shown: BTreeSet<TopicPartition>,
}

impl Settling {
    /// Marks the settling partitions in `seen`.
    pub fn mark(&mut self, plan: &Plan, history: &ExecutionHistory, seen: &mut Seen) {
        let (mut first, mut since, mut settling) = (0, BTreeMap::new(), BTreeSet::new());
        for legs in by_partition(&plan.moves) {
            let of = legs[0].of();
            if let Some(lag_seconds) = self.lag(first, legs, history, seen) {
                let from = self.since.get(&of).copied().unwrap_or(seen.at_seconds);
                if seen.at_seconds.saturating_sub(from) < lag_seconds {
                    settling.insert(of.clone());
                }
                since.insert(of, from);
            }
            first += legs.len();
        }
        self.since = since;
        seen.settling = settling;
    }

    /// For how long a partition may look as it does now although its move has arrived; none: nothing is unclear.
    fn lag(
        &mut self,
        first: usize,
        legs: &[Move],
        history: &ExecutionHistory,
        seen: &Seen,
    ) -> Option<u64> {
        let of = legs[0].of();
        let replicas = &seen.partition(&legs[0])?.replicas;
        let has_both = between(legs, replicas).is_some();
        if seen.running.contains_key(&of) {
            if has_both {
                self.shown.insert(of);
            }
            return None;
        }
        if has_both {
            return Some(LAG_SECONDS);
        }
        let Some(leg) = vanished(first, legs, replicas, history) else {
            self.shown.remove(&of);
            return None;
        };
        let is_known = history.left_out.get(&(first + leg)) == Some(&WhyLeft::CancelledByOthers);
        let lag_seconds = if self.shown.contains(&of) { BACK_SECONDS } else { LAG_SECONDS };
        (!is_known).then_some(lag_seconds)
    }
}
