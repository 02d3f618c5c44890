//! `cancel`, before it begins: what is stopped, where it goes back to, and what is put back as it was.

use super::summary::stray;
use super::trouble::{MoveTrouble, by_others};
use crate::live::views::{PutBack, shown};
use execute::{Action, ExecutionHistory, MoveState, Round, Seen, Stray, Task};
use mapper::{BrokerId, TopicPartition};
use operate::words::{counted, listed};
use serde::Serialize;
use std::fmt;
use std::path::Path;

/// What is about to be cancelled.
#[derive(Debug, Serialize)]
pub(crate) struct CancelView<'a> {
    event: &'static str,
    cluster_id: &'a str,
    command: &'static str,
    partitions: usize,
    /// They stay where the plan wants them.
    done: usize,
    /// In flight now.
    cancelled: Vec<Cancelled>,
    /// Copies between log dirs that end: the replica stays where it lies.
    stopped: Vec<Stopped>,
    /// Back already, and given their old order again.
    reordered: Vec<TopicPartition>,
    /// In flight, and refused by Kafka before.
    not_cancelled: Vec<TopicPartition>,
    put_back: Vec<PutBack>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    strays: Vec<Stray>,
    journal: &'a Path,
    ledger: &'a Path,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<MoveTrouble>,
}

/// A move that ends.
#[derive(Debug, Serialize)]
struct Cancelled {
    partition: TopicPartition,
    /// What it has then.
    replicas: Vec<BrokerId>,
    /// Brokers whose copies are given up.
    given_up: Vec<BrokerId>,
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: back to {}", self.partition, listed(&self.replicas))?;
        match self.given_up.is_empty() {
            true => Ok(()),
            false => write!(f, "; the copy on {} is given up", listed(&self.given_up)),
        }
    }
}

/// A copy between two log dirs that ends.
#[derive(Debug, Serialize)]
struct Stopped {
    partition: TopicPartition,
    broker: BrokerId,
    log_dir: String,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}: it stays in {}", self.partition, self.broker, self.log_dir)
    }
}

impl<'a> CancelView<'a> {
    pub(crate) fn of(
        (task, history): (&Task<'a>, &ExecutionHistory),
        seen: &Seen,
        round: &Round,
        put_back: Vec<PutBack>,
        (journal, ledger): (&'a Path, &'a Path),
    ) -> Self {
        let moving = round.course.all(|standing| *standing == MoveState::Moving);
        let (refused, moving): (Vec<usize>, Vec<usize>) =
            moving.partition(|index| history.not_cancelled.contains_key(index));
        let partition = |index: &usize| Some(task.of(*index)?.of());
        Self {
            event: "preview",
            cluster_id: task.cluster_id,
            command: task.plan.request.command(),
            partitions: task.plan.moves.len(),
            done: round.course.count(|standing| *standing == MoveState::Done),
            cancelled: moving.iter().filter_map(|index| cancelled(task, seen, *index)).collect(),
            stopped: stopped(round),
            reordered: reordered(round).filter_map(|index| partition(&index)).collect(),
            not_cancelled: refused.iter().filter_map(partition).collect(),
            put_back,
            strays: round.strays.clone(),
            journal,
            ledger,
            left_out: by_others(task.plan, round),
        }
    }

    /// Nothing would be changed, and nothing awaited.
    pub(crate) fn is_empty(&self) -> bool {
        let lists = [self.cancelled.len(), self.stopped.len(), self.reordered.len()];
        lists == [0; 3] && self.not_cancelled.is_empty() && self.put_back.is_empty()
    }
}

fn cancelled(task: &Task<'_>, seen: &Seen, index: usize) -> Option<Cancelled> {
    let change = task.of(index)?;
    let running = seen.running.get(&change.of())?;
    let (replicas, given_up) = (change.from.to_vec(), running.adding.to_vec());
    Some(Cancelled { partition: change.of(), replicas, given_up })
}

fn stopped(round: &Round) -> Vec<Stopped> {
    let places = round.actions.iter().filter_map(|action| match action {
        Action::Place { places } => Some(places),
        _ => None,
    });
    let stopped = places.flatten().cloned().map(|place| Stopped {
        partition: place.of,
        broker: place.broker,
        log_dir: place.log_dir,
    });
    stopped.collect()
}

fn reordered(round: &Round) -> impl Iterator<Item = usize> {
    let moves = round.actions.iter().filter_map(|action| match action {
        Action::Reorder { moves } => Some(moves),
        _ => None,
    });
    moves.flatten().copied()
}

impl fmt::Display for CancelView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what =
            if self.is_empty() { "Nothing to cancel" } else { "Cancelling what is in flight" };
        writeln!(f, "{what} of a {} in cluster {}", self.command, self.cluster_id)?;
        writeln!(
            f,
            "  in flight   {}, to be cancelled",
            counted(self.cancelled.len(), "partition")
        )?;
        writeln!(f, "  arrived     {} of {}, which stay", self.done, self.partitions)?;
        if !self.reordered.is_empty() {
            writeln!(
                f,
                "  order       of {}, to be restored",
                counted(self.reordered.len(), "partition")
            )?;
        }
        writeln!(f, "  throttle    {}, to be restored", counted(self.put_back.len(), "config"))?;
        writeln!(f, "  journal     {}", self.journal.display())?;
        writeln!(f, "  ledger      {}", self.ledger.display())?;
        shown(f, &self.cancelled, "To be cancelled")?;
        shown(f, &self.stopped, "Copies between log dirs, to be stopped")?;
        shown(f, &self.not_cancelled, "Kafka refused to cancel, and continues")?;
        shown(f, &self.put_back, "To be restored")?;
        let strays: Vec<String> = self.strays.iter().map(stray).collect();
        shown(f, &strays, "Configs left alone")?;
        shown(f, &self.left_out, "Moves of others, not cancelled")
    }
}
