//! What to do in a round, in this order. A failure ends the round; the next round reads the cluster again.

use crate::config::Setting;
use crate::course::Course;
use crate::dirs::Destination;
use crate::health::Ill;
use crate::hold::Stray;
use crate::journal::Entry;
use crate::ledger::LedgerEntry;
use mapper::{BrokerId, TopicPartition};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One thing to do. It does no harm to do it twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write this line into the journal.
    Write(Entry),
    /// Write this line into the ledger.
    Account(LedgerEntry),
    /// Set a config (IncrementalAlterConfigs), or delete it.
    Set {
        /// The config.
        setting: Setting,
        /// Its new value; `None`: delete it.
        value: Option<String>,
    },
    /// Tell brokers which of their log dirs replicas go to (AlterReplicaLogDirs). It covers new replicas, replicas to
    /// copy to another dir, and replicas that stay. A move is not submitted if a destination refuses its log dir.
    Place {
        /// The replicas and their log dirs.
        places: Vec<Destination>,
    },
    /// Begin these moves (AlterPartitionReassignments with their targets). None of their partitions is being
    /// reassigned.
    Submit {
        /// By index.
        moves: Vec<usize>,
    },
    /// Cancel these moves (AlterPartitionReassignments without a target).
    Cancel {
        /// By index.
        moves: Vec<usize>,
    },
    /// Restore the order before the move (AlterPartitionReassignments with the old list); the replicas stay.
    Reorder {
        /// By index.
        moves: Vec<usize>,
    },
    /// Elect the first replica of these (ElectLeaders, preferred; never unclean).
    Elect {
        /// By index.
        moves: Vec<usize>,
    },
    /// The execution is over. Nothing is left in the cluster except what the outcome says.
    Stop(Outcome),
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
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

/// Why no new move was submitted although one was ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
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
    pub course: Course,
    /// Why nothing new was begun.
    pub held: Option<Held>,
    /// Configs that differ from the wanted value, and that the execution leaves alone.
    pub strays: Vec<Stray>,
    /// Moves that Kafka refused to cancel and that are still in flight. One of the brokers of each has to return.
    pub not_cancelled: BTreeMap<usize, Vec<BrokerId>>,
    /// The next moves, if the daemon has to pace them first.
    pub to_announce: Vec<usize>,
}

impl Round {
    /// A round that reports progress and does nothing.
    pub fn of(course: Course) -> Self {
        let (not_cancelled, to_announce) = (BTreeMap::new(), Vec::new());
        let (actions, strays) = (Vec::new(), Vec::new());
        Self { actions, course, held: None, strays, not_cancelled, to_announce }
    }

    /// Removes the submissions from this round.
    pub fn submit_nothing(&mut self) {
        self.actions.retain(|action| match action {
            Action::Write(entry) => !matches!(entry, Entry::Submitted { .. }),
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
}
