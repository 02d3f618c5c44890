//! The progress of an execution.

use super::stalled::Stalled;
use crate::words::{duration, few, listed};
use execute::{Ill, MoveState, NoNewMoves, Round, Seen, Stall, Task};
use mapper::{BrokerId, Bytes, Rate, TopicPartition};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// The number of partitions that a line names; the rest are counted.
const FEW: usize = 3;

/// The progress of an execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    event: &'static str,
    at: String,
    /// Moves of the plan; each leg of a move counts.
    pub partitions: usize,
    /// Moves whose partition has its target replicas.
    pub done: usize,
    /// Moves in flight.
    pub moving: usize,
    /// Moves not submitted yet, including those without a live leader, destination or room.
    pub waiting: usize,
    /// Moves that the execution gave up: others changed or cancelled them, Kafka refused them, or the topic was
    /// deleted.
    pub left_out: usize,
    /// Bytes copied so far, out of `bytes`.
    pub copied_bytes: Bytes,
    /// Bytes to copy in total; moves of unknown size and moves that were given up do not count.
    pub bytes: Bytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_per_second: Option<Rate>,
    /// How long the rest takes at the measured rate, in seconds; `None`: not measured yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<String>,
    /// Replicas in flight that receive no data; empty: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stalled: Vec<Stalled>,
    /// Moves in flight and moves that are done. The event has only their numbers.
    #[serde(skip)]
    pub(crate) begun: Vec<BegunMove>,
}

/// A move that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BegunMove {
    /// Its position in the plan: a partition may have two moves, one after the other.
    pub(crate) position: usize,
    pub(crate) of: TopicPartition,
    pub(crate) is_done: bool,
}

impl Progress {
    /// Builds the progress from one look and its round; [`Self::measured`] adds the rate.
    pub fn of(task: &Task<'_>, seen: &Seen, round: &Round, stalls: &[Stall]) -> Self {
        let (mut copied, mut all) = (0_u64, 0_u64);
        for (change, standing) in task.plan.moves.iter().zip(&round.course.standings) {
            let Some(bytes) = change.bytes else { continue };
            let so_far = match standing {
                MoveState::Done => bytes.0,
                MoveState::Moving => {
                    let of = change.of();
                    let arrived = |id| seen.copies.bytes.get(&(of.clone(), id)).map_or(0, |b| b.0);
                    change.added().map(arrived).sum::<u64>().min(bytes.0)
                }
                MoveState::Ready | MoveState::Hindered(_) => 0,
                MoveState::Left(_) => continue,
            };
            copied += so_far;
            all += bytes.0;
        }
        let moves = task.plan.moves.iter().zip(&round.course.standings).enumerate();
        let begun = moves.filter_map(|(position, (change, standing))| {
            let is_done = *standing == MoveState::Done;
            let begun = is_done || *standing == MoveState::Moving;
            begun.then(|| BegunMove { position, of: change.of(), is_done })
        });
        let begun = begun.collect();
        let count = |so: fn(&MoveState) -> bool| round.course.count(so);
        Self {
            event: "progress",
            at: crate::runtime::now(),
            partitions: task.plan.moves.len(),
            done: count(|standing| *standing == MoveState::Done),
            moving: count(|standing| *standing == MoveState::Moving),
            waiting: count(|s| matches!(s, MoveState::Ready | MoveState::Hindered(_))),
            left_out: count(|standing| matches!(standing, MoveState::Left(_))),
            copied_bytes: Bytes(copied),
            bytes: Bytes(all),
            bytes_per_second: None,
            left_seconds: None,
            held: words(round.held.as_ref().map(held), beside_the_dead(task, seen, round)),
            stalled: Stalled::all(stalls, seen.at_seconds),
            begun,
        }
    }

    /// Adds the rate, from the bytes copied in this time.
    pub fn measured(&mut self, bytes: u64, time: Duration) {
        const LONG_ENOUGH: u64 = 5;
        let seconds = time.as_secs();
        if seconds >= LONG_ENOUGH && bytes > 0 {
            let rate = (bytes / seconds).max(1);
            self.bytes_per_second = Some(Rate(rate));
            self.left_seconds = Some(self.bytes.0.saturating_sub(self.copied_bytes.0) / rate);
        }
    }

    /// Whether this line has the same counts as `other`.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (self.done, self.moving, self.left_out) == (other.done, other.moving, other.left_out)
    }

    /// Whether the operator must see this line at once: a pause began or ended, or the number of stalls changed.
    pub fn is_news(&self, other: &Self) -> bool {
        (self.held.is_some(), self.stalled.len()) != (other.held.is_some(), other.stalled.len())
    }
}

fn words(one: Option<String>, other: Option<String>) -> Option<String> {
    match (one, other) {
        (Some(one), Some(other)) => Some(format!("{one}; {other}")),
        (one, other) => one.or(other),
    }
}

/// Describes moves of other tools to dead brokers: how long the execution waits for them, and what ends the wait.
fn beside_the_dead(task: &Task<'_>, seen: &Seen, round: &Round) -> Option<String> {
    let (running, live) = (&seen.running, &seen.live);
    let waits = |of: &&TopicPartition| running.get(of).is_some_and(|r| r.waits_for_the_dead(live));
    let waits: Vec<&TopicPartition> = round.course.foreign.iter().filter(waits).collect();
    if task.terms.join || waits.is_empty() {
        return None;
    }
    let brokers: BTreeSet<BrokerId> =
        waits.iter().flat_map(|of| running[*of].adding.iter().copied()).collect();
    let brokers: Vec<BrokerId> = brokers.into_iter().collect();
    let then = match waits.iter().all(|of| seen.abandoned.contains(of)) {
        true => "not waited for any more",
        false => "waited for a minute",
    };
    Some(format!(
        "another tool moves {} to {}, not live: {then}; start the broker, or cancel that move there",
        few(waits.iter().copied(), FEW),
        listed(&brokers)
    ))
}

fn held(held: &NoNewMoves) -> String {
    match held {
        NoNewMoves::Paused(ill) => {
            let offline = ill.values().filter(|ill| **ill == Ill::Offline).count();
            format!(
                "paused: {} below min ISR, {offline} offline, that were not so at the start: {}; \
                 --pause-on none goes on",
                ill.len() - offline,
                few(ill.keys(), FEW)
            )
        }
        NoNewMoves::OtherTools(partitions) => {
            format!("waits for the moves of other tools: {}", few(partitions, FEW))
        }
        NoNewMoves::NotPaced(seconds) => {
            format!("waits for autothrottle to pace what is next, since {seconds} s")
        }
        NoNewMoves::Stuck(seconds) => {
            format!("waits for brokers to return, or for room, since {seconds} s")
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  {} of {} done, {} moving",
            self.at, self.done, self.partitions, self.moving
        )?;
        if self.left_out > 0 {
            write!(f, ", {} left out", self.left_out)?;
        }
        if self.bytes.0 > 0 {
            write!(f, "; {} of {}", self.copied_bytes, self.bytes)?;
        }
        if let (Some(rate), Some(left)) = (self.bytes_per_second, self.left_seconds) {
            write!(f, ", {}/s, {} left", Bytes(rate.0), duration(left))?;
        }
        for stalled in &self.stalled {
            write!(f, "; stalled: {stalled}")?;
        }
        match &self.held {
            Some(held) => writeln!(f, "; {held}"),
            None => writeln!(f),
        }
    }
}
