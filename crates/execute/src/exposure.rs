//! How long partitions of a plan lack replicas.

use crate::seen::Seen;
use mapper::{Move, Plan};

/// The time that partitions of a plan have lacked replicas, look by look. It is lost with the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exposure {
    last_look_seconds: Option<u64>,
    partition_seconds: u64,
}

impl Exposure {
    /// Applies one look: what lacks replicas now has lacked them since the last look.
    pub fn look(&mut self, plan: &Plan, seen: &Seen) {
        let lacks = |change: &&Move| {
            seen.partition(change).is_some() && seen.in_sync(change).len() < change.to.len()
        };
        let count = plan.moves.iter().filter(lacks).count();
        let since = self.last_look_seconds.replace(seen.at_seconds).unwrap_or(seen.at_seconds);
        let seconds = seen.at_seconds.saturating_sub(since);
        let more = seconds.saturating_mul(u64::try_from(count).unwrap_or(u64::MAX));
        self.partition_seconds = self.partition_seconds.saturating_add(more);
    }

    /// The sum over partitions, in seconds.
    pub fn partition_seconds(&self) -> u64 {
        self.partition_seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::tests::{change, ids, plan, seen};

    #[test]
    fn what_lacks_replicas_counts_by_the_second() {
        let whole = change(0, 1, 3, 10);
        let lacks = Move { from: ids(&[1]), to: ids(&[3, 4]), ..change(1, 1, 3, 10) };
        let mut seen = seen(&[whole.clone(), lacks.clone()]);
        let plan = Plan { moves: vec![whole, lacks], ..plan() };
        let mut exposure = Exposure::default();
        for at in [100, 103, 110] {
            seen.at_seconds = at;
            exposure.look(&plan, &seen);
        }
        assert_eq!(exposure.partition_seconds(), 10);
        seen.topics.clear();
        seen.at_seconds = 200;
        exposure.look(&plan, &seen);
        assert_eq!(exposure.partition_seconds(), 10, "a topic that is gone lacks nothing");
    }
}
