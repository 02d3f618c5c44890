//! The text of one record: JSON with a version. It is the same in every store.

use crate::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Record<T> {
    version: u64,
    #[serde(flatten)]
    entry: T,
}

/// Writes an entry as the text of a record.
#[must_use]
pub fn written<T: Serialize>(entry: &T) -> String {
    // Entries have only texts and numbers, which JSON can always represent.
    serde_json::to_string(&Record { version: VERSION, entry }).unwrap_or_default()
}

/// Reads an entry from the text of the record `name`.
///
/// # Errors
/// [`Error::Unreadable`]: a newer program has written it, or it is something else.
pub fn read<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Error> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    let odd = |error: serde_json::Error| unreadable(name, error.to_string());
    // The version comes first, because a newer program may have other entries.
    let Versioned { version } = serde_json::from_str(text).map_err(odd)?;
    if version > VERSION {
        let problem = format!("it has version {version}, this program reads version {VERSION}");
        return Err(unreadable(name, problem));
    }
    let record: Record<T> = serde_json::from_str(text).map_err(odd)?;
    Ok(record.entry)
}

/// The error for a record that is something else.
#[must_use]
pub fn unreadable(name: &str, problem: impl Into<String>) -> Error {
    Error::Unreadable { name: name.to_owned(), problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    type Entry = BTreeMap<String, u32>;

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let entry: Entry = [("rate".to_owned(), 7)].into();
        assert_eq!(written(&entry), r#"{"version":1,"rate":7}"#);
        let mut read: Entry = read("r", &written(&entry)).unwrap();
        read.remove("version");
        assert_eq!(read, entry);
    }

    #[test]
    fn a_newer_record_and_another_text_are_refused_by_name() {
        let refused = |text: &str| read::<Entry>("a:b", text).unwrap_err().to_string();
        assert_eq!(
            refused(r#"{"version":2,"ledger":"of another kind"}"#),
            "the record a:b is not understood: it has version 2, this program reads version 1"
        );
        for odd in ["", "[]", "{}", r#"{"version":1,"rate":"fast"}"#] {
            assert!(refused(odd).starts_with("the record a:b is not understood: "), "{odd}");
        }
    }
}
