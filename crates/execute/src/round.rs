//! The result of one look at the cluster.

use crate::action::Action;
use crate::health::Ill;
use crate::journal::{ExecutionHistory, ExecutionOutcome, JournalEntry};
use crate::move_state::MoveState;
use crate::progress::PlanProgress;
use crate::reconcile::Stray;
use crate::seen::Seen;
use crate::task::Task;
use mapper::{BrokerId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// Why no new move was submitted although one was ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoNewMoves {
    /// These partitions became unhealthy after the start.
    Paused(BTreeMap<TopicPartition, Ill>),
    /// Other tools move replicas of these partitions.
    OtherTools(BTreeSet<TopicPartition>),
    /// The execution can only wait, and has waited for this many seconds.
    Stuck(u64),
    /// The daemon does not pace the next moves yet; the execution has waited for this many seconds.
    NotPaced(u64),
}

/// The result of one look at the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// What to do.
    pub actions: Vec<Action>,
    /// The progress of each move.
    pub course: PlanProgress,
    /// Why nothing new was begun.
    pub held: Option<NoNewMoves>,
    /// Configs that differ from the wanted value, and that the execution leaves alone.
    pub strays: Vec<Stray>,
    /// Moves that Kafka refused to cancel and that are still in flight. One of the brokers of each has to return.
    pub not_cancelled: BTreeMap<usize, Vec<BrokerId>>,
    /// The next moves, if the daemon has to pace them first.
    pub to_announce: Vec<usize>,
}

impl Round {
    /// A round that reports progress and does nothing.
    pub fn of(course: PlanProgress) -> Self {
        let (not_cancelled, to_announce) = (BTreeMap::new(), Vec::new());
        let (actions, strays) = (Vec::new(), Vec::new());
        Self { actions, course, held: None, strays, not_cancelled, to_announce }
    }

    /// Removes the submissions from this round.
    pub fn submit_nothing(&mut self) {
        self.actions.retain(|action| match action {
            Action::Write(entry) => !matches!(entry, JournalEntry::Submitted { .. }),
            Action::Submit { .. } => false,
            Action::Account(_)
            | Action::Set { .. }
            | Action::Place { .. }
            | Action::Cancel { .. }
            | Action::Reorder { .. }
            | Action::Elect { .. }
            | Action::Stop(_) => true,
        });
    }

    /// The brokers that this round cordons.
    pub fn cordons(&self) -> impl Iterator<Item = BrokerId> {
        self.actions.iter().filter_map(Action::cordons)
    }

    /// Ends the execution.
    pub(crate) fn stop(&mut self, outcome: ExecutionOutcome) {
        self.actions.push(Action::Write(JournalEntry::Finished { outcome }));
        self.actions.push(Action::Stop(outcome));
    }
}

/// Journal lines for everything that is new since the last line.
pub(crate) fn news(
    task: &Task<'_>,
    history: &ExecutionHistory,
    seen: &Seen,
    course: &PlanProgress,
) -> Vec<Action> {
    let mut entries = Vec::new();
    let runs = |index: &usize| task.of(*index).is_some_and(|c| seen.running.contains_key(&c.of()));
    let moving = course.all(|standing| *standing == MoveState::Moving).filter(runs);
    let moves: Vec<usize> = moving.filter(|index| !history.begun.contains(index)).collect();
    if !moves.is_empty() {
        entries.push(Action::Write(JournalEntry::Begun { moves }));
    }
    let done = course.all(|standing| *standing == MoveState::Done);
    let moves: Vec<usize> = done.filter(|index| !history.completed.contains(index)).collect();
    if !moves.is_empty() {
        entries.push(Action::Write(JournalEntry::Completed { moves }));
    }
    for (index, standing) in course.standings.iter().enumerate() {
        if let MoveState::Left(why) = standing
            && history.left_out.get(&index) != Some(why)
        {
            entries.push(Action::Write(JournalEntry::LeftOut { index, why: why.clone() }));
        }
    }
    entries
}
