//! Records that our processes share about one cluster, and the one process that may write them.
//!
//! - A [`Store`] keeps the records of one [`Role`] in one cluster: in a topic of the cluster itself, in ZooKeeper, in
//!   Kubernetes, or in a file.
//! - A [`Lead`] is the right to write them, and to act in that role. One process has it, until it releases or loses it.
//!   A store refuses the writes of a process that has lost its lead.
//! - [`Records`] have the same names and texts in every store; [`record`] writes and reads a text with its version.
//! - A [`LinesFile`] survives a crash: the file of a store, and those of an executor.
//!
//! This crate knows no plan, no rate and no config.

mod error;
mod file;
mod kubernetes;
mod lead;
mod lines;
pub mod record;
mod role;
mod store;
mod topic;
mod zookeeper;

pub use crate::kubernetes::RECORDS_KEY;
pub use error::Error;
pub use lead::Lead;
pub use lines::{LinesError, LinesFile, LinesKind, NotOurLine, is_locked};
pub use role::Role;
pub use statelog::Holder;
pub use store::{LeaseStore, Seen, Store, Wait};

use std::collections::BTreeMap;

/// Record texts by name. A name has letters, digits, `:`, `.`, `-`, `_` and `+`: it is a znode and part of a key.
pub type Records = BTreeMap<String, String>;

/// Records to write, and (`None`) to remove.
pub(crate) type RecordChanges = BTreeMap<String, Option<String>>;

/// Converts the stored bytes of records to text.
fn texts(found: BTreeMap<String, Vec<u8>>) -> Records {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    found.into_iter().map(|(name, bytes)| (name, text(bytes))).collect()
}

/// The current time: RFC 3339, UTC, to the second.
#[must_use]
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The name of a process in a lock, which no other process has: its name for people, and the id of this run.
#[must_use]
pub fn unique(holder: &Holder) -> String {
    format!("{}, {}", holder.name, holder.instance())
}
