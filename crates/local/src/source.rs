//! Where the facts about a cluster come from, as plain values.

use crate::{Error, files};
use mapper::Snapshot;
use std::path::{Path, PathBuf};

/// A source of facts about a cluster.
#[derive(Debug, Clone)]
pub enum Source {
    /// A snapshot file.
    File(PathBuf),
    /// A live cluster.
    Live(Servers),
}

/// The servers that describe a live cluster.
#[derive(Debug, Clone)]
pub enum Servers {
    /// Kafka's brokers.
    Kafka {
        /// `HOST:PORT,...`
        bootstrap: String,
        /// The file of client properties.
        properties: Option<PathBuf>,
        /// The znodes with stored metrics, if the operator named ZooKeeper servers.
        metrics: Option<ZooKeeperPlace>,
    },
    /// Only ZooKeeper: partition sizes are known only if metrics are stored there.
    ZooKeeper(ZooKeeperPlace),
}

/// A cluster's znodes.
#[derive(Debug, Clone)]
pub struct ZooKeeperPlace {
    /// `HOST:PORT,.../CHROOT`.
    pub connect: String,
    /// The chroot, if a separate flag gives it.
    pub chroot: Option<String>,
    /// The file with TLS and the login, if any.
    pub config: Option<PathBuf>,
    /// The znode that holds the stored metrics.
    pub metrics_prefix: String,
}

/// Reads the cluster in a snapshot file.
///
/// # Errors
/// The file cannot be read, or is no snapshot of this version.
pub fn snapshot(path: &Path) -> Result<Snapshot, Error> {
    let text = files::read(path)?;
    Snapshot::from_json(&text).map_err(|problem| Error::Snapshot { path: path.to_owned(), problem })
}
