//! One line of the ledger as a record of its own, with a version.

use execute::{LedgerEntry, Resource, Setting};
use serde::{Deserialize, Serialize};

pub(super) const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Record {
    version: u64,
    #[serde(flatten)]
    entry: LedgerEntry,
}

/// A name of letters, digits, colons, dots and dashes, as topics' names are.
pub(super) fn name(setting: &Setting) -> String {
    match &setting.resource {
        Resource::Broker(id) => format!("broker:{id}:{}", setting.key.as_str()),
        Resource::Topic(name) => format!("topic:{name}:{}", setting.key.as_str()),
    }
}

pub(super) fn written(entry: &LedgerEntry) -> Vec<u8> {
    // Plain strings and numbers: there is nothing that JSON could not say.
    serde_json::to_vec(&Record { version: VERSION, entry: entry.clone() }).unwrap_or_default()
}

/// Why a record cannot be believed.
#[derive(Debug)]
pub(super) enum Unread {
    /// It was written by a later program.
    Newer(u64),
    Malformed(String),
}

pub(super) fn read(data: &[u8]) -> Result<LedgerEntry, Unread> {
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
