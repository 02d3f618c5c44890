//! The lock in ZooKeeper: an ephemeral znode, which disappears with the session of its holder.

use super::{Changes, NotOurs, Records, Seen, held, texts};
use crate::cluster::ZooKeeperPlace;
use crate::error::Error;
use crate::execution::places::plain;
use crate::live;
use ::zookeeper::{Address, Deadlines, Guarded, ZooKeeper};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

/// The parent znode for the executors of all clusters.
const ROOT: &str = "/topicmappr/executors";
/// The time limit to take the lock: the znode of a dead holder stays until its session expires after ten seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// The znode that names the last holder, in a separate folder.
const LAST: &str = "by";

/// The time limit for a write of records; after it, the run goes on without them.
const WRITE: Duration = Duration::from_secs(5);

/// A lock that this process holds.
#[derive(Debug)]
pub(in crate::execution) struct ZooKeeperLock {
    zookeeper: ZooKeeper,
    guarded: Guarded,
    folder: String,
    /// The unique name of this process, as other processes see it.
    us: String,
}

impl ZooKeeperLock {
    /// The folder of the cluster's lock.
    pub(in crate::execution) fn folder(cluster_id: &str) -> String {
        format!("{ROOT}/{}", plain(cluster_id))
    }

    /// Takes the lock.
    ///
    /// # Errors
    /// [`Error::Held`] with a live holder.
    pub(in crate::execution) async fn take(
        place: &ZooKeeperPlace,
        cluster_id: &str,
        us: &str,
    ) -> Result<Self, Error> {
        let zookeeper = live::zookeeper(place).await?;
        let folder = Self::folder(cluster_id);
        let lock = format!("{folder}/lock");
        match timeout(PATIENCE, zookeeper.guard(&lock, us)).await {
            Ok(guarded) => {
                let guarded = guarded?;
                // This process writes its name before it acts, even if it never writes a record. So a former holder
                // sees that the lock was taken.
                let mark = (format!("{folder}/taken/{LAST}"), Some(us.as_bytes().to_vec()));
                guarded.write(&[mark].into()).await?;
                Ok(Self { zookeeper, guarded, folder, us: us.to_owned() })
            }
            Err(_) => {
                let holder = zookeeper.holder(&lock).await?;
                let holder = holder.unwrap_or_else(|| "somebody who has just ended".to_owned());
                Err(held(format!("lock {lock} in ZooKeeper"), holder))
            }
        }
    }

    /// The holder and the records. Only reads.
    pub(in crate::execution) async fn seen(
        place: &ZooKeeperPlace,
        cluster_id: &str,
    ) -> Result<Seen, Error> {
        let zookeeper = live::zookeeper(place).await?;
        let folder = Self::folder(cluster_id);
        let lock = format!("{folder}/lock");
        let holder = zookeeper.holder(&lock).await?;
        let records = texts(zookeeper.records(&format!("{folder}/records")).await?);
        Ok(Seen { place: format!("lock {lock} in ZooKeeper"), holder, records })
    }

    /// The records, without the holder.
    pub(in crate::execution) async fn kept(
        address: &Address,
        cluster_id: &str,
    ) -> Result<Records, Error> {
        let zookeeper = ZooKeeper::connect(address, Deadlines::default()).await?;
        Ok(texts(zookeeper.records(&format!("{}/records", Self::folder(cluster_id))).await?))
    }

    pub(super) async fn check(&self) -> Result<(), NotOurs> {
        self.guarded.check().await.map_err(|error| self.not_ours(&error))
    }

    /// Takes the lock again in a new session: an expired session never returns. The old znode may remain for some
    /// seconds.
    pub(super) async fn take_again(&mut self) -> Result<Records, NotOurs> {
        let for_now = |error: ::zookeeper::Error| NotOurs::ForNow(error.to_string());
        let connected = ZooKeeper::connect(self.zookeeper.address(), Deadlines::default()).await;
        let zookeeper = connected.map_err(for_now)?;
        let lock = format!("{}/lock", self.folder);
        let holder = zookeeper.holder(&lock).await.map_err(for_now)?;
        if let Some(holder) = holder.filter(|holder| *holder != self.us) {
            return Err(NotOurs::ForGood(held(format!("lock {lock} in ZooKeeper"), holder)));
        }
        let guarded = zookeeper.guard(&lock, &self.us).await.map_err(for_now)?;
        let taken = zookeeper.records(&format!("{}/taken", self.folder)).await.map_err(for_now)?;
        if taken.get(LAST).is_none_or(|last| last != self.us.as_bytes()) {
            let last =
                taken.get(LAST).map_or("somebody".into(), |last| String::from_utf8_lossy(last));
            let why = format!("{last} had it meanwhile");
            let lock = format!("lock {lock} in ZooKeeper");
            return Err(NotOurs::ForGood(Error::LockLost { lock, why }));
        }
        let records = zookeeper.records(&format!("{}/records", self.folder)).await;
        let records = records.map_err(for_now)?;
        (self.zookeeper, self.guarded) = (zookeeper, guarded);
        Ok(texts(records))
    }

    pub(super) async fn records(&self) -> Result<Records, Error> {
        Ok(texts(self.zookeeper.records(&format!("{}/records", self.folder)).await?))
    }

    pub(super) async fn write(&self, changes: &Changes) -> Result<(), NotOurs> {
        let znode = |(name, text): (&String, &Option<String>)| {
            (format!("{}/records/{name}", self.folder), text.clone().map(String::into_bytes))
        };
        let znodes: BTreeMap<String, Option<Vec<u8>>> = changes.iter().map(znode).collect();
        match timeout(WRITE, self.guarded.write(&znodes)).await {
            Ok(written) => written.map_err(|error| self.not_ours(&error)),
            Err(_) => {
                Err(NotOurs::ForNow(format!("ZooKeeper did not take it in {} s", WRITE.as_secs())))
            }
        }
    }

    fn not_ours(&self, error: &::zookeeper::Error) -> NotOurs {
        match error.is_session_over() {
            true => NotOurs::Ended(error.to_string()),
            false => NotOurs::ForNow(error.to_string()),
        }
    }
}
