//! The Kafka admin plane.
//!
//! In: client properties and a live cluster. Out: facts about the cluster, above all a [`mapper::Snapshot`]. This crate
//! implements the Kafka protocol itself, because no client library has the calls that reassignments need.
//!
//! ```no_run
//! use mappr_kafka::{Client, Error, Properties, Settings, Wanted, admin::ConfigKeys, snapshot};
//!
//! # async fn capture() -> Result<(), Error> {
//! let mut properties = Properties::parse("security.protocol=SSL\nssl.ca.location=/etc/kafka/ca.pem")?;
//! properties.set("bootstrap.servers", "kafka-1:9093,kafka-2:9093");
//! let client = Client::connect(Settings::from_properties(&properties)?).await?;
//! let captured_at = "2026-11-20T07:00:00Z".to_owned();
//! let capture = snapshot(&client, &Wanted { captured_at, configs: ConfigKeys::All }).await?;
//! assert_eq!(capture.snapshot.source(), Some("kafka"));
//! # Ok(())
//! # }
//! ```

mod address;
pub mod admin;
mod aws;
mod bootstrap;
mod bounded;
pub mod certificates;
mod client;
mod cluster;
mod connection;
mod dialer;
mod error;
mod frame;
mod hint;
mod http;
mod in_parallel;
mod keystore;
mod listener;
mod no_answer;
pub mod properties;
mod sasl;
mod scram;
mod secret;
mod snapshot;
mod standing;
mod tls;
mod token;
mod versions;
mod zookeeper;

pub use address::{Address, NoAddress};
pub use client::{Client, Target};
pub use error::{Denied, Error, Operation, ProtocolFault, Resource, Spoken, TlsFault, Unreached};
pub use in_parallel::in_parallel;
pub use kafka_protocol::ResponseError;
pub use properties::{ConfigError, Credentials, Material, Properties, Roots, Settings};
pub use secret::Secret;
pub use snapshot::{Capture, Glance, Notice, Wanted, glance, log_look, log_sizes, snapshot};
pub use standing::{Standing, Unsettled, standing};
pub use token::{BearerToken, REFRESH_AFTER, TokenSource};
pub use zookeeper::{TlsPem, ZooKeeperSettings, ZooKeeperUser};

#[cfg(test)]
use tests::fake;

#[cfg(test)]
mod tests {
    pub(crate) mod fake;
}
