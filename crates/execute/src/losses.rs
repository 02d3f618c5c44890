//! Brokers that are lost during a plan for something else.

use crate::seen::Seen;
use mapper::{BrokerId, Move, Plan, Reason, holders};
use std::collections::{BTreeMap, BTreeSet};

/// Since when brokers with replicas are not live, look by look. It is lost with the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses {
    since_seconds: BTreeMap<BrokerId, u64>,
}

impl Losses {
    /// The brokers that have been lost for this long. Those that the plan itself replaces do not count.
    pub fn look(&mut self, plan: &Plan, seen: &Seen, for_seconds: u64) -> BTreeSet<BrokerId> {
        let replaces = plan.moves.iter().filter(|change| change.reason == Reason::Lost);
        let replaced: BTreeSet<BrokerId> = replaces.flat_map(Move::removed).collect();
        let holding = holders(seen.topics.values()).into_iter();
        let lost = holding.filter(|id| !seen.live.contains(id) && !replaced.contains(id));
        let since = |id| self.since_seconds.get(&id).copied().unwrap_or(seen.at_seconds);
        self.since_seconds = lost.map(|id| (id, since(id))).collect();
        let long = |since: u64| seen.at_seconds.saturating_sub(since) >= for_seconds;
        self.since_seconds.iter().filter(|(_, at)| long(**at)).map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::tests::{change, plan, seen};

    #[test]
    fn a_broker_counts_after_a_while_without_a_break_and_unless_the_plan_replaces_it() {
        let lost = Move { reason: Reason::Lost, ..change(0, 1, 4, 10) };
        let moves = vec![lost, change(1, 2, 4, 10)];
        let mut seen = seen(&moves);
        let plan = Plan { moves, ..plan() };
        let mut losses = Losses::default();
        let mut at = |at_seconds, live: &[u32]| {
            seen.at_seconds = at_seconds;
            seen.live = live.iter().copied().map(BrokerId).collect();
            losses.look(&plan, &seen, 30)
        };
        assert_eq!(at(100, &[2, 3, 4]), [].into(), "the plan replaces broker 1");
        assert_eq!(at(110, &[3, 4]), [].into());
        assert_eq!(at(139, &[3, 4]), [].into());
        assert_eq!(at(140, &[3, 4]), [BrokerId(2)].into());
        assert_eq!(at(150, &[2, 3, 4]), [].into(), "it is back");
        assert_eq!(at(160, &[3, 4]), [].into(), "and lost once more");
        assert_eq!(at(190, &[3, 4]), [BrokerId(2)].into());
    }
}
