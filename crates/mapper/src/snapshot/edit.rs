//! Makes snapshots from snapshots.

use super::{Broker, EVERY_LOG_DIR, Leader, Parts, Snapshot};
use crate::bytes::Bytes;
use crate::ids::BrokerId;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

impl Snapshot {
    /// The same cluster with changed parts. The change keeps their order, and adds no contradiction.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Parts)) -> Self {
        let mut parts = self.parts.clone();
        change(&mut parts);
        Self { parts }
    }

    /// The cluster from its replica lists alone (`--use-meta=false`). Every broker in them, and every one in `also`, is
    /// live. No rack, host or leader is known.
    #[must_use]
    pub fn without_meta(&self, also: &BTreeSet<BrokerId>) -> Self {
        let mut parts = self.parts.clone();
        let mut ids = also.clone();
        for partition in parts.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            ids.extend(&partition.replicas);
            if let Some(facts) = &mut partition.facts {
                facts.leader = Leader::Unknown;
                facts.isr = None;
                facts.rare.edit(|rare| {
                    rare.offline.clear();
                    rare.elr.clear();
                    rare.last_known_elr.clear();
                });
            }
        }
        let storage = |id: BrokerId| {
            let known = self.broker(id);
            Broker {
                storage_total: known.and_then(|b| b.storage_total),
                storage_free: known.and_then(|b| b.storage_free),
                // A cordon stays, because its reason is not visible in the replica lists.
                cordoned_log_dirs: match known.is_some_and(Broker::is_cordoned) {
                    true => vec![EVERY_LOG_DIR.to_owned()],
                    false => Vec::new(),
                },
                ..Broker::new(id)
            }
        };
        parts.brokers = ids.into_iter().map(storage).collect();
        Self { parts }
    }

    /// The same cluster, with what is free on brokers that tell only their size: what their replicas leave.
    #[must_use]
    pub fn with_free_storage(&self) -> Cow<'_, Self> {
        let lacks = |it: &Broker| it.storage_total.is_some() && it.storage_free.is_none();
        if !self.brokers().iter().any(lacks) {
            return Cow::Borrowed(self);
        }
        let mut parts = self.parts.clone();
        let mut held: BTreeMap<BrokerId, Option<u64>> = BTreeMap::new();
        for partition in self.topics().iter().flat_map(|topic| &topic.partitions) {
            for id in &partition.replicas {
                let sum = held.entry(*id).or_insert(Some(0));
                *sum = sum.zip(partition.size_on(*id)).map(|(sum, size)| sum + size.0);
            }
        }
        for broker in parts.brokers.iter_mut().filter(|broker| lacks(broker)) {
            let used = held.get(&broker.id).copied().unwrap_or(Some(0));
            let free = |(total, used): (Bytes, u64)| Bytes(total.0.saturating_sub(used));
            broker.storage_free = broker.storage_total.zip(used).map(free);
        }
        Cow::Owned(Self { parts })
    }

    /// The same cluster with other disks (`--broker-storage`). Used storage is then the sum of the replicas, because
    /// brokers on one test host all report the same disk.
    #[must_use]
    pub fn with_broker_storage(&self, totals: &BTreeMap<BrokerId, Bytes>) -> Self {
        let mut parts = self.parts.clone();
        for broker in &mut parts.brokers {
            if let Some(total) = totals.get(&broker.id) {
                broker.storage_total = Some(*total);
                broker.storage_free = None;
                broker.forget_log_dirs();
            }
        }
        Self { parts }
    }
}
