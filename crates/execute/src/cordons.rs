//! Brokers and log dirs that were cordoned after the plan was made (KIP-1066).
//!
//! Kafka places no new partitions on cordoned brokers, but accepts a reassignment onto one. It refuses each request
//! that names a cordoned log dir. A move that would end on either is not begun.

use crate::dirs::{Lies, lies};
use crate::move_state::MoveHindrance;
use crate::seen::Seen;
use mapper::{BrokerId, Mends, Move, Plan, Request};

/// What a cordon prevents for a move that could otherwise begin.
pub(crate) fn hindrance(plan: &Plan, change: &Move, seen: &Seen) -> Option<MoveHindrance> {
    if seen.cordons.is_empty() {
        return None;
    }
    if !takes_back(plan) && !plan.request.terms().ignore_cordons {
        let held = seen.partition(change).map_or(&[][..], |partition| &partition.replicas);
        let new = change.added().filter(|id| !held.contains(id));
        let brokers: Vec<BrokerId> = new.filter(|id| seen.is_cordoned(*id)).collect();
        if !brokers.is_empty() {
            return Some(MoveHindrance::Cordoned { brokers, log_dir: None });
        }
    }
    let refused = |(id, dir): &(BrokerId, &str)| {
        let waits = matches!(lies(seen, change, *id, dir), Lies::Nowhere | Lies::Elsewhere);
        waits && seen.cordons(*id, dir)
    };
    change.named_log_dirs().find(refused).map(|(broker, dir)| MoveHindrance::Cordoned {
        brokers: vec![broker],
        log_dir: Some(dir.to_owned()),
    })
}

/// Whether the plan is a rollback. It restores the replicas even on brokers that were cordoned later.
fn takes_back(plan: &Plan) -> bool {
    matches!(&plan.request, Request::Rebuild(rebuild) if rebuild.terms.mends == Mends::Nothing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;
    use crate::journal::{ExecutionHistory, ExecutionOutcome};
    use crate::ledger::Ledger;
    use crate::move_state::MoveState;
    use crate::next;
    use crate::progress::{PlanProgress, cordoned};
    use crate::seen::{Cordon, Stored};
    use crate::task::{Aim, ExecutionTerms, Pace, Task};
    use mapper::snapshot::{Leader, Partition, PartitionFacts, Topic};
    use mapper::{PartitionId, PlaceBy, PlanTerms, Ratio, Reason, Rebuild, Replicas};

    fn ids(ids: &[u32]) -> Replicas {
        ids.iter().copied().map(BrokerId).collect()
    }

    /// Two moves from 1 and 2 to 3 and 2; the second names a log dir.
    fn plan(mends: Mends) -> Plan {
        let log_dirs = [Vec::new(), vec!["/b".to_owned(), mapper::ANY_LOG_DIR.to_owned()]];
        let moves = (0..).zip(log_dirs).map(|(partition, log_dirs)| Move {
            topic: "t".into(),
            partition: PartitionId(partition),
            from: ids(&[1, 2]),
            via: Box::default(),
            disk_bytes: mapper::Bytes(0),
            to: ids(&[3, 2]),
            log_dirs,
            reason: Reason::Leaving,
            bytes: None,
        });
        let terms = PlanTerms { mends, ..PlanTerms::new(Vec::new(), Ratio::ZERO) };
        let request = Request::Rebuild(Rebuild::new(terms, PlaceBy::Count));
        Plan { steps: vec![vec![0, 1]], moves: moves.collect(), ..Plan::empty(request) }
    }

    fn task(plan: &Plan) -> Task<'_> {
        let terms = ExecutionTerms::new(Aim::CarryOut, Pace::Unthrottled);
        Task { plan, plan_id: "p", cluster_id: "c", terms }
    }

    fn seen(cordon: Cordon) -> Seen {
        let partition = |id: u32| {
            let (leader, isr) = (Leader::Broker(BrokerId(1)), Some(ids(&[1, 2])));
            let facts = PartitionFacts { leader, isr, ..PartitionFacts::default() };
            let known = Partition::new(PartitionId(id), ids(&[1, 2]));
            Partition { facts: Some(Box::new(facts)), ..known }
        };
        let partitions = (0..2).map(partition).collect();
        let topic = Topic { name: "t".to_owned(), partitions, ..Topic::default() };
        Seen {
            live: (1..=3).map(BrokerId).collect(),
            topics: [("t".to_owned(), topic)].into(),
            stored: [(BrokerId(3), Stored::default())].into(),
            cordons: [(BrokerId(3), cordon)].into(),
            ..Seen::default()
        }
    }

    fn every() -> Cordon {
        Cordon { every: true, ..Cordon::default() }
    }

    #[test]
    fn what_would_go_onto_a_cordoned_broker_is_not_begun_and_ends_partly() {
        let plan = plan(Mends::Everything);
        let (task, mut seen, mut history) =
            (task(&plan), seen(every()), ExecutionHistory::default());
        assert_eq!(
            cordoned(&task, &PlanProgress::of(&task, &history, &seen)),
            [(BrokerId(3), 2)].into()
        );
        for _ in 0..20 {
            let round = next(&task, &history, &Ledger::default(), &seen);
            for action in round.actions {
                if let Action::Stop(outcome) = action {
                    return assert_eq!(outcome, ExecutionOutcome::Partly);
                }
                let Action::Write(entry) = action else { panic!("{action:?}") };
                history.apply(entry);
            }
            seen.at_seconds += 30;
        }
        panic!("it waits for ever");
    }

    #[test]
    fn what_names_a_cordoned_log_dir_is_not_begun_and_its_broker_is_not_told() {
        let plan = plan(Mends::Everything);
        let (task, history) = (task(&plan), ExecutionHistory::default());
        let seen = seen(Cordon { every: false, log_dirs: ["/b".to_owned()].into() });
        let round = next(&task, &history, &Ledger::default(), &seen);
        let log_dir = Some("/b".to_owned());
        let hindered = MoveHindrance::Cordoned { brokers: vec![BrokerId(3)], log_dir };
        assert_eq!(round.course.standings, [MoveState::Ready, MoveState::Hindered(hindered)]);
        assert!(round.actions.contains(&Action::Submit { moves: vec![0] }), "{:?}", round.actions);
        assert!(!round.actions.iter().any(|action| matches!(action, Action::Place { .. })));
    }

    #[test]
    fn a_plan_that_ignores_cordons_goes_onto_the_broker_but_into_no_cordoned_log_dir() {
        let mut plan = plan(Mends::Everything);
        let Request::Rebuild(rebuild) = &mut plan.request else { unreachable!() };
        rebuild.terms.ignore_cordons = true;
        let (task, history) = (task(&plan), ExecutionHistory::default());
        let round = next(&task, &history, &Ledger::default(), &seen(every()));
        let log_dir = Some("/b".to_owned());
        let hindered = MoveHindrance::Cordoned { brokers: vec![BrokerId(3)], log_dir };
        assert_eq!(round.course.standings, [MoveState::Ready, MoveState::Hindered(hindered)]);
        assert!(round.actions.contains(&Action::Submit { moves: vec![0] }), "{:?}", round.actions);
    }

    #[test]
    fn a_rollback_goes_back_onto_a_broker_that_was_cordoned_meanwhile() {
        let mut plan = plan(Mends::Nothing);
        plan.moves.iter_mut().for_each(|change| change.log_dirs.clear());
        let (task, history) = (task(&plan), ExecutionHistory::default());
        let round = next(&task, &history, &Ledger::default(), &seen(every()));
        assert!(
            round.actions.contains(&Action::Submit { moves: vec![0, 1] }),
            "{:?}",
            round.actions
        );
    }
}
