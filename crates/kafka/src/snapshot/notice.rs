//! Facts that a snapshot lacks, and why.

use crate::error::{Denied, Error};
use kafka_protocol::ResponseError;
use mapper::BrokerId;
use std::collections::BTreeSet;
use std::fmt;

/// One reason for absent facts.
#[derive(Debug)]
pub enum Notice {
    /// A broker that the cluster calls live did not say what it stores.
    BrokerSilent {
        /// The broker.
        broker: BrokerId,
        /// What came instead.
        error: Error,
    },
    /// A log dir of a live broker has failed; the replicas in it are offline.
    LogDirFailed {
        /// The broker.
        broker: BrokerId,
        /// The log dir's path.
        path: String,
        /// What the broker says of it.
        code: ResponseError,
    },
    /// Brokers before Kafka 3.3 do not tell the size of their volumes (KIP-827).
    VolumesUntold {
        /// The brokers.
        brokers: BTreeSet<BrokerId>,
    },
    /// We may not see the configs of some topics.
    ConfigsForbidden {
        /// The topics.
        topics: BTreeSet<String>,
        /// The missing ACL.
        denied: Denied,
    },
    /// The configs of some topics were not told.
    ConfigsMissing {
        /// The topics.
        topics: BTreeSet<String>,
        /// What came instead.
        error: Error,
    },
    /// Brokers did not tell which of their log dirs are cordoned.
    CordonsUntold {
        /// The brokers.
        brokers: BTreeSet<BrokerId>,
        /// What came instead.
        error: Error,
    },
    /// The eligible leaders of some topics were not told.
    EligibleLeadersMissing {
        /// The topics.
        topics: BTreeSet<String>,
        /// What came instead.
        error: Error,
    },
}

impl Notice {
    /// What to do about it, where there is more to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::BrokerSilent { error, .. }
            | Self::ConfigsMissing { error, .. }
            | Self::CordonsUntold { error, .. }
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
                let ids: Vec<String> = brokers.iter().map(ToString::to_string).collect();
                write!(f, "brokers that do not tell the size of their volumes: {}", ids.join(", "))
            }
            Self::ConfigsForbidden { topics, denied } => {
                write!(f, "the configs of {} topic(s) are unknown: {denied}", topics.len())
            }
            Self::ConfigsMissing { topics, error } => {
                write!(f, "the configs of {} topic(s) are unknown: {error}", topics.len())
            }
            Self::CordonsUntold { brokers, error } => {
                let ids: Vec<String> = brokers.iter().map(ToString::to_string).collect();
                let ids = ids.join(", ");
                write!(f, "brokers that do not tell whether they are cordoned: {ids}: {error}")
            }
            Self::EligibleLeadersMissing { topics, error } => {
                write!(f, "the eligible leaders of {} topic(s) are unknown: {error}", topics.len())
            }
        }
    }
}
