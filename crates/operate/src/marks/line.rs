//! The ledger of a daemon where others can read it, line by line: each a record of its own, with a version and a name.

use execute::{LedgerEntry, Resource, Setting};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Of the format.
pub const VERSION: u64 = 1;

/// The keys of the daemons in the state topic.
pub const PREFIX: &str = "autothrottle/";
/// The rest of the key of the mark that a daemon with a ledger elsewhere leaves there: no line of this one.
pub const MARK: &str = "mark";

#[derive(Serialize, Deserialize)]
struct Record {
    version: u64,
    #[serde(flatten)]
    entry: LedgerEntry,
}

/// Why a record cannot be believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It was written by a later program.
    #[error("it has version {0}, this program reads version {VERSION}")]
    Newer(u64),
    /// It is none.
    #[error("{0}")]
    Malformed(String),
}

/// A name of letters, digits, colons, dots and dashes, as topics' names are.
#[must_use]
pub fn name(setting: &Setting) -> String {
    match &setting.resource {
        Resource::Broker(id) => format!("broker:{id}:{}", setting.key.as_str()),
        Resource::Topic(name) => format!("topic:{name}:{}", setting.key.as_str()),
    }
}

/// The record of a line.
#[must_use]
pub fn written(entry: &LedgerEntry) -> Vec<u8> {
    // Plain strings and numbers: there is nothing that JSON could not say.
    serde_json::to_vec(&Record { version: VERSION, entry: entry.clone() }).unwrap_or_default()
}

/// The line of a record.
///
/// # Errors
/// Why it is not believed.
pub fn read(data: &[u8]) -> Result<LedgerEntry, Unread> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    let odd = |error: serde_json::Error| Unread::Malformed(error.to_string());
    // First: a later program may have other kinds of lines.
    let Versioned { version } = serde_json::from_slice(data).map_err(odd)?;
    if version > VERSION {
        return Err(Unread::Newer(version));
    }
    let record: Record = serde_json::from_slice(data).map_err(odd)?;
    Ok(record.entry)
}

/// The lines of all records, in the order of their names.
///
/// # Errors
/// The name of the first that is not believed, and why.
pub fn read_all(records: &BTreeMap<String, Vec<u8>>) -> Result<Vec<LedgerEntry>, (String, Unread)> {
    let one = |(name, data): (&String, &Vec<u8>)| read(data).map_err(|why| (name.clone(), why));
    records.iter().map(one).collect()
}
