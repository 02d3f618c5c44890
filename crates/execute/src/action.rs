//! What to do in a round, in this order. A failure ends the round; the next round reads the cluster again.

use crate::config::{ConfigEdit, Key, Setting, ThrottleResource};
use crate::dirs::LogDirDestination;
use crate::journal::{ExecutionOutcome, JournalEntry};
use crate::ledger::LedgerEntry;
use mapper::BrokerId;
use mapper::snapshot::EVERY_LOG_DIR;

/// One thing to do. It does no harm to do it twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write this line into the journal.
    Write(JournalEntry),
    /// Write this line into the ledger.
    Account(LedgerEntry),
    /// Set a config (IncrementalAlterConfigs), or delete it.
    Set {
        /// The config.
        setting: Setting,
        /// How it changes.
        edit: ConfigEdit,
    },
    /// Tell brokers which of their log dirs replicas go to (AlterReplicaLogDirs). It covers new replicas, replicas to
    /// copy to another dir, and replicas that stay. A move is not submitted if a destination refuses its log dir.
    Place {
        /// The replicas and their log dirs.
        places: Vec<LogDirDestination>,
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
    Stop(ExecutionOutcome),
}

impl Action {
    /// The broker that this action cordons.
    pub fn cordons(&self) -> Option<BrokerId> {
        let Self::Set { setting, edit: ConfigEdit::To(Some(value)) } = self else { return None };
        let every = setting.key == Key::CordonedLogDirs && value == EVERY_LOG_DIR;
        match setting.resource {
            ThrottleResource::Broker(id) if every => Some(id),
            ThrottleResource::Broker(_) | ThrottleResource::Topic(_) => None,
        }
    }
}
