//! One round of a cancel: moves in flight go back to their old replicas, in the old order. Nothing else is begun.

use crate::action::Action;
use crate::dirs::{self, LogDirDestination};
use crate::journal::{ExecutionHistory, ExecutionOutcome, JournalEntry};
use crate::ledger::Ledger;
use crate::move_state::{MoveHindrance, MoveState};
use crate::pace::{Keep, pace};
use crate::progress::PlanProgress;
use crate::round::{Round, news};
use crate::seen::{Seen, same_set};
use crate::task::{Aim, OnDeadBroker, Task};
use mapper::BrokerId;
use std::collections::BTreeMap;

/// How often the old order of a cancelled move is restored before it is left as it is.
const REORDERS: u32 = 3;

pub(crate) fn cancel(
    task: &Task<'_>,
    history: &ExecutionHistory,
    ledger: &Ledger,
    seen: &Seen,
    round: &mut Round,
) {
    round.actions.extend(news(task, history, seen, &round.course));
    let moving: Vec<usize> = round.course.all(|standing| *standing == MoveState::Moving).collect();
    let may = |index: &usize| !history.not_cancelled.contains_key(index);
    let runs = |index: &usize| task.of(*index).is_some_and(|c| seen.running.contains_key(&c.of()));
    let moves: Vec<usize> =
        moving.iter().copied().filter(may).filter(runs).take(task.terms.limits.batch).collect();
    let cancels = !moves.is_empty();
    call_off(moves, round);
    // Includes partitions that another tool has changed since, or is moving.
    let all = task.plan.moves.iter().enumerate();
    let places: Vec<LogDirDestination> =
        all.flat_map(|(index, change)| dirs::to_stay(seen, index, change)).collect();
    let stays = !places.is_empty();
    if stays {
        round.actions.push(Action::Place { places });
    }
    let reorders = reorder(task, history, seen, round);
    let mut pacing = pace(task, ledger, seen, &[], &Keep::default());
    let pacing_sets = pacing.sets();
    round.actions.append(&mut pacing.actions);
    round.strays = pacing.strays.iter().cloned().collect();
    if cancels || stays || reorders || pacing_sets {
        return;
    }
    round.not_cancelled = not_cancelled(task, history, seen);
    if moving.is_empty() && pacing.clean {
        round.stop(ExecutionOutcome::Cancelled);
    } else if !moving.is_empty() && !moving.iter().any(may) {
        round.stop(ExecutionOutcome::CancelledPartly);
    }
}

fn call_off(moves: Vec<usize>, round: &mut Round) {
    if !moves.is_empty() {
        round.actions.push(Action::Write(JournalEntry::Cancelled { moves: moves.clone() }));
        round.actions.push(Action::Cancel { moves });
    }
}

/// While the plan is carried out: cancels moves whose destination has died (`--on-dead-broker cancel`). A move that
/// Kafka refuses to cancel continues when a broker returns. It is not cancelled again.
pub(crate) fn cancel_for_the_dead(
    task: &Task<'_>,
    history: &ExecutionHistory,
    seen: &Seen,
    round: &mut Round,
) {
    round.not_cancelled = not_cancelled(task, history, seen);
    if task.terms.limits.on_dead_broker == OnDeadBroker::Wait {
        return;
    }
    let dead = |index: &usize| {
        let running = task.of(*index).and_then(|change| seen.running.get(&change.of()));
        running.is_some_and(|running| running.adding.iter().any(|id| !seen.live.contains(id)))
    };
    let moving = round.course.all(|standing| *standing == MoveState::Moving);
    let may = |index: &usize| !history.not_cancelled.contains_key(index);
    let moves: Vec<usize> = moving.filter(dead).filter(may).take(task.terms.limits.batch).collect();
    call_off(moves, round);
    reorder(task, history, seen, round);
}

/// Moves that Kafka refused to cancel and that still run, with the brokers of which one has to return.
fn not_cancelled(
    task: &Task<'_>,
    history: &ExecutionHistory,
    seen: &Seen,
) -> BTreeMap<usize, Vec<BrokerId>> {
    let refused = history.not_cancelled.keys().filter_map(|index| Some((*index, task.of(*index)?)));
    let moving = refused.filter(|(_, change)| seen.running.contains_key(&change.of()));
    let heals = moving.filter_map(|(index, change)| {
        let mut heals = seen.partition(change)?.heals();
        heals.retain(|id| !seen.live.contains(id));
        Some((index, heals))
    });
    heals.collect()
}

/// Restores the old order where a cancel has left another one. Returns whether there was anything to restore.
fn reorder(task: &Task<'_>, history: &ExecutionHistory, seen: &Seen, round: &mut Round) -> bool {
    let moves: Vec<usize> = out_of_order(task, history, seen, &round.course);
    let reorders = !moves.is_empty();
    if reorders {
        round.actions.push(Action::Write(JournalEntry::Reordered { moves: moves.clone() }));
        round.actions.push(Action::Reorder { moves });
    }
    reorders
}

/// Cancelled moves whose replicas are back in another order. Kafka refuses a list that names a dead broker.
fn out_of_order(
    task: &Task<'_>,
    history: &ExecutionHistory,
    seen: &Seen,
    course: &PlanProgress,
) -> Vec<usize> {
    let back = |index: &usize| {
        let tries = history.reordered.get(index).copied().unwrap_or_default();
        tries < REORDERS
            && task.of(*index).is_some_and(|change| {
                let now = seen.partition(change).map(|partition| partition.replicas.as_slice());
                let same = now.is_some_and(|now| same_set(now, &change.from));
                same && now != Some(change.from.as_slice())
                    && change.from.iter().all(|id| seen.live.contains(id))
            })
    };
    let still = |index: &usize| match course.standings.get(*index) {
        Some(MoveState::Ready) => task.terms.aim == Aim::Cancel,
        Some(MoveState::Hindered(MoveHindrance::DeadReplicas { .. })) => true,
        Some(_) | None => false,
    };
    history
        .cancelled
        .iter()
        .copied()
        .filter(still)
        .filter(back)
        .take(task.terms.limits.batch)
        .collect()
}
