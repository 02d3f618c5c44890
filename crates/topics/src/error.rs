//! Mistakes in definitions: the place, the topic, the key, and what is wrong.

use crate::Definition;
use crate::mistake::DefinitionMistake;
use mapper::counted;
use mapper::maps::MapPlace;
use std::fmt;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionError {
    /// Where it is written.
    pub place: MapPlace,
    /// The topic, if it has a name.
    pub topic: Option<String>,
    /// The key, as in `config.retention.ms`; none for the document as a whole.
    pub key: Option<String>,
    /// The mistake.
    pub mistake: DefinitionMistake,
}

impl DefinitionError {
    /// A mistake about a topic's key.
    pub(crate) fn of(
        topic: &Definition,
        place: &MapPlace,
        key: &str,
        mistake: DefinitionMistake,
    ) -> Self {
        Self {
            place: place.clone(),
            topic: Some(topic.name.clone()),
            key: Some(key.to_owned()),
            mistake,
        }
    }
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if let Some(topic) = &self.topic {
            write!(f, "topic {topic}: ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        self.mistake.fmt(f)
    }
}

impl std::error::Error for DefinitionError {}

/// Every mistake; at least one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the topic definitions have {}", counted(.0.len(), "mistake"))]
pub struct DefinitionErrors(pub Vec<DefinitionError>);
