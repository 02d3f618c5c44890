//! How long partitions of a plan lack replicas.

use crate::health::missing_to_min_isr;
use crate::seen::Seen;
use mapper::{ExposureSeconds, Move, Plan};

/// The time that partitions of a plan have lacked replicas, look by look. It is lost with the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exposure {
    last_look_seconds: Option<u64>,
    so_far: ExposureSeconds,
}

impl Exposure {
    /// Applies one look: what lacks replicas now has lacked them since the last look.
    pub fn look(&mut self, plan: &Plan, seen: &Seen) {
        let lacks = |change: &&Move| {
            seen.partition(change).is_some() && seen.in_sync(change).len() < change.to.len()
        };
        let (mut lacking, mut below) = (0, 0);
        for change in plan.moves.iter().filter(lacks) {
            lacking += 1;
            below += u64::from(missing_to_min_isr(seen, change) > 0);
        }
        let since = self.last_look_seconds.replace(seen.at_seconds).unwrap_or(seen.at_seconds);
        let seconds = seen.at_seconds.saturating_sub(since);
        let add = |to: &mut u64, count: u64| {
            *to = to.saturating_add(seconds.saturating_mul(count));
        };
        add(&mut self.so_far.below_full_replication, lacking);
        add(&mut self.so_far.below_min_isr, below);
    }

    /// The sums over partitions.
    pub fn so_far(&self) -> ExposureSeconds {
        self.so_far
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::tests::{change, ids, plan, seen};

    #[test]
    fn what_lacks_replicas_counts_by_the_second() {
        let counted = |below_full_replication, below_min_isr| ExposureSeconds {
            below_full_replication,
            below_min_isr,
        };
        let whole = change(0, 1, 3, 10);
        let lacks = Move { from: ids(&[1]), to: ids(&[3, 4]), ..change(1, 1, 3, 10) };
        let mut seen = seen(&[whole.clone(), lacks.clone()]);
        let plan = Plan { moves: vec![whole, lacks], ..plan() };
        let topic = seen.topics.values_mut().next().unwrap();
        topic.min_insync_replicas = Some(2);
        let mut exposure = Exposure::default();
        for at in [100, 103, 110] {
            seen.at_seconds = at;
            exposure.look(&plan, &seen);
        }
        assert_eq!(exposure.so_far(), counted(10, 10));
        seen.topics.values_mut().next().unwrap().min_insync_replicas = Some(1);
        seen.at_seconds = 115;
        exposure.look(&plan, &seen);
        assert_eq!(exposure.so_far(), counted(15, 10), "one in sync is enough");
        seen.topics.clear();
        seen.at_seconds = 200;
        exposure.look(&plan, &seen);
        assert_eq!(exposure.so_far(), counted(15, 10), "a topic that is gone lacks nothing");
    }
}
