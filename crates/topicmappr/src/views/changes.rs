//! What will change, by map and topic.

use super::heading;
use super::report::LONG;
use super::table::Table;
use local::words::counted;
use mapper::{Bytes, Move, Plan, Reason, Snapshot, joined};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What changes about one topic.
#[derive(Debug, Serialize)]
pub(super) struct TopicChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    map: Option<String>,
    topic: String,
    partitions: usize,
    replicas: usize,
    #[serde(rename = "moved_bytes", skip_serializing_if = "Option::is_none")]
    bytes: Option<Bytes>,
    /// How many partitions change for which reason.
    reasons: BTreeMap<&'static str, usize>,
}

/// Adds the moves of each topic up; they stand together in a plan. The map only where the snapshot is at hand.
pub(super) fn by_topic(plan: &Plan, snapshot: Option<&Snapshot>) -> Vec<TopicChange> {
    let maps = snapshot.map(|snapshot| maps(plan, snapshot)).unwrap_or_default();
    let mut changes: Vec<TopicChange> = plan
        .moves
        .chunk_by(|a, b| Arc::ptr_eq(&a.topic, &b.topic) || a.topic == b.topic)
        .map(|moves| TopicChange::of(moves, &maps))
        .collect();
    changes.sort_by(|a, b| a.map.cmp(&b.map).then_with(|| a.topic.cmp(&b.topic)));
    changes
}

/// The map that takes each topic.
fn maps(plan: &Plan, snapshot: &Snapshot) -> BTreeMap<String, String> {
    let assignments = &plan.request.terms().assignments;
    let taken = mapper::assign(snapshot, assignments).unwrap_or_default();
    let topics = snapshot.topics().iter().zip(taken);
    topics
        .filter_map(|(topic, index)| {
            let map = assignments.get(index?)?.map.clone()?;
            Some((topic.name.clone(), map))
        })
        .collect()
}

impl TopicChange {
    fn of(moves: &[Move], maps: &BTreeMap<String, String>) -> Self {
        let topic = moves.first().map(|m| m.topic.to_string()).unwrap_or_default();
        let mut reasons: BTreeMap<Reason, usize> = BTreeMap::new();
        for alike in moves.chunk_by(|a, b| a.reason == b.reason) {
            *reasons.entry(alike[0].reason).or_insert(0) += alike.len();
        }
        Self {
            map: maps.get(&topic).cloned(),
            topic,
            partitions: moves.len(),
            replicas: moves.iter().map(|m| m.added().count()).sum(),
            bytes: moves.iter().map(|m| m.bytes).sum(),
            reasons: reasons.into_iter().map(|(r, n)| (r.as_str(), n)).collect(),
        }
    }

    pub(super) fn cells(&self) -> [String; 6] {
        let bytes = self.bytes;
        [
            self.map.clone().unwrap_or_else(|| "-".to_owned()),
            self.topic.clone(),
            self.partitions.to_string(),
            self.replicas.to_string(),
            bytes.map_or_else(|| "unknown".to_owned(), |bytes| bytes.to_string()),
            joined(self.reasons.iter().map(|(why, count)| format!("{why} {count}"))),
        ]
    }
}

/// The topics, one a line; the largest transfers where there are many.
pub(super) fn write(changes: &[TopicChange], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if changes.is_empty() {
        return Ok(());
    }
    let partitions: usize = changes.iter().map(|change| change.partitions).sum();
    heading(
        f,
        &format!(
            "Changes: {} of {}",
            counted(partitions, "partition"),
            counted(changes.len(), "topic")
        ),
    )?;
    let mut shown: Vec<&TopicChange> = changes.iter().collect();
    if shown.len() > LONG {
        shown.sort_by_key(|change| std::cmp::Reverse(change.bytes));
        shown.truncate(LONG);
    }
    // Without maps, a column for them says nothing.
    let skipped = usize::from(changes.iter().all(|change| change.map.is_none()));
    let columns = ["map", "topic", ">partitions", ">replicas", ">bytes", "why"];
    let mut table = Table::new(&columns[skipped..]);
    for change in shown {
        table.row(change.cells().into_iter().skip(skipped));
    }
    f.write_str(&table.render())?;
    if changes.len() > LONG {
        let more = counted(changes.len() - LONG, "smaller topic");
        writeln!(f, "  and {more}; topicmappr plan show PLAN --moves lists every partition")?;
    }
    Ok(())
}
