//! The configs that pace replication: their names, and the lists that some of them hold.

use mapper::{BrokerId, PartitionId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Where a config is set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// On a broker.
    Broker(BrokerId),
    /// On a topic.
    Topic(String),
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker(id) => write!(f, "broker {id}"),
            Self::Topic(name) => write!(f, "topic {name}"),
        }
    }
}

/// Which config (KIP-73).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Key {
    /// On a broker: bytes per second that it sends of the replicas in the leaders' list.
    #[serde(rename = "leader.replication.throttled.rate")]
    LeaderRate,
    /// On a broker: bytes per second that it takes in of the replicas in the followers' list.
    #[serde(rename = "follower.replication.throttled.rate")]
    FollowerRate,
    /// On a topic: the replicas that count when they lead, `PARTITION:BROKER,...`.
    #[serde(rename = "leader.replication.throttled.replicas")]
    LeaderReplicas,
    /// On a topic: the replicas that count when they follow.
    #[serde(rename = "follower.replication.throttled.replicas")]
    FollowerReplicas,
    /// On a broker: bytes per second that it copies from one of its log dirs to another (KIP-113).
    #[serde(rename = "replica.alter.log.dirs.io.max.bytes.per.second")]
    LogDirRate,
}

impl Key {
    /// Those of brokers that pace what goes from one to another.
    pub const OF_BROKERS: [Self; 2] = [Self::LeaderRate, Self::FollowerRate];
    /// Every rate of a broker.
    pub const RATES: [Self; 3] = [Self::LeaderRate, Self::FollowerRate, Self::LogDirRate];
    /// Those of topics.
    pub const OF_TOPICS: [Self; 2] = [Self::LeaderReplicas, Self::FollowerReplicas];

    /// Kafka's name of it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LeaderRate => "leader.replication.throttled.rate",
            Self::FollowerRate => "follower.replication.throttled.rate",
            Self::LeaderReplicas => "leader.replication.throttled.replicas",
            Self::FollowerReplicas => "follower.replication.throttled.replicas",
            Self::LogDirRate => "replica.alter.log.dirs.io.max.bytes.per.second",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        let all = Self::RATES.into_iter().chain(Self::OF_TOPICS);
        all.into_iter().find(|key| key.as_str() == name)
    }
}

/// One config in one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Setting {
    /// Where.
    #[serde(flatten)]
    pub resource: Resource,
    /// Which.
    pub key: Key,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.key.as_str(), self.resource)
    }
}

/// The value of a list of throttled replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entries {
    /// `*`: every replica of the topic.
    All,
    /// These, as `PARTITION:BROKER`.
    Some(BTreeSet<String>),
}

impl Entries {
    /// Reads a config's value; absent is empty. Whatever is no entry is kept as it is: it is not ours.
    pub fn parse(value: Option<&str>) -> Self {
        let words = value.unwrap_or_default().split(',').map(str::trim);
        let words: BTreeSet<String> = words.filter(|w| !w.is_empty()).map(str::to_owned).collect();
        if words.contains("*") { Self::All } else { Self::Some(words) }
    }

    /// Whether every one of these is named.
    pub fn cover(&self, entries: &BTreeSet<String>) -> bool {
        match self {
            Self::All => true,
            Self::Some(own) => own.is_superset(entries),
        }
    }

    /// As Kafka writes it; `None` where nothing is left to set.
    pub fn value(&self) -> Option<String> {
        match self {
            Self::All => Some("*".to_owned()),
            Self::Some(entries) if entries.is_empty() => None,
            Self::Some(entries) => {
                let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
                Some(entries.join(","))
            }
        }
    }
}

/// One replica in such a list, as `PARTITION:BROKER`.
pub fn entry(partition: PartitionId, broker: BrokerId) -> String {
    format!("{partition}:{broker}")
}

/// The partition and the broker that an entry names.
pub fn read_entry(text: &str) -> Option<(PartitionId, BrokerId)> {
    let (partition, broker) = text.split_once(':')?;
    Some((PartitionId(partition.parse().ok()?), broker.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_and_writes_as_kafka_does() {
        let list = Entries::parse(Some("1:1002, 0:1001"));
        assert_eq!(list.value().as_deref(), Some("0:1001,1:1002"));
        assert!(Entries::parse(Some("*")).cover(&["7:7".to_owned()].into()));
        assert_eq!(Entries::parse(Some("")).value(), None);
        assert_eq!(read_entry("3:1001"), Some((PartitionId(3), BrokerId(1001))));
    }

    #[test]
    fn keys_are_found_by_their_names() {
        for key in Key::RATES.into_iter().chain(Key::OF_TOPICS) {
            assert_eq!(Key::named(key.as_str()), Some(key));
        }
    }
}
