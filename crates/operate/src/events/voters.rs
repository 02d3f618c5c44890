//! Describes the events of a change of controllers.

use mapper::BrokerId;
use serde::Serialize;
use std::fmt;

/// An event of a change of controllers.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum VotersEvent {
    /// A controller gets a vote.
    Adds {
        /// Its `node.id`.
        id: BrokerId,
    },
    /// A controller loses its vote.
    Removes {
        /// Its `node.id`.
        id: BrokerId,
        /// It is the active controller.
        leads: bool,
    },
    /// No change may be made now.
    Waits {
        /// Time since the last change, or since the start, in seconds.
        waited_seconds: u64,
        /// The reason, as a sentence part.
        why: String,
    },
}

impl fmt::Display for VotersEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Adds { id } => writeln!(f, "adding controller {id} to the voters"),
            Self::Removes { id, leads } => {
                let role = if *leads { "the active controller" } else { "controller" };
                writeln!(f, "removing {role} {id} from the voters")
            }
            Self::Waits { waited_seconds, why } => {
                writeln!(f, "waiting ({waited_seconds} s): {why}")
            }
        }
    }
}
