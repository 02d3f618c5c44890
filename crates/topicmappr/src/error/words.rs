//! Parts of the sentences of errors.

use local::words::ranges;
use mapper::{BrokerId, Bytes, joined};
use std::collections::BTreeMap;

pub(super) fn back(brokers: &BTreeMap<BrokerId, Bytes>) -> String {
    joined(brokers.iter().map(|(id, bytes)| format!("{id} (planning again saves {bytes})")))
}

pub(super) fn onto(brokers: &BTreeMap<BrokerId, usize>) -> String {
    joined(brokers.iter().map(|(id, moves)| format!("{id} (of {moves} moves)")))
}

pub(super) fn named(unknown: &[BrokerId]) -> String {
    let noun = if unknown.len() == 1 { "broker" } else { "brokers" };
    format!("{noun} {}", ranges(unknown))
}
