//! The journal: what was asked for, done and found out, line by line.
//!
//! The cluster itself tells where each move stands, so a lost journal loses the history, the brokers' state at the
//! start and no more.

use crate::action::Outcome;
use crate::course::WhyLeft;
use crate::stall::Stall;
use crate::task::Pace;
use mapper::TopicPartition;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One line of the journal. Moves are named by their index in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// The execution began.
    Started {
        /// The plan, by its hash.
        plan: String,
        /// The cluster.
        cluster_id: String,
        /// The throttle.
        pace: Pace,
        /// Partitions that were below their min ISR, or without a leader, already then.
        ill: BTreeSet<TopicPartition>,
    },
    /// A process took it up again.
    Resumed {
        /// The throttle from now on.
        pace: Pace,
    },
    /// An operator has changed the throttle of the running execution.
    Paced {
        /// The throttle from now on.
        pace: Pace,
    },
    /// These are about to be submitted.
    Submitted {
        /// The moves.
        moves: Vec<usize>,
    },
    /// The controller has taken these, or they were seen in flight: what ends them from now on is no lost submission.
    Begun {
        /// The moves.
        moves: Vec<usize>,
    },
    /// These have reached their targets.
    Completed {
        /// The moves.
        moves: Vec<usize>,
    },
    /// Kafka refused to begin this one.
    Refused {
        /// The move.
        index: usize,
        /// Kafka's error.
        problem: String,
    },
    /// This one will not be carried out.
    LeftOut {
        /// The move.
        index: usize,
        /// Why.
        why: WhyLeft,
    },
    /// New moves wait.
    Paused {
        /// For these partitions.
        partitions: BTreeSet<TopicPartition>,
    },
    /// New moves go on.
    Unpaused,
    /// Leaders are about to be elected.
    Elected {
        /// The moves whose first replica is to lead.
        moves: Vec<usize>,
    },
    /// These are about to be cancelled.
    Cancelled {
        /// The moves.
        moves: Vec<usize>,
    },
    /// Kafka refused to cancel this one.
    NotCancelled {
        /// The move.
        index: usize,
        /// Kafka's error.
        problem: String,
    },
    /// The old order of replicas is about to be put back: Kafka does not, when it cancels.
    Reordered {
        /// The moves.
        moves: Vec<usize>,
    },
    /// From now on nothing can be done but to wait for brokers to return or disks to be freed.
    Stuck {
        /// When, in the seconds of what is seen.
        at_seconds: u64,
    },
    /// Copies that get nothing, where others are held back or go on again than before.
    Stalled {
        /// All of them; none: everything goes on.
        stalls: Vec<Stall>,
    },
    /// Nothing new is begun any more: what is left waited in vain.
    GaveUp,
    /// The process leaves while moves are in flight, and leaves the throttle with them.
    Detached,
    /// The execution ended.
    Finished {
        /// How.
        outcome: Outcome,
    },
}

/// What the journal tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The plan that it is about, by its hash; none before the start.
    pub plan: Option<String>,
    /// The throttle that was asked for last.
    pub pace: Option<Pace>,
    /// Ill partitions at the start.
    pub ill: BTreeSet<TopicPartition>,
    /// Moves that were submitted at least once.
    pub submitted: BTreeSet<usize>,
    /// Moves that this run has seen in flight, or that the controller has taken from it, since they were submitted last.
    pub begun: BTreeSet<usize>,
    /// Moves that have reached their target once.
    pub completed: BTreeSet<usize>,
    /// How often Kafka refused each, and what it said last.
    pub refused: BTreeMap<usize, (u32, String)>,
    /// Moves that were found not to be carried out; each round looks again.
    pub left_out: BTreeMap<usize, WhyLeft>,
    /// Why new moves wait, if they do.
    pub paused: Option<BTreeSet<TopicPartition>>,
    /// How often each move's first replica was put up for election.
    pub elected: BTreeMap<usize, u32>,
    /// Moves that were cancelled, and not submitted since.
    pub cancelled: BTreeSet<usize>,
    /// Moves that Kafka refused to cancel, and what it said.
    pub not_cancelled: BTreeMap<usize, String>,
    /// How often the old order of each was put back.
    pub reordered: BTreeMap<usize, u32>,
    /// Since when nothing could be done but to wait.
    pub stuck_since_seconds: Option<u64>,
    /// Copies that get nothing, when this was written down last.
    pub stalled: Vec<Stall>,
    /// Nothing new is begun any more.
    pub gave_up: bool,
    /// How it ended, unless it was taken up again.
    pub finished: Option<Outcome>,
}

impl History {
    /// What these lines tell, in their order.
    pub fn replay(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut history = Self::default();
        entries.into_iter().for_each(|entry| history.apply(entry));
        history
    }

    /// Takes one more line in.
    pub fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Started { plan, pace, ill, .. } => {
                *self = Self { plan: Some(plan), pace: Some(pace), ill, ..Self::default() };
            }
            Entry::Resumed { pace } => self.take_up(pace),
            Entry::Paced { pace } => self.pace = Some(pace),
            Entry::Submitted { moves } => {
                for index in &moves {
                    self.cancelled.remove(index);
                    self.begun.remove(index);
                }
                self.submitted.extend(moves);
                self.stuck_since_seconds = None;
            }
            Entry::Begun { moves } => self.begun.extend(moves),
            Entry::Completed { moves } => {
                self.completed.extend(moves);
                self.stuck_since_seconds = None;
            }
            Entry::Refused { index, problem } => {
                let refused = self.refused.entry(index).or_default();
                *refused = (refused.0 + 1, problem);
            }
            Entry::LeftOut { index, why } => {
                self.left_out.insert(index, why);
            }
            Entry::Paused { partitions } => self.paused = Some(partitions),
            Entry::Unpaused => {
                self.paused = None;
                self.stuck_since_seconds = None;
            }
            Entry::Elected { moves } => count(&mut self.elected, moves),
            Entry::Reordered { moves } => count(&mut self.reordered, moves),
            Entry::Cancelled { moves } => {
                for index in &moves {
                    self.begun.remove(index);
                }
                self.cancelled.extend(moves);
            }
            Entry::NotCancelled { index, problem } => {
                self.not_cancelled.insert(index, problem);
            }
            Entry::Stuck { at_seconds } => self.stuck_since_seconds = Some(at_seconds),
            Entry::Stalled { stalls } => self.stalled = stalls,
            Entry::GaveUp => self.gave_up = true,
            Entry::Detached => {}
            Entry::Finished { outcome } => self.finished = Some(outcome),
        }
    }

    /// The fewest lines from which a process that takes it up knows as much as from all of them: what another try asks
    /// again is not among them. None before the start.
    pub fn gist(&self, cluster_id: &str) -> Vec<Entry> {
        let (Some(plan), Some(pace)) = (self.plan.clone(), self.pace) else { return Vec::new() };
        let (cluster_id, ill) = (cluster_id.to_owned(), self.ill.clone());
        let mut entries = vec![Entry::Started { plan, cluster_id, pace, ill }];
        let moves = |set: &BTreeSet<usize>| set.iter().copied().collect::<Vec<_>>();
        let lists = [
            Entry::Submitted { moves: moves(&self.submitted) },
            Entry::Completed { moves: moves(&self.completed) },
            Entry::Cancelled { moves: moves(&self.cancelled) },
        ];
        entries.extend(lists);
        let paused = self.paused.clone();
        entries.extend(paused.map(|partitions| Entry::Paused { partitions }));
        entries.extend(self.stuck_since_seconds.map(|at_seconds| Entry::Stuck { at_seconds }));
        entries.extend(self.gave_up.then_some(Entry::GaveUp));
        entries.extend(self.finished.map(|outcome| Entry::Finished { outcome }));
        entries
    }

    /// Another try: what Kafka refused the last time is asked again, what other tools cancelled is begun again, and patience
    /// begins anew.
    fn take_up(&mut self, pace: Pace) {
        self.pace = Some(pace);
        self.begun.clear();
        self.refused.clear();
        self.elected.clear();
        self.not_cancelled.clear();
        self.reordered.clear();
        self.left_out.clear();
        self.stuck_since_seconds = None;
        self.stalled.clear();
        self.gave_up = false;
        self.finished = None;
    }
}

fn count(times: &mut BTreeMap<usize, u32>, moves: Vec<usize>) {
    for index in moves {
        *times.entry(index).or_default() += 1;
    }
}

#[cfg(test)]
mod tests;
