//! Which assignment takes each topic.

use crate::assignment::{Assignment, TopicSelection};
use crate::scope::{Scope, ScopeError};
use crate::snapshot::{Snapshot, Topic};
use std::convert::Infallible;

/// For each topic of the snapshot, in its order: the index of the assignment that takes it.
///
/// # Errors
/// [`ScopeError::MatchesNothing`] if a pattern matches no topic.
pub fn assign(
    snapshot: &Snapshot,
    assignments: &[Assignment],
) -> Result<Vec<Option<usize>>, ScopeError> {
    let topics: Vec<&Topic> = snapshot.topics().iter().collect();
    taken(&topics, assignments, Scope::choose)
}

/// The same for any topics in order of name, where a pattern may match none of them.
pub(crate) fn assign_any(topics: &[&Topic], assignments: &[Assignment]) -> Vec<Option<usize>> {
    let choose = |scope: &Scope, names: &[&str]| Ok::<_, Infallible>(scope.choose_any(names));
    let Ok(taken) = taken(topics, assignments, choose);
    taken
}

fn taken<E>(
    topics: &[&Topic],
    assignments: &[Assignment],
    choose: impl Fn(&Scope, &[&str]) -> Result<Vec<bool>, E>,
) -> Result<Vec<Option<usize>>, E> {
    let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
    let mut taken = vec![None; names.len()];
    for (index, assignment) in assignments.iter().enumerate() {
        let selected = match &assignment.topics {
            TopicSelection::Matching(scope) => choose(scope, &names)?,
            TopicSelection::Named(_) | TopicSelection::Internal | TopicSelection::Rest => {
                Vec::new()
            }
        };
        for (at, (topic, slot)) in topics.iter().zip(&mut taken).enumerate() {
            if slot.is_none() && takes(&assignment.topics, topic, selected.get(at)) {
                *slot = Some(index);
            }
        }
    }
    Ok(taken)
}

/// `matches`: whether the patterns match it, if there are patterns.
fn takes(topics: &TopicSelection, topic: &Topic, matches: Option<&bool>) -> bool {
    match topics {
        TopicSelection::Matching(_) => matches.copied().unwrap_or(false),
        TopicSelection::Named(names) => names.contains(&topic.name),
        TopicSelection::Internal => topic.is_internal(),
        TopicSelection::Rest => true,
    }
}
