//! The cluster after a plan.

use super::{Move, Plan};
use crate::bytes::Bytes;
use crate::ids::BrokerId;
use crate::snapshot::{
    Broker, Leader, LogDirIndex, Partition, PartitionFacts, Parts, RareFacts, Snapshot,
};
use std::collections::BTreeMap;

impl Snapshot {
    /// The cluster after a plan has been carried out, as the start of the next plan.
    #[must_use]
    pub fn after(&self, plan: &Plan) -> Self {
        self.with(|parts| apply_all(parts, self, plan))
    }

    /// As [`Self::after`], for a planner that continues the same plan: replicas that left a failed log dir still count as
    /// offline. The real cluster no longer shows the failure, and the planner would send them back.
    pub(crate) fn after_with_failures(&self, plan: &Plan) -> Self {
        self.after(plan).with(|parts| {
            for change in &plan.moves {
                let old = self.partition(&change.topic, change.partition);
                let failed = old.map(Partition::offline).unwrap_or_default();
                if failed.is_empty() {
                    continue;
                }
                let topics = &mut parts.topics;
                let topic = topics.binary_search_by(|topic| topic.name.as_str().cmp(&change.topic));
                let Some(topic) = topic.ok().map(|at| &mut topics[at]) else { continue };
                let new = topic.partitions.iter_mut().find(|new| new.id == change.partition);
                if let Some(facts) = new.and_then(|new| new.facts.as_mut()) {
                    facts.rare.edit(|rare| rare.offline = failed.iter().copied().collect());
                }
            }
        })
    }
}

fn apply_all(parts: &mut Parts, before: &Snapshot, plan: &Plan) {
    let mut grown: BTreeMap<BrokerId, i128> = BTreeMap::new();
    for change in &plan.moves {
        apply(parts, before, change, &mut grown);
    }
    // Applied at once: in between, a broker could need more space than it has free.
    for broker in &mut parts.brokers {
        if let (Some(free), Some(grown)) = (&mut broker.storage_free, grown.get(&broker.id)) {
            free.0 = u64::try_from(i128::from(free.0) - grown).unwrap_or(0);
        }
    }
    grow_volumes(parts, before, plan);
}

/// The bytes by which moves fill log dirs, and empty others, where they name them.
pub(crate) fn volume_growth<'s>(
    before: &'s Snapshot,
    moves: &'s [Move],
) -> BTreeMap<(BrokerId, &'s str), i128> {
    let mut grown: BTreeMap<(BrokerId, &str), i128> = BTreeMap::new();
    for change in moves {
        let Some(topic) = before.topic(&change.topic) else { continue };
        let partition = topic.partition(change.partition);
        let each = change.held_bytes(partition).unwrap_or_default().0;
        for (id, log_dir) in change.added().filter_map(|id| Some((id, change.log_dir(id)?))) {
            *grown.entry((id, log_dir)).or_default() += i128::from(each);
        }
        let Some(partition) = partition else { continue };
        let size = |id| i128::from(partition.size_on(id).unwrap_or_default().0);
        for (id, log_dir) in change.between_volumes() {
            *grown.entry((id, log_dir)).or_default() += size(id);
        }
        for id in change.removed().chain(change.between_volumes().map(|(id, _)| id)) {
            if let Some(log_dir) = topic.log_dir_of(partition, id) {
                *grown.entry((id, log_dir)).or_default() -= size(id);
            }
        }
    }
    grown
}

/// Fills and empties the volumes of brokers that have several.
fn grow_volumes(parts: &mut Parts, before: &Snapshot, plan: &Plan) {
    for ((id, log_dir), grown) in volume_growth(before, &plan.moves) {
        let volumes = before.broker(id).map(Broker::volumes).unwrap_or_default();
        let Some(volume) = volumes.iter().find(|volume| volume.paths.contains(&log_dir)) else {
            continue;
        };
        let Ok(at) = parts.brokers.binary_search_by_key(&id, |broker| broker.id) else { continue };
        // Log dirs of one volume share its room.
        let dirs = parts.brokers[at].log_dirs.iter_mut();
        for free in
            dirs.filter(|dir| volume.paths.contains(&&*dir.path)).filter_map(|d| d.free.as_mut())
        {
            free.0 = u64::try_from(i128::from(free.0) - grown).unwrap_or(0);
        }
    }
}

/// Changes one partition, and adds up the bytes by which each broker grows.
fn apply(
    parts: &mut Parts,
    before: &Snapshot,
    change: &Move,
    grown: &mut BTreeMap<BrokerId, i128>,
) {
    let Ok(topic) = parts.topics.binary_search_by(|t| t.name.as_str().cmp(&change.topic)) else {
        return;
    };
    // Few topics have more than a handful of paths. A new path beyond the limit stays unknown.
    let named: BTreeMap<BrokerId, LogDirIndex> = change
        .named_log_dirs()
        .filter_map(|(id, log_dir)| Some((id, parts.topics[topic].log_dir(log_dir).ok()?)))
        .collect();
    let partitions = &mut parts.topics[topic].partitions;
    let Ok(index) = partitions.binary_search_by_key(&change.partition, |p| p.id) else { return };
    // A move that copies nothing has 0 bytes, which says nothing about the partition's size.
    let old = partitions[index].clone();
    let each = change.held_bytes(Some(&old)).filter(|_| change.added().next().is_some());
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
        Box::new(settled(before, &old, facts, change, each, &kept, &named))
    });
}

/// The facts after a move. Every live replica is in sync. A leader that stays still leads, else the first live replica.
fn settled(
    before: &Snapshot,
    old: &Partition,
    facts: &PartitionFacts,
    change: &Move,
    each: Option<Bytes>,
    kept: &dyn Fn(&BrokerId) -> Option<usize>,
    named: &BTreeMap<BrokerId, LogDirIndex>,
) -> PartitionFacts {
    let live = |id: &&BrokerId| {
        before.is_live(**id) && (kept(id).is_none() || !old.offline().contains(id))
    };
    let led = match facts.leader {
        Leader::Broker(id) if change.to.contains(&id) => Leader::Broker(id),
        Leader::Broker(_) => {
            change.to.iter().find(live).map_or(Leader::None, |id| Leader::Broker(*id))
        }
        Leader::None | Leader::Unknown => facts.leader,
    };
    let size = |id: &BrokerId| match kept(id) {
        Some(index) => facts.replica_sizes.get(index).copied().flatten(),
        None => each,
    };
    let lay = |at: usize| facts.log_dirs.get(at).copied().flatten();
    let log_dir = |id: &BrokerId| named.get(id).copied().or_else(|| kept(id).and_then(lay));
    PartitionFacts {
        isr: facts.isr.as_ref().map(|_| change.to.iter().filter(live).copied().collect()),
        leader: led,
        replica_sizes: match facts.replica_sizes.is_empty() {
            true => Default::default(),
            false => change.to.iter().map(size).collect(),
        },
        log_dirs: match facts.log_dirs.is_empty() {
            true => Default::default(),
            false => change.to.iter().map(log_dir).collect(),
        },
        bytes_in: facts.bytes_in,
        records_in: facts.records_in,
        bytes_out: facts.bytes_out,
        rare: RareFacts {
            offline: change.to.iter().filter(|id| !live(id)).copied().collect(),
            elr: facts.rare.elr.iter().filter(|id| change.to.contains(id)).copied().collect(),
            copied: facts.rare.copied,
            remote: facts.rare.remote,
            ..RareFacts::default()
        }
        .into(),
    }
}
