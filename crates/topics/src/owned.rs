//! What earlier runs have done to one topic.

use crate::prune::EndOffsets;
use mapper::{Replicas, TopicId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The record of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicState {
    /// The topic's id; the record does not apply to another topic of that name.
    pub id: Option<TopicId>,
    /// An earlier run created it.
    pub owned: bool,
    /// The config keys that earlier runs have set on it.
    pub keys: BTreeSet<String>,
    /// What a run was about to do when it last wrote the record; the cluster shows whether it did.
    pub intent: Option<Intent>,
    /// Since when it is no longer defined.
    pub absent: Option<Absence>,
}

impl TopicState {
    /// Whether the record has no information that a later run needs.
    pub fn is_empty(&self) -> bool {
        !self.owned && self.keys.is_empty() && self.intent.is_none()
    }
}

/// What a run is about to do, recorded before it does it. If that run is killed, a later one still knows which topics
/// it created, and does not claim topics of other tools.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Intent {
    /// The replicas of the topic that it creates; none if the topic exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create: Option<Vec<Replicas>>,
    /// The configs that it is about to set.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
}

/// The last look at a topic that is no longer defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absence {
    /// Since when it has been neither defined nor written to, in seconds since 1970-01-01 UTC.
    pub since: i64,
    /// The end offsets of its partitions at that time.
    pub end_offsets: EndOffsets,
}
