//! Snapshots made from snapshots.

use super::{Broker, Leader, Partition, PartitionFacts, Parts, Snapshot};
use crate::bytes::Bytes;
use crate::ids::BrokerId;
use crate::plan::{Move, Plan};
use std::collections::{BTreeMap, BTreeSet};

impl Snapshot {
    /// The cluster once a plan has been carried out: what planning again starts from.
    #[must_use]
    pub fn after(&self, plan: &Plan) -> Self {
        let mut parts = self.parts.clone();
        let mut grown: BTreeMap<BrokerId, i128> = BTreeMap::new();
        for change in &plan.moves {
            apply(&mut parts, self, change, &mut grown);
        }
        // All at once: a broker may take more than it has free before it gives more than that.
        for broker in &mut parts.brokers {
            if let (Some(free), Some(grown)) = (&mut broker.storage_free, grown.get(&broker.id)) {
                free.0 = u64::try_from(i128::from(free.0) - grown).unwrap_or(0);
            }
        }
        Self { parts }
    }

    /// The cluster as its replica lists alone tell it (`--use-meta=false`): every broker in them, and those in
    /// `also`, is live, and no rack, host or leader is known.
    #[must_use]
    pub fn without_meta(&self, also: &BTreeSet<BrokerId>) -> Self {
        let mut parts = self.parts.clone();
        let mut ids = also.clone();
        for partition in parts.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            ids.extend(&partition.replicas);
            if let Some(facts) = &mut partition.facts {
                facts.leader = Leader::Unknown;
                facts.isr = None;
                facts.offline.clear();
                facts.elr.clear();
                facts.last_known_elr.clear();
            }
        }
        let storage = |id: BrokerId| {
            let known = self.broker(id);
            Broker {
                storage_total: known.and_then(|b| b.storage_total),
                storage_free: known.and_then(|b| b.storage_free),
                ..Broker::new(id)
            }
        };
        parts.brokers = ids.into_iter().map(storage).collect();
        Self { parts }
    }

    /// The same cluster with other disks (`--broker-storage`); what is used of them is then the sum of the replicas,
    /// for brokers on one test host all report the same disk.
    #[must_use]
    pub fn with_broker_storage(&self, totals: &BTreeMap<BrokerId, Bytes>) -> Self {
        let mut parts = self.parts.clone();
        for broker in &mut parts.brokers {
            if let Some(total) = totals.get(&broker.id) {
                broker.storage_total = Some(*total);
                broker.storage_free = None;
                broker.log_dirs.clear();
            }
        }
        Self { parts }
    }
}

/// Changes one partition, and counts what each broker grows by.
fn apply(
    parts: &mut Parts,
    before: &Snapshot,
    change: &Move,
    grown: &mut BTreeMap<BrokerId, i128>,
) {
    let Ok(topic) = parts.topics.binary_search_by(|t| t.name.as_str().cmp(&change.topic)) else {
        return;
    };
    let partitions = &mut parts.topics[topic].partitions;
    let Ok(index) = partitions.binary_search_by_key(&change.partition, |p| p.id) else { return };
    let copies = change.added().count() as u64;
    // A move that copies nothing has 0 bytes, and tells nothing of the partition's size.
    let each = change.bytes.filter(|_| copies > 0).map(|bytes| Bytes(bytes.0 / copies));
    let old = partitions[index].clone();
    for id in change.removed() {
        *grown.entry(id).or_default() -= i128::from(old.size_on(id).unwrap_or_default().0);
    }
    for id in change.added() {
        *grown.entry(id).or_default() += i128::from(each.unwrap_or_default().0);
    }
    partitions[index].replicas = change.to.clone();
    partitions[index].size = old.size.or(each);
    partitions[index].facts = old.facts.as_ref().map(|facts| {
        let kept = |id: &BrokerId| old.replicas.iter().position(|held| held == id);
        Box::new(settled(before, &old, facts, change, each, &kept))
    });
}

/// Every replica is in sync; a leader that stayed leads on, else the first of the list does.
fn settled(
    before: &Snapshot,
    old: &Partition,
    facts: &PartitionFacts,
    change: &Move,
    each: Option<Bytes>,
    kept: &dyn Fn(&BrokerId) -> Option<usize>,
) -> PartitionFacts {
    let live = |id: &&BrokerId| {
        before.is_live(**id) && (kept(id).is_none() || !old.offline().contains(id))
    };
    let led = match facts.leader {
        Leader::Broker(id) if change.to.contains(&id) => Leader::Broker(id),
        Leader::Broker(_) => {
            change.to.iter().find(live).map_or(Leader::Nobody, |id| Leader::Broker(*id))
        }
        Leader::Nobody | Leader::Unknown => facts.leader,
    };
    let size = |id: &BrokerId| match kept(id) {
        Some(index) => facts.replica_sizes.get(index).copied().flatten(),
        None => each,
    };
    let log_dir = |id: &BrokerId| facts.log_dirs.get(kept(id)?).copied().flatten();
    PartitionFacts {
        isr: facts.isr.as_ref().map(|_| change.to.iter().filter(live).copied().collect()),
        leader: led,
        offline: change.to.iter().filter(|id| !live(id)).copied().collect(),
        elr: facts.elr.iter().filter(|id| change.to.contains(id)).copied().collect(),
        last_known_elr: Default::default(),
        replica_sizes: match facts.replica_sizes.is_empty() {
            true => Default::default(),
            false => change.to.iter().map(size).collect(),
        },
        log_dirs: match facts.log_dirs.is_empty() {
            true => Default::default(),
            false => change.to.iter().map(log_dir).collect(),
        },
        bytes_in: facts.bytes_in,
        bytes_out: facts.bytes_out,
        adding: Default::default(),
        removing: Default::default(),
    }
}
