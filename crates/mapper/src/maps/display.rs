//! Writes maps in their one-line form. Reading the line gives the same map.

use super::{Allowance, Map, MapSet, MapTopics, Target};
use crate::ids::BrokerId;
use std::collections::BTreeSet;
use std::fmt;

impl fmt::Display for MapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.maps.iter().try_for_each(|map| writeln!(f, "{map}"))
    }
}

impl fmt::Display for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        if let MapTopics::Matching(pattern) = &self.topics {
            write!(f, "\"{}\" ", quotes_escaped(pattern.as_str()))?;
        }
        write!(f, "=> {}", self.target)?;
        if let Some(factor) = self.replication {
            write!(f, ", replication={factor}")?;
        }
        if !self.allow.is_empty() {
            let words: Vec<&str> = self.allow.iter().map(|allowance| allowance.as_str()).collect();
            write!(f, ", allow=[{}]", words.join(","))?;
        }
        Ok(())
    }
}

/// Writes `"` as `\"`, so that the regex fits between quotes. It means the same.
fn quotes_escaped(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut escaped = false;
    for c in pattern.chars() {
        if c == '"' && !escaped {
            out.push('\\');
        }
        out.push(c);
        escaped = c == '\\' && !escaped;
    }
    out
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ids(ids) => write!(f, "[{}]", Ranges(ids)),
            Self::InstanceType { count, instance_type } => write!(f, "{count}x {instance_type}"),
            Self::StatefulSet { namespace, name } => write!(f, "statefulSet {namespace}/{name}"),
            Self::KafkaNodePool { namespace, name } => {
                write!(f, "kafkaNodePool {namespace}/{name}")
            }
            Self::NodeLabels { labels, count } => {
                let pairs: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
                write!(f, "nodeLabels {}", pairs.join(","))?;
                count.map_or(Ok(()), |count| write!(f, " count={count}"))
            }
            Self::All => f.write_str("all"),
            Self::NumberOf { count, of: None } => write!(f, "{count} of all"),
            Self::NumberOf { count, of: Some(ids) } => write!(f, "{count} of [{}]", Ranges(ids)),
        }
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Ids in an operator's notation: three or more consecutive ids become a range.
pub(super) struct Ranges<'a>(pub(super) &'a BTreeSet<BrokerId>);

impl fmt::Display for Ranges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for id in self.0 {
            match runs.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(id.0) => *last = id.0,
                Some(_) | None => runs.push((id.0, id.0)),
            }
        }
        let shown: Vec<String> = runs
            .iter()
            .map(|(first, last)| match last - first {
                0 => format!("{first}"),
                1 => format!("{first},{last}"),
                _ => format!("{first}..{last}"),
            })
            .collect();
        f.write_str(&shown.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{any_map, maps, unplaced};
    use super::super::{MapSet, parse_line};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_map_reads_back_from_its_one_line_form(map in any_map()) {
            let set = MapSet::new([map]).unwrap();
            prop_assert_eq!(unplaced(&maps(&set.to_string())), unplaced(&set));
        }

        #[test]
        fn no_line_panics(text in ".{0,60}") {
            let _ = parse_line("test", &text);
            let _ = MapSet::parse("test", &format!("version: 1\nmaps: {text}"));
        }
    }

    #[test]
    fn neighbouring_ids_are_written_as_ranges() {
        let written = maps("m: \"x\" => [1010,3,1,2,1011]").to_string();
        assert_eq!(written, "m: \"x\" => [1..3,1010,1011]\n");
    }

    #[test]
    fn a_quote_in_a_regex_is_escaped_and_means_the_same() {
        let written = maps("version: 1\nmaps: {m: {topics: 'a\"b', brokers: all}}").to_string();
        assert_eq!(written, "m: \"a\\\"b\" => all\n");
        assert_eq!(maps(&written).to_string(), written);
    }
}
