//! The journal: what was asked for, done and found out, line by line.
//!
//! The cluster itself shows the progress of each move. A lost journal therefore loses only the history and the brokers'
//! state at the start.

use crate::move_state::WhyLeft;
use crate::stall::Stall;
use crate::task::Pace;
use mapper::TopicPartition;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One line of the journal. Moves are named by their index in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum JournalEntry {
    /// The execution began.
    Started {
        /// The plan, by its hash.
        plan: String,
        /// The cluster.
        cluster_id: String,
        /// The throttle.
        pace: Pace,
        /// Partitions that were already below their min ISR, or without a leader.
        ill: BTreeSet<TopicPartition>,
    },
    /// Another process continues the execution.
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
    /// The controller has accepted these, or they were seen in flight. If they end now, their submission was not lost.
    Begun {
        /// The moves.
        moves: Vec<usize>,
    },
    /// These have reached their targets.
    Completed {
        /// The moves.
        moves: Vec<usize>,
    },
    /// Kafka refused to begin this move.
    Refused {
        /// The move.
        index: usize,
        /// Kafka's error.
        problem: String,
    },
    /// This move will not be carried out.
    LeftOut {
        /// The move.
        index: usize,
        /// Why.
        why: WhyLeft,
    },
    /// No new moves are submitted.
    Paused {
        /// Because of these partitions.
        partitions: BTreeSet<TopicPartition>,
    },
    /// New moves are submitted again.
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
    /// Kafka refused to cancel this move.
    NotCancelled {
        /// The move.
        index: usize,
        /// Kafka's error.
        problem: String,
    },
    /// The old order of replicas is about to be restored: Kafka does not restore it when it cancels.
    Reordered {
        /// The moves.
        moves: Vec<usize>,
    },
    /// From now on the execution can only wait for brokers to return or disks to be freed.
    Stuck {
        /// When, in seconds as in `Seen::at_seconds`.
        at_seconds: u64,
    },
    /// The set of stalled copies has changed.
    Stalled {
        /// All stalled copies; empty: every copy makes progress.
        stalls: Vec<Stall>,
    },
    /// Nothing new is begun any more: the remaining moves have waited too long.
    GaveUp,
    /// The process exits while moves are in flight, and leaves their throttle in place.
    Detached,
    /// The execution ended.
    Finished {
        /// How.
        outcome: ExecutionOutcome,
    },
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionOutcome {
    /// The cluster is as the plan says, except for topics that no longer exist.
    Complete,
    /// Everything that is possible is done; the rest waits for brokers or room. A later run can resume it.
    Partly,
    /// Some partitions were left out for good: another tool changed them, or Kafka refused them.
    LeftOut,
    /// Nothing is in flight any more, and the cancelled moves have their old replicas.
    Cancelled,
    /// Kafka refused to cancel some moves; they continue.
    CancelledPartly,
    /// Nothing was begun: other tools are moving replicas.
    HeldByOthers,
}

/// The state that the journal's lines add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionHistory {
    /// The hash of the plan; none before the start.
    pub plan: Option<String>,
    /// The throttle that was requested last.
    pub pace: Option<Pace>,
    /// Unhealthy partitions at the start.
    pub ill: BTreeSet<TopicPartition>,
    /// Moves that were submitted at least once.
    pub submitted: BTreeSet<usize>,
    /// Moves that this run has seen in flight, or that the controller has accepted, since their last submission.
    pub begun: BTreeSet<usize>,
    /// Moves that have reached their target at least once.
    pub completed: BTreeSet<usize>,
    /// How often Kafka refused each, and its last message.
    pub refused: BTreeMap<usize, (u32, String)>,
    /// Moves that will not be carried out, as last found; each round checks again.
    pub left_out: BTreeMap<usize, WhyLeft>,
    /// The partitions because of which new moves wait, if they do.
    pub paused: Option<BTreeSet<TopicPartition>>,
    /// How often each move's first replica was put up for election.
    pub elected: BTreeMap<usize, u32>,
    /// Moves that were cancelled and not submitted again.
    pub cancelled: BTreeSet<usize>,
    /// Moves that Kafka refused to cancel, and its message.
    pub not_cancelled: BTreeMap<usize, String>,
    /// How often the old order of each was restored.
    pub reordered: BTreeMap<usize, u32>,
    /// Since when the execution could only wait, in seconds as in `Seen::at_seconds`.
    pub stuck_since_seconds: Option<u64>,
    /// The stalled copies, as last recorded.
    pub stalled: Vec<Stall>,
    /// Nothing new is begun any more.
    pub gave_up: bool,
    /// How it ended, unless another process continued it.
    pub finished: Option<ExecutionOutcome>,
}

impl ExecutionHistory {
    /// The state after these lines, in their order.
    pub fn replay(entries: impl IntoIterator<Item = JournalEntry>) -> Self {
        let mut history = Self::default();
        entries.into_iter().for_each(|entry| history.apply(entry));
        history
    }

    /// Applies one more line.
    pub fn apply(&mut self, entry: JournalEntry) {
        match entry {
            JournalEntry::Started { plan, pace, ill, .. } => {
                *self = Self { plan: Some(plan), pace: Some(pace), ill, ..Self::default() };
            }
            JournalEntry::Resumed { pace } => self.take_up(pace),
            JournalEntry::Paced { pace } => self.pace = Some(pace),
            JournalEntry::Submitted { moves } => {
                for index in &moves {
                    self.cancelled.remove(index);
                    self.begun.remove(index);
                }
                self.submitted.extend(moves);
                self.stuck_since_seconds = None;
            }
            JournalEntry::Begun { moves } => self.begun.extend(moves),
            JournalEntry::Completed { moves } => {
                self.completed.extend(moves);
                self.stuck_since_seconds = None;
            }
            JournalEntry::Refused { index, problem } => {
                let refused = self.refused.entry(index).or_default();
                *refused = (refused.0 + 1, problem);
            }
            JournalEntry::LeftOut { index, why } => {
                self.left_out.insert(index, why);
            }
            JournalEntry::Paused { partitions } => self.paused = Some(partitions),
            JournalEntry::Unpaused => {
                self.paused = None;
                self.stuck_since_seconds = None;
            }
            JournalEntry::Elected { moves } => count(&mut self.elected, moves),
            JournalEntry::Reordered { moves } => count(&mut self.reordered, moves),
            JournalEntry::Cancelled { moves } => {
                for index in &moves {
                    self.begun.remove(index);
                }
                self.cancelled.extend(moves);
            }
            JournalEntry::NotCancelled { index, problem } => {
                self.not_cancelled.insert(index, problem);
            }
            JournalEntry::Stuck { at_seconds } => self.stuck_since_seconds = Some(at_seconds),
            JournalEntry::Stalled { stalls } => self.stalled = stalls,
            JournalEntry::GaveUp => self.gave_up = true,
            JournalEntry::Detached => {}
            JournalEntry::Finished { outcome } => self.finished = Some(outcome),
        }
    }

    /// The fewest lines from which a process that continues the execution knows as much as from all of them. Refusals
    /// are left out, because another try asks again. No lines before the start.
    pub fn gist(&self, cluster_id: &str) -> Vec<JournalEntry> {
        let (Some(plan), Some(pace)) = (self.plan.clone(), self.pace) else { return Vec::new() };
        let (cluster_id, ill) = (cluster_id.to_owned(), self.ill.clone());
        let mut entries = vec![JournalEntry::Started { plan, cluster_id, pace, ill }];
        let moves = |set: &BTreeSet<usize>| set.iter().copied().collect::<Vec<_>>();
        let lists = [
            JournalEntry::Submitted { moves: moves(&self.submitted) },
            JournalEntry::Completed { moves: moves(&self.completed) },
            JournalEntry::Cancelled { moves: moves(&self.cancelled) },
        ];
        entries.extend(lists);
        let paused = self.paused.clone();
        entries.extend(paused.map(|partitions| JournalEntry::Paused { partitions }));
        entries
            .extend(self.stuck_since_seconds.map(|at_seconds| JournalEntry::Stuck { at_seconds }));
        entries.extend(self.gave_up.then_some(JournalEntry::GaveUp));
        entries.extend(self.finished.map(|outcome| JournalEntry::Finished { outcome }));
        entries
    }

    /// Begins another try. It asks again for what Kafka refused, and begins again what other tools cancelled. Its time
    /// limits start again.
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
