//! What fails at a live cluster, with its code, its exit status and its hint.

use super::Error;
use local::Status;
use operate::erasures::Erasures;
use serde_json::{Value, json};
use std::fmt;
use topics::DefinitionError;

/// A failure that only a run at a live cluster meets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Beyond {
    /// A driver failed: servers, files, other runs.
    #[error(transparent)]
    Operate(operate::Error),
    /// A request that changes the cluster was sent, and its result is unknown.
    #[error("{what} may have been carried out: {problem}")]
    Unanswered { what: String, problem: Box<kafka::Error> },
    /// Kubernetes does not let `roll` take the cluster's Lease.
    #[error(transparent)]
    LeaseRights(Box<kubernetes::Error>),
    /// A start that would erase the last copy of partitions.
    #[error("{0}")]
    WouldErase(Box<Erasures>),
}

const UNANSWERED: &str =
    "look before you ask for it again: the same command with --dry-run tells what is left to do";

impl Beyond {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Operate(error) => error.code(),
            Self::Unanswered { .. } => "kafka",
            Self::LeaseRights(_) => "kubernetes",
            Self::WouldErase(_) => "would-erase",
        }
    }

    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Operate(error) => error.status(),
            Self::Unanswered { .. } | Self::LeaseRights(_) => Status::Outside,
            Self::WouldErase(_) => Status::NoPlan,
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Operate(error) => error.hint(),
            Self::Unanswered { .. } => Some(UNANSWERED.to_owned()),
            Self::LeaseRights(error) => lease_rights_hint(error),
            Self::WouldErase(_) => None,
        }
    }

    /// The lines below the sentence.
    pub(crate) fn details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldErase(erasures) => erasures.details(f),
            Self::Operate(operate::Error::Definitions(errors)) => {
                errors.0.iter().try_for_each(|error| writeln!(f, "  {error}"))
            }
            Self::Operate(_) | Self::Unanswered { .. } | Self::LeaseRights(_) => Ok(()),
        }
    }

    /// The data behind the sentence.
    pub(crate) fn evidence(&self) -> Option<Value> {
        match self {
            Self::WouldErase(erasures) => serde_json::to_value(erasures).ok(),
            Self::Operate(operate::Error::Changed { deleted, .. }) => {
                Some(json!({ "deleted": deleted }))
            }
            Self::Operate(operate::Error::Definitions(errors)) => {
                Some(json!({ "mistakes": errors.0.iter().map(mistake).collect::<Vec<_>>() }))
            }
            Self::Operate(operate::Error::Held(by)) => {
                Some(json!({ "lock": by.lock, "holder": by.holder }))
            }
            Self::Operate(_) | Self::Unanswered { .. } | Self::LeaseRights(_) => None,
        }
    }
}

fn lease_rights_hint(error: &kubernetes::Error) -> Option<String> {
    match error {
        kubernetes::Error::Forbidden { request, .. } => Some(format!(
            "name the Lease of deploy/manifests/roll.yaml: --lease kafka/topicmappr-execute; or {}",
            request.grant()
        )),
        other => other.hint(),
    }
}

/// One mistake of a definition, and where it stands.
fn mistake(error: &DefinitionError) -> Value {
    let (place, topic, key) = (&error.place, &error.topic, &error.key);
    let mut said = json!({
        "document": place.document, "line": place.line, "column": place.column,
        "message": error.mistake.to_string(),
    });
    if let Some(topic) = topic {
        said["topic"] = topic.as_str().into();
    }
    if let Some(key) = key {
        said["key"] = key.as_str().into();
    }
    said
}

/// An error that a plan from files can meet, too, is the command line's own.
impl From<operate::Error> for Error {
    fn from(error: operate::Error) -> Self {
        use operate::Error as Driver;
        match error {
            Driver::Local(error) => Self::Local(error),
            of_driver => Self::Live(Beyond::Operate(of_driver)),
        }
    }
}

local::convert_through!(operate::Error => Error: kafka::Error, kubernetes::Error, metrics::BadSettings, zookeeper::Error);

impl From<Beyond> for Error {
    fn from(error: Beyond) -> Self {
        Self::Live(error)
    }
}
