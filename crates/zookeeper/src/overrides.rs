//! Rates that operators set for autothrottle, in the znodes of kafka-kit's tools.
//!
//! The znodes are `/<prefix>/override_rate` for all brokers and `/<prefix>/override_rate/<id>` for one. They contain
//! `{"rate":50,"autoremove":true}` in whole MB/s (10^6 bytes), or a bare number. A rate of 0 means no override.

use crate::connect::ZooKeeper;
use crate::error::{Error, ZnodeFault};
use mapper::{BrokerId, Rate};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The default prefix of overrides.
pub const DEFAULT_OVERRIDES_PREFIX: &str = "autothrottle";

const MEGABYTE: u64 = 1_000_000;

/// A rate that an operator set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredOverride {
    /// The rate; never 0.
    pub rate_bytes_per_second: Rate,
    /// It ends with the copies that it paced.
    pub autoremove: bool,
}

/// All overrides.
#[derive(Debug, Default)]
pub struct StoredOverrides {
    /// For one broker, or (`None`) for all.
    pub asked: BTreeMap<Option<BrokerId>, StoredOverride>,
    /// Znodes whose contents cannot be parsed, by path. They are left alone.
    pub unusable: BTreeMap<String, ZnodeFault>,
}

#[derive(Serialize, Deserialize)]
struct OverrideWire {
    rate: i64,
    #[serde(default)]
    autoremove: bool,
    /// The exact rate, if it is not a whole number of MB/s. Older tools ignore this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate_bytes_per_second: Option<Rate>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    Bare(i64),
    Whole(OverrideWire),
}

impl StoredOverride {
    /// The stored form. `None` removes the override.
    pub fn to_znode(of: Option<Self>) -> Vec<u8> {
        let wire = match of {
            None => OverrideWire { rate: 0, autoremove: false, rate_bytes_per_second: None },
            Some(Self { rate_bytes_per_second: rate, autoremove }) => {
                // Less than one would mean no override to kafka-kit.
                let megabytes = (rate.0 / MEGABYTE).max(1);
                let exact = (megabytes * MEGABYTE != rate.0).then_some(rate);
                let rate = i64::try_from(megabytes).unwrap_or(i64::MAX);
                OverrideWire { rate, autoremove, rate_bytes_per_second: exact }
            }
        };
        // Numbers and booleans always convert to JSON.
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    fn of_znode(data: &[u8]) -> Result<Option<Self>, ZnodeFault> {
        if data.trim_ascii().is_empty() {
            return Ok(None);
        }
        let wire = match serde_json::from_slice(data)? {
            Told::Whole(wire) => wire,
            Told::Bare(rate) => {
                OverrideWire { rate, autoremove: false, rate_bytes_per_second: None }
            }
        };
        let megabytes = u64::try_from(wire.rate).map_err(|_| ZnodeFault::Size(wire.rate as f64))?;
        let rate = match wire.rate_bytes_per_second {
            // A client that changed only the rate meant the rate.
            Some(exact) if (exact.0 / MEGABYTE).max(1) == megabytes => exact,
            Some(_) | None => Rate(megabytes.saturating_mul(MEGABYTE)),
        };
        let asked = Self { rate_bytes_per_second: rate, autoremove: wire.autoremove };
        Ok((rate > Rate::default()).then_some(asked))
    }
}

/// The znode of one broker's override, or (`None`) of the override for all.
pub fn override_path(prefix: &str, broker: Option<BrokerId>) -> String {
    let folder = format!("/{}/override_rate", prefix.trim_matches('/'));
    match broker {
        None => folder,
        Some(id) => format!("{folder}/{id}"),
    }
}

impl ZooKeeper {
    /// Reads the overrides under `prefix` (default: [`DEFAULT_OVERRIDES_PREFIX`]) at the root of the ensemble.
    ///
    /// # Errors
    /// The error of a read. A znode's contents never cause an error, because other tools may have written them.
    pub async fn overrides(&self, prefix: &str) -> Result<StoredOverrides, Error> {
        let folder = override_path(prefix, None);
        let mut found = StoredOverrides::default();
        let mut read = |broker, path: String, data: &[u8]| match StoredOverride::of_znode(data) {
            Ok(asked) => found.asked.extend(asked.map(|asked| (broker, asked))),
            Err(wrong) => drop(found.unusable.insert(path, wrong)),
        };
        if let Some(znode) = self.get(&folder).await? {
            read(None, folder.clone(), &znode.data);
        }
        let mut strange = Vec::new();
        for (name, data) in self.records(&folder).await? {
            let path = format!("{folder}/{name}");
            match name.parse::<BrokerId>() {
                Ok(broker) => read(Some(broker), path, &data),
                Err(_) => strange.push((path, ZnodeFault::Id(name))),
            }
        }
        found.unusable.extend(strange);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(rate: u64, autoremove: bool) -> StoredOverride {
        StoredOverride { rate_bytes_per_second: Rate(rate), autoremove }
    }

    #[test]
    fn the_format_is_that_of_the_tools_of_old_and_a_bare_number_is_read_too() {
        let text = |of| String::from_utf8(StoredOverride::to_znode(of)).unwrap();
        let fifty = asked(50_000_000, true);
        assert_eq!(text(Some(fifty)), r#"{"rate":50,"autoremove":true}"#);
        assert_eq!(text(None), r#"{"rate":0,"autoremove":false}"#);
        let read = |text: &str| StoredOverride::of_znode(text.as_bytes()).unwrap();
        assert_eq!(read(r#"{"rate":50,"autoremove":true}"#), Some(fifty));
        assert_eq!(read("50"), Some(asked(50_000_000, false)));
        for nothing in ["", "0", r#"{"rate":0,"autoremove":true}"#] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_rate_between_whole_megabytes_is_kept_to_the_byte_until_others_change_it() {
        for rate in [300_000, 1_500_000, 1_000_001] {
            let znode = StoredOverride::to_znode(Some(asked(rate, false)));
            assert_eq!(StoredOverride::of_znode(&znode).unwrap(), Some(asked(rate, false)));
        }
        let changed = br#"{"rate":7,"autoremove":false,"rate_bytes_per_second":1500000}"#;
        assert_eq!(StoredOverride::of_znode(changed).unwrap(), Some(asked(7_000_000, false)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in ["-5", r#"{"rate":-5}"#, "x", r#"{"rate":"x"}"#] {
            assert!(StoredOverride::of_znode(text.as_bytes()).is_err(), "{text}");
        }
    }
}
