//! Kafka clusters in ZooKeeper mode (Kafka 3.9 and older), read from their znodes.
//!
//! In: an [`ZooKeeperAddress`]. Out: a [`Snapshot`](mapper::Snapshot) without sizes, and stored metrics on request. It writes
//! only metrics, autothrottle's overrides, and records under a lock. It needs no live broker, so it works when every
//! broker is down.
//!
//! ```no_run
//! # async fn capture() -> Result<(), Box<dyn std::error::Error>> {
//! use mappr_zookeeper::{DEFAULT_METRICS_PREFIX, Deadlines, ZooKeeper, ZooKeeperAddress};
//!
//! let address: ZooKeeperAddress = "zk1:2181,zk2:2181/kafka".parse()?;
//! let zookeeper = ZooKeeper::connect(&address, Deadlines::default()).await?;
//! let captured = zookeeper.snapshot().await?;
//! let metrics = zookeeper.stored_metrics(DEFAULT_METRICS_PREFIX).await?;
//! let snapshot = metrics.complete(captured.snapshot)?;
//! # Ok(())
//! # }
//! ```

mod access;
mod address;
mod captured;
mod connect;
mod error;
mod gather;
mod guarded;
mod kafka_root;
mod moves;
mod no_session;
mod notice;
mod overrides;
mod read;
mod requested;
mod socket;
mod srvr;
mod store;
mod stored;
mod znode;

pub use access::{ZooKeeperAccess, ZooKeeperLogin, ZooKeeperTls};
pub use address::{BadAddress, ZooKeeperAddress};
pub use captured::Captured;
pub use connect::{Deadlines, ZooKeeper};
pub use error::{Error, ZnodeFault};
pub use guarded::Guarded;
pub use moves::Heading;
pub use no_session::NoSession;
pub use notice::{Unusable, ZooKeeperNotice};
pub use overrides::{DEFAULT_OVERRIDES_PREFIX, StoredOverride, StoredOverrides, override_path};
pub use srvr::server_mode;
pub use store::ToStore;
pub use stored::{DEFAULT_METRICS_PREFIX, StoredMetrics};
pub use znode::{Controller, PartitionState, Registration, ReplicaLists, RequestedMove};
