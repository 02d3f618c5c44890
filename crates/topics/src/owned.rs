//! What earlier runs have done to one topic.

use crate::prune::EndOffsets;
use mapper::{Replicas, TopicId};
use std::collections::{BTreeMap, BTreeSet};

/// What is remembered of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicState {
    /// The topic that is meant; what is said here is not said of another of that name.
    pub id: Option<TopicId>,
    /// An earlier run made it.
    pub owned: bool,
    /// The config keys that earlier runs have set on it.
    pub keys: BTreeSet<String>,
    /// What a run was about to do when it last wrote; whether it did, the cluster tells.
    pub intent: Option<Intent>,
    /// Since when nobody defines it.
    pub absent: Option<Absence>,
}

impl TopicState {
    /// Says nothing that anybody would miss.
    pub fn is_empty(&self) -> bool {
        !self.owned && self.keys.is_empty() && self.intent.is_none()
    }
}

/// What a run is about to do, written down before it does it: a run that is killed then neither loses what it made
/// nor takes what others made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intent {
    /// The replicas of the topic that it makes; none if the topic is there.
    pub create: Option<Vec<Replicas>>,
    /// The configs that it sets.
    pub set: BTreeMap<String, String>,
}

/// What was seen of a topic that nobody defines any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absence {
    /// Since when it has been neither defined nor written to, in seconds since 1970-01-01 UTC.
    pub since: i64,
    /// Where its partitions ended then.
    pub end_offsets: EndOffsets,
}
