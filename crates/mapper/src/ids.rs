//! Ids with types: they prevent mixing up brokers, partitions and counts.

use crate::counted::joined;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use smallvec::SmallVec;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// The limit of Kafka.
const LONGEST_TOPIC_NAME: usize = 249;

/// A Kafka `broker.id` (`node.id` in KRaft): at least 0, at most `i32::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BrokerId(pub u32);

impl fmt::Display for BrokerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for BrokerId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.trim().parse::<i32>().and_then(|id| match u32::try_from(id) {
            Ok(id) => Ok(Self(id)),
            Err(_) => text.trim().parse::<u32>().map(Self),
        })
    }
}

/// Brokers as text: `1001, 1002`, or `none`.
pub(crate) fn in_words(ids: &[BrokerId]) -> String {
    if ids.is_empty() {
        return "none".to_owned();
    }
    joined(ids)
}

/// The number of a partition within its topic, from 0 to [`PartitionId::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PartitionId(pub u32);

impl PartitionId {
    /// Kafka's protocol stores it in 31 bits: a larger number could be planned, but never submitted.
    pub const MAX: Self = Self(i32::MAX.unsigned_abs());

    /// The number, if such a partition is possible.
    pub(crate) fn read(number: u32) -> Option<Self> {
        Some(Self(number)).filter(|id| *id <= Self::MAX)
    }
}

impl<'de> Deserialize<'de> for PartitionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        Self::read(number).ok_or_else(|| {
            let most = Self::MAX;
            D::Error::custom(format!("partition {number}: Kafka numbers partitions up to {most}"))
        })
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A replica list in Kafka's order: the first is the preferred leader.
///
/// Inline up to four brokers, so that a million partitions cost no allocation each.
pub type Replicas = SmallVec<[BrokerId; 4]>;

/// One partition of one topic, as Kafka's own tools print it: `events.raw-7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: PartitionId,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A topic's id as Kafka's own tools print it (KIP-516). A topic that was deleted and created again has another id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TopicId(pub String);

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The id of a log dir as Kafka's own tools print it (KIP-858). A controller that lost its disk has another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DirectoryId(pub String);

impl fmt::Display for DirectoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether Kafka allows this as the name of a topic.
pub fn is_topic_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !matches!(name, "" | "." | "..") && name.len() <= LONGEST_TOPIC_NAME && name.chars().all(legal)
}

/// One replica position of one partition; 0 is the preferred leader's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seat {
    /// The partition.
    pub of: TopicPartition,
    /// The index in its replica list, from 0.
    pub index: usize,
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (replica {})", self.of, self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_broker_id_is_refused() {
        assert!("-1".parse::<BrokerId>().is_err());
        assert!("1001".parse::<BrokerId>().is_ok_and(|id| id == BrokerId(1001)));
    }
}
