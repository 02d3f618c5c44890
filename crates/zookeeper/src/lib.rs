//! ZooKeeper-mode Kafka clusters (Kafka 3.9 and older), read from their znodes.
//!
//! In: an [`Address`]. Out: a [`Snapshot`](mapper::Snapshot) without sizes, and stored metrics where they are
//! asked for. Reads only, and needs no live broker: this is the way in when every broker is down.

mod address;
mod captured;
mod connect;
mod error;
mod gather;
mod kafka_root;
mod moves;
mod notice;
mod read;
mod stored;
mod znode;

pub use address::{Address, BadAddress};
pub use captured::Captured;
pub use connect::{Deadlines, ZooKeeper};
pub use error::{Error, Wrong};
pub use moves::Heading;
pub use notice::{Notice, Unusable};
pub use stored::{DEFAULT_METRICS_PREFIX, StoredMetrics};
pub use znode::{Controller, PartitionState, Registration, ReplicaLists, RequestedMove};
