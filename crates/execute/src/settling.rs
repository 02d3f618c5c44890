//! Moves that have ended, of which the broker that was asked for the replicas does not know yet.
//!
//! Of running moves the controller tells, of replicas any broker; brokers learn of a move's end a little later, and a busy
//! controller with ZooKeeper tells them seconds later. Meanwhile a partition that nobody moves has the replicas of both lists, or
//! still those of before the move. The latter is also what another tool leaves that cancels a move of ours.

use crate::course::{WhyLeft, between, vanished};
use crate::journal::History;
use crate::legs::by_partition;
use crate::seen::Seen;
use mapper::{Move, Plan, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// Who has replicas of both lists for longer has been given them by somebody; who has those of before the move for longer never
/// got the others.
const LAG_SECONDS: u64 = 60;
/// Where brokers have shown the replicas of both lists, those of before the move cannot be old news: what a broker tells does
/// not go back. A few looks, in case that another broker is asked meanwhile.
const BACK_SECONDS: u64 = 5;

/// Since when, in the seconds of what is seen, partitions of a plan have looked so.
#[derive(Debug, Clone, Default)]
pub struct Settling {
    since: BTreeMap<TopicPartition, u64>,
    /// Partitions that had the replicas of both lists while their move was in flight.
    shown: BTreeSet<TopicPartition>,
}

impl Settling {
    /// Marks them in a look.
    pub fn mark(&mut self, plan: &Plan, history: &History, seen: &mut Seen) {
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

    /// For how long a partition may look as it does now though its move has arrived; none: nothing is unclear.
    fn lag(&mut self, first: usize, legs: &[Move], history: &History, seen: &Seen) -> Option<u64> {
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
