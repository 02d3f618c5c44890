//! The JSON form of a snapshot, version 1.
//!
//! Topics become their dense form one at a time, so that a million partitions are never in memory in their wide form.

use super::partition::PartitionIn;
use super::{
    Broker, Leader, LogDirIndex, Partition, PartitionFacts, Parts, SnapshotError, TooManyLogDirs,
    Topic, halves,
};
use crate::cpu_model::CpuModel;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::io::{self, Write};

const VERSION: u64 = 1;

/// Read first, so that a file of another version is refused because of its version, not its shape.
#[derive(Deserialize)]
struct FormatVersion {
    version: u64,
}

#[derive(Deserialize)]
struct SnapshotIn {
    version: u64,
    cluster_id: Option<String>,
    captured_at: Option<String>,
    source: Option<String>,
    cpu_model: Option<CpuModel>,
    brokers: Vec<Broker>,
    topics: Vec<Topic>,
}

#[derive(Deserialize)]
struct TopicIn {
    name: String,
    internal: Option<bool>,
    #[serde(default)]
    config: BTreeMap<String, String>,
    min_insync_replicas: Option<u32>,
    partitions: Vec<PartitionIn>,
}

/// Reads a whole file's text.
pub(super) fn read(text: &[u8]) -> Result<Parts, SnapshotError> {
    let read: SnapshotIn = match in_halves(text).map_or_else(|| serde_json::from_slice(text), Ok) {
        Ok(read) => read,
        Err(error) => {
            // A later version may have another shape, and then its number explains the error better.
            return match serde_json::from_slice::<FormatVersion>(text) {
                Ok(FormatVersion { version }) if version != VERSION => {
                    Err(SnapshotError::Version { found: version })
                }
                Ok(_) | Err(_) => Err(SnapshotError::Syntax(error)),
            };
        }
    };
    if read.version != VERSION {
        return Err(SnapshotError::Version { found: read.version });
    }
    Ok(Parts {
        cluster_id: read.cluster_id,
        captured_at: read.captured_at,
        source: read.source,
        cpu_model: read.cpu_model,
        brokers: read.brokers,
        topics: read.topics,
    })
}

fn in_halves(text: &[u8]) -> Option<SnapshotIn> {
    let (head, topics) = halves::read(text)?;
    Some(SnapshotIn { topics, ..head })
}

/// Writes one topic per line, so that line tools can read large files.
pub(super) fn write(parts: &Parts, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{{\"version\":{VERSION}")?;
    for (key, value) in [
        ("cluster_id", &parts.cluster_id),
        ("captured_at", &parts.captured_at),
        ("source", &parts.source),
    ] {
        if let Some(value) = value {
            write!(out, ",\"{key}\":")?;
            serde_json::to_writer(&mut *out, value)?;
        }
    }
    if let Some(model) = &parts.cpu_model {
        out.write_all(b",\"cpu_model\":")?;
        serde_json::to_writer(&mut *out, model)?;
    }
    out.write_all(b",\"brokers\":[")?;
    for (index, broker) in parts.brokers.iter().enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, broker)?;
    }
    out.write_all(b"],\"topics\":[")?;
    for (index, topic) in parts.topics.iter().enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, topic)?;
    }
    out.write_all(b"]}\n")
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = TopicIn::deserialize(deserializer)?;
        let mut topic = Self {
            name: wire.name,
            internal: wire.internal,
            config: wire.config,
            min_insync_replicas: wire.min_insync_replicas,
            log_dir_paths: Vec::new(),
            partitions: Vec::with_capacity(wire.partitions.len()),
        };
        for partition in wire.partitions {
            topic.add(partition).map_err(serde::de::Error::custom)?;
        }
        Ok(topic)
    }
}

impl Topic {
    /// Adds a partition and numbers its log dirs.
    #[inline]
    pub(super) fn add(&mut self, read: PartitionIn) -> Result<(), TooManyLogDirs> {
        let PartitionIn { mut partition, log_dirs } = read;
        if let Some(facts) = &mut partition.facts {
            for path in &log_dirs {
                facts.log_dirs.push(path.as_deref().map(|path| self.log_dir(path)).transpose()?);
            }
        }
        self.partitions.push(partition);
        Ok(())
    }
}

impl Serialize for Topic {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut out = to.serialize_map(None)?;
        out.serialize_entry("name", &self.name)?;
        known(&mut out, "internal", &self.internal)?;
        known(&mut out, "config", &self.config)?;
        known(&mut out, "min_insync_replicas", &self.min_insync_replicas)?;
        let partitions = self.partitions.iter().map(|partition| PartitionOut(self, partition));
        out.serialize_entry("partitions", &partitions.collect::<Vec<_>>())?;
        out.end()
    }
}

/// A partition of a topic.
struct PartitionOut<'a>(&'a Topic, &'a Partition);

impl Serialize for PartitionOut<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (nothing, Self(topic, partition)) = (PartitionFacts::default(), self);
        let facts = partition.facts.as_deref().unwrap_or(&nothing);
        let path = |index: &Option<LogDirIndex>| topic.log_dir_paths.get(usize::from((*index)?.0));
        let mut out = to.serialize_map(None)?;
        out.serialize_entry("id", &partition.id)?;
        out.serialize_entry("replicas", &partition.replicas)?;
        known(&mut out, "isr", &facts.isr)?;
        match facts.leader {
            Leader::Unknown => {}
            // Kafka writes -1 for "no leader", and so do snapshots.
            Leader::None => out.serialize_entry("leader", &-1)?,
            Leader::Broker(id) => out.serialize_entry("leader", &id)?,
        }
        known(&mut out, "offline", &facts.rare.offline)?;
        known(&mut out, "elr", &facts.rare.elr)?;
        known(&mut out, "last_known_elr", &facts.rare.last_known_elr)?;
        known(&mut out, "size_bytes", &partition.size)?;
        known(&mut out, "replica_size_bytes", &facts.replica_sizes)?;
        known(&mut out, "copied_bytes", &facts.rare.copied)?;
        known(&mut out, "remote_bytes", &facts.rare.remote)?;
        known(&mut out, "log_dirs", &facts.log_dirs.iter().map(path).collect::<Vec<_>>())?;
        known(&mut out, "bytes_in_per_second", &facts.bytes_in)?;
        known(&mut out, "records_in_per_second", &facts.records_in)?;
        known(&mut out, "bytes_out_per_second", &facts.bytes_out)?;
        known(&mut out, "adding", &facts.rare.adding)?;
        known(&mut out, "removing", &facts.rare.removing)?;
        out.end()
    }
}

/// Writes a key, unless its value is unknown or empty.
fn known<M: SerializeMap, T: Serialize + Default + PartialEq>(
    out: &mut M,
    key: &str,
    value: &T,
) -> Result<(), M::Error> {
    if *value == T::default() { Ok(()) } else { out.serialize_entry(key, value) }
}
