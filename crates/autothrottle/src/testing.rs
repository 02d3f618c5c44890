//! Small clusters for unit tests.

use execute::Seen;
use mapper::snapshot::{Leader, Partition, PartitionFacts, Topic};
use mapper::{BrokerId, PartitionId, Replicas};

pub(crate) fn ids(ids: &[u32]) -> Replicas {
    ids.iter().copied().map(BrokerId).collect()
}

pub(crate) fn partition(id: u32, replicas: &[u32], isr: &[u32], leader: u32) -> Partition {
    let mut partition = Partition::new(PartitionId(id), ids(replicas));
    partition.facts = Some(Box::new(PartitionFacts {
        isr: Some(ids(isr)),
        leader: Leader::Broker(BrokerId(leader)),
        ..PartitionFacts::default()
    }));
    partition
}

/// Brokers 1 to 5 live, and one topic.
pub(crate) fn seen_of(topic: &str, partitions: Vec<Partition>) -> Seen {
    let name = topic.to_owned();
    let topic = Topic { name: name.clone(), partitions, ..Topic::default() };
    Seen {
        live: (1..=5).map(BrokerId).collect(),
        topics: [(name, topic)].into(),
        ..Seen::default()
    }
}
