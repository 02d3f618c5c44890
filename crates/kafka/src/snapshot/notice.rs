//! Facts that are missing from a snapshot, and why.

use crate::error::{Denied, Error};
use kafka_protocol::ResponseError;
use mapper::{BrokerId, counted, few};
use std::collections::BTreeSet;
use std::fmt;

/// How many brokers a sentence names.
const NAMED: usize = 5;

/// One reason for missing facts.
#[derive(Debug)]
pub enum Notice {
    /// A live broker did not report its log dirs.
    BrokerSilent {
        /// The broker.
        broker: BrokerId,
        /// Why there is no answer.
        error: Error,
    },
    /// A log dir of a live broker has failed; the replicas in it are offline.
    LogDirFailed {
        /// The broker.
        broker: BrokerId,
        /// The log dir's path.
        path: String,
        /// The broker's error code.
        code: ResponseError,
    },
    /// Brokers before Kafka 3.3 do not report the size of their volumes (KIP-827).
    VolumesUntold {
        /// The brokers.
        brokers: BTreeSet<BrokerId>,
    },
    /// We may not describe the configs of some topics.
    ConfigsForbidden {
        /// The topics.
        topics: BTreeSet<String>,
        /// The missing ACL.
        denied: Denied,
    },
    /// No broker reported the configs of some topics.
    ConfigsMissing {
        /// The topics.
        topics: BTreeSet<String>,
        /// Why there is no answer.
        error: Error,
    },
    /// Brokers did not report their cordoned log dirs.
    CordonsUntold {
        /// The brokers.
        brokers: BTreeSet<BrokerId>,
        /// Why there is no answer.
        error: Error,
    },
    /// Of some tiered topics, a leader did not report what is in remote storage, or a broker how its replicas start.
    TiersUntold {
        /// The topics.
        topics: BTreeSet<String>,
        /// Why there is no answer.
        error: Error,
    },
    /// No broker reported the eligible leaders of some topics.
    EligibleLeadersMissing {
        /// The topics.
        topics: BTreeSet<String>,
        /// Why there is no answer.
        error: Error,
    },
}

impl Notice {
    /// What to do about it, if there is more to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::BrokerSilent { error, .. }
            | Self::ConfigsMissing { error, .. }
            | Self::CordonsUntold { error, .. }
            | Self::TiersUntold { error, .. }
            | Self::EligibleLeadersMissing { error, .. } => error.hint(),
            Self::ConfigsForbidden { denied, .. } => Some(denied.hint()),
            Self::LogDirFailed { .. } => Some(
                "replace the disk and restart the broker, or move its replicas away".to_owned(),
            ),
            Self::VolumesUntold { .. } => Some("tell capacities with --broker-storage".to_owned()),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BrokerSilent { broker, error } => {
                write!(f, "broker {broker} did not say what it stores: {error}")
            }
            Self::LogDirFailed { broker, path, code } => {
                write!(f, "the log dir {path} of broker {broker} has failed: {code:?}")
            }
            Self::VolumesUntold { brokers } => {
                let ids = few(brokers, NAMED);
                write!(f, "brokers that do not tell the size of their volumes: {ids}")
            }
            Self::ConfigsForbidden { topics, denied } => {
                write!(f, "the configs of {} are unknown: {denied}", counted(topics.len(), "topic"))
            }
            Self::ConfigsMissing { topics, error } => {
                write!(f, "the configs of {} are unknown: {error}", counted(topics.len(), "topic"))
            }
            Self::CordonsUntold { brokers, error } => {
                let ids = few(brokers, NAMED);
                write!(f, "brokers that do not tell whether they are cordoned: {ids}: {error}")
            }
            Self::TiersUntold { topics, error } => {
                let count = counted(topics.len(), "tiered topic");
                write!(f, "plans count the whole local log of {count} as copied: {error}")
            }
            Self::EligibleLeadersMissing { topics, error } => {
                write!(
                    f,
                    "the eligible leaders of {} are unknown: {error}",
                    counted(topics.len(), "topic")
                )
            }
        }
    }
}
