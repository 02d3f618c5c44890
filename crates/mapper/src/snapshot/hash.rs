//! The hash that identifies a snapshot.

use super::{Broker, KubernetesFacts, Partition, PartitionFacts, Snapshot, Topic};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::{self, Write};

/// SHA-256 of a snapshot's canonical form, written `sha256:` and 64 hex digits.
///
/// The form is a stream of length-prefixed fields in order of id and name. It omits facts that change every minute
/// without effect on a plan's validity: `captured_at`, `source`, `isr`, `leader`, free bytes, traffic rates, and what is known
/// of CPU.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotHash(String);

impl fmt::Display for SnapshotHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Snapshot {
    /// The hash by which a plan names the snapshot that it was made from.
    pub fn hash(&self) -> SnapshotHash {
        let mut form =
            HashedFields { buffer: Vec::with_capacity(FLUSH_AT * 2), digest: Sha256::new() };
        form.text("mappr snapshot 1");
        form.optional(self.cluster_id(), HashedFields::text);
        form.number(self.brokers().len() as u64);
        for broker in self.brokers() {
            form.broker(broker);
        }
        form.number(self.topics().len() as u64);
        for topic in self.topics() {
            form.topic(topic);
        }
        // At the end, so that a cluster without facts from Kubernetes keeps the same hash.
        let placed = self.brokers().iter().filter_map(|b| Some((b.id, b.kubernetes.as_deref()?)));
        for (id, facts) in placed {
            form.number(id.0.into());
            form.kubernetes(facts);
        }
        // At the end, so that a cluster without cordons keeps the same hash.
        for broker in self.brokers().iter().filter(|b| !b.cordoned_log_dirs.is_empty()) {
            form.text("cordoned");
            form.number(broker.id.0.into());
            form.number(broker.cordoned_log_dirs.len() as u64);
            broker.cordoned_log_dirs.iter().for_each(|path| form.text(path));
        }
        // At the end, so that a cluster without Strimzi keeps the same hash.
        let pooled = self
            .brokers()
            .iter()
            .filter_map(|b| Some((b.id, b.kubernetes.as_deref()?.node_pool.as_deref()?)));
        for (id, pool) in pooled {
            form.text("node pool");
            form.number(id.0.into());
            form.text(pool);
        }
        SnapshotHash(form.finish())
    }
}

/// Collects fields and hashes them in blocks: a call for each field would cost more than the hashing.
struct HashedFields {
    buffer: Vec<u8>,
    digest: Sha256,
}

const FLUSH_AT: usize = 1 << 16;

impl HashedFields {
    fn number(&mut self, value: u64) {
        self.buffer.extend_from_slice(&value.to_le_bytes());
    }

    fn text(&mut self, value: &str) {
        self.number(value.len() as u64);
        self.buffer.extend_from_slice(value.as_bytes());
    }

    fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.buffer.push(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn broker(&mut self, broker: &Broker) {
        self.number(broker.id.0.into());
        self.buffer.push(u8::from(broker.live));
        self.optional(broker.rack.as_deref(), Self::text);
        self.optional(broker.host.as_deref(), Self::text);
        self.optional(broker.port.map(u64::from), Self::number);
        self.optional(broker.storage_total.map(|bytes| bytes.0), Self::number);
        self.number(broker.log_dirs.len() as u64);
        for dir in &broker.log_dirs {
            self.text(&dir.path);
            self.optional(dir.total.map(|bytes| bytes.0), Self::number);
        }
        self.optional(broker.instance_type.as_deref(), Self::text);
        self.optional(broker.network_bytes_per_second, Self::number);
    }

    fn kubernetes(&mut self, facts: &KubernetesFacts) {
        self.text(&facts.pod);
        self.optional(facts.stateful_set.as_deref(), Self::text);
        self.optional(facts.node.as_deref(), Self::text);
        self.number(facts.node_labels.len() as u64);
        for (key, value) in &facts.node_labels {
            self.text(key);
            self.text(value);
        }
    }

    fn topic(&mut self, topic: &Topic) {
        self.text(&topic.name);
        self.optional(topic.internal.map(u64::from), Self::number);
        self.number(topic.config.len() as u64);
        for (key, value) in &topic.config {
            self.text(key);
            self.text(value);
        }
        self.optional(topic.min_insync_replicas.map(u64::from), Self::number);
        self.number(topic.partitions.len() as u64);
        for partition in &topic.partitions {
            self.partition(topic, partition);
            if self.buffer.len() >= FLUSH_AT {
                self.digest.update(&self.buffer);
                self.buffer.clear();
            }
        }
    }

    fn partition(&mut self, topic: &Topic, partition: &Partition) {
        self.number(partition.id.0.into());
        self.brokers(&partition.replicas);
        self.optional(partition.size.map(|bytes| bytes.0), Self::number);
        // Leader and ISR are not hashed, so a partition with only these has the hash of one without facts.
        let none = PartitionFacts::default();
        let facts = partition.facts.as_deref().unwrap_or(&none);
        for list in [&facts.rare.offline, &facts.rare.elr, &facts.rare.adding, &facts.rare.removing]
        {
            self.brokers(list);
        }
        self.number(facts.replica_sizes.len() as u64);
        for size in &facts.replica_sizes {
            self.optional(size.map(|bytes| bytes.0), Self::number);
        }
        self.number(facts.log_dirs.len() as u64);
        for dir in &facts.log_dirs {
            let path = dir.and_then(|index| topic.log_dir_paths.get(usize::from(index.0)));
            self.optional(path.map(String::as_str), Self::text);
        }
        // Only where present, so that a cluster without tiered topics keeps the same hash.
        if let Some(copied) = facts.rare.copied {
            self.text("copied");
            self.number(copied.0);
        }
    }

    fn brokers(&mut self, list: &[crate::ids::BrokerId]) {
        self.buffer.push(u8::try_from(list.len()).unwrap_or(u8::MAX));
        for id in list {
            self.buffer.extend_from_slice(&id.0.to_le_bytes());
        }
    }

    fn finish(mut self) -> String {
        self.digest.update(&self.buffer);
        let mut text = String::from("sha256:");
        for byte in self.digest.finalize() {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}
