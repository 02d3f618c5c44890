//! State that processes on different machines must agree on. It is in the cluster that they act on, in the compacted
//! topic [`TOPIC`].
//!
//! In: an [`Access`], librdkafka's properties. Out: a [`Claim`], which one process at a time holds; a [`Campaign`] waits
//! for it.
//!
//! The holder renews its claim by transactions. A process that takes the claim over fences the previous writer
//! (KIP-98). A process that slept during its own replacement therefore cannot renew, and [`Claim::check`] reports that.
//!
//! The crate also has a [`Canary`], which measures the round trip of small messages through each broker. This is the
//! data plane: nothing here changes replicas, configs or leaders.

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

pub use access::{Access, AccessToken, Tokens};
pub use campaign::{Campaign, Turn};
pub use canary::{Canary, CanaryReading};
pub use claim::Claim;
pub use error::{Error, Lost};
pub use holder::Holder;
pub use pending::{Pending, Unwritten};
pub use term::Term;
pub use topic::{COMPACT, POLICY, REPLICATION, StateTopic, TOPIC, configs};
pub use writer::Changes;
