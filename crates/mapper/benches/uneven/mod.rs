//! A seeded cluster: 5,000 partitions of very different sizes on 30 brokers that are full to different degrees.

use mapper::snapshot::{Broker, Partition, Parts, Topic};
use mapper::{BrokerId, Bytes, PartitionId, Snapshot};
use std::collections::BTreeSet;

const BROKERS: u32 = 30;
const RACKS: u32 = 3;
const TOPICS: u32 = 250;
const PARTITIONS: u32 = 20;
const MIB: u64 = 1 << 20;

/// One replica in each rack, more often on brokers of low ids; brokers a third full on average.
pub(crate) fn cluster() -> Snapshot {
    let mut random = Random(20_261_120);
    let topics: Vec<Topic> = (0..TOPICS)
        .map(|topic| Topic {
            name: format!("topic-{topic:03}"),
            partitions: (0..PARTITIONS).map(|id| partition(id, &mut random)).collect(),
            ..Topic::default()
        })
        .collect();
    let partitions = || topics.iter().flat_map(|topic| &topic.partitions);
    let used = |id: BrokerId| -> u64 {
        let held = partitions().filter(|partition| partition.replicas.contains(&id));
        held.filter_map(|partition| partition.size).map(|size| size.0).sum()
    };
    let all: Vec<(BrokerId, u64)> = (0..BROKERS).map(|at| (id(at), used(id(at)))).collect();
    let total = all.iter().map(|(_, used)| used).sum::<u64>() / u64::from(BROKERS) * 3;
    let brokers = (0..).zip(all).map(|(at, (id, used))| Broker {
        rack: Some(format!("rack-{}", at % RACKS)),
        storage_total: Some(Bytes(total)),
        storage_free: Some(Bytes(total.saturating_sub(used))),
        ..Broker::new(id)
    });
    Snapshot::new(Parts { brokers: brokers.collect(), topics, ..Parts::default() }).unwrap()
}

/// The brokers of one rack.
pub(crate) fn rack(rack: u32) -> BTreeSet<BrokerId> {
    (0..BROKERS).filter(|at| at % RACKS == rack).map(id).collect()
}

fn id(at: u32) -> BrokerId {
    BrokerId(1001 + at)
}

fn partition(number: u32, random: &mut Random) -> Partition {
    let first = random.below(RACKS);
    let replicas = (0..RACKS).map(|turn| {
        let in_rack = random.below(BROKERS / RACKS).min(random.below(BROKERS / RACKS + 4));
        id((first + turn) % RACKS + in_rack * RACKS)
    });
    let mut partition = Partition::new(PartitionId(number), replicas.collect::<Vec<_>>());
    let scale = 1_u64 << random.below(8);
    partition.size = Some(Bytes(scale * MIB * u64::from(1 + random.below(1_000))));
    partition
}

/// SplitMix64: the same cluster on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((z ^ (z >> 31)) % u64::from(most)).unwrap_or(0)
    }
}
