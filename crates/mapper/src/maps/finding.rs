//! Findings from resolving maps, and whether a plan may continue in spite of them.

use super::display::Ranges;
use super::{MapName, Target};
use crate::ids::BrokerId;
use crate::scope::ScopeError;
use std::collections::BTreeSet;
use std::fmt;

/// One finding about the maps as they are now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapFinding {
    /// Two maps take one topic.
    #[error("maps {first} and {second} both take {}", few(topics))]
    TopicsShared {
        /// The map that comes first in the document.
        first: MapName,
        /// The other map.
        second: MapName,
        /// The topics that both take.
        topics: BTreeSet<String>,
    },
    /// A map takes no topic and does not allow that (`no-topics`).
    #[error("map {map} takes no topic: {problem}")]
    NoTopics {
        /// The map.
        map: MapName,
        /// Why the pattern matches no topic, and what it would match otherwise.
        problem: ScopeError,
    },
    /// Two maps have the same broker, and not both allow that (`shared-brokers`).
    #[error("maps {first} and {second} both have {}", ids(brokers))]
    BrokersShared {
        /// The map that comes first in the document.
        first: MapName,
        /// The other map.
        second: MapName,
        /// The brokers that both have.
        brokers: BTreeSet<BrokerId>,
    },
    /// A map lists ids that the cluster does not know.
    #[error("map {map} lists {}, neither registered nor in any replica list", ids(brokers))]
    UnknownBrokers {
        /// The map.
        map: MapName,
        /// The ids.
        brokers: BTreeSet<BrokerId>,
    },
    /// The members of the map's group are unknown.
    #[error("map {map} needs the Kubernetes API to find its brokers: {target}")]
    NeedsKubernetes {
        /// The map.
        map: MapName,
        /// The brokers that the map asks for.
        target: Target,
    },
    /// A map asks for `all` brokers, but there is no cluster and no snapshot.
    #[error("map {map} needs a cluster or a snapshot to find its brokers: {target}")]
    NeedsCluster {
        /// The map.
        map: MapName,
        /// The brokers that the map asks for.
        target: Target,
    },
    /// There is no such broker, or other maps of the same group hold all of them.
    #[error("map {map} has no broker: none is left for {target}")]
    NoBrokers {
        /// The map.
        map: MapName,
        /// The brokers that the map asks for.
        target: Target,
    },
    /// A map asks for more replicas of a partition than it has brokers.
    #[error("map {map} asks for {replication} replicas of each partition and has {}", ids(brokers))]
    TooManyReplicas {
        /// The map.
        map: MapName,
        /// Its replication factor.
        replication: u32,
        /// All of its brokers.
        brokers: BTreeSet<BrokerId>,
    },
    /// The map has fewer brokers than its count, and lost brokers do not explain the difference.
    #[error("map {map} asks for {wanted} brokers and has {live} live ones; {} lost", lost.len())]
    TooFew {
        /// The map.
        map: MapName,
        /// Its count.
        wanted: u32,
        /// The number of its live brokers.
        live: usize,
        /// Lost brokers of its kind, or that hold its topics.
        lost: BTreeSet<BrokerId>,
    },
    /// The map has fewer brokers than its count, because brokers are lost.
    #[error("map {map} asks for {wanted} brokers and has {live} live ones: {} lost", ids(lost))]
    FewerByLoss {
        /// The map.
        map: MapName,
        /// Its count.
        wanted: u32,
        /// The number of its live brokers.
        live: usize,
        /// The lost brokers that explain it.
        lost: BTreeSet<BrokerId>,
    },
}

/// The effect of a finding on a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MapSeverity {
    /// The finding is printed, and the plan continues.
    Notice,
    /// No plan is made until the operator accepts the finding (`--ignore-warns`).
    Warning,
    /// No plan is made.
    Error,
}

impl MapFinding {
    /// The effect on a plan.
    pub fn severity(&self) -> MapSeverity {
        match self {
            Self::TopicsShared { .. }
            | Self::NoTopics { .. }
            | Self::BrokersShared { .. }
            | Self::UnknownBrokers { .. }
            | Self::NeedsKubernetes { .. }
            | Self::NeedsCluster { .. }
            | Self::NoBrokers { .. }
            | Self::TooManyReplicas { .. } => MapSeverity::Error,
            Self::TooFew { .. } => MapSeverity::Warning,
            Self::FewerByLoss { .. } => MapSeverity::Notice,
        }
    }

    /// A stable word for scripts. `--ignore-warns` takes the word of a warning.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TopicsShared { .. } => "topic-in-two-maps",
            Self::NoTopics { .. } => "map-without-topics",
            Self::BrokersShared { .. } => "broker-in-two-maps",
            Self::UnknownBrokers { .. } => "unknown-broker",
            Self::NeedsKubernetes { .. } => "needs-kubernetes",
            Self::NeedsCluster { .. } => "needs-cluster",
            Self::NoBrokers { .. } => "map-without-brokers",
            Self::TooManyReplicas { .. } => "map-replication",
            Self::TooFew { .. } => "map-count",
            Self::FewerByLoss { .. } => "map-count-by-loss",
        }
    }

    /// Whether the finding concerns this map.
    pub fn names(&self, map: &MapName) -> bool {
        match self {
            Self::TopicsShared { first, second, .. }
            | Self::BrokersShared { first, second, .. } => first == map || second == map,
            Self::NoTopics { map: named, .. }
            | Self::UnknownBrokers { map: named, .. }
            | Self::NeedsKubernetes { map: named, .. }
            | Self::NeedsCluster { map: named, .. }
            | Self::NoBrokers { map: named, .. }
            | Self::TooManyReplicas { map: named, .. }
            | Self::TooFew { map: named, .. }
            | Self::FewerByLoss { map: named, .. } => named == map,
        }
    }
}

/// Why no plan can be made with these maps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", joined(.findings))]
pub struct Refused {
    /// Every finding of severity [`MapSeverity::Error`]; at least one.
    pub findings: Vec<MapFinding>,
}

fn joined(findings: &[MapFinding]) -> String {
    let all: Vec<String> = findings.iter().map(ToString::to_string).collect();
    all.join("; ")
}

fn ids(brokers: &BTreeSet<BrokerId>) -> impl fmt::Display {
    let noun = if brokers.len() == 1 { "broker" } else { "brokers" };
    format!("{noun} {}", Ranges(brokers))
}

const SHOWN: usize = 5;

fn few(topics: &BTreeSet<String>) -> String {
    let noun = if topics.len() == 1 { "topic" } else { "topics" };
    format!("{noun} {}", crate::few(topics, SHOWN))
}
