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

/// How a config changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigEdit {
    /// It is set to this value, whatever it is by then; `None`: it is deleted.
    To(Option<String>),
    /// Entries come to a list and leave it, one by one (APPEND and SUBTRACT of KIP-339). Entries that another tool
    /// adds or removes at the same time stay as that tool wants them.
    Entries {
        /// Added first.
        add: BTreeSet<ThrottleValue>,
        /// Removed after that.
        remove: BTreeSet<ThrottleValue>,
    },
}

impl ConfigEdit {
    /// Changes a list of this value to this one. It is set as a whole if one of the two is empty: brokers of Kafka 2.8
    /// append to an empty list with a comma in front, which they cannot read. And if Kafka would not find an entry by
    /// its text, or would leave another text where `exact` is asked for.
    pub fn of_list(value: Option<&str>, to: Option<String>, exact: bool) -> Self {
        let lists = (ThrottledEntries::parse(value), ThrottledEntries::parse(to.as_deref()));
        let (ThrottledEntries::Some(found), ThrottledEntries::Some(wanted)) = lists else {
            return Self::To(to);
        };
        let edit = Self::Entries { add: &wanted - &found, remove: &found - &wanted };
        let after = edit.after(value);
        let right = match exact {
            true => after == to,
            false => {
                ThrottledEntries::parse(after.as_deref()) == ThrottledEntries::Some(wanted.clone())
            }
        };
        let is_whole = found.is_empty()
            || wanted.is_empty()
            || !right
            || !ThrottledEntries::is_readable(value);
        if is_whole { Self::To(to) } else { edit }
    }

    /// The value after this change of `now`, as Kafka makes it.
    pub fn after(&self, now: Option<&str>) -> Option<String> {
        let (add, remove) = match self {
            Self::To(value) => return value.clone(),
            Self::Entries { add, remove } => (texts(add), texts(remove)),
        };
        let words = now.unwrap_or_default().split(',').filter(|word| !word.is_empty());
        let mut words: Vec<String> = words.map(str::to_owned).collect();
        for word in add {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        for word in remove {
            if let Some(place) = words.iter().position(|own| *own == word) {
                words.remove(place);
            }
        }
        Some(words.join(","))
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

    /// Whether brokers can read this value. An empty entry ends their reading, so they pace none. A broker of Kafka
    /// 2.8 writes one if it appends to a list that another tool has just emptied.
    pub fn is_readable(value: Option<&str>) -> bool {
        let is_full = |word: &str| !word.trim().is_empty();
        value.is_none_or(|value| value.is_empty() || value.split(',').all(is_full))
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
    fn a_list_changes_entry_by_entry_where_kafka_can() {
        let of = |value: Option<&str>, to: Option<&str>, exact| {
            let edit = ConfigEdit::of_list(value, to.map(str::to_owned), exact);
            (matches!(edit, ConfigEdit::Entries { .. }), edit)
        };
        let (by_entries, edit) = of(Some("9:1,0:2"), Some("0:2,1:3"), false);
        assert!(by_entries);
        // Another tool has meanwhile added one entry and removed another.
        assert_eq!(edit.after(Some("9:1,7:7")).as_deref(), Some("7:7,1:3"));
        assert_eq!(edit.after(None).as_deref(), Some("1:3"));
        for (value, to, exact) in [
            (None, Some("0:1"), false),
            (Some(""), Some("0:1"), false),
            (Some("0:1"), None, false),
            (Some("*"), Some("0:1"), false),
            (Some("1:2, 0:1"), Some("1:2"), false),
            (Some(",0:1"), Some("0:1"), false),
            (Some("0:1,1:2,2:3"), Some("1:2,0:1"), true),
        ] {
            let whole = (false, ConfigEdit::To(to.map(str::to_owned)));
            assert_eq!(of(value, to, exact), whole, "{value:?} to {to:?}");
        }
        let (by_entries, edit) = of(Some("2:4, 1:1,0:1"), Some("2:4, 1:1"), true);
        assert!(by_entries, "the rest keeps its text: {edit:?}");
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
