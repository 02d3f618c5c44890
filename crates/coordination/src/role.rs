//! The roles of our processes in a cluster. Each has its own lead and its own records.

use statelog::Term;
use std::time::Duration;

/// What a process does in a cluster. Processes of different roles may act at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Changes the cluster by a plan or a command: `topicmappr`.
    Executor,
    /// Sets replication rates: `autothrottle`.
    Daemon,
    /// Notes what it sees and proposes: `topicmappr keep`.
    Keeper,
    /// Answers to what is proposed: `topicmappr plans`.
    Operator,
}

impl Role {
    /// The name of its claim in the topic, and the prefix of its records there.
    pub(crate) const fn claim(self) -> &'static str {
        match self {
            Self::Executor => "executor",
            Self::Daemon => "autothrottle",
            Self::Keeper => "keep",
            Self::Operator => "plans",
        }
    }

    /// The program of this role, for labels and Events in Kubernetes.
    pub(crate) const fn program(self) -> &'static str {
        match self {
            Self::Executor | Self::Keeper | Self::Operator => "topicmappr",
            Self::Daemon => "autothrottle",
        }
    }

    /// The end of the name of its ConfigMaps, after the name of its Lease.
    pub(crate) const fn config_maps(self) -> &'static str {
        match self {
            Self::Executor => "records",
            Self::Daemon => "state",
            Self::Keeper => "notes",
            Self::Operator => "answers",
        }
    }

    /// How long a claim in the topic is valid without a renewal.
    pub(crate) fn term(self) -> Term {
        match self {
            Self::Executor | Self::Keeper | Self::Operator => Term::default(),
            Self::Daemon => Term::of(Duration::from_secs(10)),
        }
    }
}
