//! Reads a target: the right-hand side of a map.
//!
//! Lines and YAML share one grammar: a YAML scalar is read in the same way as the text in a line.

use super::Target;
use super::cursor::{Cursor, TextFault};
use super::error::MapMistake;
use crate::ids::BrokerId;
use std::collections::{BTreeMap, BTreeSet};

/// The most ids that one map may list. More are probably a typing error and would fill the memory, so they are refused.
pub(super) const MAX_IDS: usize = 100_000;

const FORMS: &str = "brokers: [1001..1006], 6x TYPE, 6 of all, statefulSet NS/NAME, kafkaNodePool NS/NAME, nodeLabels k=v, or all";

/// Reads a target. The caller reads the text after it.
pub(super) fn target(cursor: &mut Cursor<'_>) -> Result<Target, TextFault> {
    if cursor.eat("[") {
        return listed(cursor).map(Target::Ids);
    }
    if cursor.rest().starts_with(|c: char| c.is_ascii_digit()) {
        return counted(cursor);
    }
    let start = *cursor;
    match cursor.word(|c| c.is_ascii_alphabetic()) {
        "all" => Ok(Target::All),
        "statefulSet" => {
            cursor.blanks();
            stateful_set(cursor)
        }
        "kafkaNodePool" => {
            cursor.blanks();
            kafka_node_pool(cursor)
        }
        "nodeLabels" => {
            cursor.blanks();
            node_labels(cursor)
        }
        _ => Err(start.expected(FORMS)),
    }
}

/// Reads `1001..1006,1010]`, after the opening bracket.
fn listed(cursor: &mut Cursor<'_>) -> Result<BTreeSet<BrokerId>, TextFault> {
    let mut ids = BTreeSet::new();
    loop {
        cursor.blanks();
        id_or_range(cursor, &mut ids)?;
        cursor.blanks();
        if !cursor.eat(",") {
            break;
        }
    }
    cursor.expect("]", ", or ]")?;
    Ok(ids)
}

/// Reads `1001` or `1001..1006`, both ends included, into `ids`.
pub(super) fn id_or_range(
    cursor: &mut Cursor<'_>,
    ids: &mut BTreeSet<BrokerId>,
) -> Result<(), TextFault> {
    let start = *cursor;
    let first = id(cursor)?;
    let mut after = *cursor;
    after.blanks();
    let last = if after.eat("..") {
        after.blanks();
        *cursor = after;
        id(cursor)?
    } else {
        first
    };
    if last < first {
        return Err(start.fault(MapMistake::Backwards { first, last }));
    }
    let size = usize::try_from(last.0 - first.0).unwrap_or(usize::MAX);
    if size >= MAX_IDS || ids.len() + size >= MAX_IDS {
        return Err(start.fault(MapMistake::TooManyIds));
    }
    ids.extend((first.0..=last.0).map(BrokerId));
    Ok(())
}

fn id(cursor: &mut Cursor<'_>) -> Result<BrokerId, TextFault> {
    let start = *cursor;
    let digits = cursor.some(|c| c.is_ascii_digit(), "a broker id")?;
    let too_large = || {
        let digits = digits.to_owned();
        start.fault(MapMistake::IdTooLarge { digits })
    };
    let id: u32 = digits.parse().map_err(|_| too_large())?;
    i32::try_from(id).map_err(|_| too_large())?;
    Ok(BrokerId(id))
}

/// Reads `6x i3.4xlarge`, `6 of all` or `6 of [1001..1020]`.
fn counted(cursor: &mut Cursor<'_>) -> Result<Target, TextFault> {
    let count = number(cursor, "number of brokers", u32::MAX)?;
    let mut after = *cursor;
    if after.blanks() && after.eat("of") && after.blanks() {
        *cursor = after;
        if cursor.eat("all") {
            return Ok(Target::NumberOf { count, of: None });
        }
        cursor.expect("[", "all, or [ and broker ids")?;
        return listed(cursor).map(|ids| Target::NumberOf { count, of: Some(ids) });
    }
    if !cursor.eat("x") || !cursor.blanks() {
        return Err(cursor.expected("a count and an instance type, as in 6x i3.4xlarge"));
    }
    let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let instance_type = cursor.some(belongs, "an instance type, as in 6x i3.4xlarge")?;
    Ok(Target::InstanceType { count, instance_type: instance_type.to_owned() })
}

/// Reads `kafka/kafka-logs`.
pub(super) fn stateful_set(cursor: &mut Cursor<'_>) -> Result<Target, TextFault> {
    let (namespace, name) = object(cursor, "NAMESPACE/NAME of a StatefulSet")?;
    Ok(Target::StatefulSet { namespace, name })
}

/// Reads `kafka/pool-a`.
pub(super) fn kafka_node_pool(cursor: &mut Cursor<'_>) -> Result<Target, TextFault> {
    let (namespace, name) = object(cursor, "NAMESPACE/NAME of a KafkaNodePool")?;
    Ok(Target::KafkaNodePool { namespace, name })
}

fn object(cursor: &mut Cursor<'_>, what: &'static str) -> Result<(String, String), TextFault> {
    let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let namespace = cursor.some(belongs, what)?;
    if !cursor.eat("/") {
        return Err(cursor.expected("/ and the name"));
    }
    Ok((namespace.to_owned(), cursor.some(belongs, "the name")?.to_owned()))
}

/// Reads `k=v,k2=v2 [count=N]`.
fn node_labels(cursor: &mut Cursor<'_>) -> Result<Target, TextFault> {
    let mut labels = BTreeMap::new();
    loop {
        label(cursor, &mut labels)?;
        let mut after = *cursor;
        // A comma followed by a blank begins an option of the map: `nodeLabels pool=small, replication=2`.
        if !after.eat(",") || after.blanks() {
            break;
        }
        *cursor = after;
    }
    let mut after = *cursor;
    let count = if after.blanks() && after.eat("count=") {
        *cursor = after;
        Some(number(cursor, "count", u32::MAX)?)
    } else {
        None
    };
    Ok(Target::NodeLabels { labels, count })
}

fn label(cursor: &mut Cursor<'_>, labels: &mut BTreeMap<String, String>) -> Result<(), TextFault> {
    let start = *cursor;
    let belongs = |c: char| !c.is_whitespace() && !matches!(c, '=' | ',' | '#');
    let key = cursor.some(belongs, "a node label, as in pool=small")?;
    if !cursor.eat("=") {
        return Err(cursor.expected("= and the value of the label"));
    }
    let value = cursor.word(belongs);
    add_label(labels, key, value).map_err(|mistake| start.fault(mistake))
}

/// Adds a label after checking that Kubernetes allows the characters of its key and value.
pub(super) fn add_label(
    labels: &mut BTreeMap<String, String>,
    key: &str,
    value: &str,
) -> Result<(), MapMistake> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let refuse = |part, text: &str| {
        let text = text.to_owned();
        Err(MapMistake::Label { part, text })
    };
    if key.is_empty() || !key.chars().all(|c| plain(c) || c == '/') {
        return refuse("key", key);
    }
    if matches!(key, "allow" | "count" | "replication") {
        let key = key.to_owned();
        return Err(MapMistake::OptionAsLabel { key });
    }
    if !value.chars().all(plain) {
        return refuse("value", value);
    }
    match labels.insert(key.to_owned(), value.to_owned()) {
        None => Ok(()),
        Some(_) => Err(MapMistake::Twice { what: format!("label {key}") }),
    }
}

/// Reads a number from 1 to `most`.
pub(super) fn number(
    cursor: &mut Cursor<'_>,
    what: &'static str,
    most: u32,
) -> Result<u32, TextFault> {
    let start = *cursor;
    let digits = cursor.some(|c| c.is_ascii_digit(), "a number")?;
    in_range(digits, what, most).map_err(|mistake| start.fault(mistake))
}

/// The number in `digits`, if it is from 1 to `most`.
pub(super) fn in_range(digits: &str, what: &'static str, most: u32) -> Result<u32, MapMistake> {
    digits
        .parse()
        .ok()
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| MapMistake::Count { what, most, digits: digits.to_owned() })
}
