//! The disks of brokers, and their volumes, as they fill and empty from step to step.

use crate::dense::{BrokerIx, DenseCluster};
use crate::plan::{Move, Stage};
use crate::request::PlanTerms;
use crate::snapshot::Partition;
use crate::volumes::Volumes;

/// The storage that each broker uses now, old copies included.
pub(super) struct UsedStorage<'s> {
    limit: Vec<Option<u64>>,
    used: Vec<Option<u64>>,
    volumes: Volumes<'s>,
}

/// The missing space for a copy.
pub(super) struct Lack {
    pub(super) missing: u64,
    /// The log dir without room, if the broker as a whole has enough.
    pub(super) log_dir: Option<String>,
}

impl<'s> UsedStorage<'s> {
    pub(super) fn new(cluster: &DenseCluster<'s>, terms: &PlanTerms) -> Self {
        Self {
            limit: cluster.limits(terms.storage_headroom),
            used: cluster.used.clone(),
            volumes: Volumes::new(cluster, terms),
        }
    }

    /// The space that a broker lacks for its copy; `None` if there is room, or if the figures are unknown.
    pub(super) fn lacks(
        &self,
        cluster: &DenseCluster<'_>,
        change: &Move,
        broker: BrokerIx,
        bytes: u64,
    ) -> Option<Lack> {
        let at = broker as usize;
        let room = self.limit[at].zip(self.used[at]).map(|(l, used)| l.saturating_sub(used));
        let missing = room.map_or(0, |room| bytes.saturating_sub(room));
        if missing > 0 {
            return Some(Lack { missing, log_dir: None });
        }
        let log_dir = change.log_dir(cluster.id(broker))?;
        let missing = self.volumes.lacks(broker, log_dir, bytes);
        (missing > 0).then(|| Lack { missing, log_dir: Some(log_dir.to_owned()) })
    }

    pub(super) fn take(
        &mut self,
        cluster: &DenseCluster<'_>,
        change: &Move,
        broker: BrokerIx,
        bytes: u64,
    ) {
        if let Some(used) = self.used[broker as usize].as_mut() {
            *used += bytes;
        }
        if let Some(log_dir) = change.log_dir(cluster.id(broker)) {
            self.volumes.take(broker, log_dir, bytes);
        }
    }

    /// Removes the old copies, also those on another volume of their broker. Adds the brokers that have more room now to
    /// `freed`.
    pub(super) fn free(
        &mut self,
        cluster: &DenseCluster<'_>,
        partition: Option<&Partition>,
        stage: Stage<'_>,
        freed: &mut Vec<BrokerIx>,
    ) {
        for id in stage.removed() {
            let size = partition.and_then(|p| p.size_on(id)).unwrap_or_default();
            let Some(broker) = cluster.index_of(id) else { continue };
            if let Some(used) = self.used[broker as usize].as_mut() {
                *used = used.saturating_sub(size.0);
            }
            if !self.volumes.is_empty()
                && let Some(topic) = cluster.snapshot.topic(&stage.change.topic)
                && let Some(partition) = partition
            {
                self.volumes.free_replica(cluster, topic, partition, id);
            }
            freed.push(broker);
        }
        for (id, _) in stage.between_volumes() {
            let Some((broker, partition)) = cluster.index_of(id).zip(partition) else { continue };
            if let Some(used) = self.used[broker as usize].as_mut() {
                *used = used.saturating_sub(partition.size_on(id).unwrap_or_default().0);
            }
            if let Some(topic) = cluster.snapshot.topic(&stage.change.topic) {
                self.volumes.free_replica(cluster, topic, partition, id);
            }
            freed.push(broker);
        }
    }
}
