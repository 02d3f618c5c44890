//! Facts that few partitions have at one time: a cluster of a million partitions does not keep room for each of them.

use crate::bytes::Bytes;
use crate::ids::{BrokerId, Replicas, TopicPartition};
use crate::snapshot::Snapshot;
use std::collections::BTreeMap;
use std::ops::Deref;

/// The facts about a failure, a tier or a running reassignment. Most partitions have none of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RareFacts {
    /// Replicas in failed log dirs, or on lost brokers, as Kafka reports them.
    pub offline: Replicas,
    /// Eligible leader replicas (KIP-966); empty if the cluster has none.
    pub elr: Replicas,
    /// The last leader of a partition without a leader (KIP-966's `LastKnownElr`); empty if the cluster does not report it.
    pub last_known_elr: Replicas,
    /// The bytes that a new replica copies, if it copies less than the leader's log: it starts at the last tiered offset
    /// (KIP-1023).
    pub copied: Option<Bytes>,
    /// The bytes that are only in remote storage (KIP-405), where known.
    pub remote: Option<Bytes>,
    /// Replicas that a running reassignment adds. They are in the replica list.
    pub adding: Replicas,
    /// Replicas that a running reassignment removes. They are not in the replica list.
    pub removing: Replicas,
}

static NONE: RareFacts = RareFacts {
    offline: Replicas::new_const(),
    elr: Replicas::new_const(),
    last_known_elr: Replicas::new_const(),
    copied: None,
    remote: None,
    adding: Replicas::new_const(),
    removing: Replicas::new_const(),
};

/// The [`RareFacts`] of one partition. Takes memory only where there are any.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rare(Option<Box<RareFacts>>);

impl Rare {
    /// Changes them.
    pub fn edit(&mut self, change: impl FnOnce(&mut RareFacts)) {
        let mut facts = self.0.take().map(|facts| *facts).unwrap_or_default();
        change(&mut facts);
        *self = facts.into();
    }
}

impl Deref for Rare {
    type Target = RareFacts;

    fn deref(&self) -> &RareFacts {
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl From<RareFacts> for Rare {
    fn from(facts: RareFacts) -> Self {
        Self((facts != NONE).then(|| Box::new(facts)))
    }
}

impl Snapshot {
    /// Live brokers with replicas in failed log dirs, and how many of these each has.
    pub fn failed_replicas(&self) -> BTreeMap<BrokerId, usize> {
        let mut failed = BTreeMap::new();
        let partitions = self.topics().iter().flat_map(|topic| &topic.partitions);
        for id in partitions.flat_map(|partition| partition.offline()) {
            if self.is_live(*id) {
                *failed.entry(*id).or_default() += 1;
            }
        }
        failed
    }

    /// The partitions that running reassignments change.
    pub fn moving(&self) -> Vec<TopicPartition> {
        let of_topics = self.topics().iter().flat_map(|topic| {
            let moving = topic.partitions.iter().filter(|partition| partition.is_moving());
            moving.map(|p| TopicPartition { topic: topic.name.clone(), partition: p.id })
        });
        of_topics.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::PartitionFacts;

    #[test]
    fn what_a_partition_does_not_have_takes_no_room() {
        let mut rare = Rare::default();
        rare.edit(|rare| rare.offline.retain(|_| false));
        assert!(rare.0.is_none() && rare.offline.is_empty());
        rare.edit(|rare| rare.offline.push(BrokerId(1)));
        rare.edit(|rare| rare.remote = Some(Bytes(7)));
        assert_eq!((rare.offline.to_vec(), rare.remote), (vec![BrokerId(1)], Some(Bytes(7))));
        rare.edit(|rare| *rare = RareFacts::default());
        assert_eq!(rare, Rare::default());
        assert!(size_of::<PartitionFacts>() <= 192, "{}", size_of::<PartitionFacts>());
    }
}
