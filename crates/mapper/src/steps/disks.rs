//! The disks of brokers as they fill and empty from step to step.

use crate::dense::{BrokerIx, Cluster};
use crate::plan::Stage;
use crate::request::Terms;
use crate::snapshot::Partition;

/// What is used of each broker's storage now, old copies included.
pub(super) struct Disks {
    limit: Vec<Option<u64>>,
    used: Vec<Option<u64>>,
}

impl Disks {
    pub(super) fn new(cluster: &Cluster<'_>, terms: &Terms) -> Self {
        Self { limit: cluster.limits(terms.storage_headroom), used: cluster.used.clone() }
    }

    /// What a broker lacks for a copy; 0 where there is room, or nobody knows.
    pub(super) fn lacks(&self, broker: BrokerIx, bytes: u64) -> u64 {
        let at = broker as usize;
        let room = self.limit[at].zip(self.used[at]).map(|(l, used)| l.saturating_sub(used));
        room.map_or(0, |room| bytes.saturating_sub(room))
    }

    pub(super) fn take(&mut self, broker: BrokerIx, bytes: u64) {
        if let Some(used) = self.used[broker as usize].as_mut() {
            *used += bytes;
        }
    }

    /// Takes the old copies away; tells which brokers have more room now.
    pub(super) fn free(
        &mut self,
        cluster: &Cluster<'_>,
        partition: Option<&Partition>,
        stage: Stage<'_>,
        freed: &mut Vec<BrokerIx>,
    ) {
        for id in stage.removed() {
            let size = partition.and_then(|p| p.size_on(id)).unwrap_or_default();
            let Some(broker) = cluster.index_of(id) else { continue };
            if let Some(used) = self.used[broker as usize].as_mut() {
                *used = used.saturating_sub(size.0);
                freed.push(broker);
            }
        }
    }
}
