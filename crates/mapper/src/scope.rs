//! Which topics a pattern selects.
//!
//! A pattern is a regex that matches the *whole* name. A pattern that is itself the name of an existing topic selects
//! only that topic: the dot of `events.raw` never matches `events-raw`.

use crate::counted::counted;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A regex over whole topic names.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicPattern {
    source: String,
    /// Compiled, unless it is large.
    whole: Option<Regex>,
}

/// The largest compiled pattern that stays in memory, in bytes. Documents have hundreds of patterns.
const KEPT: usize = 64 << 10;
/// The largest compiled pattern that is accepted, in bytes: 4,000 letters, or ten times `\w+`. A pattern above `KEPT`
/// is compiled again for each use.
const MOST: usize = 512 << 10;

/// Compiles within a limit of bytes, for the program and for the matcher's cache.
fn compiled(source: &str, limit: usize) -> Result<Regex, regex::Error> {
    RegexBuilder::new(source).size_limit(limit).dfa_size_limit(limit).build()
}

fn whole(source: &str, limit: usize) -> Result<Regex, regex::Error> {
    compiled(&format!("^(?:{source})$"), limit)
}

impl TopicPattern {
    /// Compiles `source`.
    ///
    /// # Errors
    /// [`ScopeError::Regex`] with the compiler's explanation.
    pub fn new(source: &str) -> Result<Self, ScopeError> {
        // Compiled alone first: in the group around it, an unbalanced `)(` would become valid.
        compiled(source, MOST)
            .and_then(|_| {
                whole(source, KEPT).map(Some).or_else(|_| whole(source, MOST).map(|_| None))
            })
            .map(|whole| Self { source: source.to_owned(), whole })
            .map_err(|error| ScopeError::Regex {
                pattern: source.to_owned(),
                explanation: error.to_string(),
            })
    }

    /// The source of the regex.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The names that it selects. `names` are in order, without repetition.
    pub fn select<'n>(&self, names: &[&'n str]) -> Vec<&'n str> {
        let mut marks = vec![false; names.len()];
        self.mark(names, &mut marks);
        names.iter().copied().zip(marks).filter(|(_, marked)| *marked).map(|(n, _)| n).collect()
    }

    /// Marks the names that it selects; returns whether there is one. `names` are in order, without repetition.
    fn mark(&self, names: &[&str], marks: &mut [bool]) -> bool {
        if let Ok(index) = names.binary_search(&self.source.as_str()) {
            marks[index] = true;
            return true;
        }
        let Some(whole) = self.regex() else {
            return false;
        };
        let mut any = false;
        for (name, mark) in names.iter().zip(marks) {
            let means = whole.is_match(name);
            *mark |= means;
            any |= means;
        }
        any
    }

    /// The regex over whole names, compiled now if it is large.
    pub(crate) fn regex(&self) -> Option<Regex> {
        self.whole.clone().or_else(|| whole(&self.source, MOST).ok())
    }

    /// The error that it selects none of `names`, with the names of which it matches a part.
    pub(crate) fn matches_nothing(&self, names: &[&str]) -> ScopeError {
        let part = compiled(&self.source, MOST);
        let parts = part.map_or_else(
            |_| Vec::new(),
            |part| names.iter().filter(|n| part.is_match(n)).map(|n| (*n).to_owned()).collect(),
        );
        ScopeError::MatchesNothing { pattern: self.source.clone(), parts }
    }
}

impl PartialEq for TopicPattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for TopicPattern {}

impl TryFrom<String> for TopicPattern {
    type Error = ScopeError;

    fn try_from(source: String) -> Result<Self, ScopeError> {
        Self::new(&source)
    }
}

impl From<TopicPattern> for String {
    fn from(pattern: TopicPattern) -> Self {
        pattern.source
    }
}

/// Why a choice of topics was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum ScopeError {
    /// Not a regex.
    #[error("the pattern {pattern:?} is not a regex: {explanation}")]
    Regex {
        /// The pattern.
        pattern: String,
        /// The compiler's explanation.
        explanation: String,
    },
    /// A regex that selects no topic: most likely a typing error.
    #[error("the pattern {pattern:?} matches no topic by its whole name{}", hint(.parts))]
    MatchesNothing {
        /// The pattern.
        pattern: String,
        /// The topics of whose name a part matches.
        parts: Vec<String>,
    },
}

fn hint(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [first, rest @ ..] => format!(
            " (it matches a part of {}, {first:?} the first: write \".*\" before or after it to take them)",
            counted(rest.len() + 1, "topic")
        ),
    }
}

/// Topics by their patterns: the included ones, without the excluded ones.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Patterns of which at least one has to match.
    pub include: Vec<TopicPattern>,
    /// Patterns of which none may match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<TopicPattern>,
}

impl Scope {
    /// The names that it selects. `names` are in order, without repetition.
    ///
    /// # Errors
    /// [`ScopeError::MatchesNothing`] for a pattern that matches none of them, an exclude included.
    pub fn select<'n>(&self, names: &[&'n str]) -> Result<BTreeSet<&'n str>, ScopeError> {
        let chosen = names.iter().zip(self.choose(names)?);
        Ok(chosen.filter(|(_, chosen)| *chosen).map(|(name, _)| *name).collect())
    }

    /// The same, as one answer for each of `names`.
    pub(crate) fn choose(&self, names: &[&str]) -> Result<Vec<bool>, ScopeError> {
        let (chosen, idle) = self.weigh(names);
        idle.map_or(Ok(chosen), |pattern| Err(pattern.matches_nothing(names)))
    }

    /// The same, where a pattern may match none of them.
    pub(crate) fn choose_any(&self, names: &[&str]) -> Vec<bool> {
        self.weigh(names).0
    }

    /// Which of `names` are selected, and the first pattern that selects none.
    fn weigh(&self, names: &[&str]) -> (Vec<bool>, Option<&TopicPattern>) {
        let (mut chosen, idle) = union(&self.include, names);
        let (excluded, idle_exclude) = union(&self.exclude, names);
        chosen.iter_mut().zip(excluded).for_each(|(chosen, out)| *chosen &= !out);
        (chosen, idle.or(idle_exclude))
    }
}

/// The union of what the patterns select, and the first pattern that selects nothing.
fn union<'p>(
    patterns: &'p [TopicPattern],
    names: &[&str],
) -> (Vec<bool>, Option<&'p TopicPattern>) {
    let mut marks = vec![false; names.len()];
    let mut idle = None;
    for pattern in patterns {
        if !pattern.mark(names, &mut marks) {
            idle = idle.or(Some(pattern));
        }
    }
    (marks, idle)
}

/// Splits a flag's value at its commas, but not at those inside brackets: `a{1,3},b` is two patterns.
pub fn split_patterns(value: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_u32;
    let mut escaped = false;
    for c in value.chars() {
        let opens = matches!(c, '(' | '[' | '{') && !escaped;
        let closes = matches!(c, ')' | ']' | '}') && !escaped;
        depth = if opens { depth + 1 } else { depth.saturating_sub(u32::from(closes)) };
        escaped = c == '\\' && !escaped;
        if c == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["events-raw", "events.raw", "logs", "my-events"];

    fn scope(include: &[&str], exclude: &[&str]) -> Scope {
        let compile = |sources: &[&str]| {
            sources.iter().map(|source| TopicPattern::new(source).unwrap()).collect()
        };
        Scope { include: compile(include), exclude: compile(exclude) }
    }

    #[test]
    fn a_pattern_matches_the_whole_name() {
        let found = scope(&["events.*"], &[]).select(&NAMES).unwrap();
        assert_eq!(found, BTreeSet::from(["events-raw", "events.raw"]));
    }

    #[test]
    fn an_alternation_is_anchored_on_both_sides() {
        let found = scope(&["events|logs|my-.*"], &[]).select(&NAMES).unwrap();
        assert_eq!(found, BTreeSet::from(["logs", "my-events"]));
    }

    #[test]
    fn the_name_of_a_topic_means_that_topic_only() {
        let found = scope(&["events.raw"], &[]).select(&NAMES).unwrap();
        assert_eq!(found, BTreeSet::from(["events.raw"]));
    }

    #[test]
    fn an_exclude_that_matches_nothing_is_an_error() {
        let error = scope(&[".*"], &["asdf"]).select(&NAMES).unwrap_err();
        assert_eq!(
            error,
            ScopeError::MatchesNothing { pattern: "asdf".to_owned(), parts: Vec::new() }
        );
    }

    #[test]
    fn a_match_of_a_part_is_pointed_out() {
        let error = scope(&["events"], &[]).select(&NAMES).unwrap_err();
        assert!(
            error.to_string().contains("matches a part of 3 topics, \"events-raw\""),
            "{error}"
        );
    }

    #[test]
    fn a_pattern_that_takes_much_memory_is_compiled_when_it_is_used_or_refused() {
        let large = scope(&[r"(?:\w{4}|\w{5}x).*"], &[]);
        assert!(large.include[0].whole.is_none());
        assert_eq!(large.select(&NAMES).unwrap().len(), 3);
        let refused = TopicPattern::new(r"(\w{30}){30}").unwrap_err().to_string();
        assert!(refused.contains("exceeds size limit of 524288 bytes"), "{refused}");
    }

    #[test]
    fn commas_inside_brackets_do_not_split() {
        assert_eq!(split_patterns("a{1,3},b[x,y], (c,d)"), ["a{1,3}", "b[x,y]", "(c,d)"]);
        assert_eq!(split_patterns(r"a\{1,b"), [r"a\{1", "b"]);
    }
}
