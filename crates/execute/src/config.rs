//! The configs that pace replication: where they are set, and their values.

use mapper::{BrokerId, PartitionId, Rate};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

pub use mapper::ThrottleKey as Key;

/// Where a config is set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottleResource {
    /// On a broker.
    Broker(BrokerId),
    /// On a topic.
    Topic(String),
}

impl fmt::Display for ThrottleResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker(id) => write!(f, "broker {id}"),
            Self::Topic(name) => write!(f, "topic {name}"),
        }
    }
}

/// One config of one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Setting {
    /// The broker or topic.
    #[serde(flatten)]
    pub resource: ThrottleResource,
    /// The config's name.
    pub key: Key,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.key.as_str(), self.resource)
    }
}

/// One replica that a list names; written `PARTITION:BROKER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ThrottledReplica {
    /// The partition.
    pub partition: PartitionId,
    /// The broker with the replica.
    pub broker: BrokerId,
}

impl ThrottledReplica {
    fn read(text: &str) -> Option<Self> {
        let (partition, broker) = text.split_once(':')?;
        let partition = PartitionId(partition.parse().ok()?);
        Some(Self { partition, broker: broker.parse().ok()? })
    }
}

/// A rate, or one entry of a list, as the ledger and the cluster write it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ThrottleValue {
    /// A rate.
    Rate(Rate),
    /// A replica in a list.
    Replica(ThrottledReplica),
    /// A value that we would write in another form, or cannot read. It is not ours, and stays exactly as it is.
    Foreign(String),
}

impl ThrottleValue {
    /// The replica that an entry names. Other tools may write `03:1001`.
    pub fn replica(&self) -> Option<ThrottledReplica> {
        match self {
            Self::Rate(_) => None,
            Self::Replica(replica) => Some(*replica),
            Self::Foreign(text) => ThrottledReplica::read(text),
        }
    }
}

impl fmt::Display for ThrottleValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(f, "{}", rate.0),
            Self::Replica(ThrottledReplica { partition, broker }) => {
                write!(f, "{partition}:{broker}")
            }
            Self::Foreign(text) => f.write_str(text),
        }
    }
}

impl From<&str> for ThrottleValue {
    fn from(text: &str) -> Self {
        let rate = || text.parse().ok().map(|rate| Self::Rate(Rate(rate)));
        let read = ThrottledReplica::read(text).map(Self::Replica).or_else(rate);
        read.filter(|value| value.to_string() == text)
            .unwrap_or_else(|| Self::Foreign(text.to_owned()))
    }
}

impl From<String> for ThrottleValue {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<ThrottleValue> for String {
    fn from(value: ThrottleValue) -> Self {
        value.to_string()
    }
}

/// The texts of these values, sorted as text: lists and ledgers use this order.
pub(crate) fn texts(values: &BTreeSet<ThrottleValue>) -> BTreeSet<String> {
    values.iter().map(ToString::to_string).collect()
}

/// The value of a list of throttled replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThrottledEntries {
    /// `*`: every replica of the topic.
    All,
    /// The entries, one by one.
    Some(BTreeSet<ThrottleValue>),
}

impl ThrottledEntries {
    /// Reads a config's value; absent is empty.
    pub fn parse(value: Option<&str>) -> Self {
        let words = || value.unwrap_or_default().split(',').map(str::trim);
        match words().any(|word| word == "*") {
            true => Self::All,
            false => Self::Some(words().filter(|w| !w.is_empty()).map(Into::into).collect()),
        }
    }

    /// Whether the list names every one of these.
    pub fn cover(&self, entries: &BTreeSet<ThrottleValue>) -> bool {
        match self {
            Self::All => true,
            Self::Some(own) => own.is_superset(entries),
        }
    }

    /// The value as Kafka writes it; `None` if the list is empty and the config can be deleted.
    pub fn value(&self) -> Option<String> {
        match self {
            Self::All => Some("*".to_owned()),
            Self::Some(entries) if entries.is_empty() => None,
            Self::Some(entries) => Some(Vec::from_iter(texts(entries)).join(",")),
        }
    }

    /// The replicas that the list names one by one.
    pub fn replicas(&self) -> BTreeSet<ThrottledReplica> {
        match self {
            Self::All => BTreeSet::new(),
            Self::Some(entries) => entries.iter().filter_map(ThrottleValue::replica).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_and_writes_as_kafka_does() {
        let list = ThrottledEntries::parse(Some("1:1002, 0:1001"));
        assert_eq!(list.value().as_deref(), Some("0:1001,1:1002"));
        assert!(ThrottledEntries::parse(Some("*")).cover(&["7:7".into()].into()));
        assert_eq!(ThrottledEntries::parse(Some("")).value(), None);
        let replica = ThrottledReplica { partition: PartitionId(3), broker: BrokerId(1001) };
        assert_eq!(ThrottleValue::from("3:1001"), ThrottleValue::Replica(replica));
        assert_eq!(ThrottleValue::from("1001"), ThrottleValue::Rate(Rate(1001)));
        let order = ThrottledEntries::parse(Some("9:1,10:1,10:02"));
        assert_eq!(order.value().as_deref(), Some("10:02,10:1,9:1"), "by their texts");
    }

    #[test]
    fn what_others_have_written_stays_as_they_wrote_it() {
        for text in ["03:1001", "+3:1001", "007", "x", "3:", "3:1001:7", ""] {
            let value = ThrottleValue::from(text);
            assert_eq!(value, ThrottleValue::Foreign(text.to_owned()));
            assert_eq!(value.to_string(), text);
        }
        let same = ThrottleValue::from("3:1001").replica();
        assert_eq!(ThrottleValue::from("03:1001").replica(), same, "it paces all the same");
    }
}
