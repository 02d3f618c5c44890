//! Which topics belong on which brokers, after all names and counts are resolved.

use crate::ids::BrokerId;
use crate::scope::Scope;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A set of topics and the brokers that may hold their replicas.
///
/// In a list of assignments, the first one that takes a topic keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The map that it comes from; none for `--topics` with `--brokers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// The topics.
    pub topics: TopicSelection,
    /// The brokers; lost ones may be listed and are not used.
    pub brokers: BTreeSet<BrokerId>,
    /// The replication factor of these topics; none keeps that of each topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<u32>,
}

impl Assignment {
    /// An assignment without a map: each topic keeps its replication factor.
    pub fn new(topics: TopicSelection, brokers: BTreeSet<BrokerId>) -> Self {
        Self { map: None, topics, brokers, replication: None }
    }
}

/// The topics of an assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TopicSelection {
    /// Those that the patterns select.
    Matching(Scope),
    /// Exactly these (`--map-string`).
    Named(BTreeSet<String>),
    /// Kafka's internal topics that no earlier assignment takes.
    Internal,
    /// Every topic, internal ones included, that no earlier assignment takes.
    Rest,
}
