//! Drivers: the code that acts on a live cluster.
//!
//! A driver takes plain values, looks at the cluster, asks a pure crate what to do, and acts. It sends events to an
//! [`EventListener`](events::EventListener). It knows no flags, tables or streams: the command line and the daemon
//! provide those.

pub mod certificates;
pub mod cluster;
pub mod controllers;
mod daemons;
pub mod erasures;
pub mod error;
pub mod events;
pub mod execution;
pub mod exported;
mod file_lock;
pub mod http_server;
pub mod keep;
pub mod keep_page;
pub mod ledger_records;
pub mod live;
pub mod pods;
pub mod probes;
pub mod rates;
pub mod record_place;
pub mod roll;
pub mod runtime;
pub mod same_id;
mod seats;
pub mod slow_clients;
pub mod state_topic;
pub mod stores;
pub mod throttles;
pub mod topics;
pub mod watched;

pub use error::Error;
pub use local::{Status, files, maps, plain, status, words};
