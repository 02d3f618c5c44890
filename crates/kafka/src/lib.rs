//! The Kafka admin plane.
//!
//! In: client properties and a live cluster. Out: what the cluster says of itself, above all a
//! [`mapper::Snapshot`]. Speaks the Kafka protocol itself, because no client library has the calls that moving
//! replicas is about.

mod address;
pub mod admin;
mod client;
mod connection;
mod error;
#[cfg(test)]
mod fake;
mod frame;
mod hint;
mod listener;
pub mod properties;
mod sasl;
mod scram;
mod secret;
mod snapshot;
mod tls;
mod versions;

pub use address::{Address, NoAddress};
pub use client::{Client, Target};
pub use error::{Denied, Error, Operation, ProtocolFault, Resource, Spoken, TlsFault, Unreached};
pub use properties::{ConfigError, Properties, Settings};
pub use secret::Secret;
pub use snapshot::{Capture, Notice, Wanted, snapshot};
