//! Real Kafka clusters and a real Kubernetes API on loopback, for tests.
//!
//! In: the description of a cluster ([`Cluster::builder`]). Out: a running [`Cluster`] with its addresses, client
//! properties and Kafka's own admin tools, and on request its metrics and network cards. Or a [`Kubernetes`] with its
//! kubeconfigs and nodes. Or [`Nodes`]: real ones, whose pods run.
//!
//! Everything that a cluster starts ends with the process that started it, however that process ends. None of its files
//! stays behind. The jars and the program, which all runs share, stay in the [cache].

mod archive;
mod brokers;
pub mod cache;
mod certificates;
pub mod cfn_lint;
mod client;
mod cluster;
mod config;
pub mod debian;
mod error;
mod exporter;
mod go;
pub mod hcl;
pub mod helm;
mod host;
mod jars;
mod jvm;
pub mod kubernetes;
mod migration;
mod ports;
mod process;
pub mod prometheus;
mod quorum;
pub mod relay;
mod server;
mod spec;
mod strimzi;
mod tool;
mod wait;
mod wire;

pub use brokers::{Brokers, Life, PodSet};
pub use certificates::write as certificates;
pub use client::{Access, Client, Mechanism, User};
pub use cluster::Cluster;
pub use error::Error;
pub use kubernetes::Kubernetes;
pub use kubernetes::nodes::{Image, Nodes};
pub use migration::Step;
pub use ports::lone_port;
pub use quorum::FIRST_MEMBER;
pub use spec::{Builder, Hosts, Mode, Security, Version};
pub use wait::until;
pub use wire::Wire;
