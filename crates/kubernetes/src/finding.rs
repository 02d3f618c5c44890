//! Unusual facts about the pods and nodes of brokers, with their names.

use crate::facts::Name;
use crate::identity::IdentityError;
use mapper::maps::MapSeverity;
use mapper::{BrokerId, joined};
use std::fmt;

/// One unusual fact about brokers on Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// Several pods claim the same broker id.
    #[error("broker {id} is claimed by {} pods: {}", pods.len(), joined(pods))]
    IdClaimedTwice {
        /// The id.
        id: BrokerId,
        /// The pods; at least two.
        pods: Vec<Name>,
    },
    /// The broker id of a pod is unknown.
    #[error("pod {pod} is a broker of unknown id: {error}")]
    NoIdentity {
        /// The pod.
        pod: Name,
        /// Why.
        error: IdentityError,
    },
    /// A map names a StatefulSet that does not exist.
    #[error("there is no StatefulSet {name}")]
    NoStatefulSet {
        /// Its namespace and name.
        name: Name,
    },
    /// A StatefulSet has fewer pods than it should have.
    #[error("StatefulSet {name} should have {wanted} pods and lacks {}", missing.join(", "))]
    PodsMissing {
        /// Its namespace and name.
        name: Name,
        /// How many it should have.
        wanted: u32,
        /// The names of the missing pods.
        missing: Vec<String>,
    },
    /// A pod does not run as it should.
    #[error("pod {pod}{} {trouble}", of_broker(*id))]
    PodTrouble {
        /// The pod.
        pod: Name,
        /// Its broker, if known.
        id: Option<BrokerId>,
        /// What is wrong.
        trouble: Trouble,
    },
    /// A lost node.
    #[error("node {node} {loss}; on it: {}", joined(pods))]
    NodeLost {
        /// The node.
        node: String,
        /// How it was lost.
        loss: NodeLoss,
        /// The broker pods that are bound to it.
        pods: Vec<Name>,
    },
    /// A shared node, whose loss would stop several brokers.
    #[error("node {node} runs {} brokers: {}", pods.len(), joined(pods))]
    NodeShared {
        /// The node.
        node: String,
        /// Their pods; at least two.
        pods: Vec<Name>,
    },
    /// A node without a zone label.
    #[error("node {node} of pod {pod} has no label that tells its zone")]
    NoZone {
        /// The pod.
        pod: Name,
        /// Its node.
        node: String,
    },
}

/// Why a pod does not run as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The scheduler finds no node for it.
    Unscheduled {
        /// The scheduler's message.
        reason: Option<String>,
    },
    /// It has a node, but its containers do not run yet.
    Pending {
        /// What they wait for.
        reason: Option<String>,
    },
    /// It has been deleted but still exists.
    Terminating,
    /// It runs but is not ready.
    NotReady {
        /// What a container waits for.
        reason: Option<String>,
    },
    /// It ended, and nothing restarts it.
    Ended,
}

/// How a node was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeLoss {
    /// It no longer exists, but pods are bound to it.
    Gone,
    /// Its heartbeats have stopped.
    Silent {
        /// Since when (RFC 3339), if known.
        since: Option<String>,
    },
    /// Its kubelet reports that it is not ready.
    NotReady {
        /// Why.
        reason: String,
    },
}

impl Finding {
    /// How it affects a plan.
    pub fn severity(&self) -> MapSeverity {
        match self {
            Self::IdClaimedTwice { .. } | Self::NoStatefulSet { .. } => MapSeverity::Error,
            Self::NoIdentity { .. } => MapSeverity::Warning,
            Self::PodsMissing { .. }
            | Self::PodTrouble { .. }
            | Self::NodeLost { .. }
            | Self::NodeShared { .. }
            | Self::NoZone { .. } => MapSeverity::Notice,
        }
    }

    /// A code for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::IdClaimedTwice { .. } => "id-claimed-twice",
            Self::NoIdentity { .. } => "no-broker-id",
            Self::NoStatefulSet { .. } => "no-stateful-set",
            Self::PodsMissing { .. } => "pods-missing",
            Self::PodTrouble { trouble, .. } => match trouble {
                Trouble::Unscheduled { .. } => "pod-unscheduled",
                Trouble::Pending { .. } => "pod-pending",
                Trouble::Terminating => "pod-terminating",
                Trouble::NotReady { .. } => "pod-not-ready",
                Trouble::Ended => "pod-ended",
            },
            Self::NodeLost { .. } => "node-lost",
            Self::NodeShared { .. } => "node-shared",
            Self::NoZone { .. } => "node-without-zone",
        }
    }

    /// The pods that it concerns.
    pub fn pods(&self) -> Vec<&Name> {
        match self {
            Self::IdClaimedTwice { pods, .. }
            | Self::NodeLost { pods, .. }
            | Self::NodeShared { pods, .. } => pods.iter().collect(),
            Self::NoIdentity { pod, .. }
            | Self::PodTrouble { pod, .. }
            | Self::NoZone { pod, .. } => vec![pod],
            Self::NoStatefulSet { .. } | Self::PodsMissing { .. } => Vec::new(),
        }
    }

    /// The StatefulSet that it concerns.
    pub fn stateful_set(&self) -> Option<&Name> {
        match self {
            Self::NoStatefulSet { name } | Self::PodsMissing { name, .. } => Some(name),
            Self::IdClaimedTwice { .. }
            | Self::NoIdentity { .. }
            | Self::PodTrouble { .. }
            | Self::NodeLost { .. }
            | Self::NodeShared { .. }
            | Self::NoZone { .. } => None,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, reason) = match self {
            Self::Unscheduled { reason } => ("has no node", reason.as_ref()),
            Self::Pending { reason } => ("has not started", reason.as_ref()),
            Self::Terminating => ("is terminating", None),
            Self::NotReady { reason } => ("is not ready", reason.as_ref()),
            Self::Ended => ("has ended", None),
        };
        f.write_str(what)?;
        match reason {
            Some(reason) => write!(f, ": {}", reason.trim_end_matches('.')),
            None => Ok(()),
        }
    }
}

impl fmt::Display for NodeLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("does not exist any more"),
            Self::Silent { since: Some(since) } => write!(f, "has been silent since {since}"),
            Self::Silent { since: None } => f.write_str("is silent"),
            Self::NotReady { reason } => write!(f, "is not ready: {reason}"),
        }
    }
}

fn of_broker(id: Option<BrokerId>) -> String {
    id.map_or_else(String::new, |id| format!(" (broker {id})"))
}
