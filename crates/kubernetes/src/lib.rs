//! Kafka on Kubernetes: the broker id and the node of each pod, ConfigMaps, and Leases.
//!
//! In: the Kubernetes API. Out: plain values, which identify brokers without IO ([`identity`]).
//!
//! Requests with the API's large types are boxed futures: an `async fn` is compiled again in each crate that calls it.

mod announce;
pub mod brokers;
mod compare;
mod complete;
mod configmaps;
mod connect;
mod deployments;
mod error;
pub mod facts;
pub mod fate;
mod finding;
mod freeing;
pub mod identity;
mod inventory;
mod kafka_plans;
pub mod lease;
mod list;
mod machines;
mod read;
pub mod rolling;
pub mod shards;
#[cfg(test)]
mod testing;

pub use announce::{About, Announcer, in_time};
pub use compare::{Difference, OtherVolumes};
pub use configmaps::ConfigMap;
pub use connect::{Access, Kubernetes};
pub use error::{ApiRequest, Error};
pub use facts::Name;
pub use finding::{Finding, NodeLoss, Trouble};
pub use freeing::Deleted;
pub use inventory::{Inventory, Wanted};
pub use kafka_plans::KafkaPlan;
