//! What resolving maps found, and whether a plan may go on.

use super::display::Ranges;
use super::{MapName, Target};
use crate::ids::BrokerId;
use crate::scope::ScopeError;
use std::collections::BTreeSet;
use std::fmt;

/// One thing to know about the maps as they are now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// Two maps take one topic.
    #[error("maps {first} and {second} both take {}", few(topics))]
    TopicsShared {
        /// The map that was written first.
        first: MapName,
        /// The other.
        second: MapName,
        /// The topics that both take.
        topics: BTreeSet<String>,
    },
    /// A map takes no topic and does not say that it may.
    #[error("map {map} takes no topic: {problem}")]
    NoTopics {
        /// The map.
        map: MapName,
        /// What the pattern would match otherwise.
        problem: ScopeError,
    },
    /// Two maps have one broker, and not both say that they may.
    #[error("maps {first} and {second} both have {}", ids(brokers))]
    BrokersShared {
        /// The map that was written first.
        first: MapName,
        /// The other.
        second: MapName,
        /// The brokers that both have.
        brokers: BTreeSet<BrokerId>,
    },
    /// A map lists ids that the cluster has never heard of.
    #[error("map {map} lists {}, neither registered nor in any replica list", ids(brokers))]
    UnknownBrokers {
        /// The map.
        map: MapName,
        /// The ids.
        brokers: BTreeSet<BrokerId>,
    },
    /// Nobody told who belongs to the map's group.
    #[error("map {map} needs the Kubernetes API to find its brokers: {target}")]
    NeedsKubernetes {
        /// The map.
        map: MapName,
        /// The brokers that it asks for.
        target: Target,
    },
    /// `all` brokers of a cluster that nobody looked at.
    #[error("map {map} needs a cluster or a snapshot to find its brokers: {target}")]
    NeedsCluster {
        /// The map.
        map: MapName,
        /// The brokers that it asks for.
        target: Target,
    },
    /// There is no such broker, or other maps of the same group hold them all.
    #[error("map {map} has no broker: none is left for {target}")]
    NoBrokers {
        /// The map.
        map: MapName,
        /// The brokers that it asks for.
        target: Target,
    },
    /// More replicas of a partition than brokers to hold them.
    #[error("map {map} asks for {replication} replicas of each partition and has {}", ids(brokers))]
    TooManyReplicas {
        /// The map.
        map: MapName,
        /// Its replication factor.
        replication: u32,
        /// All of its brokers.
        brokers: BTreeSet<BrokerId>,
    },
    /// Fewer than the map's count, and lost brokers do not explain it.
    #[error("map {map} asks for {wanted} brokers and has {live} live ones; {} lost", lost.len())]
    TooFew {
        /// The map.
        map: MapName,
        /// Its count.
        wanted: u32,
        /// How many of its brokers are live.
        live: usize,
        /// Lost brokers of its kind, or that hold its topics.
        lost: BTreeSet<BrokerId>,
    },
    /// Fewer than the map's count, because brokers are lost.
    #[error("map {map} asks for {wanted} brokers and has {live} live ones: {} lost", ids(lost))]
    FewerByLoss {
        /// The map.
        map: MapName,
        /// Its count.
        wanted: u32,
        /// How many of its brokers are live.
        live: usize,
        /// The lost brokers that explain it.
        lost: BTreeSet<BrokerId>,
    },
}

/// What a finding means for a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a line.
    Notice,
    /// A plan waits until the operator says to go on (`--ignore-warns`).
    Warning,
    /// No plan.
    Error,
}

impl Finding {
    /// What it means for a plan.
    pub fn severity(&self) -> Severity {
        match self {
            Self::TopicsShared { .. }
            | Self::NoTopics { .. }
            | Self::BrokersShared { .. }
            | Self::UnknownBrokers { .. }
            | Self::NeedsKubernetes { .. }
            | Self::NeedsCluster { .. }
            | Self::NoBrokers { .. }
            | Self::TooManyReplicas { .. } => Severity::Error,
            Self::TooFew { .. } => Severity::Warning,
            Self::FewerByLoss { .. } => Severity::Notice,
        }
    }

    /// A word for scripts; a warning's is what `--ignore-warns` takes.
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

    /// Does it concern this map?
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

/// Why nothing may be planned with these maps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", joined(.findings))]
pub struct Refused {
    /// Every finding of severity [`Severity::Error`]; at least one.
    pub findings: Vec<Finding>,
}

fn joined(findings: &[Finding]) -> String {
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
    let shown: Vec<&str> = topics.iter().take(SHOWN).map(String::as_str).collect();
    let more = match topics.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{noun} {}{more}", shown.join(", "))
}
