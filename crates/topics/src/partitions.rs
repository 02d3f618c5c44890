//! How many partitions a topic gets: a number, or as many as a Deployment has replicas.

use std::collections::BTreeMap;
use std::fmt;

/// How many partitions a definition wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionCount {
    /// This number; at least 1.
    Number(u32),
    /// One for each replica of a Deployment.
    ReplicasOf(ReplicasOf),
}

/// The replicas of a Deployment as a number of partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicasOf {
    /// The Deployment.
    pub deployment: Deployment,
    /// The most partitions; at least 1. Kafka cannot remove partitions, so a typing error in `kubectl scale` would stay.
    pub at_most: u32,
}

/// A Deployment, as in `deployment/NAMESPACE/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deployment {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The replicas (`spec.replicas`) of Deployments. A Deployment that does not exist is not in it.
pub type DeploymentReplicas = BTreeMap<Deployment, u32>;

impl PartitionCount {
    /// The number, where `replicas` is the current one and `present` partitions exist; `None`: the Deployment does not
    /// exist.
    ///
    /// Replicas never make it smaller than `present`. It is 0 for a topic to be created for a Deployment with 0 replicas.
    pub(crate) fn resolved(&self, replicas: &DeploymentReplicas, present: u32) -> Option<u32> {
        match self {
            Self::Number(number) => Some(*number),
            Self::ReplicasOf(of) => {
                replicas.get(&of.deployment).map(|now| (*now).min(of.at_most).max(present))
            }
        }
    }

    /// The Deployment that decides.
    pub fn deployment(&self) -> Option<&Deployment> {
        match self {
            Self::Number(_) => None,
            Self::ReplicasOf(of) => Some(&of.deployment),
        }
    }
}

impl fmt::Display for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "deployment/{}/{}", self.namespace, self.name)
    }
}

impl Deployment {
    /// Reads `deployment/NAMESPACE/NAME`; `None` if Kubernetes accepts no such names.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (namespace, name) = text.strip_prefix("deployment/")?.split_once('/')?;
        let valid = is_name(namespace, 63) && is_name(name, 253);
        valid.then(|| Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

/// Whether Kubernetes accepts it as a name (RFC 1123).
fn is_name(text: &str, longest: usize) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=longest).contains(&text.len())
        && text.chars().all(inner)
        && text.starts_with(outer)
        && text.ends_with(outer)
}
