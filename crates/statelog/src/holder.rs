//! The holder of a claim, as a record in the topic.

use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The version of the record.
const VERSION: u64 = 1;

/// The holder of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    version: u64,
    /// A description for people: process, host, and task.
    pub name: String,
    /// A place that only one live process can have at a time, so two holders with one place ran one after the other. A
    /// local lock must guarantee this.
    pub place: String,
    /// Counts the renewals. A record that changes shows that its holder is alive.
    renewals: u64,
    /// Distinguishes two holders with the same name and place.
    #[serde(default)]
    instance: String,
}

impl Holder {
    /// A holder by its name and its place.
    pub fn new(name: impl Into<String>, place: impl Into<String>) -> Self {
        let (name, place) = (name.into(), place.into());
        let instance = format!("{:016x}", rand::random::<u64>());
        Self { version: VERSION, name, place, renewals: 0, instance }
    }

    /// A holder without a local lock. Its place is unique, so others wait until it has been silent for the term.
    pub fn without_place(name: impl Into<String>) -> Self {
        let mut holder = Self::new(name, "");
        holder.place.clone_from(&holder.instance);
        holder
    }

    /// A unique id. Two holders may have the same name and place: two containers of a pod share a host name, and both
    /// may be process 1.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Whether this record is from the same holder, at any time.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.instance == other.instance && self.place == other.place
    }

    pub(crate) fn renew(&mut self) {
        self.renewals += 1;
    }

    /// Reads the value of the record `key`.
    pub(crate) fn from_json(key: &str, value: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct VersionedHolder {
            version: u64,
        }
        let wrong =
            |why: serde_json::Error| Error::Malformed { key: key.to_owned(), why: why.to_string() };
        let VersionedHolder { version } = serde_json::from_slice(value).map_err(wrong)?;
        if version > VERSION {
            return Err(Error::Newer { key: key.to_owned(), version });
        }
        serde_json::from_slice(value).map_err(wrong)
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        // Text and numbers always convert to JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_read_as_it_was_written() {
        let mut holder = Holder::new("process 1 of a", "a/x.ledger");
        holder.renew();
        assert_eq!(Holder::from_json("k", &holder.to_json()).unwrap(), holder);
    }

    #[test]
    fn a_newer_record_is_refused_whatever_else_is_in_it() {
        let error = Holder::from_json("claim/executor", br#"{"version":2}"#).unwrap_err();
        let expected = "the record claim/executor of __mappr_state has version 2; this program knows version 1";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn what_is_no_record_is_named() {
        let error = Holder::from_json("claim/executor", b"[]").unwrap_err().to_string();
        assert!(
            error.starts_with("the record claim/executor of __mappr_state is not understood"),
            "{error}"
        );
    }
}
