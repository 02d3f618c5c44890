//! Random clusters, plans and events, small enough to read when a case fails.

use execute::{ExecutionLimits, OnDeadBroker, Pace, PauseOn};
use mapper::{
    ANY_LOG_DIR, Assignment, Balance, BrokerId, Bytes, Move, PartitionId, Plan, PlanTerms, Rate,
    Ratio, Reason, Replicas, Request, Scale, TopicSelection,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::collections::BTreeSet;

pub const BROKERS: u32 = 6;
pub const TOPICS: usize = 3;
/// The broker that every plan drains.
pub const DRAINED: BrokerId = BrokerId(BROKERS);
/// The topic that no plan is about.
pub const OUT_OF_SCOPE: usize = TOPICS - 1;
/// The log dirs of every broker. Kafka puts replicas without a given dir into the first.
pub const DIRS: [&str; 2] = ["/a", "/b"];

/// A cluster, a plan for it, and the settings for its execution.
#[derive(Debug, Clone)]
pub struct World {
    pub zookeeper: bool,
    /// Whether brokers learn of a move's end later than the controller.
    pub lags: bool,
    pub partitions: Vec<Shape>,
    pub moves_per_step: usize,
    /// Whether some moves go through an intermediate list.
    pub phased: bool,
    pub pace: Pace,
    pub pause_on: PauseOn,
    pub limits: ExecutionLimits,
    /// Rates that the operator has set: broker, side, rate.
    pub rates: Vec<(u32, bool, u64)>,
    /// Lists that the operator has set: topic, side, value.
    pub lists: Vec<(usize, bool, String)>,
}

/// One partition: where it is, and its target, if that is different.
#[derive(Debug, Clone)]
pub struct Shape {
    pub topic: usize,
    pub from: Vec<u32>,
    pub to: Option<Vec<u32>>,
    /// The log dir of each replica at the target.
    pub dirs: Vec<&'static str>,
}

/// An event before the executor's next round.
#[derive(Debug, Clone)]
pub enum Event {
    Nothing,
    /// The executor dies after this number of actions of the round.
    Killed(usize),
    JournalLost,
    BrokerDies(u32),
    BrokerReturns(u32),
    /// A broker does not answer us, although the cluster lists it as live.
    BrokerMute(u32),
    /// The move of one partition makes all possible progress.
    Progress(usize),
    TopicDeleted(usize),
    /// A partition is added to a topic, and Kafka places it.
    PartitionCreated(usize, Vec<u32>),
    /// Another tool moves a partition.
    MovedByOthers(usize, Vec<u32>),
    /// An operator cancels the move of a partition with Kafka's own tool.
    CancelledByOthers(usize),
    /// We lose the right to describe a topic.
    Hidden(usize),
    /// We get this right back.
    Shown(usize),
    /// An operator asks the executor for another rate.
    RateAsked(Rate),
    /// The executor is gone, and an operator changes the rates that it has left.
    RateSet(Rate),
}

fn brokers() -> impl Strategy<Value = Vec<u32>> {
    let ids: Vec<u32> = (1..=BROKERS).collect();
    (1_usize..=3).prop_flat_map(move |n| subsequence(ids.clone(), n)).prop_shuffle()
}

fn shapes() -> impl Strategy<Value = Shape> {
    let to = prop::option::weighted(0.8, brokers());
    let dirs = vec(select(vec![ANY_LOG_DIR, ANY_LOG_DIR, DIRS[0], DIRS[1]]), 3);
    (0..TOPICS, brokers(), to, dirs).prop_map(|(topic, from, to, dirs)| {
        // An unchanged list may still name another log dir.
        let moves = |to: &Vec<u32>| *to != from || dirs.contains(&DIRS[1]);
        Shape { topic, to: to.filter(moves), from, dirs }
    })
}

pub fn worlds() -> impl Strategy<Value = World> {
    let pace =
        prop_oneof![4 => Just(Pace::BytesPerSecond(Rate(1000))), 1 => Just(Pace::Unthrottled)];
    let pause = select(vec![PauseOn::Never, PauseOn::New, PauseOn::Any]);
    let dead = select(vec![OnDeadBroker::Wait, OnDeadBroker::Cancel]);
    let limits =
        (1_usize..6, option::of(1_usize..4), dead).prop_map(|(moves, moves_per_broker, dead)| {
            ExecutionLimits {
                moves,
                moves_per_broker,
                batch: 3,
                patience_seconds: 5,
                until_seconds: None,
                on_dead_broker: dead,
                stalled_after_seconds: 600,
                leave_when_lost_seconds: None,
            }
        });
    let rates = vec((1..=BROKERS, any::<bool>(), select(vec![7_u64, 1000, 9_999])), 0..3);
    let list = select(vec!["*", "0:1", "0:1,1:2,2:3", "9:9", "1:4 , 0:2"]).prop_map(str::to_owned);
    let lists = vec((0..TOPICS, any::<bool>(), list), 0..3);
    let steps = (1_usize..5, prop::bool::weighted(0.3));
    let kafka = (any::<bool>(), any::<bool>());
    (kafka, vec(shapes(), 1..9), steps, pace, pause, limits, rates, lists).prop_map(
        |((zookeeper, lags), partitions, steps, pace, pause_on, limits, rates, lists)| World {
            zookeeper,
            lags,
            partitions,
            moves_per_step: steps.0,
            phased: steps.1,
            pace,
            pause_on,
            limits,
            rates,
            lists,
        },
    )
}

pub fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => Just(Event::Nothing),
        3 => (0_usize..6).prop_map(Event::Killed),
        1 => Just(Event::JournalLost),
        2 => (1..=BROKERS).prop_map(Event::BrokerDies),
        3 => (1..=BROKERS).prop_map(Event::BrokerReturns),
        1 => (1..=BROKERS).prop_map(Event::BrokerMute),
        8 => (0_usize..9).prop_map(Event::Progress),
        1 => (0..TOPICS).prop_map(Event::TopicDeleted),
        1 => (0..TOPICS, brokers()).prop_map(|(t, on)| Event::PartitionCreated(t, on)),
        1 => ((0_usize..9), brokers()).prop_map(|(p, to)| Event::MovedByOthers(p, to)),
        2 => (0_usize..9).prop_map(Event::CancelledByOthers),
        1 => (0..TOPICS).prop_map(Event::Hidden),
        2 => (0..TOPICS).prop_map(Event::Shown),
        1 => select([7, 1000, 2000].map(Rate).to_vec()).prop_map(Event::RateAsked),
        1 => select([7, 1000, 3000].map(Rate).to_vec()).prop_map(Event::RateSet),
    ];
    vec(event, 0..60)
}

impl Shape {
    fn log_dirs(&self) -> Vec<String> {
        let named = self.to.iter().flatten().zip(&self.dirs).map(|(_, dir)| (*dir).to_owned());
        let named: Vec<String> = named.collect();
        if named.iter().all(|dir| dir == ANY_LOG_DIR) { Vec::new() } else { named }
    }
}

impl World {
    /// The partition's number within its topic.
    pub fn number(&self, index: usize) -> PartitionId {
        let topic = self.partitions[index].topic;
        let before = self.partitions[..index].iter().filter(|shape| shape.topic == topic);
        PartitionId(u32::try_from(before.count()).unwrap())
    }

    /// In some moves, the new leader comes first, followed by all others.
    fn via(&self, shape: &Shape) -> Box<[Replicas]> {
        let first = shape.to.as_ref().map(|to| to[0]);
        match first.filter(|first| self.phased && !shape.from.contains(first)) {
            Some(first) => [ids(&[&[first], &shape.from[..]].concat())].into(),
            None => Box::default(),
        }
    }

    /// Steps of a few moves each. No step contains a move twice.
    fn steps(&self, indices: &[usize]) -> Vec<Vec<usize>> {
        let mut steps: Vec<Vec<usize>> = Vec::new();
        for index in indices {
            match steps.last_mut() {
                Some(step) if step.len() < self.moves_per_step && !step.contains(index) => {
                    step.push(*index);
                }
                _ => steps.push(vec![*index]),
            }
        }
        steps
    }

    pub fn plan(&self) -> Plan {
        let moved = self.partitions.iter().enumerate();
        let moves: Vec<Move> = moved
            .filter_map(|(index, shape)| {
                Some(Move {
                    topic: topic(shape.topic).into(),
                    partition: self.number(index),
                    from: ids(&shape.from),
                    via: self.via(shape),
                    log_dirs: shape.log_dirs(),
                    to: ids(shape.to.as_ref()?),
                    reason: Reason::Balance,
                    // At the rates of these worlds, a large move fills the window of a port, and a small one rarely does.
                    bytes: Some(Bytes(if index % 3 == 2 { 20_000 } else { 100 })),
                    disk_bytes: Bytes(0),
                })
            })
            .collect();
        // A move with an intermediate list is in two steps: an early one and a late one.
        let indices: Vec<usize> = (0..moves.len()).collect();
        let on_the_way = indices.iter().copied().filter(|index| !moves[*index].via.is_empty());
        let indices: Vec<usize> = on_the_way.chain(indices.iter().copied()).collect();
        let (cluster_id, steps) = (Some("c".to_owned()), self.steps(&indices));
        Plan { cluster_id, steps, moves, ..Plan::empty(request()) }
    }
}

pub fn topic(index: usize) -> String {
    format!("t{index}")
}

pub fn ids(ids: &[u32]) -> Replicas {
    ids.iter().copied().map(BrokerId).collect()
}

fn request() -> Request {
    let topics = TopicSelection::Named((0..OUT_OF_SCOPE).map(topic).collect());
    let brokers = (1..=BROKERS).map(BrokerId).collect();
    Request::Scale(Scale {
        terms: PlanTerms::new(vec![Assignment::new(topics, brokers)], Ratio::ZERO),
        balance: Balance { drain: BTreeSet::from([DRAINED]), ..Balance::default() },
    })
}
