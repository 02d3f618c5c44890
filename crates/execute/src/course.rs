//! The progress of each move of a plan: read from the cluster, and from the journal where the cluster keeps no trace.

use crate::cordons;
use crate::dirs::{self, Lies};
use crate::journal::History;
use crate::legs::by_partition;
use crate::seen::{Running, Seen, same_set};
use crate::task::Task;
use mapper::snapshot::{Leader, Partition};
use mapper::{BrokerId, Bytes, Move, Replicas, TopicPartition};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// How often a refused submission is tried again.
pub(crate) const ATTEMPTS: u32 = 3;

/// The progress of one move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The partition has the plan's replicas, in the plan's order and in the log dirs that the plan names. It is not
    /// being reassigned.
    Done,
    /// The partition is being reassigned to the plan's replicas, or a broker is copying its replica to the log dir.
    Moving,
    /// It can be submitted.
    Ready,
    /// It cannot be submitted now.
    Hindered(Hindrance),
    /// It will not be carried out.
    Left(WhyLeft),
}

/// What keeps a move from being submitted for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "hindrance", rename_all = "snake_case")]
pub enum Hindrance {
    /// The partition has no live leader. Kafka would accept the move, but it would never progress. In KRaft it could
    /// not even be cancelled.
    NoLeader {
        /// The brokers of which one has to return.
        heals: Vec<BrokerId>,
    },
    /// Brokers that get a replica are not live, or do not report their log dirs where the plan names one. Or Kafka
    /// refuses the list because of other brokers that are not live.
    DeadReplicas {
        /// The brokers.
        brokers: Vec<BrokerId>,
    },
    /// It is unknown whether its topic still exists.
    Untold,
    /// Brokers that get a replica, or the log dir that the plan names, were cordoned after the plan was made.
    Cordoned {
        /// The brokers.
        brokers: Vec<BrokerId>,
        /// The log dir, if the broker as a whole is not cordoned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log_dir: Option<String>,
    },
    /// Another submission for the same partition, of an earlier step, comes first.
    NotItsTurn,
    /// Another tool is moving the partition.
    MovedByOthers {
        /// The target of that move.
        target: Vec<BrokerId>,
    },
    /// A disk has too little room.
    NoRoom {
        /// The broker.
        broker: BrokerId,
        /// The log dir, if the plan names one and the broker has room in another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log_dir: Option<String>,
        /// How many bytes are missing.
        missing_bytes: Bytes,
    },
    /// An earlier move that makes room on the same broker is not done, and the free space is unknown.
    RoomNotFreed {
        /// The broker.
        broker: BrokerId,
    },
}

/// Why a move will not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum WhyLeft {
    /// The partition no longer has the replicas that it had when the plan was made.
    Changed {
        /// The replicas that it has.
        found: Vec<BrokerId>,
    },
    /// Its topic was deleted, or recreated with fewer partitions.
    Gone,
    /// It was in flight, and another tool has cancelled it. Another run (`--resume`) tries it again.
    CancelledByOthers,
    /// Kafka refuses it.
    Refused {
        /// Kafka's message.
        problem: String,
    },
}

/// The progress of all moves of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// One for each move of the plan, in its order.
    pub standings: Vec<Standing>,
    /// Running reassignments that are not of this plan.
    pub foreign: BTreeSet<TopicPartition>,
}

impl Course {
    /// Reads the progress from the cluster. It ignores room on disks: [`next`](crate::next) checks that before it
    /// submits.
    pub fn of(task: &Task<'_>, history: &History, seen: &Seen) -> Self {
        let mut standings = Vec::with_capacity(task.plan.moves.len());
        for legs in by_partition(&task.plan.moves) {
            let first = standings.len();
            for leg in 0..legs.len() {
                let standing = standing(first, legs, leg, history, seen);
                let earlier = standings[first..].iter().all(|earlier| *earlier == Standing::Done);
                let cordoned = (standing == Standing::Ready)
                    .then(|| cordons::hindrance(task.plan, &legs[leg], seen))
                    .flatten();
                let standing = cordoned.map_or(standing, Standing::Hindered);
                let waits = standing == Standing::Ready && !earlier;
                // The replicas have arrived, but not all of them are in their log dirs.
                let waits = waits.then_some(Standing::Hindered(Hindrance::NotItsTurn));
                // A cancelled leg means that the later legs of the partition are not wanted either.
                let cancelled = Standing::Left(WhyLeft::CancelledByOthers);
                let called_off = standings[first..].contains(&cancelled).then_some(cancelled);
                standings.push(called_off.or(waits).unwrap_or(standing));
            }
        }
        let mut foreign: BTreeSet<TopicPartition> = seen.running.keys().cloned().collect();
        for (change, standing) in task.plan.moves.iter().zip(&standings) {
            if *standing == Standing::Moving {
                foreign.remove(&change.of());
            }
        }
        Self { standings, foreign }
    }

    /// The moves for which `so` holds.
    pub fn all(&self, so: impl Fn(&Standing) -> bool) -> impl Iterator<Item = usize> {
        let all = self.standings.iter().enumerate();
        all.filter(move |(_, standing)| so(standing)).map(|(index, _)| index)
    }

    /// The number of moves for which `so` holds.
    pub fn count(&self, so: impl Fn(&Standing) -> bool) -> usize {
        self.all(so).count()
    }

    pub(crate) fn is(&self, index: usize, standing: &Standing) -> bool {
        self.standings.get(index) == Some(standing)
    }
}

/// The progress of one leg. `legs` are all those of its partition; `first` is the index of the first.
fn standing(first: usize, legs: &[Move], leg: usize, history: &History, seen: &Seen) -> Standing {
    let (index, change) = (first + leg, &legs[leg]);
    let Some(partition) = seen.partition(change) else {
        return match (seen.is_gone(&change.topic), seen.running.get(&change.of())) {
            (true, _) => Standing::Left(WhyLeft::Gone),
            (false, Some(running)) => on_the_move(legs, leg, running),
            (false, None) => Standing::Hindered(Hindrance::Untold),
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
        return Standing::Left(WhyLeft::Changed { found: partition.replicas.to_vec() });
    };
    if reached > leg {
        let arrived = history.completed.contains(&index);
        return if arrived { Standing::Done } else { in_dirs(index, change, history, seen) };
    }
    let undone = history.completed.contains(&index) && !history.cancelled.contains(&index);
    if undone {
        return Standing::Left(WhyLeft::Changed { found: partition.replicas.to_vec() });
    }
    if reached < leg {
        return Standing::Hindered(Hindrance::NotItsTurn);
    }
    if has_vanished(index, history) {
        return match seen.settling.contains(&change.of()) {
            true => Standing::Moving,
            false => Standing::Left(WhyLeft::CancelledByOthers),
        };
    }
    let refused = history.refused.get(&index);
    if let Some(hindrance) = hindrance(change, partition, seen, refused.is_some()) {
        return Standing::Hindered(hindrance);
    }
    unless_refused(index, history)
}

/// Whether a move that is not in flight was in flight, and was not cancelled by us. It has ended without us, or is
/// about to be seen as arrived. A submission without an answer, which no look has shown, was never in flight.
fn has_vanished(index: usize, history: &History) -> bool {
    history.begun.contains(&index) && !history.cancelled.contains(&index)
}

/// The [vanished](has_vanished) move of a partition, as its position in `legs`; `first` is the index of the first.
pub(crate) fn vanished(
    first: usize,
    legs: &[Move],
    replicas: &[BrokerId],
    history: &History,
) -> Option<usize> {
    let next = reached(legs, replicas)?;
    (next < legs.len() && has_vanished(first + next, history)).then_some(next)
}

fn unless_refused(index: usize, history: &History) -> Standing {
    match history.refused.get(&index) {
        Some((ATTEMPTS.., problem)) => {
            Standing::Left(WhyLeft::Refused { problem: problem.clone() })
        }
        Some(_) | None => Standing::Ready,
    }
}

/// The progress of a move whose replicas have arrived: done, unless one of them is in another log dir than the plan
/// names.
fn in_dirs(index: usize, change: &Move, history: &History, seen: &Seen) -> Standing {
    let stays = |id: &BrokerId| seen.partition(change).is_some_and(|p| p.replicas.contains(id));
    let named = change.named_log_dirs().filter(|(id, _)| stays(id));
    let lie: Vec<(BrokerId, Lies)> =
        named.map(|(id, dir)| (id, dirs::lies(seen, change, id, dir))).collect();
    let untold = lie.iter().filter(|(_, lies)| matches!(lies, Lies::Untold | Lies::Nowhere));
    let brokers: Vec<BrokerId> = untold.map(|(id, _)| *id).collect();
    if lie.iter().all(|(_, lies)| *lies == Lies::There) {
        Standing::Done
    } else if lie.iter().any(|(_, lies)| *lies == Lies::Coming) {
        Standing::Moving
    } else if !brokers.is_empty() {
        Standing::Hindered(Hindrance::DeadReplicas { brokers })
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

fn on_the_move(legs: &[Move], leg: usize, running: &Running) -> Standing {
    let exactly = legs.iter().position(|leg| leg.to == running.target);
    let moving = exactly.or_else(|| legs.iter().position(|l| same_set(&l.to, &running.target)));
    match moving {
        Some(moving) => beside(moving, leg),
        None => {
            let target = running.target.to_vec();
            Standing::Hindered(Hindrance::MovedByOthers { target })
        }
    }
}

/// The progress of a leg while leg `moving` of its partition is in flight.
fn beside(moving: usize, leg: usize) -> Standing {
    match leg.cmp(&moving) {
        Ordering::Less => Standing::Done,
        Ordering::Equal => Standing::Moving,
        Ordering::Greater => Standing::Hindered(Hindrance::NotItsTurn),
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
) -> Option<Hindrance> {
    let led = match partition.leader() {
        Leader::Broker(id) => seen.live.contains(&id),
        Leader::Nobody | Leader::Unknown => false,
    };
    if !led {
        return Some(Hindrance::NoLeader { heals: who_heals(partition) });
    }
    // KRaft accepts a dead broker in the list, and would wait for one that is added. With ZooKeeper, Kafka refuses a
    // list that names a dead broker anywhere.
    let dead = |id: &BrokerId| !seen.live.contains(id);
    let brokers: Vec<BrokerId> = match was_refused {
        true => change.to.iter().copied().filter(dead).collect(),
        false => change.added().filter(dead).collect(),
    };
    (!brokers.is_empty()).then_some(Hindrance::DeadReplicas { brokers })
}

/// The replicas in sync, or eligible to lead (KIP-966); all replicas if neither is known. One of them has to return.
pub(crate) fn who_heals(partition: &Partition) -> Vec<BrokerId> {
    let facts = partition.facts.as_deref();
    let isr: Replicas = facts.and_then(|facts| facts.isr.clone()).unwrap_or_default();
    let elr: Replicas = facts.map(|facts| facts.elr.clone()).unwrap_or_default();
    let heals = if isr.is_empty() { elr } else { isr };
    let heals = if heals.is_empty() { partition.replicas.clone() } else { heals };
    heals.to_vec()
}
