//! The volumes of one broker as a cluster of their own.

use super::rebalance;
use crate::assignment::{Assignment, TopicSelection};
use crate::bytes::{Bytes, Ratio};
use crate::ids::{BrokerId, PartitionId};
use crate::plan::Plan;
use crate::request::{Balance, PlanTerms, Rebalance};
use crate::snapshot::{Broker, EVERY_LOG_DIR, Partition, Parts, Snapshot, Topic, Volume};

/// The volumes of a broker, and the replicas that may change their volume.
pub(super) struct BrokerVolumes<'s> {
    pub(super) id: BrokerId,
    volumes: Vec<Volume<'s>>,
    /// The log dir that a plan names, for each volume. `None`: the volume takes no new replica.
    open: Vec<Option<&'s str>>,
    /// The topics of the volumes' cluster: each volume is a broker, with its position as id.
    topics: Vec<Topic>,
    /// The replicas that a plan brings to the broker, and their bytes. They are on no volume yet.
    expected: (u64, Bytes),
}

impl<'s> BrokerVolumes<'s> {
    pub(super) fn of(broker: &'s Broker) -> Self {
        let volumes = broker.volumes();
        let open =
            |volume: &Volume<'s>| volume.paths.iter().copied().find(|path| !broker.cordons(path));
        let open = volumes.iter().map(open).collect();
        Self { id: broker.id, volumes, open, topics: Vec::new(), expected: (0, Bytes(0)) }
    }

    /// The broker of the volumes' cluster that stands for all other brokers of the real one.
    pub(super) fn outside(&self) -> BrokerId {
        BrokerId(u32::try_from(self.volumes.len()).unwrap_or(u32::MAX))
    }

    /// The log dir that a plan names for a replica on this volume.
    pub(super) fn log_dir(&self, volume: BrokerId) -> Option<&'s str> {
        self.open.get(volume.0 as usize).copied().flatten()
    }

    pub(super) fn expected(&self) -> (u64, Bytes) {
        self.expected
    }

    /// The used share of the fullest volume.
    pub(super) fn fullest(&self) -> f64 {
        let used = |volume: &Volume<'_>| share(volume.total.0 - volume.free.0, volume.total.0);
        self.volumes.iter().map(used).fold(0.0, f64::max)
    }

    /// The used share of all volumes together, with what is expected.
    pub(super) fn used_ratio(&self) -> f64 {
        let total = self.volumes.iter().map(|volume| volume.total).sum::<Bytes>();
        let free = self.volumes.iter().map(|volume| volume.free).sum::<Bytes>();
        share(total.0.saturating_sub(free.0).saturating_add(self.expected.1.0), total.0)
    }

    /// A replica leaves a log dir with the plan.
    pub(super) fn free(&mut self, log_dir: Option<&str>, bytes: Bytes) {
        if let Some((_, volume)) = self.find(log_dir) {
            volume.free = volume.free.plus(bytes).min(volume.total);
        }
    }

    /// A replica comes to a log dir with the plan, and stays in it.
    pub(super) fn take(&mut self, log_dir: Option<&str>, bytes: Bytes) {
        if let Some((_, volume)) = self.find(log_dir) {
            volume.free = Bytes(volume.free.0.saturating_sub(bytes.0));
        }
    }

    /// A replica that lies in a log dir may go to another one, if both facts are known.
    pub(super) fn hold(
        &mut self,
        of: (&str, PartitionId),
        log_dir: Option<&str>,
        size: Option<Bytes>,
    ) {
        let volume = self.find(log_dir).map(|(volume, _)| volume);
        if let Some((volume, size)) = volume.zip(size) {
            self.add(of, volume, size);
        }
    }

    /// A replica comes with the plan, and takes any log dir.
    pub(super) fn expect(&mut self, of: (&str, PartitionId), bytes: Bytes) {
        self.expected = (self.expected.0 + 1, self.expected.1.plus(bytes));
        self.add(of, self.outside(), bytes);
    }

    fn add(&mut self, (topic, id): (&str, PartitionId), at: BrokerId, size: Bytes) {
        if self.topics.last().is_none_or(|last| last.name != topic) {
            self.topics.push(Topic { name: topic.to_owned(), ..Topic::default() });
        }
        let partition = Partition { size: Some(size), ..Partition::new(id, [at]) };
        self.topics.last_mut().into_iter().for_each(|of| of.partitions.push(partition.clone()));
    }

    fn find(&mut self, log_dir: Option<&str>) -> Option<(BrokerId, &mut Volume<'s>)> {
        let log_dir = log_dir?;
        let mut volumes = (0..).map(BrokerId).zip(&mut self.volumes);
        volumes.find(|(_, volume)| volume.paths.contains(&log_dir))
    }

    /// The plan that evens the volumes, and gives a volume to what is expected. `None`: that finds no room.
    pub(super) fn evened(&mut self, headroom: Ratio, balance: Balance) -> Option<Plan> {
        let ids = (0..).map(BrokerId);
        let volumes = ids.clone().zip(self.volumes.iter().zip(&self.open));
        let mut brokers: Vec<Broker> = volumes
            .map(|(id, (volume, open))| Broker {
                storage_total: Some(volume.total),
                storage_free: Some(volume.free),
                cordoned_log_dirs: match open {
                    Some(_) => Vec::new(),
                    None => vec![EVERY_LOG_DIR.to_owned()],
                },
                ..Broker::new(id)
            })
            .collect();
        if self.expected.0 > 0 {
            let size = Some(self.expected.1);
            let free = Some(Bytes(0));
            let outside = Broker::new(self.outside());
            brokers.push(Broker { storage_total: size, storage_free: free, ..outside });
        }
        let topics = std::mem::take(&mut self.topics);
        let snapshot = Snapshot::new(Parts { brokers, topics, ..Parts::default() }).ok()?;
        let volumes = ids.take(self.volumes.len()).collect();
        let everywhere = Assignment::new(TopicSelection::Rest, volumes);
        let terms = PlanTerms::new(vec![everywhere], headroom);
        rebalance(&snapshot, &Rebalance::new(terms, balance)).ok()
    }
}

#[expect(clippy::cast_precision_loss, reason = "for display, and for an order of brokers")]
pub(super) fn share(used: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { used as f64 / total as f64 }
}
