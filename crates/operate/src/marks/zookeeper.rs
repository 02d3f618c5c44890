//! The mark in ZooKeeper: `/topicmappr/daemons/CLUSTER_ID/records/mark`, written under a short lock next to it. Also
//! reads the ledger of a daemon that keeps it at the daemons' default path in this ensemble.

use super::{Kept, Left, Mark, MarkError, plain};
use std::time::Duration;
use tokio::time::timeout;
use zookeeper::{Address, DEFAULT_OVERRIDES_PREFIX, Deadlines, ZooKeeper};

const ROOT: &str = "/topicmappr/daemons";
const NAME: &str = "mark";
/// The time limit to take the lock: the znode of a dead writer stays until its session expires after ten seconds.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) async fn read(address: &Address, cluster_id: &str) -> Result<Left, MarkError> {
    let zookeeper = ZooKeeper::connect(address, Deadlines::default()).await?;
    let mark = there(&zookeeper, cluster_id).await?;
    let ledger = format!("/{DEFAULT_OVERRIDES_PREFIX}/ledger");
    let records = zookeeper.records(&ledger).await?;
    Ok(Left { mark, kept: Kept::read(format!("ZooKeeper, {ledger}"), &records)? })
}

pub(super) async fn change(
    address: &Address,
    by: &Mark,
    mark: Option<&Mark>,
    is_ours: impl Fn(&Mark) -> bool + Send,
) -> Result<Option<Mark>, MarkError> {
    let zookeeper = ZooKeeper::connect(address, Deadlines::default()).await?;
    let lock = format!("{}/lock", folder(&by.cluster_id));
    let Ok(guarded) = timeout(PATIENCE, zookeeper.guard(&lock, &by.name)).await else {
        let holder = zookeeper.holder(&lock).await?;
        let why = format!("held by {}", holder.as_deref().unwrap_or("somebody who has just ended"));
        return Err(MarkError::Busy { place: format!("lock {lock} in ZooKeeper"), why });
    };
    let guarded = guarded?;
    let stands = there(&zookeeper, &by.cluster_id).await?.filter(|there| !is_ours(there));
    if stands.is_none() {
        let path = format!("{}/{NAME}", records(&by.cluster_id));
        guarded.write(&[(path, mark.map(Mark::written))].into()).await?;
    }
    Ok(stands)
}

pub(super) fn how_to_remove(cluster_id: &str) -> String {
    format!("zkCli.sh delete {}/{NAME}", records(cluster_id))
}

fn folder(cluster_id: &str) -> String {
    format!("{ROOT}/{}", plain(cluster_id))
}

fn records(cluster_id: &str) -> String {
    format!("{}/records", folder(cluster_id))
}

async fn there(zookeeper: &ZooKeeper, cluster_id: &str) -> Result<Option<Mark>, MarkError> {
    let folder = records(cluster_id);
    let records = zookeeper.records(&folder).await?;
    records.get(NAME).map(|data| Mark::read(&format!("{folder}/{NAME}"), data)).transpose()
}
