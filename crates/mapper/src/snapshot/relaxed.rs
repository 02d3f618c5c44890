//! The cluster with changes that a plan would need: brokers back, more storage, separate hosts; and its relevant part.

use super::{Broker, Partition, Parts, Snapshot, Topic};
use crate::bytes::Bytes;
use crate::ids::BrokerId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

impl Snapshot {
    /// The cluster with lost brokers back, each with the replicas that its lists name.
    ///
    /// A broker of unknown storage comes back full, so that it gets no new replicas. A broker of unknown rack gets the
    /// only rack in which its partitions have no other replica, if there is exactly one.
    #[must_use]
    pub fn with_returned(&self, returned: &BTreeSet<BrokerId>) -> Self {
        let held = self.held_by(returned);
        let mut parts = self.parts.clone();
        let listed: BTreeSet<BrokerId> = parts.brokers.iter().map(|broker| broker.id).collect();
        parts.brokers.extend(returned.difference(&listed).map(|id| Broker::new(*id)));
        parts.brokers.sort_by_key(|broker| broker.id);
        for broker in parts.brokers.iter_mut().filter(|broker| returned.contains(&broker.id)) {
            broker.live = true;
            if broker.storage_total.is_none() {
                broker.storage_total = held.get(&broker.id).copied().flatten().map(Bytes);
                broker.storage_free = broker.storage_total.map(|_| Bytes(0));
            }
            if broker.rack.is_none() {
                broker.rack = self.only_rack_for(broker.id);
            }
        }
        // Kafka reported these replicas as offline because their broker was lost.
        let was_lost = |id: &BrokerId| returned.contains(id) && !self.is_live(*id);
        for partition in parts.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            if let Some(facts) = &mut partition.facts {
                facts.rare.edit(|rare| rare.offline.retain(|id| !was_lost(id)));
            }
        }
        Self { parts }
    }

    /// The bytes of the replicas of some brokers; `None` if the size of one is unknown.
    fn held_by(&self, brokers: &BTreeSet<BrokerId>) -> BTreeMap<BrokerId, Option<u64>> {
        let mut held: BTreeMap<BrokerId, Option<u64>> =
            brokers.iter().map(|id| (*id, Some(0))).collect();
        for partition in self.topics().iter().flat_map(|topic| &topic.partitions) {
            for id in &partition.replicas {
                if let Some(sum) = held.get_mut(id) {
                    *sum = sum.zip(partition.size).map(|(sum, size)| sum + size.0);
                }
            }
        }
        held
    }

    /// The rack that a broker must have been in, if each partition's replicas were in different racks.
    fn only_rack_for(&self, id: BrokerId) -> Option<String> {
        let of = |id: &BrokerId| self.broker(*id)?.rack.as_deref();
        let mut possible: BTreeSet<&str> =
            self.brokers().iter().filter_map(|broker| broker.rack.as_deref()).collect();
        let partitions = self.topics().iter().flat_map(|topic| &topic.partitions);
        for partition in partitions.filter(|partition| partition.replicas.contains(&id)) {
            for rack in partition.replicas.iter().filter_map(of) {
                possible.remove(rack);
            }
        }
        let mut possible = possible.into_iter();
        possible.next().filter(|_| possible.next().is_none()).map(str::to_owned)
    }

    /// The cluster with more free storage on some brokers. Of several volumes, the one with the most room grows.
    #[must_use]
    pub fn with_more_storage(&self, more: impl Fn(BrokerId) -> Option<Bytes>) -> Self {
        let mut parts = self.parts.clone();
        for broker in &mut parts.brokers {
            let (Some(bytes), Some(total)) = (more(broker.id), &mut broker.storage_total) else {
                continue;
            };
            total.0 = total.0.saturating_add(bytes.0);
            if let Some(free) = &mut broker.storage_free {
                free.0 = free.0.saturating_add(bytes.0);
            }
            grow_roomiest(broker, bytes);
        }
        Self { parts }
    }

    /// The cluster with every broker on a separate host.
    #[must_use]
    pub fn without_hosts(&self) -> Self {
        let mut parts = self.parts.clone();
        parts.brokers.iter_mut().for_each(|broker| broker.host = None);
        Self { parts }
    }

    /// The cluster without partitions that do not matter to a question. The storage of their replicas stays used; `used`
    /// gives the figures.
    #[must_use]
    pub(crate) fn only(
        &self,
        matters: impl Fn(&Topic, &Partition) -> bool,
        used: impl Fn(BrokerId) -> Option<Bytes>,
    ) -> Self {
        let brokers = self.brokers().iter().map(|broker| {
            let free = || Some(Bytes(broker.storage_total?.0.saturating_sub(used(broker.id)?.0)));
            Broker { storage_free: broker.storage_free.or_else(free), ..broker.clone() }
        });
        let topics = self.topics().iter().map(|topic| Topic {
            name: topic.name.clone(),
            internal: topic.internal,
            config: topic.config.clone(),
            min_insync_replicas: topic.min_insync_replicas,
            log_dir_paths: topic.log_dir_paths.clone(),
            partitions: topic.partitions.iter().filter(|p| matters(topic, p)).cloned().collect(),
        });
        Self {
            parts: Parts {
                cluster_id: self.parts.cluster_id.clone(),
                captured_at: None,
                source: None,
                cpu_model: self.parts.cpu_model,
                brokers: brokers.collect(),
                topics: topics.collect(),
            },
        }
    }
}

/// Adds free space to the volume with the most room. A broker with one volume drops its log dirs: its
/// totals say enough.
fn grow_roomiest(broker: &mut Broker, bytes: Bytes) {
    let volumes = broker.volumes();
    let roomiest = volumes.iter().max_by_key(|volume| (volume.free, Reverse(volume.paths[0])));
    let Some(roomiest) = roomiest.filter(|_| volumes.len() > 1) else {
        broker.forget_log_dirs();
        return;
    };
    let paths: Vec<String> = roomiest.paths.iter().map(|path| (*path).to_owned()).collect();
    for dir in broker.log_dirs.iter_mut().filter(|dir| paths.contains(&dir.path)) {
        for size in [&mut dir.total, &mut dir.free].into_iter().flatten() {
            size.0 = size.0.saturating_add(bytes.0);
        }
    }
}
