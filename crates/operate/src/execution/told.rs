//! Reads, for a daemon, the configs that executions have set: from the records next to the cluster's lock.

use super::lock::{Records, Told, TopicLock, ZooKeeperLock};
use crate::error::Error;
use crate::marks::Common;
use execute::Others;
use statelog::TOPIC;

/// The configs in the executions' ledger in this place, whether or not an execution runs. Only reads. In Kubernetes
/// the executors' Lease may have any name, so none is found.
///
/// # Errors
/// The place does not answer, or its records are not valid.
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
