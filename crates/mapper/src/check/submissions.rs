//! The submissions of each step, from the plan's moves and indices.

use crate::bytes::Bytes;
use crate::ids::{BrokerId, Replicas};
use crate::plan::{Move, Plan};

/// One submission of a move: from one of its lists to the next.
#[derive(Clone, Copy)]
pub(super) struct Submission<'p> {
    pub(super) change: &'p Move,
    pub(super) from: &'p Replicas,
    pub(super) to: &'p Replicas,
}

impl<'p> Submission<'p> {
    pub(super) fn added(self) -> impl Iterator<Item = BrokerId> + use<'p> {
        self.to.iter().filter(move |id| !self.from.contains(id)).copied()
    }

    pub(super) fn removed(self) -> impl Iterator<Item = BrokerId> + use<'p> {
        self.from.iter().filter(move |id| !self.to.contains(id)).copied()
    }

    /// The bytes that it copies between volumes: replicas change their log dir with the last list.
    pub(super) fn disk_bytes(self) -> Bytes {
        if *self.to == self.change.to { self.change.disk_bytes } else { Bytes(0) }
    }

    /// The bytes that it copies between brokers; absent if the partition's size is unknown.
    pub(super) fn bytes(self) -> Option<Bytes> {
        Some(self.change.copy_bytes()?.times(self.added().count()))
    }
}

/// The submissions of a move, in their order: one for each list after its first.
pub(super) fn of_move(change: &Move) -> impl Iterator<Item = Submission<'_>> {
    let from = [&change.from].into_iter().chain(change.via.iter());
    let to = change.via.iter().chain([&change.to]);
    from.zip(to).map(move |(from, to)| Submission { change, from, to })
}

/// The submissions of each step. An index without a move, or one that occurs too often, submits nothing: `steps`
/// reports it.
pub(super) fn by_step(plan: &Plan) -> Vec<Vec<Submission<'_>>> {
    let mut times = vec![0_usize; plan.moves.len()];
    let mut submit = |index: &usize| {
        let times = times.get_mut(*index)?;
        *times += 1;
        of_move(&plan.moves[*index]).nth(*times - 1)
    };
    plan.steps.iter().map(|step| step.iter().filter_map(&mut submit).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PartitionId;
    use crate::plan::{Reason, Solver};
    use crate::request::{PlaceBy, PlanTerms, Rebuild, Request};
    use crate::snapshot::Parts;
    use crate::{Figures, Ratio, Snapshot};
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn change(lists: &[u32]) -> Move {
        let list = |id: &u32| -> Replicas { [BrokerId(*id)].into_iter().collect() };
        let (from, rest) = (list(&0), &lists[1..]);
        Move {
            topic: "t".into(),
            partition: PartitionId(0),
            from,
            via: rest.iter().map(list).collect(),
            to: list(&lists[0]),
            log_dirs: Vec::new(),
            reason: Reason::Forced,
            bytes: None,
            disk_bytes: Bytes(0),
        }
    }

    fn plan(moves: Vec<Move>, steps: Vec<Vec<usize>>) -> Plan {
        let terms = PlanTerms::new(Vec::new(), Ratio::ZERO);
        Plan {
            cluster_id: None,
            snapshot: Snapshot::new(Parts::default()).unwrap().hash(),
            request: Request::Rebuild(Rebuild::new(terms, PlaceBy::Count)),
            moves,
            steps,
            left_out: Vec::new(),
            assumed: Vec::new(),
            before: Figures::default(),
            after: Figures::default(),
            bound_bytes: None,
            floor: None,
            solver: Solver::constructive(),
        }
    }

    proptest! {
        #[test]
        fn they_are_what_the_plan_says_that_it_submits(
            moves in vec(vec(0_u32..5, 1..4), 0..5),
            steps in vec(vec(0_usize..6, 0..6), 0..5),
        ) {
            let plan = plan(moves.iter().map(|lists| change(lists)).collect(), steps);
            let stages = plan.stages();
            let found = by_step(&plan);
            prop_assert_eq!(found.len(), stages.len());
            for (found, stages) in found.iter().zip(&stages) {
                let found: Vec<_> = found.iter().map(|s| (s.change, s.from, s.to)).collect();
                let stages: Vec<_> = stages.iter().map(|s| (s.change, s.from, s.to)).collect();
                prop_assert_eq!(found, stages);
            }
        }
    }
}
