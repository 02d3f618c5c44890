//! Kafka on Kubernetes: which broker each pod is and where it runs.
//!
//! In: the objects of the Kubernetes API as plain values ([`facts`]). Out: brokers, found without IO ([`identity`]).

pub mod facts;
pub mod identity;
mod read;

pub use facts::Name;
