//! Which topics assignments and scopes match. It goes topic by topic; the planners go pattern by pattern.

use crate::assignment::{Assignment, TopicSelection};
use crate::scope::{Scope, ScopeError, TopicPattern};
use crate::snapshot::{Snapshot, Topic};
use regex::Regex;
use std::collections::BTreeSet;

/// For each topic of the snapshot, in its order: the first of the assignments that takes it.
pub(super) fn taken(
    snapshot: &Snapshot,
    assignments: &[Assignment],
) -> Result<Vec<Option<usize>>, ScopeError> {
    let takers = assignments.iter().map(|assignment| match &assignment.topics {
        TopicSelection::Matching(scope) => TakenBy::Patterns(Patterns::of(snapshot, scope)),
        TopicSelection::Named(names) => TakenBy::Names(names),
        TopicSelection::Internal => TakenBy::Internal,
        TopicSelection::Rest => TakenBy::All,
    });
    let mut takers: Vec<TakenBy<'_>> = takers.collect();
    let mut first = |topic: &Topic| takers.iter_mut().position(|taker| taker.takes(topic));
    let taken = snapshot.topics().iter().map(&mut first).collect();
    for taker in &mut takers {
        if let TakenBy::Patterns(patterns) = taker {
            patterns.each_means_some(snapshot)?;
        }
    }
    Ok(taken)
}

/// The topics that a scope matches.
pub(super) fn meant<'s>(
    snapshot: &'s Snapshot,
    scope: &Scope,
) -> Result<BTreeSet<&'s str>, ScopeError> {
    let mut patterns = Patterns::of(snapshot, scope);
    let names = snapshot.topics().iter().map(|topic| topic.name.as_str());
    let meant = names.filter(|name| patterns.mean(name)).collect();
    patterns.each_means_some(snapshot)?;
    Ok(meant)
}

/// How an assignment takes its topics.
enum TakenBy<'r> {
    Patterns(Patterns<'r>),
    Names(&'r BTreeSet<String>),
    Internal,
    All,
}

impl TakenBy<'_> {
    fn takes(&mut self, topic: &Topic) -> bool {
        match self {
            Self::Patterns(patterns) => patterns.mean(&topic.name),
            Self::Names(names) => names.contains(&topic.name),
            Self::Internal => topic.is_internal(),
            Self::All => true,
        }
    }
}

/// The patterns of a scope.
struct Patterns<'r> {
    include: Vec<Pattern<'r>>,
    exclude: Vec<Pattern<'r>>,
}

impl<'r> Patterns<'r> {
    fn of(snapshot: &Snapshot, scope: &'r Scope) -> Self {
        let read = |patterns: &'r [TopicPattern]| {
            patterns.iter().map(|pattern| Pattern::of(snapshot, pattern)).collect()
        };
        Self { include: read(&scope.include), exclude: read(&scope.exclude) }
    }

    fn mean(&mut self, name: &str) -> bool {
        let any_of = |patterns: &mut [Pattern<'_>]| patterns.iter_mut().any(|p| p.means(name));
        any_of(&mut self.include) && !any_of(&mut self.exclude)
    }

    /// Tests patterns without a match against every topic: another pattern may have matched first.
    fn each_means_some(&mut self, snapshot: &Snapshot) -> Result<(), ScopeError> {
        let names = || snapshot.topics().iter().map(|topic| topic.name.as_str());
        let all = self.include.iter_mut().chain(&mut self.exclude);
        for pattern in all.filter(|pattern| pattern.is_idle) {
            if !names().any(|name| pattern.means(name)) {
                return Err(pattern.of.matches_nothing(&names().collect::<Vec<&str>>()));
            }
        }
        Ok(())
    }
}

struct Pattern<'r> {
    of: &'r TopicPattern,
    /// None: a topic has the pattern as its name, and the pattern matches only that topic.
    regex: Option<Regex>,
    /// It has not matched a topic yet.
    is_idle: bool,
}

impl<'r> Pattern<'r> {
    fn of(snapshot: &Snapshot, of: &'r TopicPattern) -> Self {
        let regex = snapshot.topic(of.as_str()).is_none().then(|| of.regex()).flatten();
        Self { of, regex, is_idle: true }
    }

    fn means(&mut self, name: &str) -> bool {
        let means = match &self.regex {
            Some(regex) => regex.is_match(name),
            None => self.of.as_str() == name,
        };
        self.is_idle &= !means;
        means
    }
}
