//! Random clusters and random requests, small enough to read when a case fails.

use mapper::snapshot::{
    Broker, Leader, LogDir, LogDirIndex, Partition, PartitionFacts, Parts, RareFacts, Topic,
};
use mapper::{
    Assignment, BrokerId, Bytes, CpuModel, Optimize, PartitionId, PlaceBy, PlanTerms, RackRule,
    Ratio, Rebuild, Snapshot, TopicSelection,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;

const FIRST_ID: u32 = 1001;

/// Bytes, records and replicas cost about the same.
const CPU_MODEL: CpuModel = CpuModel {
    idle_nanocores: 100_000_000,
    picoseconds_per_byte: 9_000_000,
    nanoseconds_per_record: 300_000,
    nanocores_per_replica: 50_000_000,
    brokers: 6,
    error: Ratio::from_percent(3),
};

/// The parameters of a random broker.
#[derive(Debug, Clone)]
pub struct BrokerShape {
    rack: Option<u8>,
    host: Option<u8>,
    capacity: u64,
    fate: Fate,
    cordon: Cordon,
}

/// What is cordoned on a broker.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cordon {
    None,
    /// All its log dirs, without naming them.
    Broker,
    /// The first of its log dirs. Of brokers with one volume, only this is known.
    FirstDir,
    /// Each log dir by its path.
    EachDir,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    Live,
    /// Listed with `live: false`.
    Fenced,
    /// Known only from replica lists.
    Gone,
}

/// The parameters of a random topic.
#[derive(Debug, Clone)]
pub struct TopicShape {
    replication: usize,
    partitions: Vec<PartitionShape>,
}

/// The parameters of a random partition.
#[derive(Debug, Clone)]
pub struct PartitionShape {
    size: u64,
    /// A seed for the place.
    seed: u32,
    /// Whether its leader is known.
    told: bool,
    quirk: Quirk,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Quirk {
    Plain,
    /// Its last replica is in a failed log dir.
    FailedLogDir,
    /// Its last replica is being added.
    Moving,
    /// Its size is unknown.
    SizeUnknown,
}

/// A random cluster.
#[derive(Debug, Clone)]
pub struct Shape {
    pub brokers: Vec<BrokerShape>,
    pub topics: Vec<TopicShape>,
    /// The used share of a broker's storage, in percent, on average before the plan.
    fill: u64,
    /// Whether traffic rates, network capacities and CPU are known.
    pub rates: bool,
    /// Brokers with an even id have two volumes of different sizes.
    pub several_volumes: bool,
    /// One more broker: empty, live, and in this broker's rack. Nothing else differs.
    one_more: Option<usize>,
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
        cordon: Cordon::None,
    })
}

fn partition() -> impl Strategy<Value = PartitionShape> {
    let quirk = prop_oneof![
        30 => Just(Quirk::Plain),
        2 => Just(Quirk::FailedLogDir),
        1 => Just(Quirk::Moving),
        1 => Just(Quirk::SizeUnknown),
    ];
    (1_u64..1_000, any::<u32>(), any::<bool>(), quirk)
        .prop_map(|(size, seed, told, quirk)| PartitionShape { size, seed, told, quirk })
}

fn topic() -> impl Strategy<Value = TopicShape> {
    (1_usize..4, vec(partition(), 1..8))
        .prop_map(|(replication, partitions)| TopicShape { replication, partitions })
}

/// Clusters of 2 to 9 brokers and up to 40 partitions.
pub fn shape() -> impl Strategy<Value = Shape> {
    let rates = proptest::bool::weighted(0.3);
    (vec(broker(), 2..10), vec(topic(), 1..6), 5_u64..60, rates).prop_map(
        |(brokers, topics, fill, rates)| Shape {
            brokers,
            topics,
            fill,
            rates,
            several_volumes: false,
            one_more: None,
        },
    )
}

/// The same with little free space.
pub fn crowded() -> impl Strategy<Value = Shape> {
    (shape(), 60_u64..95).prop_map(|(shape, fill)| Shape { fill, ..shape })
}

/// A cluster with cordons on some brokers, or on one of their log dirs, with one or several volumes.
pub fn cordoned(shape: impl Strategy<Value = Shape>) -> impl Strategy<Value = Shape> {
    let cordon = prop_oneof![
        4 => Just(Cordon::None),
        2 => Just(Cordon::Broker),
        2 => Just(Cordon::FirstDir),
        1 => Just(Cordon::EachDir),
    ];
    (shape, vec(cordon, 10), any::<bool>()).prop_map(|(mut shape, cordons, several_volumes)| {
        for (broker, cordon) in shape.brokers.iter_mut().zip(cordons) {
            broker.cordon = cordon;
        }
        Shape { several_volumes, ..shape }
    })
}

impl Shape {
    pub fn ids(&self) -> Vec<BrokerId> {
        (FIRST_ID..).take(self.brokers.len()).map(BrokerId).collect()
    }

    pub fn live(&self) -> BTreeSet<BrokerId> {
        let live = self.ids().into_iter().zip(&self.brokers);
        live.filter(|(_, broker)| broker.fate == Fate::Live).map(|(id, _)| id).collect()
    }

    /// The same cluster with one more live broker, in a rack that may be used.
    ///
    /// In a new rack it would have to hold a replica of everything, which it may refuse.
    pub fn with_one_more(&self, ask: &Ask) -> Option<Self> {
        let stays = |(at, broker): (usize, &BrokerShape)| {
            broker.fate == Fate::Live && !ask.leaving.contains(&at)
        };
        let beside = self.brokers.iter().enumerate().position(stays)?;
        Some(Self { one_more: Some(beside), ..self.clone() })
    }

    /// The broker that `one_more` adds.
    fn newcomer(&self) -> Option<(BrokerId, BrokerShape)> {
        let rack = self.brokers[self.one_more?].rack;
        let (fate, cordon) = (Fate::Live, Cordon::None);
        let shape = BrokerShape { rack, host: None, capacity: 3, fate, cordon };
        Some((BrokerId(FIRST_ID + 100), shape))
    }

    pub fn has_failed_log_dir(&self) -> bool {
        let mut partitions = self.topics.iter().flat_map(|topic| &topic.partitions);
        partitions.any(|partition| partition.quirk == Quirk::FailedLogDir)
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
        let brokers = self.ids().into_iter().zip(self.brokers.clone()).chain(self.newcomer());
        let brokers = brokers
            .filter(|(_, shape)| shape.fate != Fate::Gone)
            .map(|(id, shape)| {
                let mut broker = broker_of(id, &shape, unit, &topics);
                broker.network_bytes_per_second = self.rates.then_some(shape.capacity * 1_000_000);
                broker.cpu_nanocores = self.rates.then_some(shape.capacity * 4_000_000_000);
                if self.several_volumes && id.0.is_multiple_of(2) {
                    divide(&mut broker, &topics);
                }
                broker.cordoned_log_dirs = cordons(shape.cordon);
                broker
            })
            .collect();
        let cluster_id = Some("random".to_owned());
        let cpu_model = self.rates.then_some(CPU_MODEL);
        Parts { cluster_id, cpu_model, brokers, topics, ..Parts::default() }
    }

    fn topic(&self, index: usize, shape: &TopicShape) -> Topic {
        let mut topic = Topic { name: format!("topic-{index}"), ..Topic::default() };
        if self.several_volumes {
            topic.log_dir_paths = PATHS.map(str::to_owned).to_vec();
        }
        for (id, shape_of) in (0_u32..).zip(&shape.partitions) {
            topic.partitions.push(self.partition(PartitionId(id), shape.replication, shape_of));
        }
        topic
    }

    fn partition(&self, id: PartitionId, replication: usize, shape: &PartitionShape) -> Partition {
        let mut ids = self.ids();
        let lot = |id: &BrokerId| id.0.wrapping_mul(2_654_435_761).wrapping_add(shape.seed);
        ids.sort_by_key(|id| lot(id).reverse_bits());
        ids.truncate(replication.min(ids.len()));
        let mut partition = Partition::new(id, ids.iter().copied());
        partition.size = (shape.quirk != Quirk::SizeUnknown).then_some(Bytes(shape.size));
        if shape.told || shape.quirk != Quirk::Plain {
            partition.facts = Some(Box::new(self.facts(&ids, shape)));
        }
        if self.rates {
            let facts = partition.facts.get_or_insert_default();
            facts.bytes_in = Some(u64::from(shape.seed >> 8) % 10_000);
            facts.records_in = Some(u64::from(shape.seed >> 6) % 400);
            facts.bytes_out = Some(u64::from(shape.seed >> 4) % 30_000);
        }
        partition
    }

    fn facts(&self, ids: &[BrokerId], shape: &PartitionShape) -> PartitionFacts {
        let last = |quirk: Quirk| ids.iter().rev().take(usize::from(shape.quirk == quirk)).copied();
        let offline: Vec<BrokerId> = last(Quirk::FailedLogDir).collect();
        let live = self.live();
        let up = |id: &BrokerId| live.contains(id) && !offline.contains(id);
        let leader = match ids.iter().copied().find(up) {
            _ if !shape.told => Leader::Unknown,
            Some(id) => Leader::Broker(id),
            None => Leader::None,
        };
        PartitionFacts {
            leader,
            isr: shape.told.then(|| ids.iter().copied().filter(up).collect()),
            log_dirs: match self.several_volumes {
                true => ids
                    .iter()
                    .map(|id| {
                        let known = id.0.is_multiple_of(2) && !offline.contains(id);
                        known.then(|| LogDirIndex(path_of(*id, shape.size)))
                    })
                    .collect(),
                false => Default::default(),
            },
            // Some topics' new replicas start at the last tiered offset.
            rare: RareFacts {
                adding: last(Quirk::Moving).collect(),
                offline: offline.iter().copied().collect(),
                copied: shape.seed.is_multiple_of(4).then(|| Bytes(u64::from(shape.seed % 1_000))),
                ..RareFacts::default()
            }
            .into(),
            ..PartitionFacts::default()
        }
    }
}

fn weight(partition: &Partition) -> u64 {
    partition.size.unwrap_or_default().0 * partition.replicas.len() as u64
}

fn broker_of(id: BrokerId, shape: &BrokerShape, unit: u64, topics: &[Topic]) -> Broker {
    let held = topics.iter().flat_map(|t| &t.partitions).filter(|p| p.replicas.contains(&id));
    let used: u64 = held.map(|p| p.size_on(id).unwrap_or_default().0).sum();
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

fn cordons(cordon: Cordon) -> Vec<String> {
    let paths: &[&str] = match cordon {
        Cordon::None => &[],
        Cordon::Broker => &["*"],
        Cordon::FirstDir => &PATHS[..1],
        Cordon::EachDir => &PATHS,
    };
    paths.iter().map(|path| (*path).to_owned()).collect()
}

const PATHS: [&str; 2] = ["/d0", "/d1"];

/// The volume for a broker's replicas of this size.
fn path_of(id: BrokerId, size: u64) -> u16 {
    u16::try_from((u64::from(id.0) / 2 + size) % 2).unwrap()
}

/// Two volumes. One is half as large again as the other, or as large as its data.
fn divide(broker: &mut Broker, topics: &[Topic]) {
    let total = broker.storage_total.unwrap().0;
    let used = |path: u16| {
        let held = topics.iter().flat_map(|t| &t.partitions);
        let sizes =
            held.filter(|p| p.replicas.contains(&broker.id) && !p.offline().contains(&broker.id));
        let on_path = sizes.filter(|p| path_of(broker.id, p.size.unwrap_or_default().0) == path);
        on_path.map(|p| p.size_on(broker.id).unwrap_or_default().0).sum::<u64>()
    };
    let used = [used(0), used(1)];
    let totals = [(total * 3 / 5).max(used[0]), (total * 2 / 5).max(used[1]) + 1];
    let dir = |at: usize| LogDir {
        path: PATHS[at].to_owned(),
        total: Some(Bytes(totals[at])),
        free: Some(Bytes(totals[at] - used[at])),
    };
    broker.log_dirs = vec![dir(0), dir(1)];
    broker.storage_total = Some(Bytes(totals[0] + totals[1]));
    broker.storage_free = Some(Bytes(totals[0] + totals[1] - used[0] - used[1]));
}

/// A random rebuild of all topics onto most of the live brokers.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Live brokers that are left out, by index.
    leaving: BTreeSet<usize>,
    replication: Option<u32>,
    min_rack_ids: Option<u32>,
    by: PlaceBy,
    optimize: Optimize,
    pub force: bool,
    fix_racks: bool,
    optimize_leadership: bool,
    sub_affinity: bool,
    /// In percent.
    size_factor: u32,
    headroom: u32,
}

/// Requests with every flag on or off.
pub fn ask() -> impl Strategy<Value = Ask> {
    let by = prop_oneof![Just(PlaceBy::Count), Just(PlaceBy::Storage)];
    let optimize = prop_oneof![Just(Optimize::Distribution), Just(Optimize::Storage)];
    let replication = prop_oneof![4 => Just(None), 1 => (1_u32..4).prop_map(Some)];
    let min_rack_ids = prop_oneof![4 => Just(None), 1 => (1_u32..4).prop_map(Some)];
    let leaving = proptest::collection::btree_set(0_usize..9, 0..3);
    let rare = proptest::bool::weighted;
    let flags = (rare(0.15), rare(0.2), any::<bool>(), rare(0.15), 50_u32..200);
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
            sub_affinity: flags.3,
            size_factor: flags.4,
            headroom,
        },
    )
}

impl Ask {
    pub fn request(&self, shape: &Shape) -> Rebuild {
        let keep = |(index, id): (usize, BrokerId)| (!self.leaving.contains(&index)).then_some(id);
        let newcomer = shape.newcomer().map(|(id, _)| id);
        let brokers = shape.ids().into_iter().enumerate().filter_map(keep).chain(newcomer);
        let all = Assignment::new(TopicSelection::Rest, brokers.collect());
        let assignments = vec![Assignment { replication: self.replication, ..all }];
        let terms = PlanTerms {
            racks: self.min_rack_ids.map_or(RackRule::Spread, RackRule::AtLeast),
            fix_racks: self.fix_racks,
            ..PlanTerms::new(assignments, Ratio::from_percent(self.headroom))
        };
        Rebuild {
            optimize: self.optimize,
            force: self.force,
            sub_affinity: self.sub_affinity,
            partition_size_factor: Ratio::from_percent(self.size_factor),
            optimize_leadership: self.optimize_leadership,
            ..Rebuild::new(terms, self.by)
        }
    }
}
