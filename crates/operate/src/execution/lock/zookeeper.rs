//! The lock in ZooKeeper: an ephemeral znode, which ends with our session.

use super::{Changes, NotOurs, Records, Seen, held, texts};
use crate::cluster::ZooKeeperPlace;
use crate::error::Error;
use crate::execution::places::plain;
use crate::live;
use ::zookeeper::{Address, Deadlines, Guarded, ZooKeeper};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

/// The parent of what executors of all clusters keep.
const ROOT: &str = "/topicmappr/executors";
/// The znode of a holder that died is there until its session ends, after ten seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// The znode that names the last run that had the lock, in a folder of its own.
const LAST: &str = "by";

/// How long a run waits for its records before it goes on without.
const WRITE: Duration = Duration::from_secs(5);

/// A lock that is ours.
#[derive(Debug)]
pub(in crate::execution) struct ZooKeeperLock {
    zookeeper: ZooKeeper,
    guarded: Guarded,
    folder: String,
    /// What others are told of us: no two processes are the same.
    us: String,
}

impl ZooKeeperLock {
    /// Where the cluster's executors have their lock.
    pub(in crate::execution) fn folder(cluster_id: &str) -> String {
        format!("{ROOT}/{}", plain(cluster_id))
    }

    /// Takes it.
    ///
    /// # Errors
    /// [`Error::Held`] with a holder that lives.
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
                // Before it acts, and whether or not it ever writes a record: a run that had the lock before finds this.
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

    /// What is there, without taking anything.
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

    /// What is kept there, and no word of who has it.
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

    /// In a session of its own: one that is over never comes back. Its znode may outlive it for some seconds.
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
