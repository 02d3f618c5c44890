//! The partition that no plan can place well: it alone is more than a broker should hold.

use crate::assign::assign;
use crate::bytes::Bytes;
use crate::ids::TopicPartition;
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use serde::Serialize;

/// A partition that is larger than the share of storage of any broker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OversizedPartition {
    /// The partition.
    #[serde(flatten)]
    pub of: TopicPartition,
    /// Its size.
    pub size_bytes: Bytes,
    /// The largest share of a broker.
    pub share_bytes: Bytes,
    /// The partitions of its topic.
    pub partitions: u64,
    /// The number of partitions with which a part of this one fits the share: a multiple, so keys divide evenly.
    pub helpful_partitions: u64,
}

impl Plan {
    /// The largest partition in scope, if it alone is larger than the share of storage of any broker.
    pub fn oversized(&self, before: &Snapshot) -> Option<OversizedPartition> {
        self.request.balance()?;
        let share = self.largest_share()?;
        let taken = assign(before, &self.request.terms().assignments).ok()?;
        let topics = before.topics().iter().zip(taken).filter(|(_, taken)| taken.is_some());
        let sized = topics.flat_map(|(topic, _)| {
            topic.partitions.iter().filter_map(move |one| Some((one.size?, topic, one.id)))
        });
        let (size, topic, partition) =
            sized.max_by(|one, other| one.0.cmp(&other.0).then(other.2.cmp(&one.2)))?;
        let partitions = topic.partitions.len() as u64;
        (size > share).then(|| OversizedPartition {
            of: TopicPartition { topic: topic.name.clone(), partition },
            size_bytes: size,
            share_bytes: share,
            partitions,
            helpful_partitions: partitions * size.0.div_ceil(share.0.max(1)),
        })
    }

    /// What the largest broker holds if all use the same share of their storage.
    fn largest_share(&self) -> Option<Bytes> {
        let brokers = self.takers();
        let facts = brokers.iter().map(|broker| broker.used_bytes.zip(broker.capacity_bytes));
        let facts: Vec<(Bytes, Bytes)> = facts.collect::<Option<_>>()?;
        let used: u128 = facts.iter().map(|(used, _)| u128::from(used.0)).sum();
        let capacity: u128 = facts.iter().map(|(_, capacity)| u128::from(capacity.0)).sum();
        let largest = facts.iter().map(|(_, capacity)| u128::from(capacity.0)).max()?;
        u64::try_from(used * largest / capacity.max(1)).ok().map(Bytes)
    }
}
