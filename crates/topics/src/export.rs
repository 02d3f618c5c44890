//! A cluster's topics as definitions, so that applying them changes nothing.

use crate::config::{MIN_INSYNC_REPLICAS, is_throttle};
use mapper::counted;
use mapper::snapshot::{Snapshot, Topic};
use std::fmt::{self, Write as _};

/// Topics as a document of definitions.
#[derive(Debug, Clone, Copy)]
pub struct Exported<'a> {
    topics: &'a [&'a Topic],
}

/// The topics to export: those that `wanted` accepts, without Kafka's own.
pub fn export(snapshot: &Snapshot, wanted: impl Fn(&str) -> bool) -> Vec<&Topic> {
    let topics = snapshot.topics().iter().filter(|topic| !topic.is_internal());
    topics.filter(|topic| !topic.partitions.is_empty() && wanted(&topic.name)).collect()
}

impl<'a> Exported<'a> {
    /// A document with these topics.
    pub fn of(topics: &'a [&'a Topic]) -> Self {
        Self { topics }
    }
}

impl fmt::Display for Exported<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("version: 1\ntopics:")?;
        if self.topics.is_empty() {
            return f.write_str(" []\n");
        }
        f.write_char('\n')?;
        self.topics.iter().try_for_each(|topic| write_topic(topic, f))
    }
}

fn write_topic(topic: &Topic, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let replication = topic.partitions.first().map_or(0, |partition| partition.replicas.len());
    writeln!(f, "  - name: {}", quoted(&topic.name))?;
    writeln!(f, "    partitions: {}", topic.partitions.len())?;
    writeln!(f, "    replication: {replication}")?;
    let others = topic.partitions.iter().filter(|p| p.replicas.len() != replication).count();
    if others > 0 {
        writeln!(
            f,
            "    # {} with another replication factor: a plan evens them",
            counted(others, "partition")
        )?;
    }
    let min_isr: Option<usize> =
        topic.config.get(MIN_INSYNC_REPLICAS).and_then(|text| text.trim().parse().ok());
    let above = min_isr.is_some_and(|min| min > replication);
    let left_out = |key: &str| is_throttle(key) || (above && key == MIN_INSYNC_REPLICAS);
    if let Some(min) = min_isr.filter(|_| above) {
        writeln!(
            f,
            "    # left out: {MIN_INSYNC_REPLICAS} is {min}, above the replication factor"
        )?;
    }
    let mut config = topic.config.iter().filter(|(key, _)| !left_out(key)).peekable();
    if config.peek().is_some() {
        writeln!(f, "    config:")?;
    }
    for (key, value) in config {
        writeln!(f, "      {}: {}", quoted(key), quoted(value))?;
    }
    if replication > 1 && min_isr == Some(replication) {
        writeln!(f, "    allow: [min-isr]")?;
    }
    Ok(())
}

/// Text in YAML. JSON's form of a string is also valid in YAML. Text that cannot be mistaken for another type stays
/// unquoted.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(plain)
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
        );
    if word { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
