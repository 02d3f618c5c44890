//! A simulated cluster that behaves as real Kafka did in measurements.

use crate::world::{BROKERS, DIRS, DRAINED, World, ids, topic};
use execute::{CopyProgress, Key, Lying, Others, Running, Seen, Setting, Stored, ThrottleResource};
use mapper::snapshot::{Broker, Leader, Partition, PartitionFacts, Parts, Topic};
use mapper::{BrokerId, PartitionId, Replicas, Snapshot, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

pub const MIN_ISR: u32 = 1;
/// The log dirs of the drained broker that an operator has cordoned.
const OF_AN_OPERATOR: &str = "/b";
/// How many looks later a lagging broker knows of a move's end.
const LAG: u64 = 3;

#[derive(Debug, Clone)]
pub struct Cluster {
    pub zookeeper: bool,
    pub now: u64,
    pub live: BTreeSet<BrokerId>,
    pub mute: BTreeSet<BrokerId>,
    pub partitions: BTreeMap<TopicPartition, State>,
    pub configs: BTreeMap<ThrottleResource, BTreeMap<Key, String>>,
    /// The log dirs that brokers were given for replicas that they do not have. A restart makes them forget.
    told: BTreeMap<(TopicPartition, BrokerId), String>,
    /// Whether brokers learn of a move's end later than the controller.
    lags: bool,
    /// Moves that have ended: when, and the replicas of both lists.
    ended: BTreeMap<TopicPartition, (u64, Replicas)>,
    /// Topics that were deleted.
    gone: BTreeSet<String>,
    /// Topics that we lost the right to describe.
    pub hidden: BTreeSet<String>,
}

#[derive(Debug, Clone)]
pub struct State {
    pub replicas: Replicas,
    pub isr: Replicas,
    pub leader: Option<BrokerId>,
    pub run: Option<Run>,
    /// The log dir of each broker's replicas.
    pub dirs: BTreeMap<BrokerId, Lying>,
}

/// A running reassignment.
#[derive(Debug, Clone)]
pub struct Run {
    pub target: Replicas,
    pub adding: Replicas,
    before: Replicas,
}

impl State {
    /// During a reassignment: the target and the replicas to be removed.
    fn shown(&self) -> Replicas {
        let mut all = self.replicas.clone();
        if let Some(run) = &self.run {
            all.clone_from(&run.target);
            all.extend(run.before.iter().copied().filter(|id| !run.target.contains(id)));
        }
        all
    }

    /// A partition without faults.
    fn of(replicas: Replicas) -> Self {
        let leader = replicas.first().copied();
        let first = || Lying { log_dir: Some(DIRS[0].to_owned()), arriving: None };
        let dirs = replicas.iter().map(|id| (*id, first())).collect();
        Self { isr: replicas.clone(), replicas, leader, run: None, dirs }
    }
}

impl Cluster {
    pub fn of(world: &World) -> Self {
        let mut partitions = BTreeMap::new();
        for (index, shape) in world.partitions.iter().enumerate() {
            let of = TopicPartition { topic: topic(shape.topic), partition: world.number(index) };
            partitions.insert(of, State::of(ids(&shape.from)));
        }
        let live: BTreeSet<BrokerId> = (1..=BROKERS).map(BrokerId).collect();
        let mut configs: BTreeMap<ThrottleResource, BTreeMap<Key, String>> = BTreeMap::new();
        configs.extend(live.iter().map(|id| (ThrottleResource::Broker(*id), BTreeMap::new())));
        let topics = partitions.keys().map(|of: &TopicPartition| of.topic.clone());
        configs.extend(topics.map(|name| (ThrottleResource::Topic(name), BTreeMap::new())));
        for (broker, leads, rate) in &world.rates {
            let key = if *leads { Key::LeaderRate } else { Key::FollowerRate };
            let of = configs.get_mut(&ThrottleResource::Broker(BrokerId(*broker))).unwrap();
            of.insert(key, rate.to_string());
        }
        for (index, leads, value) in &world.lists {
            let key = if *leads { Key::LeaderReplicas } else { Key::FollowerReplicas };
            if let Some(of) = configs.get_mut(&ThrottleResource::Topic(topic(*index))) {
                of.insert(key, value.clone());
            }
        }
        if world.lags {
            let of = configs.get_mut(&ThrottleResource::Broker(DRAINED)).unwrap();
            of.insert(Key::CordonedLogDirs, OF_AN_OPERATOR.to_owned());
        }
        Self {
            zookeeper: world.zookeeper,
            now: 0,
            live,
            mute: BTreeSet::new(),
            partitions,
            configs,
            told: BTreeMap::new(),
            lags: world.lags,
            ended: BTreeMap::new(),
            gone: BTreeSet::new(),
            hidden: BTreeSet::new(),
        }
    }

    /// Whether the drained broker has cordons, and answers.
    pub fn can_cordon(&self) -> bool {
        !self.zookeeper && self.live.contains(&DRAINED) && !self.mute.contains(&DRAINED)
    }

    pub fn seen(&self) -> Seen {
        let mut topics: BTreeMap<String, Topic> = BTreeMap::new();
        let shown = self.partitions.iter().filter(|(of, _)| !self.hidden.contains(&of.topic));
        for (of, state) in shown {
            let topic = topics.entry(of.topic.clone()).or_insert_with(|| Topic {
                name: of.topic.clone(),
                min_insync_replicas: Some(MIN_ISR),
                ..Topic::default()
            });
            let mut all = state.shown();
            if let Some((_, before)) = self.ended.get(of).filter(|(at, _)| self.now < at + LAG) {
                all.clone_from(before);
            }
            let mut partition = Partition::new(of.partition, all);
            partition.facts = Some(Box::new(PartitionFacts {
                isr: Some(state.isr.clone()),
                leader: state.leader.map_or(Leader::None, Leader::Broker),
                ..PartitionFacts::default()
            }));
            topic.partitions.push(partition);
        }
        let running = self.partitions.iter().filter_map(|(of, state)| {
            let run = state.run.as_ref()?;
            let running = Running { target: run.target.clone(), adding: run.adding.clone() };
            Some((of.clone(), running))
        });
        let answers = |resource: &ThrottleResource| match resource {
            ThrottleResource::Broker(id) => self.live.contains(id) && !self.mute.contains(id),
            ThrottleResource::Topic(name) => !self.hidden.contains(name),
        };
        let told = self.configs.iter().filter(|(resource, _)| answers(resource));
        Seen {
            at_seconds: self.now,
            clock_seconds: self.now,
            live: self.live.clone(),
            cordonable: self.can_cordon().then_some(DRAINED).into_iter().collect(),
            running: running.collect(),
            settling: BTreeSet::new(),
            abandoned: BTreeSet::new(),
            topics,
            gone: self.gone.clone(),
            configs: told.map(|(resource, set)| (resource.clone(), set.clone())).collect(),
            free: BTreeMap::new(),
            copies: CopyProgress::default(),
            look_seconds: 1,
            stored: self.live.difference(&self.mute).map(|id| (*id, self.stored(*id))).collect(),
            cordons: BTreeMap::new(),
            announced: BTreeSet::new(),
            others: Others::None,
        }
    }

    fn stored(&self, id: BrokerId) -> Stored {
        let replicas = self
            .partitions
            .iter()
            .filter_map(|(of, state)| state.dirs.get(&id).map(|lying| (of.clone(), lying.clone())));
        Stored { free: BTreeMap::new(), replicas: replicas.collect() }
    }

    /// A broker's reaction to a log dir for a replica. Returns whether the broker answers.
    pub fn place(&mut self, of: &TopicPartition, id: BrokerId, dir: &str) -> bool {
        if !self.live.contains(&id) || self.mute.contains(&id) {
            return false;
        }
        let state = self.partitions.get_mut(of);
        match state.and_then(|state| state.dirs.get_mut(&id)) {
            Some(lying) => {
                let elsewhere = lying.log_dir.as_deref() != Some(dir);
                lying.arriving = elsewhere.then(|| dir.to_owned());
            }
            None => drop(self.told.insert((of.clone(), id), dir.to_owned())),
        }
        true
    }

    /// Brokers create their new replicas, in the given log dir or in any.
    fn make_replicas(&mut self) {
        for (of, state) in &mut self.partitions {
            let coming = state.run.iter().flat_map(|run| &run.adding);
            let all: Vec<BrokerId> = state.replicas.iter().chain(coming).copied().collect();
            state.dirs.retain(|id, _| all.contains(id) || !self.live.contains(id));
            for id in all.iter().filter(|id| self.live.contains(id)) {
                state.dirs.entry(*id).or_insert_with(|| {
                    let told = self.told.remove(&(of.clone(), *id));
                    Lying { log_dir: told.or(Some(DIRS[0].to_owned())), arriving: None }
                });
            }
        }
    }

    pub fn set(&mut self, setting: &Setting, value: Option<&str>) {
        if let ThrottleResource::Broker(id) = setting.resource
            && (!self.live.contains(&id) || self.mute.contains(&id))
        {
            return; // The request times out.
        }
        let Some(configs) = self.configs.get_mut(&setting.resource) else { return };
        match value {
            Some(value) => configs.insert(setting.key, value.to_owned()),
            None => configs.remove(&setting.key),
        };
    }

    pub fn get(&self, setting: &Setting) -> Option<&str> {
        Some(self.configs.get(&setting.resource)?.get(&setting.key)?)
    }

    /// Kafka's answer to a reassignment.
    pub fn alter(&mut self, of: &TopicPartition, target: &Replicas) -> Result<(), String> {
        let dead = target.iter().find(|id| !self.live.contains(id));
        if let Some(dead) = dead.filter(|_| self.zookeeper) {
            return Err(format!("broker {dead} is not alive"));
        }
        let Some(state) = self.partitions.get_mut(of) else {
            return Err("unknown topic or partition".to_owned());
        };
        let adding: Replicas =
            target.iter().copied().filter(|id| !state.replicas.contains(id)).collect();
        let before = state.replicas.clone();
        if adding.is_empty() && target.len() == before.len() {
            state.replicas = target.clone();
        } else {
            state.run = Some(Run { target: target.clone(), adding, before });
        }
        self.make_replicas();
        Ok(())
    }

    pub fn cancel(&mut self, of: &TopicPartition) -> Result<(), String> {
        let Some(state) = self.partitions.get_mut(of) else { return Ok(()) };
        let Some(run) = &state.run else { return Ok(()) };
        if !state.isr.iter().any(|id| run.before.contains(id)) || state.leader.is_none() {
            return Err("it would require an unclean leader election".to_owned());
        }
        // Kafka does not keep the order.
        let mut replicas = run.before.clone();
        replicas.rotate_left(1);
        state.isr.retain(|id| replicas.contains(id));
        state.replicas = replicas;
        state.run = None;
        self.lead();
        self.make_replicas();
        Ok(())
    }

    pub fn elect(&mut self, of: &TopicPartition) {
        let Some(state) = self.partitions.get_mut(of) else { return };
        let first = state.replicas[0];
        if state.isr.contains(&first) && self.live.contains(&first) {
            state.leader = Some(first);
        }
    }

    pub fn dies(&mut self, id: BrokerId) {
        self.live.remove(&id);
        self.mute.remove(&id);
        self.told.retain(|(_, broker), _| *broker != id);
        for state in self.partitions.values_mut().filter(|state| state.isr.len() > 1) {
            state.isr.retain(|other| *other != id);
        }
        self.lead();
    }

    pub fn returns(&mut self, id: BrokerId) {
        self.live.insert(id);
        self.mute.remove(&id);
        self.lead();
        self.make_replicas();
        for state in self.partitions.values_mut() {
            let holds = state.replicas.contains(&id);
            if holds && !state.isr.contains(&id) && state.leader.is_some() {
                state.isr.push(id);
            }
        }
    }

    /// Elects leaders: each is live and in sync, or there is none.
    fn lead(&mut self) {
        for state in self.partitions.values_mut() {
            let fit = |id: &BrokerId| self.live.contains(id) && state.isr.contains(id);
            let all = state.run.as_ref().map_or(&state.replicas, |run| &run.target);
            if state.leader.is_none_or(|leader| !fit(&leader)) {
                let others = state.isr.iter();
                state.leader = all.iter().chain(others).copied().find(fit);
            }
        }
    }

    /// The new replicas of one move catch up if their brokers live. The move ends when Kafka would end it.
    pub fn progresses(&mut self, of: &TopicPartition) {
        let Some(state) = self.partitions.get_mut(of) else { return };
        for (_, lying) in state.dirs.iter_mut().filter(|(id, _)| self.live.contains(id)) {
            lying.log_dir = lying.arriving.take().or(lying.log_dir.take());
        }
        let (Some(run), Some(_)) = (state.run.clone(), state.leader) else { return };
        for id in run.adding.iter().filter(|id| self.live.contains(id)) {
            if !state.isr.contains(id) {
                state.isr.push(*id);
            }
        }
        let waits_for = if self.zookeeper { &run.target } else { &run.adding };
        let in_sync = |id: &BrokerId| state.isr.contains(id) && self.live.contains(id);
        let target_live = run.target.iter().any(in_sync);
        if waits_for.iter().all(in_sync) && target_live {
            state.isr.retain(|id| run.target.contains(id));
            if self.lags {
                self.ended.insert(of.clone(), (self.now, state.shown()));
            }
            state.replicas = run.target;
            state.run = None;
            self.lead();
            self.make_replicas();
        }
    }

    /// Enough time passes for every broker to know which moves have ended.
    pub fn is_known_to_all(&mut self) {
        self.ended.clear();
    }

    /// A new partition of an existing topic.
    pub fn create(&mut self, name: &str, replicas: Replicas) {
        let last =
            self.partitions.keys().filter(|of| of.topic == name).map(|of| of.partition).max();
        if let Some(last) = last.filter(|_| replicas.iter().all(|id| self.live.contains(id))) {
            let of = TopicPartition { topic: name.to_owned(), partition: PartitionId(last.0 + 1) };
            self.partitions.insert(of, State::of(replicas));
        }
    }

    /// The snapshot that a planner gets.
    pub fn snapshot(&self) -> Snapshot {
        let brokers = self.live.iter().copied().map(Broker::new).collect();
        let topics = self.seen().topics.into_values().collect();
        Snapshot::new(Parts { brokers, topics, ..Parts::default() }).unwrap()
    }

    pub fn delete(&mut self, name: &str) {
        self.partitions.retain(|of, _| of.topic != name);
        self.configs.remove(&ThrottleResource::Topic(name.to_owned()));
        self.gone.insert(name.to_owned());
        self.hidden.remove(name);
    }
}
