//! Which topics belong on which brokers, after every name and count has been resolved.

use crate::ids::BrokerId;
use crate::scope::{Scope, ScopeError};
use crate::snapshot::{Snapshot, Topic};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A set of topics and the brokers that their replicas may live on.
///
/// In a list of assignments the first that takes a topic keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The map that it comes from; none for `--topics` with `--brokers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// The topics.
    pub topics: Topics,
    /// The brokers; a lost one may stand here and is not used.
    pub brokers: BTreeSet<BrokerId>,
    /// The replication factor of these topics; none leaves each as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<u32>,
}

impl Assignment {
    /// Of no map: each topic keeps its replication factor.
    pub fn new(topics: Topics, brokers: BTreeSet<BrokerId>) -> Self {
        Self { map: None, topics, brokers, replication: None }
    }
}

/// The topics of an assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topics {
    /// Those that the patterns select.
    Matching(Scope),
    /// Exactly these (`--map-string`).
    Named(BTreeSet<String>),
    /// Kafka's internal topics that no earlier assignment takes.
    Internal,
    /// Every topic, internal ones too, that no earlier assignment takes.
    Rest,
}

/// For each topic of the snapshot, in its order: the index of the assignment that takes it.
///
/// # Errors
/// [`ScopeError::MatchesNothing`] when a pattern means no topic.
pub fn assign(
    snapshot: &Snapshot,
    assignments: &[Assignment],
) -> Result<Vec<Option<usize>>, ScopeError> {
    let names: Vec<&str> = snapshot.topics().iter().map(|topic| topic.name.as_str()).collect();
    let mut taken = vec![None; names.len()];
    for (index, assignment) in assignments.iter().enumerate() {
        let selected = match &assignment.topics {
            Topics::Matching(scope) => scope.choose(&names)?,
            Topics::Named(_) | Topics::Internal | Topics::Rest => Vec::new(),
        };
        for (at, (topic, slot)) in snapshot.topics().iter().zip(&mut taken).enumerate() {
            if slot.is_none() && takes(&assignment.topics, topic, selected.get(at)) {
                *slot = Some(index);
            }
        }
    }
    Ok(taken)
}

/// The same for any topics in order of name, where a pattern may mean none of them (any more).
pub(crate) fn assign_any(topics: &[&Topic], assignments: &[Assignment]) -> Vec<Option<usize>> {
    let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
    let mut taken = vec![None; names.len()];
    for (index, assignment) in assignments.iter().enumerate() {
        let selected = match &assignment.topics {
            Topics::Matching(scope) => scope.choose_any(&names),
            Topics::Named(_) | Topics::Internal | Topics::Rest => Vec::new(),
        };
        for (at, (topic, slot)) in topics.iter().zip(&mut taken).enumerate() {
            if slot.is_none() && takes(&assignment.topics, topic, selected.get(at)) {
                *slot = Some(index);
            }
        }
    }
    taken
}

/// `matches`: whether patterns mean it, where there are patterns.
fn takes(topics: &Topics, topic: &Topic, matches: Option<&bool>) -> bool {
    match topics {
        Topics::Matching(_) => matches.copied().unwrap_or(false),
        Topics::Named(names) => names.contains(&topic.name),
        Topics::Internal => topic.is_internal(),
        Topics::Rest => true,
    }
}
