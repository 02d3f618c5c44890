//! The JSON form of a snapshot, version 1.
//!
//! Topics become their dense form one at a time, so that a million partitions are never in memory in their wide form.

use super::partition::PartitionIn;
use super::{
    Broker, KubernetesFacts, Leader, LogDir, Partition, Parts, SnapshotError, TooManyLogDirs,
    Topic, halves,
};
use crate::bytes::Bytes;
use crate::ids::{BrokerId, PartitionId, Replicas};
use serde::{Deserialize, Deserializer, Serialize};
use smallvec::SmallVec;
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
    brokers: Vec<BrokerWire>,
    topics: Vec<Topic>,
}

#[derive(Serialize, Deserialize)]
struct BrokerWire {
    id: BrokerId,
    #[serde(default = "yes")]
    live: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rack: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_total_bytes: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_free_bytes: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    log_dirs: Vec<LogDirWire>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cordoned_log_dirs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_bytes_per_second: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes: Option<Box<KubernetesFacts>>,
}

fn yes() -> bool {
    true
}

#[derive(Serialize, Deserialize)]
struct LogDirWire {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_bytes: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_bytes: Option<Bytes>,
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

#[derive(Serialize)]
struct TopicOut<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    internal: Option<bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    config: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_insync_replicas: Option<u32>,
    partitions: Vec<PartitionWire<'a>>,
}

#[derive(Serialize)]
struct PartitionWire<'a> {
    id: PartitionId,
    replicas: Replicas,
    #[serde(skip_serializing_if = "Option::is_none")]
    isr: Option<Replicas>,
    /// Kafka writes -1 for "no leader", and so do snapshots.
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<i64>,
    #[serde(skip_serializing_if = "Replicas::is_empty")]
    offline: Replicas,
    #[serde(skip_serializing_if = "Replicas::is_empty")]
    elr: Replicas,
    #[serde(skip_serializing_if = "Replicas::is_empty")]
    last_known_elr: Replicas,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<Bytes>,
    #[serde(skip_serializing_if = "SmallVec::is_empty")]
    replica_size_bytes: SmallVec<[Option<Bytes>; 4]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    copied_bytes: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_bytes: Option<Bytes>,
    #[serde(skip_serializing_if = "SmallVec::is_empty")]
    log_dirs: SmallVec<[Option<&'a str>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_in_per_second: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_out_per_second: Option<u64>,
    #[serde(skip_serializing_if = "Replicas::is_empty")]
    adding: Replicas,
    #[serde(skip_serializing_if = "Replicas::is_empty")]
    removing: Replicas,
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
        brokers: read.brokers.into_iter().map(Broker::from).collect(),
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
    out.write_all(b",\"brokers\":[")?;
    for (index, broker) in parts.brokers.iter().enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, &BrokerWire::from(broker.clone()))?;
    }
    out.write_all(b"],\"topics\":[")?;
    for (index, topic) in parts.topics.iter().enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, &TopicOut::from(topic))?;
    }
    out.write_all(b"]}\n")
}

impl From<BrokerWire> for Broker {
    fn from(wire: BrokerWire) -> Self {
        Self {
            id: wire.id,
            live: wire.live,
            rack: wire.rack,
            host: wire.host,
            port: wire.port,
            storage_total: wire.storage_total_bytes,
            storage_free: wire.storage_free_bytes,
            log_dirs: wire.log_dirs.into_iter().map(LogDir::from).collect(),
            cordoned_log_dirs: wire.cordoned_log_dirs,
            instance_type: wire.instance_type,
            network_bytes_per_second: wire.network_bytes_per_second,
            kubernetes: wire.kubernetes,
        }
    }
}

impl From<Broker> for BrokerWire {
    fn from(broker: Broker) -> Self {
        Self {
            id: broker.id,
            live: broker.live,
            rack: broker.rack,
            host: broker.host,
            port: broker.port,
            storage_total_bytes: broker.storage_total,
            storage_free_bytes: broker.storage_free,
            log_dirs: broker.log_dirs.into_iter().map(LogDirWire::from).collect(),
            cordoned_log_dirs: broker.cordoned_log_dirs,
            instance_type: broker.instance_type,
            network_bytes_per_second: broker.network_bytes_per_second,
            kubernetes: broker.kubernetes,
        }
    }
}

impl From<LogDirWire> for LogDir {
    fn from(wire: LogDirWire) -> Self {
        Self { path: wire.path, total: wire.total_bytes, free: wire.free_bytes }
    }
}

impl From<LogDir> for LogDirWire {
    fn from(dir: LogDir) -> Self {
        Self { path: dir.path, total_bytes: dir.total, free_bytes: dir.free }
    }
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

impl<'a> From<&'a Topic> for TopicOut<'a> {
    fn from(topic: &'a Topic) -> Self {
        Self {
            name: &topic.name,
            internal: topic.internal,
            config: &topic.config,
            min_insync_replicas: topic.min_insync_replicas,
            partitions: topic.partitions.iter().map(|p| PartitionWire::of(topic, p)).collect(),
        }
    }
}

impl<'a> PartitionWire<'a> {
    fn of(topic: &'a Topic, partition: &Partition) -> Self {
        let facts = partition.facts.as_deref().cloned().unwrap_or_default();
        Self {
            id: partition.id,
            replicas: partition.replicas.clone(),
            isr: facts.isr,
            leader: match facts.leader {
                Leader::Unknown => None,
                Leader::None => Some(-1),
                Leader::Broker(id) => Some(i64::from(id.0)),
            },
            offline: facts.offline,
            elr: facts.elr,
            last_known_elr: facts.last_known_elr,
            size_bytes: partition.size,
            replica_size_bytes: facts.replica_sizes,
            copied_bytes: facts.copied,
            remote_bytes: facts.remote,
            log_dirs: facts
                .log_dirs
                .iter()
                .map(|index| {
                    let path = topic.log_dir_paths.get(usize::from((*index)?.0))?;
                    Some(path.as_str())
                })
                .collect(),
            bytes_in_per_second: facts.bytes_in,
            bytes_out_per_second: facts.bytes_out,
            adding: facts.adding,
            removing: facts.removing,
        }
    }
}
