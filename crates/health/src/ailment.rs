//! What is wrong with a cluster at one moment, from its snapshot.
//!
//! In: a [`Snapshot`]. Out: every [`Ailment`], the worst kind first. A missing fact is not an ailment: the code that
//! made the snapshot knows which facts are missing.

use mapper::snapshot::{Broker, Leader, Partition, Topic};
use mapper::{BrokerId, Bytes, Ratio, Snapshot, TopicPartition};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Plans leave this share of a volume free by default. With less, the next move or a busy hour fills it.
const NARROW: Ratio = Ratio::from_percent(10);
/// With less than this free, a broker may stop at any moment.
const FULL: Ratio = Ratio::from_percent(3);

/// Something that is wrong with a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Ailment {
    /// Partitions without a leader: clients can neither read nor write them.
    Offline {
        /// The partitions.
        partitions: BTreeSet<TopicPartition>,
        /// Brokers of which some have to return: the last ones in sync or eligible (KIP-966), otherwise any replica's.
        heals: BTreeSet<BrokerId>,
    },
    /// Partitions that take no acknowledged writes: fewer replicas in sync than `min.insync.replicas`.
    UnderMinIsr {
        /// The partitions.
        partitions: BTreeSet<TopicPartition>,
        /// Brokers whose replicas are missing.
        missing: BTreeSet<BrokerId>,
    },
    /// A volume that is full, or nearly.
    FullDisk {
        /// The broker.
        broker: BrokerId,
        /// Its log dirs there; empty: the broker reported only totals.
        paths: Vec<String>,
        /// The size of the volume.
        total_bytes: Bytes,
        /// The free bytes on it.
        free_bytes: Bytes,
        /// So full that the broker may stop at any moment.
        now: bool,
    },
    /// Replicas in failed log dirs of a live broker.
    FailedLogDir {
        /// The broker.
        broker: BrokerId,
        /// How many replicas are there.
        replicas: usize,
    },
    /// A broker that has replicas and is not registered.
    Lost {
        /// The broker.
        broker: BrokerId,
        /// How many replicas it has.
        replicas: usize,
        /// Their bytes, as far as known.
        bytes: Bytes,
    },
    /// A broker that is registered and sends no heartbeats (KRaft).
    Fenced {
        /// The broker.
        broker: BrokerId,
        /// How many replicas it has.
        replicas: usize,
        /// Their bytes, as far as known.
        bytes: Bytes,
    },
    /// A broker that gets no new replicas, on all or some of its log dirs (KIP-1066). Its existing replicas stay.
    Cordoned {
        /// The broker.
        broker: BrokerId,
        /// The cordoned log dirs; empty: all that work.
        log_dirs: Vec<String>,
    },
    /// Partitions that one more loss keeps from taking acknowledged writes, although they should have more replicas.
    AtMinIsr {
        /// The partitions.
        partitions: BTreeSet<TopicPartition>,
        /// Brokers whose replicas are missing.
        missing: BTreeSet<BrokerId>,
    },
    /// All other partitions with replicas that are not in sync, except for replicas that a move is adding.
    UnderReplicated {
        /// The partitions.
        partitions: BTreeSet<TopicPartition>,
        /// Brokers whose replicas are missing.
        missing: BTreeSet<BrokerId>,
    },
    /// Partitions that are being reassigned.
    Moving {
        /// The partitions.
        partitions: BTreeSet<TopicPartition>,
        /// Brokers that get replicas.
        to: BTreeSet<BrokerId>,
    },
}

/// Everything that is wrong, the worst first.
pub fn ailments(snapshot: &Snapshot) -> Vec<Ailment> {
    let mut found = Vec::new();
    let sick = Sick::of(snapshot);
    let (partitions, heals) = sick.offline;
    found.extend((!partitions.is_empty()).then_some(Ailment::Offline { partitions, heals }));
    let (partitions, missing) = sick.under;
    found.extend((!partitions.is_empty()).then_some(Ailment::UnderMinIsr { partitions, missing }));
    found.extend(snapshot.brokers().iter().flat_map(narrow_disks));
    found.extend(failed_log_dirs(snapshot));
    found.extend(missing_brokers(snapshot));
    found.extend(cordons(snapshot));
    let (partitions, missing) = sick.at;
    found.extend((!partitions.is_empty()).then_some(Ailment::AtMinIsr { partitions, missing }));
    let (partitions, missing) = sick.lagging;
    found.extend(
        (!partitions.is_empty()).then_some(Ailment::UnderReplicated { partitions, missing }),
    );
    let (partitions, to) = sick.moving;
    found.extend((!partitions.is_empty()).then_some(Ailment::Moving { partitions, to }));
    found
}

fn cordons(snapshot: &Snapshot) -> impl Iterator<Item = Ailment> {
    let cordoned = snapshot.brokers().iter().filter(|b| !b.cordoned_log_dirs.is_empty());
    cordoned.map(|broker| {
        let some = || broker.cordoned_log_dirs.clone();
        let log_dirs = if broker.is_cordoned() { Vec::new() } else { some() };
        Ailment::Cordoned { broker: broker.id, log_dirs }
    })
}

type Concerned = (BTreeSet<TopicPartition>, BTreeSet<BrokerId>);

/// Partitions by what is wrong with them; each counts once, apart from its move.
#[derive(Default)]
struct Sick {
    offline: Concerned,
    under: Concerned,
    at: Concerned,
    lagging: Concerned,
    moving: Concerned,
}

impl Sick {
    fn of(snapshot: &Snapshot) -> Self {
        let mut sick = Self::default();
        for topic in snapshot.topics() {
            for partition in &topic.partitions {
                sick.look_at(snapshot, topic, partition);
            }
        }
        sick
    }

    fn look_at(&mut self, snapshot: &Snapshot, topic: &Topic, partition: &Partition) {
        let Some(facts) = partition.facts.as_deref() else { return };
        let of = || TopicPartition { topic: topic.name.clone(), partition: partition.id };
        if partition.is_moving() {
            self.moving.0.insert(of());
            self.moving.1.extend(&facts.rare.adding);
        }
        if led_by_nobody(snapshot, partition) {
            self.offline.0.insert(of());
            self.offline.1.extend(partition.heals());
            return;
        }
        let Some(isr) = &facts.isr else { return };
        let lags = |id: &&BrokerId| !isr.contains(id) && !facts.rare.adding.contains(id);
        let missing: Vec<BrokerId> = partition.replicas.iter().filter(lags).copied().collect();
        let in_sync = u32::try_from(isr.len()).unwrap_or(u32::MAX);
        let concerned = match topic.min_insync_replicas {
            Some(min) if in_sync < min => &mut self.under,
            Some(min) if in_sync == min && !missing.is_empty() => &mut self.at,
            _ if !missing.is_empty() => &mut self.lagging,
            _ => return,
        };
        concerned.0.insert(of());
        concerned.1.extend(missing);
    }
}

/// Reported without a leader, or with one that is not live.
fn led_by_nobody(snapshot: &Snapshot, partition: &Partition) -> bool {
    match partition.leader() {
        Leader::None => true,
        Leader::Broker(id) => !snapshot.is_live(id),
        Leader::Unknown => false,
    }
}

fn narrow_disks(broker: &Broker) -> Vec<Ailment> {
    let ailment = |paths: Vec<String>, total: Bytes, free: Bytes| {
        let narrow = total.0 > 0 && free < NARROW.of(total);
        narrow.then(|| Ailment::FullDisk {
            broker: broker.id,
            paths,
            total_bytes: total,
            free_bytes: free,
            now: free < FULL.of(total),
        })
    };
    let volumes = broker.volumes();
    if volumes.is_empty() {
        let sums = broker.storage_total.zip(broker.storage_free);
        return sums
            .and_then(|(total, free)| ailment(Vec::new(), total, free))
            .into_iter()
            .collect();
    }
    let each = volumes.into_iter().filter_map(|volume| {
        let paths = volume.paths.into_iter().map(str::to_owned).collect();
        ailment(paths, volume.total, volume.free)
    });
    each.collect()
}

fn failed_log_dirs(snapshot: &Snapshot) -> impl Iterator<Item = Ailment> {
    let failed = snapshot.failed_replicas().into_iter();
    failed.map(|(broker, replicas)| Ailment::FailedLogDir { broker, replicas })
}

/// Brokers in replica lists that are not live, and fenced ones.
fn missing_brokers(snapshot: &Snapshot) -> Vec<Ailment> {
    let fenced = snapshot.brokers().iter().filter(|broker| !broker.live).map(|broker| broker.id);
    let mut missing: BTreeMap<BrokerId, (usize, u64)> = fenced.map(|id| (id, (0, 0))).collect();
    for partition in snapshot.topics().iter().flat_map(|topic| &topic.partitions) {
        for id in partition.replicas.iter().filter(|id| !snapshot.is_live(**id)) {
            let held = missing.entry(*id).or_default();
            held.0 += 1;
            held.1 += partition.size.unwrap_or_default().0;
        }
    }
    let ailment = |(broker, (replicas, bytes))| {
        // A broker that is listed with an address is registered, and fenced; older snapshots list lost brokers without
        // one.
        let registered = snapshot.broker(broker).is_some_and(|known| known.host.is_some());
        let bytes = Bytes(bytes);
        match registered {
            true => Some(Ailment::Fenced { broker, replicas, bytes }),
            false if replicas == 0 => None,
            false => Some(Ailment::Lost { broker, replicas, bytes }),
        }
    };
    missing.into_iter().filter_map(ailment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::PartitionId;
    use mapper::snapshot::{PartitionFacts, Parts};

    fn partition(id: u32, replicas: &[u32], isr: &[u32], leader: Leader) -> Partition {
        let ids = |ids: &[u32]| ids.iter().copied().map(BrokerId).collect();
        let mut partition = Partition::new(PartitionId(id), replicas.iter().copied().map(BrokerId));
        partition.size = Some(Bytes(5));
        let facts = PartitionFacts { isr: Some(ids(isr)), leader, ..PartitionFacts::default() };
        partition.facts = Some(Box::new(facts));
        partition
    }

    fn found(brokers: Vec<Broker>, partitions: Vec<Partition>) -> Vec<Ailment> {
        let topic = Topic {
            name: "t".to_owned(),
            min_insync_replicas: Some(2),
            partitions,
            ..Topic::default()
        };
        let parts = Parts { brokers, topics: vec![topic], ..Parts::default() };
        ailments(&Snapshot::new(parts).unwrap())
    }

    fn live(ids: &[u32]) -> Vec<Broker> {
        ids.iter().map(|id| Broker::new(BrokerId(*id))).collect()
    }

    fn of(partition: u32) -> BTreeSet<TopicPartition> {
        [TopicPartition { topic: "t".to_owned(), partition: PartitionId(partition) }].into()
    }

    fn set(ids: &[u32]) -> BTreeSet<BrokerId> {
        ids.iter().copied().map(BrokerId).collect()
    }

    #[test]
    fn a_healthy_cluster_has_no_ailment() {
        let led = Leader::Broker(BrokerId(1));
        assert_eq!(found(live(&[1, 2]), vec![partition(0, &[1, 2], &[1, 2], led)]), []);
    }

    #[test]
    fn each_partition_stands_under_the_worst_that_is_wrong_with_it() {
        let led = Leader::Broker(BrokerId(1));
        let partitions = vec![
            partition(0, &[1, 9], &[9], Leader::None),
            partition(1, &[1, 2, 9], &[1], led),
            partition(2, &[1, 2, 9], &[1, 2], led),
            partition(3, &[1, 2, 3, 9], &[1, 2, 3], led),
        ];
        let all = found(live(&[1, 2, 3]), partitions);
        let expected = [
            Ailment::Offline { partitions: of(0), heals: set(&[9]) },
            Ailment::UnderMinIsr { partitions: of(1), missing: set(&[2, 9]) },
            Ailment::Lost { broker: BrokerId(9), replicas: 4, bytes: Bytes(20) },
            Ailment::AtMinIsr { partitions: of(2), missing: set(&[9]) },
            Ailment::UnderReplicated { partitions: of(3), missing: set(&[9]) },
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn a_replica_that_a_move_adds_is_not_missed() {
        let mut moving = partition(0, &[1, 2, 3], &[1, 2], Leader::Broker(BrokerId(1)));
        if let Some(facts) = &mut moving.facts {
            facts.rare.edit(|rare| rare.adding.push(BrokerId(3)));
        }
        let all = found(live(&[1, 2, 3]), vec![moving]);
        assert_eq!(all, [Ailment::Moving { partitions: of(0), to: set(&[3]) }]);
    }

    #[test]
    fn a_fenced_broker_is_told_from_a_lost_one_and_a_full_disk_from_a_narrow_one() {
        let mut brokers = live(&[1, 2, 3]);
        let disk = |broker: &mut Broker, free| {
            (broker.storage_total, broker.storage_free) = (Some(Bytes(100)), Some(Bytes(free)));
        };
        disk(&mut brokers[0], 9);
        disk(&mut brokers[1], 2);
        (brokers[2].live, brokers[2].host) = (false, Some("h".to_owned()));
        let all = found(brokers, Vec::new());
        let full = |id, free, now| Ailment::FullDisk {
            broker: BrokerId(id),
            paths: Vec::new(),
            total_bytes: Bytes(100),
            free_bytes: Bytes(free),
            now,
        };
        let fenced = Ailment::Fenced { broker: BrokerId(3), replicas: 0, bytes: Bytes(0) };
        assert_eq!(all, [full(1, 9, false), full(2, 2, true), fenced]);
    }
}
