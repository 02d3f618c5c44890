//! Random clusters and random requests, small enough to be read when one fails.

use mapper::snapshot::{Broker, Leader, Partition, PartitionFacts, Parts, Topic};
use mapper::{
    Assignment, BrokerId, Bytes, Mends, Optimize, PartitionId, PlaceBy, RackRule, Ratio, Rebuild,
    Snapshot, Terms, Topics,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;

const FIRST_ID: u32 = 1001;

/// What a random broker is made from.
#[derive(Debug, Clone)]
pub struct BrokerShape {
    rack: Option<u8>,
    host: Option<u8>,
    capacity: u64,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    Live,
    /// Listed with `live: false`.
    Fenced,
    /// Known from replica lists alone.
    Gone,
}

/// What a random topic is made from.
#[derive(Debug, Clone)]
pub struct TopicShape {
    replication: usize,
    /// For each partition: its size, a number that decides where it lies, and whether its leader is told.
    partitions: Vec<(u64, u32, bool)>,
}

/// A random cluster.
#[derive(Debug, Clone)]
pub struct Shape {
    pub brokers: Vec<BrokerShape>,
    pub topics: Vec<TopicShape>,
    /// Percent of a broker's storage that is used on average before.
    fill: u64,
}

fn broker() -> impl Strategy<Value = BrokerShape> {
    let rack = prop_oneof![8 => (0_u8..4).prop_map(Some), 1 => Just(None)];
    let host = prop_oneof![6 => Just(None), 1 => (0_u8..3).prop_map(Some)];
    let fate = prop_oneof![10 => Just(Fate::Live), 1 => Just(Fate::Fenced), 1 => Just(Fate::Gone)];
    (rack, host, 1_u64..4, fate).prop_map(|(rack, host, capacity, fate)| BrokerShape {
        rack,
        host,
        capacity,
        fate,
    })
}

fn topic() -> impl Strategy<Value = TopicShape> {
    let partition = (1_u64..1_000, any::<u32>(), any::<bool>());
    (1_usize..4, vec(partition, 1..8))
        .prop_map(|(replication, partitions)| TopicShape { replication, partitions })
}

/// Clusters of 2 to 9 brokers and up to 40 partitions.
pub fn shape() -> impl Strategy<Value = Shape> {
    (vec(broker(), 2..10), vec(topic(), 1..6), 5_u64..60)
        .prop_map(|(brokers, topics, fill)| Shape { brokers, topics, fill })
}

impl Shape {
    pub fn ids(&self) -> Vec<BrokerId> {
        (FIRST_ID..).take(self.brokers.len()).map(BrokerId).collect()
    }

    pub fn live(&self) -> BTreeSet<BrokerId> {
        let live = self.ids().into_iter().zip(&self.brokers);
        live.filter(|(_, broker)| broker.fate == Fate::Live).map(|(id, _)| id).collect()
    }

    /// The same cluster with one live broker more, in a rack that exists.
    pub fn with_one_more(&self) -> Self {
        let mut shape = self.clone();
        let rack = shape.brokers[0].rack;
        shape.brokers.push(BrokerShape { rack, host: None, capacity: 3, fate: Fate::Live });
        shape
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.parts()).unwrap()
    }

    pub fn parts(&self) -> Parts {
        let topics: Vec<Topic> =
            self.topics.iter().enumerate().map(|(index, topic)| self.topic(index, topic)).collect();
        let total: u64 = topics.iter().flat_map(|t| &t.partitions).map(weight).sum();
        let units: u64 = self.brokers.iter().map(|broker| broker.capacity).sum();
        let unit = (total * 100 / self.fill / units).max(1_000);
        let brokers = self.ids().into_iter().zip(&self.brokers);
        let brokers = brokers
            .filter(|(_, shape)| shape.fate != Fate::Gone)
            .map(|(id, shape)| broker_of(id, shape, unit, &topics))
            .collect();
        Parts { cluster_id: Some("random".to_owned()), brokers, topics, ..Parts::default() }
    }

    fn topic(&self, index: usize, shape: &TopicShape) -> Topic {
        let mut topic = Topic { name: format!("topic-{index}"), ..Topic::default() };
        for (id, (size, seed, told)) in (0_u32..).zip(&shape.partitions) {
            let mut ids = self.ids();
            ids.sort_by_key(|id| {
                id.0.wrapping_mul(2_654_435_761).wrapping_add(*seed).reverse_bits()
            });
            ids.truncate(shape.replication.min(ids.len()));
            let mut partition = Partition::new(PartitionId(id), ids.iter().copied());
            partition.size = Some(Bytes(*size));
            if *told {
                let live = self.live();
                let leader = ids.iter().find(|id| live.contains(id));
                partition.facts = Some(Box::new(PartitionFacts {
                    leader: leader.map_or(Leader::Nobody, |id| Leader::Broker(*id)),
                    isr: Some(ids.iter().copied().filter(|id| live.contains(id)).collect()),
                    ..PartitionFacts::default()
                }));
            }
            topic.partitions.push(partition);
        }
        topic
    }
}

fn weight(partition: &Partition) -> u64 {
    partition.size.unwrap().0 * partition.replicas.len() as u64
}

fn broker_of(id: BrokerId, shape: &BrokerShape, unit: u64, topics: &[Topic]) -> Broker {
    let held = topics.iter().flat_map(|t| &t.partitions).filter(|p| p.replicas.contains(&id));
    let used: u64 = held.map(|p| p.size.unwrap().0).sum();
    let total = (shape.capacity * unit).max(used);
    Broker {
        live: shape.fate == Fate::Live,
        rack: shape.rack.map(|rack| format!("rack-{rack}")),
        host: shape.host.map(|host| format!("host-{host}")),
        storage_total: Some(Bytes(total)),
        storage_free: Some(Bytes(total - used)),
        ..Broker::new(id)
    }
}

/// A random rebuild of all topics onto most of the live brokers.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Live brokers left out, by their index.
    leaving: BTreeSet<usize>,
    replication: Option<u32>,
    min_rack_ids: Option<u32>,
    by: PlaceBy,
    optimize: Optimize,
    pub force: bool,
    fix_racks: bool,
    optimize_leadership: bool,
    headroom: u32,
}

/// Requests with every flag on or off.
pub fn ask() -> impl Strategy<Value = Ask> {
    let by = prop_oneof![Just(PlaceBy::Count), Just(PlaceBy::Storage)];
    let optimize = prop_oneof![Just(Optimize::Distribution), Just(Optimize::Storage)];
    let replication = prop_oneof![4 => Just(None), 1 => (1_u32..4).prop_map(Some)];
    let min_rack_ids = prop_oneof![4 => Just(None), 1 => (1_u32..4).prop_map(Some)];
    let leaving = proptest::collection::btree_set(0_usize..9, 0..3);
    let flags = (proptest::bool::weighted(0.15), proptest::bool::weighted(0.2), any::<bool>());
    (leaving, replication, min_rack_ids, by, optimize, flags, 0_u32..20).prop_map(
        |(leaving, replication, min_rack_ids, by, optimize, flags, headroom)| Ask {
            leaving,
            replication,
            min_rack_ids,
            by,
            optimize,
            force: flags.0,
            fix_racks: flags.1,
            optimize_leadership: flags.2,
            headroom,
        },
    )
}

impl Ask {
    pub fn request(&self, shape: &Shape) -> Rebuild {
        let keep = |(index, id): (usize, BrokerId)| (!self.leaving.contains(&index)).then_some(id);
        let brokers = shape.ids().into_iter().enumerate().filter_map(keep);
        Rebuild {
            terms: Terms {
                assignments: vec![Assignment {
                    map: None,
                    topics: Topics::Rest,
                    brokers: brokers.collect(),
                    replication: self.replication,
                }],
                mends: Mends::Everything,
                racks: self.min_rack_ids.map_or(RackRule::Spread, RackRule::AtLeast),
                fix_racks: self.fix_racks,
                storage_headroom: Ratio::from_percent(self.headroom),
            },
            placement: self.by,
            optimize: self.optimize,
            force: self.force,
            sub_affinity: false,
            partition_size_factor: Ratio::ONE,
            optimize_leadership: self.optimize_leadership,
            leader_evacuation: None,
            base: Vec::new(),
        }
    }
}
