//! The mistakes that a definition can have.

use mapper::maps::{MapName, MapPlace};
use std::collections::BTreeSet;

/// A mistake in a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionMistake {
    /// Not YAML.
    #[error("{0}")]
    Yaml(String),
    /// A document in a format that this version does not know.
    #[error("the definitions have version {found}, this program reads version 1")]
    Version {
        /// The version that the document names.
        found: String,
    },
    /// A text without a document.
    #[error("there is no document in it")]
    NoDocument,
    /// Something else was expected here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// An unknown key: most likely a typing error.
    #[error("unknown key; known are {}", known.join(", "))]
    UnknownKey {
        /// The known keys.
        known: &'static [&'static str],
    },
    /// A required key is missing.
    #[error("missing{}", if *by_default { ", here and in defaults" } else { "" })]
    Missing {
        /// The document's defaults may have it, too.
        by_default: bool,
    },
    /// Kafka does not allow this name.
    #[error("{name:?} is no name for a topic: 1 to 249 letters, digits, dots, _ and -, please")]
    TopicName {
        /// What was found.
        name: String,
    },
    /// A number out of its range.
    #[error("has to be a number from 1 to {most}, not {found:?}")]
    Number {
        /// The largest allowed value.
        most: u32,
        /// What was found.
        found: String,
    },
    /// No Deployment has this name.
    #[error("has to be deployment/NAMESPACE/NAME, not {found:?}")]
    Deployment {
        /// What was found.
        found: String,
    },
    /// Two topics with one name.
    #[error("was already defined at {first}")]
    TopicTwice {
        /// The place of the first one.
        first: MapPlace,
    },
    /// An unknown allowance.
    #[error("{found:?} is nothing that can be allowed; known is min-isr")]
    Allowance {
        /// What was found.
        found: String,
    },
    /// A config that only a running reassignment may set.
    #[error("belongs to whoever throttles a reassignment, not to a definition")]
    Throttle,
    /// A name that no map can have, or that no map has.
    #[error("there is no map {name:?}{}", if known.is_empty() { String::new() } else { format!("; the maps are {}", names(known)) })]
    UnknownMap {
        /// What was found.
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
    /// The topic names one map, but the regex of another takes it.
    #[error("says {named}, but map {taker} takes this topic")]
    OtherMap {
        /// The map that it names.
        named: MapName,
        /// The map whose regex takes it.
        taker: MapName,
    },
    /// The topic and its map have different replication factors.
    #[error("is {own} here and {of_map} in map {map}, written at {place}")]
    ReplicationOfMap {
        /// The topic's.
        own: u32,
        /// The map's.
        of_map: u32,
        /// The map.
        map: MapName,
        /// Where the map is written.
        place: MapPlace,
    },
    /// Writes with `acks=all` could never succeed.
    #[error("{min} is above the replication factor {replication}: no write with acks=all succeeds")]
    MinIsrAbove {
        /// `min.insync.replicas`.
        min: u32,
        /// The replication factor.
        replication: u32,
    },
    /// Writes with `acks=all` fail after the first lost replica.
    #[error(
        "{min} equals the replication factor: one replica less and no write with acks=all succeeds; if that is \
         meant, say allow: [min-isr]"
    )]
    MinIsrEqual {
        /// `min.insync.replicas`, equal to the replication factor.
        min: u32,
    },
}

fn names(maps: &[MapName]) -> String {
    // In the order of the maps. A name in two documents is refused elsewhere.
    let mut seen = BTreeSet::new();
    mapper::joined(maps.iter().filter(|name| seen.insert(*name)))
}
