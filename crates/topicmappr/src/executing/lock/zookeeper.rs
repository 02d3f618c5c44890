//! The lock in ZooKeeper: an ephemeral znode, which ends with our session.

use super::{NotOurs, held, lost};
use crate::error::Error;
use crate::executing::places::plain;
use crate::flags::ZooKeeperPlace;
use crate::live;
use ::zookeeper::Guarded;
use std::time::Duration;
use tokio::time::timeout;

/// The parent of what executors of all clusters keep.
const ROOT: &str = "/topicmappr/executors";
/// The znode of a holder that died is there until its session ends, after ten seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// A lock that is ours.
#[derive(Debug)]
pub(in crate::executing) struct ZooKeeperLock {
    guarded: Guarded,
    folder: String,
}

impl ZooKeeperLock {
    /// Where the cluster's executors have their lock.
    pub(in crate::executing) fn folder(cluster_id: &str) -> String {
        format!("{ROOT}/{}", plain(cluster_id))
    }

    /// Takes it.
    ///
    /// # Errors
    /// [`Error::Held`] with a holder that lives.
    pub(in crate::executing) async fn take(
        place: &ZooKeeperPlace,
        cluster_id: &str,
        us: &str,
    ) -> Result<Self, Error> {
        let zookeeper = live::zookeeper(place).await?;
        let folder = Self::folder(cluster_id);
        let lock = format!("{folder}/lock");
        match timeout(PATIENCE, zookeeper.guard(&lock, us)).await {
            Ok(guarded) => Ok(Self { guarded: guarded?, folder }),
            Err(_) => {
                let holder = zookeeper.holder(&lock).await?;
                let holder = holder.unwrap_or_else(|| "somebody who has just ended".to_owned());
                Err(held(format!("lock {lock} in ZooKeeper"), holder))
            }
        }
    }

    pub(super) async fn check(&self) -> Result<(), NotOurs> {
        self.guarded.check().await.map_err(|error| self.not_ours(&error))
    }

    fn not_ours(&self, error: &::zookeeper::Error) -> NotOurs {
        match error {
            ::zookeeper::Error::LockLost { .. } => {
                lost(format!("lock {}/lock in ZooKeeper", self.folder), &error.to_string())
            }
            other => NotOurs::ForNow(other.to_string()),
        }
    }
}
