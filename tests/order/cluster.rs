//! Clusters of the sizes of `cargo xtask bench`, and what happens to them.

use mapper::snapshot::{Broker, Leader, Partition, PartitionFacts, Parts, Topic};
use mapper::{
    Assignment, Balance, BrokerId, Bytes, PartitionId, PlaceBy, Plan, PlanTerms, Ratio, Rebalance,
    Rebuild, Replicas, Scale, Snapshot, TopicSelection, rebalance, rebuild, scale,
};

/// Brokers, racks and partitions.
pub(crate) type Size = (u32, u32, u32);

pub(crate) const S: Size = (6, 3, 200);
pub(crate) const M: Size = (30, 3, 5_000);

/// What happens, and what is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// This many brokers are lost, each of another rack.
    Lost(u32),
    /// All brokers of a rack are lost.
    RackLost,
    /// The first brokers hold more than the others.
    Uneven,
    /// This many brokers are new.
    New(u32),
}

const PARTITIONS_OF_TOPIC: u32 = 20;
const REPLICATION: usize = 3;

/// The same numbers in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// About log-normal: most are small, and a few are a hundred times as large.
    fn size(&mut self) -> u64 {
        let dice: f64 = (0..12).map(|_| (self.next() >> 11) as f64 / (1_u64 << 53) as f64).sum();
        (1e9 * (1.2 * (dice - 6.0)).exp()) as u64
    }
}

impl Case {
    /// Whether a broker of the cluster is lost.
    fn loses(self, id: u32, racks: u32) -> bool {
        match self {
            Self::Lost(count) => id < count,
            Self::RackLost => id.is_multiple_of(racks),
            Self::Uneven | Self::New(_) => false,
        }
    }

    fn plan(self, snapshot: &Snapshot, terms: PlanTerms) -> Plan {
        let plan = match self {
            Self::Lost(_) | Self::RackLost => {
                rebuild(snapshot, &Rebuild::new(terms, PlaceBy::Storage))
            }
            Self::Uneven => rebalance(snapshot, &Rebalance::new(terms, Balance::default())),
            Self::New(_) => scale(snapshot, &Scale { terms, balance: Balance::default() }),
        };
        plan.unwrap()
    }
}

/// A cluster to which this happened, and the plan for it.
pub(crate) fn planned((brokers, racks, partitions): Size, case: Case) -> (Snapshot, Plan) {
    let rack = |id: u32| id % racks;
    let lost = |id: u32| case.loses(id, racks);
    let mut dice = Dice(u64::from(brokers));
    let mut topics = Vec::new();
    for number in 0..partitions / PARTITIONS_OF_TOPIC {
        let ids = (0..PARTITIONS_OF_TOPIC).map(PartitionId);
        let partitions = ids.map(|id| {
            let mut replicas: Replicas = Replicas::new();
            while replicas.len() < REPLICATION {
                let broker = u32::try_from(dice.below(brokers as usize)).unwrap();
                if case == Case::Uneven && dice.below(brokers as usize) < broker as usize / 2 {
                    continue;
                }
                if replicas.iter().all(|held| rack(held.0) != rack(broker)) {
                    replicas.push(BrokerId(broker));
                }
            }
            let isr: Replicas = replicas.iter().copied().filter(|id| !lost(id.0)).collect();
            let leader = isr.first().map_or(Leader::None, |id| Leader::Broker(*id));
            let mut partition = Partition::new(id, replicas);
            partition.size = Some(Bytes(dice.size()));
            let facts = PartitionFacts { isr: Some(isr), leader, ..PartitionFacts::default() };
            partition.facts = Some(Box::new(facts));
            partition
        });
        let partitions = partitions.collect();
        let name = format!("t{number:05}");
        let topic = Topic { name, partitions, min_insync_replicas: Some(2), ..Topic::default() };
        topics.push(topic);
    }
    let broker = |id| {
        let total = 3_000_000_000_000_000;
        let held: u64 = topics
            .iter()
            .flat_map(|topic| &topic.partitions)
            .filter(|partition| partition.replicas.contains(&id))
            .filter_map(|partition| Some(partition.size?.0))
            .sum();
        Broker {
            rack: Some(format!("r{}", rack(id.0))),
            storage_total: Some(Bytes(total)),
            storage_free: Some(Bytes(total - held)),
            ..Broker::new(id)
        }
    };
    let new = match case {
        Case::New(count) => count,
        Case::Lost(_) | Case::RackLost | Case::Uneven => 0,
    };
    let live = (0..brokers + new).filter(|id| !lost(*id)).map(BrokerId);
    let live: Vec<BrokerId> = live.collect();
    let brokers = live.iter().copied().map(broker).collect();
    let snapshot = Snapshot::new(Parts { brokers, topics, ..Parts::default() }).unwrap();
    let assignments = vec![Assignment::new(TopicSelection::Rest, live.into_iter().collect())];
    let plan = case.plan(&snapshot, PlanTerms::new(assignments, Ratio::ZERO));
    (snapshot, plan)
}
