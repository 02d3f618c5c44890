//! Kafka on Kubernetes: which broker each pod is and where it runs, ConfigMaps, Leases.
//!
//! In: the Kubernetes API. Out: plain values, from which brokers are found without IO ([`identity`]).

mod configmaps;
mod connect;
mod error;
pub mod facts;
pub mod identity;
mod inventory;
pub mod lease;
mod list;
mod read;

pub use configmaps::ConfigMap;
pub use connect::{Access, Kubernetes};
pub use error::{Error, Request};
pub use facts::Name;
pub use inventory::{Inventory, Wanted};
