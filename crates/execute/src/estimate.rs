//! How much is left to copy, and how long it takes.

use crate::course::{Course, Standing};
use crate::room::each_copy;
use crate::seen::Seen;
use crate::task::{Pace, Task};
use mapper::{BrokerId, Bytes, Move};
use serde::Serialize;
use std::collections::BTreeMap;

/// What of a throttle new replicas get, in percent: a quota is asked again only half a second or a second after it was used
/// up, the leader's and the follower's one after the other, and counts what a follower throws away, the beginning of a
/// batch at the end of a fetch (docs/benchmarks.md has the figures).
const THROUGH_PERCENT: u64 = 90;

/// What one broker sends and takes in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Into it.
    pub incoming_bytes: Bytes,
    /// Out of it, as the leader of what is copied.
    pub outgoing_bytes: Bytes,
}

/// An estimate of what is left, from the plan's sizes. Moves in flight count in full.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Estimate {
    /// By broker.
    pub brokers: BTreeMap<BrokerId, Traffic>,
    /// All that is left to copy.
    pub bytes: Bytes,
    /// Moves whose size the plan does not know.
    pub unsized_moves: usize,
    /// About how long it takes under the throttle: each step as long as its busiest broker. Unknown without one.
    pub seconds: Option<u64>,
}

impl Estimate {
    /// Of every move that is not over.
    pub fn of(task: &Task<'_>, course: &Course, seen: &Seen) -> Self {
        let mut estimate = Self::default();
        let mut worst_of_steps = 0_u64;
        for step in &task.plan.steps {
            let mut brokers = BTreeMap::new();
            let open = |index: &&usize| match course.standings.get(**index) {
                Some(Standing::Moving | Standing::Ready | Standing::Hindered(_)) => true,
                Some(Standing::Done | Standing::Left(_)) | None => false,
            };
            for change in step.iter().filter(open).filter_map(|index| task.of(*index)) {
                estimate.count(change, seen, &mut brokers);
            }
            let busiest =
                brokers.values().map(|t: &Traffic| t.incoming_bytes.max(t.outgoing_bytes));
            worst_of_steps += busiest.max().unwrap_or_default().0;
            for (id, traffic) in brokers {
                let all = estimate.brokers.entry(id).or_default();
                all.incoming_bytes.0 += traffic.incoming_bytes.0;
                all.outgoing_bytes.0 += traffic.outgoing_bytes.0;
            }
        }
        estimate.seconds = match task.pace {
            Pace::BytesPerSecond(rate) => {
                let through = u128::from(rate.0.max(1)) * u128::from(THROUGH_PERCENT);
                let seconds = (u128::from(worst_of_steps) * 100).div_ceil(through);
                Some(u64::try_from(seconds).unwrap_or(u64::MAX))
            }
            Pace::Unthrottled | Pace::Auto => None,
        };
        estimate
    }

    fn count(&mut self, change: &Move, seen: &Seen, brokers: &mut BTreeMap<BrokerId, Traffic>) {
        if change.added().next().is_none() {
            return;
        }
        self.unsized_moves += usize::from(change.bytes.is_none());
        let each = each_copy(change);
        let source = seen.leader(change).or_else(|| change.from.first().copied());
        for broker in change.added() {
            self.bytes.0 += each;
            brokers.entry(broker).or_default().incoming_bytes.0 += each;
            if let Some(source) = source {
                brokers.entry(source).or_default().outgoing_bytes.0 += each;
            }
        }
    }
}
