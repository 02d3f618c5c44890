//! Why records are not read or written, and why a process may not act.

use crate::Store;
use crate::lines::LinesError;

/// Why records are not read or written, or why this process does not lead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process leads.
    #[error("{lock} is held by {holder}")]
    Held {
        /// The lock in words.
        lock: String,
        /// The process that holds it, as it calls itself.
        holder: String,
    },
    /// This process led. Another one leads now, or has led since.
    #[error("{lock} is lost: {why}")]
    Lost {
        /// The lock in words.
        lock: String,
        /// What happened.
        why: String,
    },
    /// This process led, and its time is over. Another one may lead by now: take the lead again before any write.
    #[error("{lock} has ended: {why}")]
    Ended {
        /// The lock in words.
        lock: String,
        /// What happened.
        why: String,
    },
    /// The store has not answered in time. It may have written what it was asked to write.
    #[error("{store}: {why}")]
    Silent {
        /// The store in words.
        store: String,
        /// What was not answered.
        why: String,
    },
    /// A record that no program of this version has written.
    #[error("the record {name} is not understood: {problem}")]
    Unreadable {
        /// The record's name, or the ConfigMap that holds it.
        name: String,
        /// Why it is refused.
        problem: String,
    },
    /// The state topic's error.
    #[error(transparent)]
    Topic(Box<statelog::Error>),
    /// ZooKeeper's error.
    #[error(transparent)]
    ZooKeeper(Box<zookeeper::Error>),
    /// The Kubernetes API's error.
    #[error(transparent)]
    Kubernetes(Box<kubernetes::Error>),
    /// The file of the records is refused, or takes no more.
    #[error(transparent)]
    Lines(#[from] LinesError),
}

impl Error {
    /// The same error, with the place of a record that is not understood.
    #[must_use]
    pub fn in_store(self, store: &Store) -> Self {
        match self {
            Self::Unreadable { name, problem } => {
                Self::Unreadable { name: format!("{name} in {}", store.name()), problem }
            }
            other => other,
        }
    }

    /// Whether no later try of this process can succeed: another process leads, or has led since.
    #[must_use]
    pub fn is_for_good(&self) -> bool {
        matches!(self, Self::Held { .. } | Self::Lost { .. } | Self::Unreadable { .. })
    }

    /// Whether this user lacks a right.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        match self {
            Self::Topic(error) => matches!(**error, statelog::Error::Forbidden { .. }),
            Self::ZooKeeper(error) => {
                use zookeeper::Error as Of;
                matches!(**error, Of::Denied { .. } | Of::LoginRefused { .. })
            }
            Self::Kubernetes(error) => matches!(**error, kubernetes::Error::Forbidden { .. }),
            Self::Held { .. }
            | Self::Lost { .. }
            | Self::Ended { .. }
            | Self::Silent { .. }
            | Self::Unreadable { .. }
            | Self::Lines(_) => false,
        }
    }
}

local::convert_boxed!(Error: Topic(statelog::Error), ZooKeeper(zookeeper::Error), Kubernetes(kubernetes::Error));
