//! Addresses of a cluster, as plain values: the result of a command's flags.

use ::kubernetes::{Access, Name};
use std::path::PathBuf;

pub use local::source::{Servers, Source, ZooKeeperPlace};

/// How a driver reaches its cluster, and the services around it.
#[derive(Debug, Clone, Default)]
pub struct ClusterAccess {
    /// Kafka's brokers: `HOST:PORT,...`
    pub bootstrap: String,
    /// The file of client properties.
    pub properties: Option<PathBuf>,
    /// The cluster's znodes, if the operator named the servers.
    pub zookeeper: Option<ZooKeeperPlace>,
    /// Access to the Kubernetes API; not connected yet.
    pub kubernetes: Access,
}

/// How an execution excludes executors on other machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimBy {
    /// The first of these that applies: ZooKeeper if its servers are named, a Lease in a pod, otherwise the topic.
    Default,
    /// This Lease in Kubernetes.
    Lease(Name),
    /// The topic `__mappr_state`.
    Topic,
    /// No lock: the operator confirms that there is no other executor.
    Nothing,
}
