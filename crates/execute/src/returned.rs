//! Brokers that a plan treats as lost, and that are registered again.

use crate::move_state::MoveState;
use crate::progress::PlanProgress;
use crate::room::each_copy;
use crate::seen::Seen;
use crate::task::Task;
use mapper::{BrokerId, Bytes, Move, Reason};
use std::collections::{BTreeMap, BTreeSet};

/// These brokers, with the bytes of the moves away from them that are not begun: a new plan can avoid copying them.
pub fn returned(task: &Task<'_>, course: &PlanProgress, seen: &Seen) -> BTreeMap<BrokerId, Bytes> {
    let others = task.plan.moves.iter().filter(|change| change.reason != Reason::Lost);
    // A broker that is emptied on purpose was never lost, even if a move removes it together with a lost one.
    let leaving: BTreeSet<BrokerId> = others.flat_map(Move::removed).collect();
    let open = |index: &usize| match course.standings.get(*index) {
        Some(MoveState::Ready | MoveState::Hindered(_)) => true,
        Some(MoveState::Done | MoveState::Moving | MoveState::Left(_)) | None => false,
    };
    let mut back: BTreeMap<BrokerId, Bytes> = BTreeMap::new();
    for (index, change) in task.plan.moves.iter().enumerate() {
        if change.reason != Reason::Lost || !open(&index) {
            continue;
        }
        // A live broker with a failed log dir reports such replicas as offline.
        let offline = seen.partition(change).and_then(|partition| partition.facts.as_deref());
        let offline = offline.map(|facts| facts.rare.offline.as_slice()).unwrap_or_default();
        let there = |id: &BrokerId| seen.live.contains(id) && !offline.contains(id);
        for id in change.removed().filter(|id| !leaving.contains(id)).filter(there) {
            let bytes = back.entry(id).or_default();
            *bytes = bytes.plus(Bytes(each_copy(change)));
        }
    }
    back
}
