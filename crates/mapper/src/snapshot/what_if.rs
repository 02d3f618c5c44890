//! Hypothetical clusters: brokers lost, gone or added, data grown (`snapshot edit`).

use super::{Broker, Leader, Partition, Parts, Snapshot};
use crate::bytes::{Bytes, Ratio};
use crate::ids::BrokerId;
use std::collections::BTreeSet;

impl Snapshot {
    /// A cluster without brokers and topics, to which brokers can be added.
    pub fn empty() -> Self {
        Self { parts: Parts::default() }
    }

    /// The cluster after these brokers died. Their racks stay known, and surviving brokers lead their partitions.
    ///
    /// Ids that are not listed are ignored.
    #[must_use]
    pub fn without_live(&self, lost: &BTreeSet<BrokerId>) -> Self {
        let mut parts = self.parts.clone();
        for broker in parts.brokers.iter_mut().filter(|broker| lost.contains(&broker.id)) {
            broker.live = false;
            (broker.storage_total, broker.storage_free) = (None, None);
            broker.forget_log_dirs();
        }
        let live: BTreeSet<BrokerId> =
            parts.brokers.iter().filter(|broker| broker.live).map(|broker| broker.id).collect();
        for partition in parts.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            fail_over(partition, &live);
        }
        Self { parts }
    }

    /// The cluster after these brokers died and were unregistered. Only replica lists still name them.
    #[must_use]
    pub fn without_registered(&self, gone: &BTreeSet<BrokerId>) -> Self {
        let Self { mut parts } = self.without_live(gone);
        parts.brokers.retain(|broker| !gone.contains(&broker.id));
        Self { parts }
    }

    /// The brokers of a rack.
    pub fn rack(&self, name: &str) -> BTreeSet<BrokerId> {
        let of_rack = self.brokers().iter().filter(|broker| broker.rack.as_deref() == Some(name));
        of_rack.map(|broker| broker.id).collect()
    }

    /// The cluster with more brokers. A broker replaces one of the same id.
    #[must_use]
    pub fn with_brokers(&self, added: Vec<Broker>) -> Self {
        let mut parts = self.parts.clone();
        parts.brokers.retain(|broker| added.iter().all(|new| new.id != broker.id));
        parts.brokers.extend(added);
        parts.brokers.sort_by_key(|broker| broker.id);
        Self { parts }
    }

    /// The cluster with all data grown by a factor. A broker whose data no longer fits has no free space.
    #[must_use]
    pub fn grown(&self, factor: Ratio) -> Self {
        let mut parts = self.parts.clone();
        for broker in &mut parts.brokers {
            if let (Some(total), Some(free)) = (broker.storage_total, &mut broker.storage_free) {
                let used = factor.of(Bytes(total.0 - free.0));
                *free = Bytes(total.0.saturating_sub(used.0));
            }
            // It is unknown which log dirs grow.
            broker.forget_log_dirs();
        }
        for partition in parts.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.size = partition.size.map(|size| factor.of(size));
            if let Some(facts) = &mut partition.facts {
                for size in facts.replica_sizes.iter_mut().flatten() {
                    *size = factor.of(*size);
                }
                facts.rare.edit(|rare| {
                    for size in [&mut rare.copied, &mut rare.remote].into_iter().flatten() {
                        *size = factor.of(*size);
                    }
                });
            }
        }
        Self { parts }
    }
}

/// Makes the first live in-sync replica the leader. If there is none, the partition has no leader and keeps its last ISR.
fn fail_over(partition: &mut Partition, live: &BTreeSet<BrokerId>) {
    let replicas = partition.replicas.clone();
    let Some(facts) = &mut partition.facts else { return };
    let offline = facts.rare.offline.clone();
    let up = |id: &BrokerId| live.contains(id) && !offline.contains(id);
    if let Leader::Broker(leader) = facts.leader
        && !up(&leader)
    {
        let in_sync = facts.isr.clone().unwrap_or(replicas);
        let next = in_sync.iter().copied().find(up);
        facts.leader = next.map_or(Leader::None, Leader::Broker);
    }
    if let (Some(isr), true) = (&mut facts.isr, facts.leader != Leader::None) {
        isr.retain(|id| up(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PartitionId;
    use crate::snapshot::{PartitionFacts, Topic};

    fn cluster() -> Snapshot {
        let broker = |id, rack: &str| Broker {
            rack: Some(rack.to_owned()),
            storage_total: Some(Bytes(100)),
            storage_free: Some(Bytes(60)),
            ..Broker::new(BrokerId(id))
        };
        let mut partition = Partition::new(PartitionId(0), [1, 2].map(BrokerId));
        partition.size = Some(Bytes(40));
        partition.facts = Some(Box::new(PartitionFacts {
            leader: Leader::Broker(BrokerId(1)),
            isr: Some([1, 2].map(BrokerId).into_iter().collect()),
            ..PartitionFacts::default()
        }));
        let topic = Topic { name: "t".to_owned(), partitions: vec![partition], ..Topic::default() };
        let brokers = vec![broker(1, "a"), broker(2, "b")];
        Snapshot::new(Parts { brokers, topics: vec![topic], ..Parts::default() }).unwrap()
    }

    #[test]
    fn leadership_goes_to_a_survivor_in_sync() {
        let after = cluster().without_live(&cluster().rack("a"));
        let partition = after.partition("t", PartitionId(0)).unwrap();
        assert_eq!(partition.leader(), Leader::Broker(BrokerId(2)));
        assert_eq!(after.broker(BrokerId(1)).unwrap().rack.as_deref(), Some("a"));
        assert!(!after.is_live(BrokerId(1)));
    }

    #[test]
    fn nobody_leads_without_a_survivor_and_the_last_in_sync_are_known() {
        let after = cluster().without_registered(&[1, 2].map(BrokerId).into());
        let partition = after.partition("t", PartitionId(0)).unwrap();
        assert_eq!(partition.leader(), Leader::None);
        assert_eq!(partition.facts.as_ref().unwrap().isr.as_ref().unwrap().len(), 2);
        assert!(after.brokers().is_empty());
    }

    #[test]
    fn growth_uses_up_what_is_free() {
        let after = cluster().grown(Ratio::from_percent(200));
        assert_eq!(after.broker(BrokerId(1)).unwrap().storage_free, Some(Bytes(20)));
        assert_eq!(after.partition("t", PartitionId(0)).unwrap().size, Some(Bytes(80)));
        let full = cluster().grown(Ratio::from_percent(300)).broker(BrokerId(1)).unwrap().clone();
        assert_eq!(full.storage_free, Some(Bytes(0)));
    }
}
