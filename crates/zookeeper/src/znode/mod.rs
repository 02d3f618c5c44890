//! The contents of Kafka's znodes, as values. No IO. In: bytes. Out: a value, or what is wrong with them.
//!
//! It also reads versions that are newer than the known ones. Kafka has only ever added fields, and a missing required
//! field is a separate error.

mod broker;
mod cluster;
mod config;
mod partition;
mod request;
mod topic;

pub use broker::Registration;
pub use cluster::Controller;
pub use partition::PartitionState;
pub use request::RequestedMove;
pub use topic::ReplicaLists;

pub(crate) use broker::registration;
pub(crate) use cluster::{cluster_id, controller};
pub(crate) use config::config;
pub(crate) use partition::partition_state;
pub(crate) use request::requests;
pub(crate) use topic::replica_lists;

use crate::error::ZnodeFault;
use mapper::BrokerId;
use serde::de::DeserializeOwned;

/// Reads the contents of a znode as JSON.
fn json<T: DeserializeOwned>(data: &[u8]) -> Result<T, ZnodeFault> {
    if data.trim_ascii().is_empty() {
        return Err(ZnodeFault::Empty);
    }
    Ok(serde_json::from_slice(data)?)
}

/// The first broker that a list names twice.
pub(crate) fn repeated(replicas: &[BrokerId]) -> Option<BrokerId> {
    let twice = |(index, id): (usize, &BrokerId)| replicas[..index].contains(id).then_some(*id);
    replicas.iter().enumerate().find_map(twice)
}
