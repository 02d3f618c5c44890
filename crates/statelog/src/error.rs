//! Errors of shared state. Messages state facts; [`Error::hint`] says what to try next.

use crate::topic::TOPIC;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What to know of an answer that librdkafka refuses.
const SHORT_NAMES: &str = "librdkafka cannot read a list of dozens of brokers with host names below 10 characters and racks below 4; longer names help";

/// Why shared state could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Kafka failed the request, or did not answer in time.
    #[error("{what}: {why}")]
    Unavailable {
        /// The attempted operation.
        what: &'static str,
        /// The error of librdkafka, or of the admin plane.
        why: String,
    },
    /// A right is missing.
    #[error("{what}: {why}")]
    Forbidden {
        /// The attempted operation.
        what: &'static str,
        /// The error of librdkafka, or of the admin plane.
        why: String,
    },
    /// Another program created the topic, so it would delete records or keep all of them forever.
    #[error("the topic {TOPIC} has cleanup.policy={policy}, not compact")]
    NotCompacted {
        /// Its `cleanup.policy`.
        policy: String,
    },
    /// One of this program's records cannot be parsed.
    #[error("the record {key} of {TOPIC} is not understood: {why}")]
    Malformed {
        /// The record's key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// A newer version of this program has written the record.
    #[error("the record {key} of {TOPIC} has version {version}; this program knows version 1")]
    Newer {
        /// The record's key.
        key: String,
        /// Its version.
        version: u64,
    },
    /// This process had the claim and lost it.
    #[error("{0}")]
    Lost(#[from] Lost),
}

/// Why this process must not act on its claim any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Another process has taken the claim over, and Kafka refuses our writes.
    #[error("another process has taken over: Kafka fences our writes to {TOPIC}")]
    Fenced,
    /// The claim could not be renewed in time, so another process may have taken it over.
    #[error(
        "the claim in {TOPIC} could not be renewed for {seconds} s ({why}): another process may act by now"
    )]
    NotRenewed {
        /// Since the last renewal.
        seconds: u64,
        /// Why the renewal failed.
        why: String,
    },
}

impl Error {
    /// Adds the attempted operation to librdkafka's error.
    pub(crate) fn of(what: &'static str) -> impl Fn(KafkaError) -> Self {
        move |error| match (code(&error), said(&error)) {
            (
                Some(
                    RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed
                    | RDKafkaErrorCode::TransactionalIdAuthorizationFailed
                    | RDKafkaErrorCode::GroupAuthorizationFailed,
                ),
                why,
            ) => Self::Forbidden { what, why },
            // librdkafka keeps four bytes for each byte of an answer, and a broker with short names needs more.
            (Some(RDKafkaErrorCode::BadMessage), why) => {
                Self::Unavailable { what, why: format!("{why}: {SHORT_NAMES}") }
            }
            (_, why) => Self::Unavailable { what, why },
        }
    }

    /// What an operator can do about it; `None` if the message is enough.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unavailable { .. } => format!(
                "{TOPIC} needs a live leader, and Kafka its transactions (__transaction_state); if no other process of ours acts on the cluster, say so with --sole-executor"
            ),
            Self::Forbidden { .. } => format!(
                "allow Create, Describe, DescribeConfigs, Read and Write on topic {TOPIC}, and Describe and Write on transactional id mappr-*; or say --sole-executor"
            ),
            Self::NotCompacted { .. } => format!(
                "see who uses it; kafka-configs.sh --entity-type topics --entity-name {TOPIC} --alter --add-config cleanup.policy=compact; or say --sole-executor"
            ),
            Self::Malformed { .. } | Self::Newer { .. } => {
                "use the program that wrote it, or say --sole-executor".to_owned()
            }
            Self::Lost(_) => "see what the other process does, then go on with --resume".to_owned(),
        })
    }
}

/// The error code, if the error has one.
pub(crate) fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::Transaction(error) => Some(error.code()),
        other => other.rdkafka_error_code(),
    }
}

/// The text of the code: librdkafka's own wrapper says little more than "transaction error".
fn said(error: &KafkaError) -> String {
    match error {
        KafkaError::Transaction(error) => error.string(),
        other => code(other).map_or_else(|| other.to_string(), |code| code.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_named_as_one() {
        let said = KafkaError::MetadataFetch(RDKafkaErrorCode::TopicAuthorizationFailed);
        let error = Error::of("looking for the topic of shared state")(said);
        assert!(matches!(error, Error::Forbidden { .. }), "{error:?}");
        let hint = error.hint().unwrap();
        assert!(hint.contains("Create") && hint.contains("--sole-executor"), "{hint}");
        let text = error.to_string();
        assert!(
            text.ends_with("state: TopicAuthorizationFailed (Broker: Topic authorization failed)"),
            "{text}"
        );
    }

    #[test]
    fn an_unreadable_list_of_brokers_is_explained() {
        let said = KafkaError::MetadataFetch(RDKafkaErrorCode::BadMessage);
        let text = Error::of("looking for the topic of shared state")(said).to_string();
        assert!(text.contains("host names below 10 characters"), "{text}");
    }
}
