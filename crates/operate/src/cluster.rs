//! Where a cluster is, in plain values: what the flags of a command come to.

use ::kubernetes::{Access, Name};
use std::path::PathBuf;

/// A place to learn about a cluster.
#[derive(Debug, Clone)]
pub enum Source {
    /// A snapshot file.
    File(PathBuf),
    /// A live cluster.
    Live(Servers),
}

/// Who is asked about a live cluster.
#[derive(Debug, Clone)]
pub enum Servers {
    /// Kafka's brokers.
    Kafka {
        /// `HOST:PORT,...`
        bootstrap: String,
        /// The file of client properties.
        properties: Option<PathBuf>,
        /// Where metrics are stored, if the operator named the servers.
        metrics: Option<ZooKeeperPlace>,
    },
    /// ZooKeeper alone: no sizes, unless metrics are stored there.
    ZooKeeper(ZooKeeperPlace),
}

/// A cluster's znodes.
#[derive(Debug, Clone)]
pub struct ZooKeeperPlace {
    /// `HOST:PORT,.../CHROOT`.
    pub connect: String,
    /// The chroot, where it stands apart.
    pub chroot: Option<String>,
    /// The parent of stored metrics.
    pub metrics_prefix: String,
}

/// How a driver reaches its cluster, and what stands around it.
#[derive(Debug, Clone)]
pub struct ClusterAccess {
    /// Kafka's brokers: `HOST:PORT,...`
    pub bootstrap: String,
    /// The file of client properties.
    pub properties: Option<PathBuf>,
    /// The cluster's znodes, if the operator named the servers.
    pub zookeeper: Option<ZooKeeperPlace>,
    /// The API of Kubernetes; nobody is asked yet.
    pub kubernetes: Access,
}

/// How executors on other machines are kept out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimBy {
    /// The first that applies: ZooKeeper where it is named, a Lease in a pod, else the topic.
    Default,
    /// This Lease of Kubernetes.
    Lease(Name),
    /// The topic `__mappr_state`.
    Topic,
    /// Nothing is claimed: the operator says that there is no other executor.
    Nothing,
}
