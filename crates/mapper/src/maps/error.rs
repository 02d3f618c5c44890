//! What can be wrong with the text of a map, and where.

use super::MapName;
use super::target::MAX_IDS;
use crate::ids::BrokerId;
use crate::scope::ScopeError;
use serde_saphyr::{Location, MessageFormatter};
use std::fmt;

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The document: a path, `--map`, a ConfigMap's name and key.
    pub document: String,
    /// The line, from 1.
    pub line: u64,
    /// The column in characters, from 1.
    pub column: u64,
}

impl Place {
    pub(super) fn start_of(document: &str) -> Self {
        Self { document: document.to_owned(), line: 1, column: 1 }
    }

    /// Where YAML's reader stands.
    pub fn in_yaml(document: &str, location: Location) -> Self {
        Self {
            document: document.to_owned(),
            // An error without a location concerns the document as a whole.
            line: location.line().max(1),
            column: location.column().max(1),
        }
    }

    /// An error at this place.
    pub(super) fn blame(self, mistake: Mistake) -> MapsError {
        let place = self;
        MapsError { place, mistake }
    }
}

/// What YAML's reader says. It may quote the document: no line break or escape sequence of that reaches a terminal.
pub fn yaml_message(error: &serde_saphyr::Error) -> String {
    serde_saphyr::UserMessageFormatter.format_message(error).replace(char::is_control, " ")
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.document, self.line, self.column)
    }
}

/// Why a document of maps was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {mistake}")]
pub struct MapsError {
    /// Where.
    pub place: Place,
    /// What.
    pub mistake: Mistake,
}

/// A mistake in the text of a map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// Not YAML, or not of the shape of maps.
    #[error("{0}")]
    Yaml(String),
    /// Written in a format that this program does not know.
    #[error("the maps have version {found}, this program reads version 1")]
    Version {
        /// The version that the document names.
        found: u64,
    },
    /// A document without a map.
    #[error("there is no map in it")]
    NoMaps,
    /// One name for two maps.
    #[error("map {name} was already written at {first}")]
    MapTwice {
        /// The name.
        name: MapName,
        /// Where it stood before.
        first: Place,
    },
    /// Not a name.
    #[error(
        "{name:?} is no name for a map: a letter or _, then letters, digits, _, - and ., please"
    )]
    Name {
        /// What stands there.
        name: String,
    },
    /// Something else was due here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What was due.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// The pattern is no regex.
    #[error(transparent)]
    Pattern(#[from] ScopeError),
    /// A pattern with a character that no topic can have, from a multi-line string perhaps.
    #[error("the pattern {pattern:?} contains a control character")]
    ControlCharacter {
        /// The pattern.
        pattern: String,
    },
    /// A map without a regex that is not the map of the rest.
    #[error("map {name} names no topics; only the map named rest takes what is left")]
    NoTopics {
        /// The map.
        name: MapName,
    },
    /// The map of the rest has a regex.
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
        /// Which number.
        what: &'static str,
        /// Its largest value.
        most: u32,
        /// What stands there.
        digits: String,
    },
    /// A label that Kubernetes does not know either.
    #[error("{text:?} is no {part} of a node label")]
    Label {
        /// `key` or `value`.
        part: &'static str,
        /// What stands there.
        text: String,
    },
    /// A label that reads like an option of the map, most likely for want of a blank.
    #[error("{key} is an option of a map, not a node label: write it after a comma and a blank")]
    OptionAsLabel {
        /// The label's key.
        key: String,
    },
    /// One label or option written twice.
    #[error("{what} is written twice")]
    Twice {
        /// Which.
        what: String,
    },
}
