//! What to do in a round, in this order; a failure ends the round, and the next one looks again.

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

/// One thing to do. Each may be done twice without harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write this into the journal.
    Write(Entry),
    /// Write this into the ledger.
    Account(LedgerEntry),
    /// Set a config (IncrementalAlterConfigs), or delete it.
    Set {
        /// Which.
        setting: Setting,
        /// To what; `None`: delete it.
        value: Option<String>,
    },
    /// Tell brokers which of their log dirs replicas go to (AlterReplicaLogDirs): those that come, those that are to be
    /// copied there, and those that stay where they lie. A move whose destination does not take it is not submitted.
    Place {
        /// Which.
        places: Vec<Destination>,
    },
    /// Begin these moves (AlterPartitionReassignments with their targets). None of them is being reassigned.
    Submit {
        /// By index.
        moves: Vec<usize>,
    },
    /// Cancel these moves (AlterPartitionReassignments without a target).
    Cancel {
        /// By index.
        moves: Vec<usize>,
    },
    /// Put the order before the move back (AlterPartitionReassignments with the old list); the replicas stay.
    Reorder {
        /// By index.
        moves: Vec<usize>,
    },
    /// Elect the first replica of these (ElectLeaders, preferred; never unclean).
    Elect {
        /// By index.
        moves: Vec<usize>,
    },
    /// It is over; nothing is left in the cluster, but what the outcome says.
    Stop(Outcome),
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The cluster is as the plan says, but for topics that do not exist any more.
    Complete,
    /// What could be done is done; the rest waits for brokers or room, and can be resumed.
    Partly,
    /// Some partitions were left out for good: changed by others, or refused by Kafka.
    LeftOut,
    /// Nothing is in flight any more, and what was has its old replicas.
    Cancelled,
    /// Kafka refused to cancel some moves: they go on.
    CancelledPartly,
    /// Nothing was begun: others are moving replicas.
    HeldByOthers,
}

/// Why no new move was submitted, where one could have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Partitions are ill that were not so at the start.
    Paused(BTreeMap<TopicPartition, Ill>),
    /// Other tools move replicas.
    OtherTools(BTreeSet<TopicPartition>),
    /// Nothing can be done but to wait, for so many seconds already.
    Stuck(u64),
    /// The daemon does not pace what is to be begun next, for so many seconds already.
    NotPaced(u64),
}

/// What one look at the cluster comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// What to do.
    pub actions: Vec<Action>,
    /// Where the moves stand.
    pub course: Course,
    /// Why nothing new was begun.
    pub held: Option<Held>,
    /// Configs that are not as we would have them, and that we leave alone.
    pub strays: Vec<Stray>,
    /// Moves that Kafka refused to cancel and that are still in flight, and the brokers of which one has to return.
    pub not_cancelled: BTreeMap<usize, Vec<BrokerId>>,
    /// What is to be begun next, where the daemon has to pace it first.
    pub to_announce: Vec<usize>,
}

impl Round {
    /// Where the moves stand, and nothing to do.
    pub fn of(course: Course) -> Self {
        let (not_cancelled, to_announce) = (BTreeMap::new(), Vec::new());
        let (actions, strays) = (Vec::new(), Vec::new());
        Self { actions, course, held: None, strays, not_cancelled, to_announce }
    }

    /// Begins nothing after all.
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
