//! State that processes on different machines must agree on. It is in the cluster that they act on, in the compacted
//! topic [`TOPIC`].
//!
//! In: an [`Access`], librdkafka's properties. Out: a [`Claim`], which one process at a time holds.
//!
//! The holder renews its claim by transactions. A process that takes the claim over fences the previous writer
//! (KIP-98). A process that slept during its own replacement therefore cannot renew, and [`Claim::check`] reports that.
//!
//! The crate also has a [`Canary`], which measures the round trip of small messages through each broker. This is the
//! data plane: nothing here changes replicas, configs or leaders.
//!
//! ```no_run
//! use mappr_statelog::{Access, Claim, Holder, StateTopic};
//!
//! # fn run() -> Result<(), mappr_statelog::Error> {
//! let access = Access::new([("bootstrap.servers", "kafka1:9092")]);
//! let topic = StateTopic::open(access, 6)?;
//! let holder = Holder::new("process 4711 of host-a", "host-a/plan.ledger");
//! let claim = Claim::take(&topic, "executor", holder)?;
//! claim.check()?; // before everything that the claim is for
//! claim.release();
//! # Ok(())
//! # }
//! ```

mod access;
mod campaign;
mod canary;
mod claim;
mod error;
mod holder;
mod pending;
mod read;
mod renewal;
mod term;
mod topic;
mod writer;

pub use access::Access;
pub use campaign::{Campaign, Turn};
pub use canary::{Canary, Reading};
pub use claim::Claim;
pub use error::{Error, Lost};
pub use holder::Holder;
pub use pending::{Pending, Unwritten};
pub use term::Term;
pub use topic::{REPLICATION, StateTopic, TOPIC};
pub use writer::Changes;
