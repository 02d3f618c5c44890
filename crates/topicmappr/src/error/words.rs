//! Parts of the sentences that errors are told in.

use mapper::{BrokerId, Bytes, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// clap's sentence, without the word that our own rendering puts before it.
pub(super) fn clap_message(error: &clap::Error) -> String {
    let text = error.render().to_string();
    if is_help(error) {
        return text.trim_end().to_owned();
    }
    // It repeats what was typed, and a URL may hold a password.
    let text = metrics::without_login(&text);
    let sentence = text.split("\n\n").next().unwrap_or_default();
    let sentence = sentence.strip_prefix("error: ").unwrap_or(sentence);
    let lines: Vec<&str> = sentence.lines().map(str::trim).collect();
    lines.join(" ")
}

/// The help of a command that was given nothing to do.
pub(crate) fn is_help(error: &clap::Error) -> bool {
    error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

pub(super) fn joined(findings: &[kubernetes::Finding]) -> String {
    let all: Vec<String> = findings.iter().map(ToString::to_string).collect();
    all.join("; ")
}

/// The first of them.
pub(super) fn few(partitions: &BTreeSet<TopicPartition>) -> String {
    const FEW: usize = 5;
    let names: Vec<String> = partitions.iter().take(FEW).map(ToString::to_string).collect();
    let more = partitions.len().saturating_sub(FEW);
    names.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

/// What became of the objects that were to be deleted.
pub(super) fn so_far(deleted: &[String]) -> String {
    match deleted {
        [] => "nothing was deleted".to_owned(),
        some => format!("after {}, nothing more was deleted", some.join(" and ")),
    }
}

pub(super) fn back(brokers: &BTreeMap<BrokerId, Bytes>) -> String {
    let each = brokers.iter().map(|(id, bytes)| format!("{id} (planning again saves {bytes})"));
    each.collect::<Vec<_>>().join(", ")
}

pub(super) fn onto(brokers: &BTreeMap<BrokerId, usize>) -> String {
    let each = brokers.iter().map(|(id, moves)| format!("{id} (of {moves} moves)"));
    each.collect::<Vec<_>>().join(", ")
}

pub(super) fn named(unknown: &[BrokerId]) -> String {
    let noun = if unknown.len() == 1 { "broker" } else { "brokers" };
    format!("{noun} {}", ranges(unknown))
}

fn ids(ids: &[BrokerId]) -> String {
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

/// Sorted ids, neighbours joined: `1001..1006, 1010`.
pub(crate) fn ranges(ids: &[BrokerId]) -> String {
    let runs = ids.chunk_by(|a, b| a.0 + 1 == b.0);
    let texts: Vec<String> = runs
        .map(|run| match run {
            [first, _, .., last] => format!("{first}..{last}"),
            few => self::ids(few),
        })
        .collect();
    if texts.is_empty() { "no broker".to_owned() } else { texts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_shown_as_ranges() {
        let some: Vec<BrokerId> = [1, 2, 3, 7, 9, 10].map(BrokerId).into();
        assert_eq!(ranges(&some), "1..3, 7, 9, 10");
        assert_eq!(ranges(&[]), "no broker");
    }
}
