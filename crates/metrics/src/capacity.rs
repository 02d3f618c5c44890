//! The network capacity of each broker, from the operator and from the cluster.

use mapper::{BrokerId, Rate};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The two directions of a network port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The sending capacity.
    pub tx: Rate,
    /// The receiving capacity.
    pub rx: Rate,
}

/// The contents of `--cap-map`: `{"1001": 500, "i3.4xlarge": {"tx": 1250, "rx": 1250}, "default": 100}`, in MB/s (10^6
/// bytes).
///
/// A key of digits only is a broker id, `default` is for all other brokers, and any other key is an instance type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CapMap {
    brokers: BTreeMap<BrokerId, Ports>,
    types: BTreeMap<String, Ports>,
    default: Option<Ports>,
}

/// Why a `--cap-map` is invalid.
#[derive(Debug, thiserror::Error)]
pub enum BadCapMap {
    /// It is not JSON, or not in the expected form. The message contains the position.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A capacity that no network can have.
    #[error("{key}: {value} MB/s is no capacity: write a number above 0")]
    NoCapacity {
        /// Its key.
        key: String,
        /// Its value.
        value: f64,
    },
    /// A key of digits that is too large for a broker id.
    #[error("{key:?} is neither a broker id nor an instance type")]
    NoBrokerId {
        /// The key.
        key: String,
    },
    /// The same key twice, so its meaning is unclear.
    #[error("{key:?} appears twice")]
    Twice {
        /// The key.
        key: String,
    },
}

/// The known capacities of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capacities {
    /// From `--cap-map`.
    pub cap_map: CapMap,
    /// From a label or annotation of each broker's node.
    pub nodes: BTreeMap<BrokerId, Ports>,
    /// `network_bytes_per_second` of a snapshot; the same in both directions.
    pub snapshot: BTreeMap<BrokerId, Rate>,
}

/// One broker's network capacity and its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// In each direction.
    pub ports: Ports,
    /// Its source.
    pub from: CapacityFrom,
}

/// The source of a capacity, in order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CapacityFrom {
    /// The broker's id in `--cap-map`.
    BrokerId,
    /// Its instance type in `--cap-map`.
    InstanceType,
    /// A label or annotation of its node.
    Node,
    /// A snapshot.
    Snapshot,
    /// `default` in `--cap-map`: for brokers without a better source.
    Default,
}

impl fmt::Display for CapacityFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::BrokerId => "cap-map, id",
            Self::InstanceType => "cap-map, type",
            Self::Node => "node",
            Self::Snapshot => "snapshot",
            Self::Default => "cap-map, default",
        })
    }
}

impl Ports {
    /// Parses a node label in MB/s: `1250`, or `1250-625` (sending, receiving). `None` if it is not a capacity.
    pub fn from_label(text: &str) -> Option<Self> {
        let (tx, rx) = text.split_once('-').unwrap_or((text, text));
        let rate = |text: &str| {
            let rate = text.trim().parse().ok().and_then(Rate::from_megabytes)?;
            (rate > Rate(0)).then_some(rate)
        };
        Some(Self { tx: rate(tx)?, rx: rate(rx)? })
    }
}

impl Capacities {
    /// The network capacity of `broker`; `None` if no source has one.
    pub fn of(&self, broker: BrokerId, instance_type: Option<&str>) -> Option<Capacity> {
        let map = &self.cap_map;
        let both = |rate: &Rate| Ports { tx: *rate, rx: *rate };
        let known = [
            (CapacityFrom::BrokerId, map.brokers.get(&broker).copied()),
            (CapacityFrom::InstanceType, instance_type.and_then(|t| map.types.get(t)).copied()),
            (CapacityFrom::Node, self.nodes.get(&broker).copied()),
            (CapacityFrom::Snapshot, self.snapshot.get(&broker).map(both)),
            (CapacityFrom::Default, map.default),
        ];
        known.into_iter().find_map(|(from, ports)| ports.map(|ports| Capacity { ports, from }))
    }
}

impl CapMap {
    /// Reads the JSON of `--cap-map`.
    ///
    /// # Errors
    /// [`BadCapMap`], naming the key.
    pub fn parse(json: &str) -> Result<Self, BadCapMap> {
        let Entries(entries) = serde_json::from_str(json)?;
        let mut map = Self::default();
        for (key, value) in entries {
            let ports = value.ports(&key)?;
            let twice = match place_of(&key)? {
                Place::Default => map.default.replace(ports).is_some(),
                Place::Broker(id) => map.brokers.insert(id, ports).is_some(),
                Place::Type => map.types.insert(key.clone(), ports).is_some(),
            };
            if twice {
                return Err(BadCapMap::Twice { key });
            }
        }
        Ok(map)
    }

    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The keys that match none of these brokers: misspelt, or of another cluster.
    pub fn unused<'a>(
        &self,
        brokers: impl IntoIterator<Item = (BrokerId, Option<&'a str>)>,
    ) -> Vec<String> {
        let (ids, types): (BTreeSet<_>, BTreeSet<_>) = brokers.into_iter().unzip();
        let ids = self.brokers.keys().filter(|id| !ids.contains(id)).map(ToString::to_string);
        let types = self.types.keys().filter(|name| !types.contains(&Some(name.as_str())));
        ids.chain(types.cloned()).collect()
    }
}

enum Place {
    Default,
    Broker(BrokerId),
    Type,
}

fn place_of(key: &str) -> Result<Place, BadCapMap> {
    match key {
        "default" => Ok(Place::Default),
        "" => Err(BadCapMap::NoBrokerId { key: key.to_owned() }),
        digits if digits.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()) => {
            let id = digits.parse().map_err(|_| BadCapMap::NoBrokerId { key: key.to_owned() })?;
            Ok(Place::Broker(id))
        }
        _ => Ok(Place::Type),
    }
}

#[derive(serde::Deserialize)]
#[serde(untagged, expecting = "a number of MB/s, or {\"tx\": MB/s, \"rx\": MB/s}")]
enum Value {
    Both(f64),
    Each(Each),
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Each {
    tx: f64,
    rx: f64,
}

impl Value {
    fn ports(&self, key: &str) -> Result<Ports, BadCapMap> {
        let rate = |value: f64| match Rate::from_megabytes(value) {
            Some(rate) if rate > Rate(0) => Ok(rate),
            _ => Err(BadCapMap::NoCapacity { key: key.to_owned(), value }),
        };
        match self {
            Self::Both(value) => Ok(Ports { tx: rate(*value)?, rx: rate(*value)? }),
            Self::Each(Each { tx, rx }) => Ok(Ports { tx: rate(*tx)?, rx: rate(*rx)? }),
        }
    }
}

/// The entries in the order of the text. A map would keep only the last of two equal keys.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Vec<(String, Value)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object: {\"i3.4xlarge\": 1250, \"default\": 100}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(EntriesVisitor).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLEET: &str = r#"{"1001": 500, "i3.4xlarge": {"tx": 1250, "rx": 625.5}, "default": 100}"#;

    fn fleet() -> Capacities {
        Capacities {
            cap_map: CapMap::parse(FLEET).unwrap(),
            nodes: BTreeMap::from([(BrokerId(3), Ports { tx: Rate(30), rx: Rate(31) })]),
            snapshot: BTreeMap::from([(BrokerId(3), Rate(40)), (BrokerId(4), Rate(40))]),
        }
    }

    #[test]
    fn the_nearest_to_the_broker_is_believed() {
        let of = |id, kind| fleet().of(BrokerId(id), kind).map(|c| (c.ports.tx.0, c.from));
        let type_of_fleet = Some("i3.4xlarge");
        assert_eq!(of(1001, type_of_fleet), Some((500_000_000, CapacityFrom::BrokerId)));
        assert_eq!(of(3, type_of_fleet), Some((1_250_000_000, CapacityFrom::InstanceType)));
        assert_eq!(of(3, Some("m5.large")), Some((30, CapacityFrom::Node)));
        assert_eq!(of(4, None), Some((40, CapacityFrom::Snapshot)));
        assert_eq!(of(5, None), Some((100_000_000, CapacityFrom::Default)));
        assert_eq!(Capacities::default().of(BrokerId(1001), type_of_fleet), None);
    }

    #[test]
    fn labels_of_nodes_speak_megabytes() {
        let both = Ports { tx: Rate(1_250_000_000), rx: Rate(1_250_000_000) };
        assert_eq!(Ports::from_label("1250"), Some(both));
        assert_eq!(Ports::from_label("1250-0.5").unwrap().rx, Rate(500_000));
        for bad in ["", "fast", "-5", "0", "1250-", "1-2-3", "inf", "NaN"] {
            assert_eq!(Ports::from_label(bad), None, "{bad}");
        }
    }

    #[test]
    fn directions_may_differ() {
        let ports = fleet().of(BrokerId(9), Some("i3.4xlarge")).unwrap().ports;
        assert_eq!(ports, Ports { tx: Rate(1_250_000_000), rx: Rate(625_500_000) });
    }

    #[test]
    fn keys_that_mean_no_broker_are_named() {
        let map = CapMap::parse(FLEET).unwrap();
        assert_eq!(map.unused([(BrokerId(1001), Some("i3.4xlarge"))]), [""; 0]);
        assert_eq!(map.unused([(BrokerId(1), Some("i3.large"))]), ["1001", "i3.4xlarge"]);
    }

    #[test]
    fn what_is_no_capacity_is_refused_with_its_key() {
        let cases = [
            (r#"{"1001": 0}"#, "1001: 0 MB/s is no capacity: write a number above 0"),
            (r#"{"default": -5}"#, "default: -5 MB/s is no capacity: write a number above 0"),
            (r#"{"-1": 5}"#, r#""-1" is neither a broker id nor an instance type"#),
            (
                r#"{"99999999999": 5}"#,
                r#""99999999999" is neither a broker id nor an instance type"#,
            ),
            (r#"{"m": 5, "m": 6}"#, r#""m" appears twice"#),
        ];
        for (json, said) in cases {
            assert_eq!(CapMap::parse(json).unwrap_err().to_string(), said);
        }
        for json in
            [r#"{"m": "5"}"#, r#"{"m": {"tx": 5}}"#, r#"{"m": {"tx":5,"rx":5,"x":1}}"#, "[]", ""]
        {
            assert!(matches!(CapMap::parse(json), Err(BadCapMap::Json(_))), "{json}");
        }
    }
}
