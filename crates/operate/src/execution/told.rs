//! What executions have set in a cluster, for a daemon beside them: as they keep it beside the cluster's lock.

use super::lock::{Records, Told, TopicLock, ZooKeeperLock};
use crate::error::Error;
use crate::marks::Common;
use execute::Others;
use statelog::TOPIC;

/// What is theirs by the ledger that stands in this place, whether or not one of them runs. Takes and makes nothing. In
/// Kubernetes their Lease has any name, and none is found.
///
/// # Errors
/// Nobody answers; what stands there is not understood.
pub async fn set_by_executions(client: &kafka::Client, place: &Common) -> Result<Others, Error> {
    let records = match (place, &client.cluster().id) {
        (Common::Topic(access), _) if client.has_topic(TOPIC).await? => {
            TopicLock::kept(access.clone()).await?
        }
        (Common::ZooKeeper(address), Some(id)) => ZooKeeperLock::kept(address, id).await?,
        (Common::Topic(_) | Common::ZooKeeper(_) | Common::Kubernetes(..), _) => Records::new(),
    };
    let ledger = Told::by(&records, "")?.ledger;
    Ok(if ledger.is_empty() { Others::Nobody } else { Others::of(&ledger) })
}
