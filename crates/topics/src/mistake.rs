//! The mistakes that a definition can hold.

use mapper::maps::{MapName, Place};
use std::collections::BTreeSet;

/// A mistake in a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// Not YAML.
    #[error("{0}")]
    Yaml(String),
    /// Written in a format that this program does not know.
    #[error("the definitions have version {found}, this program reads version 1")]
    Version {
        /// The version that the document names.
        found: String,
    },
    /// A text without a document.
    #[error("there is no document in it")]
    NoDocument,
    /// Something else was due here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What was due.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A key that nobody reads: most likely a typing error.
    #[error("unknown key; known are {}", known.join(", "))]
    UnknownKey {
        /// The keys that may stand there.
        known: &'static [&'static str],
    },
    /// A key that has to be there.
    #[error("missing{}", if *by_default { ", here and in defaults" } else { "" })]
    Missing {
        /// It may stand in the document's defaults, too.
        by_default: bool,
    },
    /// Kafka knows no such name.
    #[error("{name:?} is no name for a topic: 1 to 249 letters, digits, dots, _ and -, please")]
    TopicName {
        /// What stands there.
        name: String,
    },
    /// A number out of its range.
    #[error("has to be a number from 1 to {most}, not {found:?}")]
    Number {
        /// Its largest value.
        most: u32,
        /// What stands there.
        found: String,
    },
    /// One name for two topics.
    #[error("was already defined at {first}")]
    TopicTwice {
        /// Where it stood before.
        first: Place,
    },
    /// Not an allowance.
    #[error("{found:?} is nothing that can be allowed; known is min-isr")]
    Allowance {
        /// What stands there.
        found: String,
    },
    /// A config that only a running reassignment may set.
    #[error("belongs to whoever throttles a reassignment, not to a definition")]
    Throttle,
    /// Not a name that a map can have, or not the name of one.
    #[error("there is no map {name:?}{}", if known.is_empty() { String::new() } else { format!("; the maps are {}", names(known)) })]
    UnknownMap {
        /// What stands there.
        name: String,
        /// The maps.
        known: Vec<MapName>,
    },
    /// No map takes the topic.
    #[error("no map takes this topic; the maps are {}", names(known))]
    NoMap {
        /// The maps.
        known: Vec<MapName>,
    },
    /// Several maps take the topic.
    #[error("maps {} all take this topic", names(maps))]
    ManyMaps {
        /// The maps.
        maps: Vec<MapName>,
    },
    /// The topic names one map, and the regex of another takes it.
    #[error("says {named}, but map {taker} takes this topic")]
    OtherMap {
        /// The map that it names.
        named: MapName,
        /// The map whose regex takes it.
        taker: MapName,
    },
    /// The topic and its map want different replication factors.
    #[error("is {own} here and {of_map} in map {map}, written at {place}")]
    ReplicationOfMap {
        /// The topic's.
        own: u32,
        /// The map's.
        of_map: u32,
        /// The map.
        map: MapName,
        /// Where the map is written.
        place: Place,
    },
    /// Nobody could ever write with `acks=all`.
    #[error("{min} is above the replication factor {replication}: no write with acks=all succeeds")]
    MinIsrAbove {
        /// `min.insync.replicas`.
        min: u32,
        /// The replication factor.
        replication: u32,
    },
    /// Writes with `acks=all` end with the first lost replica.
    #[error(
        "{min} equals the replication factor: one replica less and no write with acks=all succeeds; if that is \
         meant, say allow: [min-isr]"
    )]
    MinIsrEqual {
        /// `min.insync.replicas`, which is the replication factor.
        min: u32,
    },
}

fn names(maps: &[MapName]) -> String {
    // In the order of the maps; a name that stands in two documents is refused elsewhere.
    let mut seen = BTreeSet::new();
    let names: Vec<&str> = maps.iter().map(MapName::as_str).filter(|n| seen.insert(*n)).collect();
    names.join(", ")
}
