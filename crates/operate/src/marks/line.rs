//! The ledger of a daemon in a form that other processes can read: each line is a record with a version and a name.

use execute::{LedgerEntry, Setting, ThrottleResource};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format version.
pub const VERSION: u64 = 1;

/// The prefix of the daemons' keys in the state topic.
pub const PREFIX: &str = "autothrottle/";
/// The rest of the key of a mark, which a daemon with a ledger elsewhere leaves there. It is no ledger line.
pub const MARK: &str = "mark";

#[derive(Serialize, Deserialize)]
struct Record {
    version: u64,
    #[serde(flatten)]
    entry: LedgerEntry,
}

/// Why a record is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// A newer program wrote it.
    #[error("it has version {0}, this program reads version {VERSION}")]
    Newer(u64),
    /// It is no record of a ledger line.
    #[error("{0}")]
    Malformed(String),
}

/// The name of a setting's record: letters, digits, colons, dots and dashes, as in topic names.
#[must_use]
pub fn name(setting: &Setting) -> String {
    match &setting.resource {
        ThrottleResource::Broker(id) => format!("broker:{id}:{}", setting.key.as_str()),
        ThrottleResource::Topic(name) => format!("topic:{name}:{}", setting.key.as_str()),
    }
}

/// Writes a line as a record.
#[must_use]
pub fn written(entry: &LedgerEntry) -> Vec<u8> {
    // The value has only strings and numbers, which JSON can always represent.
    serde_json::to_vec(&Record { version: VERSION, entry: entry.clone() }).unwrap_or_default()
}

/// Reads a line from a record.
///
/// # Errors
/// Why the record is refused.
pub fn read(data: &[u8]) -> Result<LedgerEntry, Unread> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    let odd = |error: serde_json::Error| Unread::Malformed(error.to_string());
    // The version comes first, because a newer program may have other kinds of lines.
    let Versioned { version } = serde_json::from_slice(data).map_err(odd)?;
    if version > VERSION {
        return Err(Unread::Newer(version));
    }
    let record: Record = serde_json::from_slice(data).map_err(odd)?;
    Ok(record.entry)
}

/// Reads the lines of all records, in the order of their names.
///
/// # Errors
/// The name of the first refused record, and why.
pub fn read_all(records: &BTreeMap<String, Vec<u8>>) -> Result<Vec<LedgerEntry>, (String, Unread)> {
    let one = |(name, data): (&String, &Vec<u8>)| read(data).map_err(|why| (name.clone(), why));
    records.iter().map(one).collect()
}
