//! Maps: which topics go to which brokers, as operators write them.
//!
//! In: documents in YAML or in lines, and the facts about the cluster. Out: a [`MapSet`], or the place of the first
//! mistake; then a [`Resolved`] with the current topics and brokers of each map, and the findings.

mod choose;
mod cursor;
mod display;
mod drift;
mod error;
mod finding;
mod lines;
mod number_of;
mod resolve;
mod taken;
mod target;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod written;
mod yaml;

pub use drift::Drift;
pub use error::{MapMistake, MapPlace, MapsError, yaml_message};
pub use finding::{MapFinding, MapSeverity, Refused};
pub use lines::parse_line;
pub use resolve::{MapFacts, Member, Members, Resolved, ResolvedMap, resolve};
pub use taken::Unmapped;
pub use yaml::DEEPEST;

use crate::ids::BrokerId;
use crate::scope::TopicPattern;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The one map that has no regex: it takes every topic that no other map takes.
pub const REST: &str = "rest";

/// Maps in the order in which they were written, each name once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MapSet {
    maps: Vec<Map>,
}

impl MapSet {
    /// Reads one document.
    ///
    /// It is in lines if its first line that is neither blank nor a comment contains `=>`, else in YAML.
    /// `document` is what errors call it: a path, `--map`, a ConfigMap's name and key.
    ///
    /// # Errors
    /// The first mistake, with its line and column.
    ///
    /// ```
    /// use mappr_mapper::maps::MapSet;
    ///
    /// let lines = MapSet::parse("--map", r#"map1: "events.*" => [1001..1006]"#)?;
    /// let yaml = "{version: 1, maps: {map1: {topics: events.*, brokers: [1001..1006]}}}";
    /// assert_eq!(MapSet::parse("m.yaml", yaml)?.to_string(), lines.to_string());
    /// # Ok::<(), mappr_mapper::maps::MapsError>(())
    /// ```
    pub fn parse(document: &str, text: &str) -> Result<Self, MapsError> {
        match lines::first_line(text) {
            Some(line) if line.contains("=>") => lines::parse(document, text),
            Some(_) => yaml::parse(document, text),
            None => Err(MapPlace::start_of(document).blame(MapMistake::NoMaps)),
        }
    }

    /// The maps of several documents as one set.
    ///
    /// # Errors
    /// [`MapMistake::MapTwice`] with both places.
    pub fn merge(sets: impl IntoIterator<Item = Self>) -> Result<Self, MapsError> {
        Self::new(sets.into_iter().flat_map(|set| set.maps))
    }

    /// A set of these maps, in this order.
    ///
    /// # Errors
    /// [`MapMistake::MapTwice`] with both places.
    pub fn new(maps: impl IntoIterator<Item = Map>) -> Result<Self, MapsError> {
        let maps: Vec<Map> = maps.into_iter().collect();
        let mut seen: BTreeMap<&MapName, &MapPlace> = BTreeMap::new();
        for map in &maps {
            if let Some(first) = seen.insert(&map.name, &map.place) {
                let (name, first) = (map.name.clone(), first.clone());
                return Err(map.place.clone().blame(MapMistake::MapTwice { name, first }));
            }
        }
        Ok(Self { maps })
    }

    /// The maps, in the order in which they were written.
    pub fn maps(&self) -> &[Map] {
        &self.maps
    }

    /// One map by its name, for `--brokers NAME`.
    pub fn get(&self, name: &str) -> Option<&Map> {
        self.maps.iter().find(|map| map.name.as_str() == name)
    }
}

/// One map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    /// Its name.
    pub name: MapName,
    /// Its topics.
    pub topics: MapTopics,
    /// Its brokers, as requested.
    pub target: Target,
    /// The replication factor of its topics, at least 1; none keeps that of each topic.
    pub replication: Option<u32>,
    /// Settings that are intended here, and errors in other maps.
    pub allow: BTreeSet<Allowance>,
    /// Where it was written.
    pub place: MapPlace,
}

impl Map {
    /// Whether the map has this allowance.
    pub fn allows(&self, allowance: Allowance) -> bool {
        self.allow.contains(&allowance)
    }

    /// Whether it is the map that takes what no other map takes.
    pub fn is_rest(&self) -> bool {
        self.topics == MapTopics::Rest
    }
}

/// A map's name: a letter or `_`, then letters, digits, `_`, `-`, `.`.
///
/// It cannot be mistaken for a broker id or a flag where both may stand (`--brokers map1`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct MapName(String);

impl MapName {
    /// Accepts `name`.
    ///
    /// # Errors
    /// [`MapMistake::Name`].
    pub fn new(name: &str) -> Result<Self, MapMistake> {
        let starts = |c: char| c.is_ascii_alphabetic() || c == '_';
        let follows = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.starts_with(starts) && name.chars().all(follows) {
            Ok(Self(name.to_owned()))
        } else {
            let name = name.to_owned();
            Err(MapMistake::Name { name })
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MapName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The topics of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapTopics {
    /// Those that the pattern selects.
    Matching(TopicPattern),
    /// Those that no other map takes; only for the map named [`REST`].
    Rest,
}

/// The brokers of a map, as requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// These, by id.
    Ids(BTreeSet<BrokerId>),
    /// A number of brokers on nodes of that type: `6x i3.4xlarge`.
    InstanceType {
        /// How many; at least 1.
        count: u32,
        /// The type, as the cloud calls it.
        instance_type: String,
    },
    /// The pods of a StatefulSet.
    StatefulSet {
        /// Its Kubernetes namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The pods of one of Strimzi's node pools.
    KafkaNodePool {
        /// Its Kubernetes namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The pods on nodes that carry all these labels.
    NodeLabels {
        /// Key and value; at least one.
        labels: BTreeMap<String, String>,
        /// How many; at least 1. None: all of them.
        count: Option<u32>,
    },
    /// Every broker that the cluster lists.
    All,
    /// A number of brokers, which no other such map gets.
    NumberOf {
        /// How many; at least 1.
        count: u32,
        /// Of these, by id. None: of all that the cluster lists.
        of: Option<BTreeSet<BrokerId>>,
    },
}

impl Target {
    /// The group that its brokers are taken from, if its members have to be looked up.
    pub fn group(&self) -> Option<Group> {
        match self {
            Self::Ids(_) | Self::All | Self::NumberOf { .. } => None,
            Self::InstanceType { instance_type, .. } => {
                Some(Group::InstanceType(instance_type.clone()))
            }
            Self::StatefulSet { namespace, name } => {
                Some(Group::StatefulSet { namespace: namespace.clone(), name: name.clone() })
            }
            Self::KafkaNodePool { namespace, name } => {
                Some(Group::KafkaNodePool { namespace: namespace.clone(), name: name.clone() })
            }
            Self::NodeLabels { labels, .. } => Some(Group::NodeLabels(labels.clone())),
        }
    }

    /// How many brokers it asks for, if it asks for a number.
    pub fn count(&self) -> Option<u32> {
        match self {
            Self::InstanceType { count, .. } | Self::NumberOf { count, .. } => Some(*count),
            Self::NodeLabels { count, .. } => *count,
            Self::Ids(_) | Self::StatefulSet { .. } | Self::KafkaNodePool { .. } | Self::All => {
                None
            }
        }
    }
}

/// Brokers that belong together by another property than their ids.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// On machines of this type. A snapshot may list its members; the Kubernetes API does.
    InstanceType(String),
    /// The pods of a StatefulSet. Only the Kubernetes API lists its members.
    StatefulSet {
        /// Its Kubernetes namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The pods of one of Strimzi's node pools. Only the Kubernetes API lists its members.
    KafkaNodePool {
        /// Its Kubernetes namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// On nodes with these labels. Only the Kubernetes API lists its members.
    NodeLabels(BTreeMap<String, String>),
}

/// A setting that a map marks as intended, although it is an error in others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allowance {
    /// It may match no topic yet.
    NoTopics,
    /// Its brokers may belong to another map too, if that map says so as well.
    SharedBrokers,
}

impl Allowance {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::NoTopics, Self::SharedBrokers];

    /// The word in a map.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoTopics => "no-topics",
            Self::SharedBrokers => "shared-brokers",
        }
    }
}
