//! The progress of each move of a plan: read from the cluster, and from the journal where the cluster keeps no trace.

use crate::cordons;
use crate::dirs::{self, Lies};
use crate::journal::ExecutionHistory;
use crate::legs::by_partition;
use crate::move_state::{MoveHindrance, MoveState, WhyLeft};
use crate::seen::{Running, Seen, same_set};
use crate::task::Task;
use mapper::snapshot::{Leader, Partition};
use mapper::{BrokerId, Move, TopicPartition};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// How often a refused submission is tried again.
pub(crate) const ATTEMPTS: u32 = 3;

/// The progress of all moves of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanProgress {
    /// One for each move of the plan, in its order.
    pub standings: Vec<MoveState>,
    /// Running reassignments that are not of this plan.
    pub foreign: BTreeSet<TopicPartition>,
}

impl PlanProgress {
    /// Reads the progress from the cluster. It ignores room on disks: `next` checks that before it
    /// submits.
    pub fn of(task: &Task<'_>, history: &ExecutionHistory, seen: &Seen) -> Self {
        let mut standings = Vec::with_capacity(task.plan.moves.len());
        for legs in by_partition(&task.plan.moves) {
            let first = standings.len();
            for leg in 0..legs.len() {
                let standing = standing(first, legs, leg, history, seen);
                let earlier = standings[first..].iter().all(|earlier| *earlier == MoveState::Done);
                let cordoned = (standing == MoveState::Ready)
                    .then(|| cordons::hindrance(task.plan, &legs[leg], seen))
                    .flatten();
                let standing = cordoned.map_or(standing, MoveState::Hindered);
                let waits = standing == MoveState::Ready && !earlier;
                // The replicas have arrived, but not all of them are in their log dirs.
                let waits = waits.then_some(MoveState::Hindered(MoveHindrance::NotItsTurn));
                // A cancelled leg means that the later legs of the partition are not wanted either.
                let cancelled = MoveState::Left(WhyLeft::CancelledByOthers);
                let called_off = standings[first..].contains(&cancelled).then_some(cancelled);
                standings.push(called_off.or(waits).unwrap_or(standing));
            }
        }
        let mut foreign: BTreeSet<TopicPartition> = seen.running.keys().cloned().collect();
        for (change, standing) in task.plan.moves.iter().zip(&standings) {
            if *standing == MoveState::Moving {
                foreign.remove(&change.of());
            }
        }
        Self { standings, foreign }
    }

    /// The moves for which `so` holds.
    pub fn all(&self, so: impl Fn(&MoveState) -> bool) -> impl Iterator<Item = usize> {
        let all = self.standings.iter().enumerate();
        all.filter(move |(_, standing)| so(standing)).map(|(index, _)| index)
    }

    /// The number of moves for which `so` holds.
    pub fn count(&self, so: impl Fn(&MoveState) -> bool) -> usize {
        self.all(so).count()
    }

    pub(crate) fn is(&self, index: usize, standing: &MoveState) -> bool {
        self.standings.get(index) == Some(standing)
    }
}

/// The progress of one leg. `legs` are all those of its partition; `first` is the index of the first.
fn standing(
    first: usize,
    legs: &[Move],
    leg: usize,
    history: &ExecutionHistory,
    seen: &Seen,
) -> MoveState {
    let (index, change) = (first + leg, &legs[leg]);
    let Some(partition) = seen.partition(change) else {
        return match (seen.is_gone(&change.topic), seen.running.get(&change.of())) {
            (true, _) => MoveState::Left(WhyLeft::Gone),
            (false, Some(running)) => on_the_move(legs, leg, running),
            (false, None) => MoveState::Hindered(MoveHindrance::Untold),
        };
    };
    if let Some(running) = seen.running.get(&change.of()) {
        return on_the_move(legs, leg, running);
    }
    if seen.settling.contains(&change.of())
        && let Some(moving) = between(legs, &partition.replicas)
    {
        return beside(moving, leg);
    }
    let Some(reached) = reached(legs, &partition.replicas) else {
        return MoveState::Left(WhyLeft::Changed { found: partition.replicas.to_vec() });
    };
    if reached > leg {
        let arrived = history.completed.contains(&index);
        return if arrived { MoveState::Done } else { in_dirs(index, change, history, seen) };
    }
    let undone = history.completed.contains(&index) && !history.cancelled.contains(&index);
    if undone {
        return MoveState::Left(WhyLeft::Changed { found: partition.replicas.to_vec() });
    }
    if reached < leg {
        return MoveState::Hindered(MoveHindrance::NotItsTurn);
    }
    if has_vanished(index, history) {
        return match seen.settling.contains(&change.of()) {
            true => MoveState::Moving,
            false => MoveState::Left(WhyLeft::CancelledByOthers),
        };
    }
    let refused = history.refused.get(&index);
    if let Some(hindrance) = hindrance(change, partition, seen, refused.is_some()) {
        return MoveState::Hindered(hindrance);
    }
    unless_refused(index, history)
}

/// Whether a move that is not in flight was in flight, and was not cancelled by us. It has ended without us, or is
/// about to be seen as arrived. A submission without an answer, which no look has shown, was never in flight.
fn has_vanished(index: usize, history: &ExecutionHistory) -> bool {
    history.begun.contains(&index) && !history.cancelled.contains(&index)
}

/// The [vanished](has_vanished) move of a partition, as its position in `legs`; `first` is the index of the first.
pub(crate) fn vanished(
    first: usize,
    legs: &[Move],
    replicas: &[BrokerId],
    history: &ExecutionHistory,
) -> Option<usize> {
    let next = reached(legs, replicas)?;
    (next < legs.len() && has_vanished(first + next, history)).then_some(next)
}

fn unless_refused(index: usize, history: &ExecutionHistory) -> MoveState {
    match history.refused.get(&index) {
        Some((ATTEMPTS.., problem)) => {
            MoveState::Left(WhyLeft::Refused { problem: problem.clone() })
        }
        Some(_) | None => MoveState::Ready,
    }
}

/// The progress of a move whose replicas have arrived: done, unless one of them is in another log dir than the plan
/// names.
fn in_dirs(index: usize, change: &Move, history: &ExecutionHistory, seen: &Seen) -> MoveState {
    let stays = |id: &BrokerId| seen.partition(change).is_some_and(|p| p.replicas.contains(id));
    let named = change.named_log_dirs().filter(|(id, _)| stays(id));
    let lie: Vec<(BrokerId, Lies)> =
        named.map(|(id, dir)| (id, dirs::lies(seen, change, id, dir))).collect();
    let untold = lie.iter().filter(|(_, lies)| matches!(lies, Lies::Untold | Lies::Nowhere));
    let brokers: Vec<BrokerId> = untold.map(|(id, _)| *id).collect();
    if lie.iter().all(|(_, lies)| *lies == Lies::There) {
        MoveState::Done
    } else if lie.iter().any(|(_, lies)| *lies == Lies::Coming) {
        MoveState::Moving
    } else if !brokers.is_empty() {
        MoveState::Hindered(MoveHindrance::DeadReplicas { brokers })
    } else {
        unless_refused(index, history)
    }
}

/// How many legs a partition with these replicas has completed; none if no leg has this list.
///
/// Kafka does not keep the order when it cancels a move. The same brokers in another order count as the first list with
/// these brokers: only their order is left to correct.
fn reached(legs: &[Move], replicas: &[BrokerId]) -> Option<usize> {
    let lists = || legs.iter().take(1).map(|leg| &leg.from).chain(legs.iter().map(|leg| &leg.to));
    let exactly = lists().collect::<Vec<_>>().iter().rposition(|list| list.as_slice() == replicas);
    let place = exactly.or_else(|| lists().position(|list| same_set(list, replicas)))?;
    // Another order of the last list is not the end: the last leg is submitted again.
    let last = legs.len().saturating_sub(1);
    Some(if exactly.is_none() { place.min(last) } else { place })
}

fn on_the_move(legs: &[Move], leg: usize, running: &Running) -> MoveState {
    let exactly = legs.iter().position(|leg| leg.to == running.target);
    let moving = exactly.or_else(|| legs.iter().position(|l| same_set(&l.to, &running.target)));
    match moving {
        Some(moving) => beside(moving, leg),
        None => {
            let target = running.target.to_vec();
            MoveState::Hindered(MoveHindrance::MovedByOthers { target })
        }
    }
}

/// The progress of a leg while leg `moving` of its partition is in flight.
fn beside(moving: usize, leg: usize) -> MoveState {
    match leg.cmp(&moving) {
        Ordering::Less => MoveState::Done,
        Ordering::Equal => MoveState::Moving,
        Ordering::Greater => MoveState::Hindered(MoveHindrance::NotItsTurn),
    }
}

/// The leg whose two lists together are the partition's replicas, if no list of the plan has exactly them.
pub(crate) fn between(legs: &[Move], replicas: &[BrokerId]) -> Option<usize> {
    let both = |leg: &Move| {
        replicas.len() == leg.from.len() + leg.added().count()
            && leg.from.iter().chain(&leg.to).all(|id| replicas.contains(id))
    };
    legs.iter().position(both).filter(|_| reached(legs, replicas).is_none())
}

fn hindrance(
    change: &Move,
    partition: &Partition,
    seen: &Seen,
    was_refused: bool,
) -> Option<MoveHindrance> {
    let led = match partition.leader() {
        Leader::Broker(id) => seen.live.contains(&id),
        Leader::None | Leader::Unknown => false,
    };
    if !led {
        return Some(MoveHindrance::NoLeader { heals: partition.heals() });
    }
    // KRaft accepts a dead broker in the list, and would wait for one that is added. With ZooKeeper, Kafka refuses a
    // list that names a dead broker anywhere.
    let dead = |id: &BrokerId| !seen.live.contains(id);
    let brokers: Vec<BrokerId> = match was_refused {
        true => change.to.iter().copied().filter(dead).collect(),
        false => change.added().filter(dead).collect(),
    };
    (!brokers.is_empty()).then_some(MoveHindrance::DeadReplicas { brokers })
}

/// The brokers that are cordoned, or have a cordoned log dir, with the number of moves of the plan that each prevents.
pub fn cordoned(task: &Task<'_>, course: &PlanProgress) -> BTreeMap<BrokerId, usize> {
    let mut found = BTreeMap::new();
    for standing in course.standings.iter().take(task.plan.moves.len()) {
        if let MoveState::Hindered(MoveHindrance::Cordoned { brokers, .. }) = standing {
            brokers.iter().for_each(|id| *found.entry(*id).or_default() += 1);
        }
    }
    found
}
