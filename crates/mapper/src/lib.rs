//! Maps topics to brokers.
//!
//! In: a [`Snapshot`] and a request. Out: a plan, or the reasons why there is none.
//! Reads no clock, file, socket or environment: the same input gives the same plan.

mod assignment;
mod bytes;
mod ids;
pub mod maps;
pub mod scope;
pub mod snapshot;

pub use assignment::{Assignment, Topics, assign};
pub use bytes::{Bytes, Ratio};
pub use ids::{BrokerId, PartitionId, Replicas, Seat, TopicPartition};
pub use snapshot::{Snapshot, SnapshotError, SnapshotHash};
