//! The mistakes in the text of a map, and their places.

use super::MapName;
use super::target::MAX_IDS;
use crate::ids::BrokerId;
use crate::scope::ScopeError;
use serde_saphyr::{Location, MessageFormatter};
use std::fmt;

/// The place of a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MapPlace {
    /// The document: a path, `--map`, a ConfigMap's name and key.
    pub document: String,
    /// The line, from 1.
    pub line: u64,
    /// The column in characters, from 1.
    pub column: u64,
}

impl MapPlace {
    pub(super) fn start_of(document: &str) -> Self {
        Self { document: document.to_owned(), line: 1, column: 1 }
    }

    /// The current place of YAML's reader.
    pub fn in_yaml(document: &str, location: Location) -> Self {
        Self {
            document: document.to_owned(),
            // An error without a location concerns the document as a whole.
            line: location.line().max(1),
            column: location.column().max(1),
        }
    }

    /// An error at this place.
    pub(super) fn blame(self, mistake: MapMistake) -> MapsError {
        let place = self;
        MapsError { place, mistake }
    }
}

/// The message of YAML's reader. It may quote the document, so line breaks and escape sequences are removed.
pub fn yaml_message(error: &serde_saphyr::Error) -> String {
    serde_saphyr::UserMessageFormatter.format_message(error).replace(char::is_control, " ")
}

impl fmt::Display for MapPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.document, self.line, self.column)
    }
}

/// Why a document of maps was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {mistake}")]
pub struct MapsError {
    /// The place.
    pub place: MapPlace,
    /// The mistake.
    pub mistake: MapMistake,
}

/// A mistake in the text of a map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapMistake {
    /// Not YAML, or not of the shape of maps.
    #[error("{0}")]
    Yaml(String),
    /// A document in a format that this version does not know.
    #[error("the maps have version {found}, this program reads version 1")]
    Version {
        /// The version that the document names.
        found: u64,
    },
    /// A document without a map.
    #[error("there is no map in it")]
    NoMaps,
    /// Two maps with one name.
    #[error("map {name} was already written at {first}")]
    MapTwice {
        /// The name.
        name: MapName,
        /// The place of the first one.
        first: MapPlace,
    },
    /// Not a valid name.
    #[error(
        "{name:?} is no name for a map: a letter or _, then letters, digits, _, - and ., please"
    )]
    Name {
        /// What was found.
        name: String,
    },
    /// Something else was expected here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// The pattern is not a valid regex.
    #[error(transparent)]
    Pattern(#[from] ScopeError),
    /// A pattern with a character that no topic can have, possibly from a multi-line string.
    #[error("the pattern {pattern:?} contains a control character")]
    ControlCharacter {
        /// The pattern.
        pattern: String,
    },
    /// A map without a regex that is not the map `rest`.
    #[error("map {name} names no topics; only the map named rest takes what is left")]
    NoTopics {
        /// The map.
        name: MapName,
    },
    /// The map `rest` has a regex.
    #[error(
        "the map named rest takes every topic that no other map takes, so it has no topics of its own"
    )]
    RestWithTopics,
    /// A range whose last id is below its first.
    #[error("the range {first}..{last} runs backwards")]
    Backwards {
        /// Its first id.
        first: BrokerId,
        /// Its last id.
        last: BrokerId,
    },
    /// A number above Kafka's largest broker id.
    #[error("{digits} is no broker id: the largest is 2147483647")]
    IdTooLarge {
        /// The number.
        digits: String,
    },
    /// More ids than any cluster has: a typing error.
    #[error("more than {MAX_IDS} broker ids")]
    TooManyIds,
    /// A count or factor out of its range.
    #[error("the {what} has to be from 1 to {most}, not {digits}")]
    Count {
        /// The number's meaning.
        what: &'static str,
        /// The largest allowed value.
        most: u32,
        /// What was found.
        digits: String,
    },
    /// A label that Kubernetes does not allow.
    #[error("{text:?} is no {part} of a node label")]
    Label {
        /// `key` or `value`.
        part: &'static str,
        /// What was found.
        text: String,
    },
    /// A label that looks like an option of the map, most likely because a blank is missing.
    #[error("{key} is an option of a map, not a node label: write it after a comma and a blank")]
    OptionAsLabel {
        /// The label's key.
        key: String,
    },
    /// One label or option written twice.
    #[error("{what} is written twice")]
    Twice {
        /// The label or option.
        what: String,
    },
}
