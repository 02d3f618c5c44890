//! Real Kafka clusters and a real Kubernetes API on loopback, for tests.
//!
//! In: what the cluster is to be ([`Cluster::builder`]). Out: a running [`Cluster`], its addresses,
//! its client properties and Kafka's own admin tools, and if wanted its metrics and network cards; or a [`Kubernetes`], its kubeconfigs and nodes. What always holds: whatever a cluster started
//! ends with the process that started it, however that process ends, and no file of it stays behind
//! (the jars and the program, which any run may use, stay in the [cache]).

mod archive;
mod brokers;
pub mod cache;
mod certificates;
mod client;
mod cluster;
mod config;
mod error;
mod exporter;
mod go;
pub mod helm;
mod jars;
mod jvm;
pub mod kubernetes;
mod ports;
mod process;
pub mod prometheus;
mod quorum;
pub mod relay;
mod spec;
mod tool;
mod wait;
mod wire;

pub use brokers::{Brokers, Life, PodSet};
pub use certificates::write as certificates;
pub use client::{Access, Client, Mechanism, User};
pub use cluster::Cluster;
pub use error::Error;
pub use kubernetes::Kubernetes;
pub use ports::lone_port;
pub use quorum::FIRST_MEMBER;
pub use spec::{Builder, Hosts, Mode, Security, Version};
pub use wait::until;
pub use wire::Wire;
