//! Which leaders to elect for moves that are done. Never an unclean election.

use crate::journal::ExecutionHistory;
use crate::move_state::MoveState;
use crate::progress::PlanProgress;
use crate::seen::Seen;
use crate::task::Task;
use mapper::BrokerId;
use mapper::snapshot::Leader;

/// How often the first replica of a partition is put up for election.
const ELECTIONS: u32 = 10;

/// The elections of steps that are over. Leaders do not change while replicas of a step are copied.
pub(crate) fn elections(
    task: &Task<'_>,
    history: &ExecutionHistory,
    seen: &Seen,
    course: &PlanProgress,
) -> Vec<usize> {
    let waiting = |index: &usize| {
        !course.is(*index, &MoveState::Moving) && !course.is(*index, &MoveState::Ready)
    };
    let over = task.plan.steps.iter().filter(|step| step.iter().all(waiting));
    let electable = over.flatten().copied().filter(|index| {
        let tries = history.elected.get(index).copied().unwrap_or_default();
        tries < ELECTIONS
            && to_elect(task, seen, course, *index).is_some_and(|first| {
                let in_sync = task.of(*index).is_some_and(|c| seen.in_sync(c).contains(&first));
                in_sync && seen.live.contains(&first)
            })
    });
    electable.take(task.terms.limits.batch).collect()
}

/// The broker that should lead a finished move's partition and does not, if the plan chose another first replica.
pub(crate) fn to_elect(
    task: &Task<'_>,
    seen: &Seen,
    course: &PlanProgress,
    index: usize,
) -> Option<BrokerId> {
    let change = task.of(index).filter(|_| course.is(index, &MoveState::Done))?;
    let (first, partition) = (*change.to.first()?, seen.partition(change)?);
    let led = partition.leader() == Leader::Broker(first);
    // Skips a list that a later leg of the partition has replaced.
    let here = partition.replicas == change.to && !seen.running.contains_key(&change.of());
    (here && !led && change.from.first() != Some(&first)).then_some(first)
}
