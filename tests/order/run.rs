//! An execution in the fluid model: the executor's own decisions, look by look.

use super::fluid::{Fluid, Stream};
use execute::{
    Action, Aim, CopyPort, Estimate, ExecutionHistory, ExecutionTerms, JournalEntry, Ledger,
    MOVES_PER_BROKER, Pace, PauseOn, Running, Seen, Task, ThrottleResource, Watch, next,
};
use mapper::snapshot::Leader;
use mapper::{BrokerId, CopyBounds, CopyJob, Move, Plan, Rate, Snapshot, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// Seconds of a look, and of the pauses after it.
const LOOK: f64 = 0.5;
const PAUSE: f64 = 1.0;
const SPREAD: f64 = 3.0;
/// Moves that a controller with KRaft begins in a second.
const BEGUN_PER_SECOND: f64 = 80.0;

const PERCENTS: [usize; 3] = [50, 90, 100];

/// Which moves are begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// As the executor decides.
    Ours,
    /// In the plan's order, 200 for each broker.
    AsPlanned,
}

pub(crate) struct Run {
    plan: Plan,
    rate: Rate,
    pace: Pace,
    pub(crate) seen: Seen,
    history: ExecutionHistory,
    ledger: Ledger,
    watch: Watch,
    pub(crate) fluid: Fluid,
    pub(crate) now: f64,
    began: Option<f64>,
    /// The copies that each partition in flight waits for.
    open: BTreeMap<TopicPartition, usize>,
    /// When each partition was done.
    pub(crate) done: BTreeMap<TopicPartition, f64>,
}

impl Run {
    /// An execution under this throttle, at the start.
    pub(crate) fn of(snapshot: &Snapshot, plan: Plan, rate: Rate) -> Self {
        let topics = snapshot.topics().iter().map(|topic| (topic.name.clone(), topic.clone()));
        let live: BTreeSet<BrokerId> = snapshot.brokers().iter().map(|broker| broker.id).collect();
        let topic = |change: &Move| ThrottleResource::Topic(change.topic.to_string());
        let resources = plan.moves.iter().map(topic);
        let resources = resources.chain(live.iter().copied().map(ThrottleResource::Broker));
        let configs = resources.map(|resource| (resource, BTreeMap::new())).collect();
        let seen = Seen { topics: topics.collect(), live, configs, ..Seen::default() };
        let (history, ledger) = (ExecutionHistory::default(), Ledger::default());
        let (watch, fluid) = (Watch::default(), Fluid::default());
        let (open, done) = (BTreeMap::new(), BTreeMap::new());
        let pace = Pace::BytesPerSecond(rate);
        Self {
            plan,
            rate,
            pace,
            seen,
            history,
            ledger,
            watch,
            fluid,
            now: 0.0,
            began: None,
            open,
            done,
        }
    }

    /// The bounds of the plan, at this rate.
    pub(crate) fn bounds(&self) -> CopyBounds {
        CopyBounds::of(&self.plan.moves.iter().map(|change| self.job(change)).collect::<Vec<_>>())
    }

    fn job(&self, change: &Move) -> CopyJob {
        let to: Vec<BrokerId> = change.added().collect();
        let bytes = change.copy_bytes().unwrap_or_default();
        CopyJob { source: self.leader(change), needed: to.len(), to, bytes }
    }

    /// The least exposure, in bytes at a port, of the orders in which every port copies the most urgent partitions first:
    /// those with one replica left in sync, which are those below min ISR here.
    pub(crate) fn urgent_first(&self) -> f64 {
        let mut ports: BTreeMap<CopyPort, Vec<(u8, u64)>> = BTreeMap::new();
        for change in &self.plan.moves {
            let job = self.job(change);
            let calm = u8::from(self.in_sync(change) > 1);
            let all = job.bytes.0 * job.to.len() as u64;
            let ends = job.source.map(|id| (CopyPort::Out(id), all));
            let ends =
                ends.into_iter().chain(job.to.first().map(|id| (CopyPort::In(*id), job.bytes.0)));
            ends.for_each(|(port, bytes)| ports.entry(port).or_default().push((calm, bytes)));
        }
        let (mut into, mut out_of) = (0.0, 0.0);
        for (port, mut jobs) in ports {
            jobs.sort_unstable();
            let mut now = 0.0;
            let sum = jobs.into_iter().map(|(_, bytes)| {
                now += bytes as f64;
                now
            });
            match port {
                CopyPort::In(_) => into += sum.sum::<f64>(),
                CopyPort::Out(_) | CopyPort::Dirs(_) => out_of += sum.sum::<f64>(),
            }
        }
        into.max(out_of)
    }

    fn in_sync(&self, change: &Move) -> usize {
        let partition = self.seen.topics[&*change.topic].partition(change.partition).unwrap();
        partition.facts.as_ref().and_then(|facts| facts.isr.as_ref()).map_or(0, |isr| isr.len())
    }

    /// What the executor says before the start: when half, nine tenths and all of the partitions are done.
    pub(crate) fn said(&self) -> [f64; 3] {
        // The model's ports carry all of their rate.
        let pace = Pace::BytesPerSecond(Rate(self.rate.0 * 100 / 90));
        let terms = ExecutionTerms::new(Aim::CarryOut, pace);
        let task = Task { plan: &self.plan, plan_id: "p", cluster_id: "c", terms };
        let round = next(&task, &self.history, &self.ledger, &self.seen);
        let estimate = Estimate::of(&task, &round.course, &self.seen);
        PERCENTS.map(|percent| estimate.done_at(percent).unwrap() as f64)
    }

    /// When half, nine tenths and all of the partitions were done.
    pub(crate) fn seen_done(&self) -> [f64; 3] {
        let mut ends: Vec<f64> = self.done.values().copied().collect();
        ends.sort_by(f64::total_cmp);
        PERCENTS.map(|percent| ends[(ends.len() * percent).div_ceil(100) - 1])
    }

    fn leader(&self, change: &Move) -> Option<BrokerId> {
        let partition = self.seen.topics[&*change.topic].partition(change.partition).unwrap();
        match partition.leader() {
            Leader::Broker(id) => Some(id),
            Leader::None | Leader::Unknown => None,
        }
    }

    /// Looks until the plan is done.
    pub(crate) fn ends(&mut self, order: Order) {
        while self.done.len() < self.plan.moves.len() {
            assert!(self.now < 1e6, "it does not end");
            self.round(order);
        }
    }

    /// One look, and the time until the next one.
    pub(crate) fn round(&mut self, order: Order) {
        self.seen.at_seconds = self.now as u64;
        self.seen.look_seconds = (LOOK + PAUSE) as u64;
        let so_far = self.fluid.streams.iter();
        let so_far = so_far.map(|(key, stream)| (key.clone(), stream.arrived()));
        self.seen.copies.bytes = so_far.collect();
        self.watch.look(&self.plan, &mut self.seen, 600);
        let seconds = match order {
            Order::Ours => self.acts(),
            Order::AsPlanned => {
                let moves = self.as_planned();
                LOOK + PAUSE + self.begin(&moves)
            }
        };
        for (of, at) in self.fluid.flow(self.now, seconds, self.rate.0 as f64) {
            self.arrives(&of, at);
        }
        self.now += seconds;
    }

    /// What the executor does. Returns the seconds until its next look.
    fn acts(&mut self) -> f64 {
        let all = ExecutionTerms::new(Aim::CarryOut, self.pace);
        let terms = ExecutionTerms { pause_on: PauseOn::New, ..all };
        let task = Task { plan: &self.plan, plan_id: "p", cluster_id: "c", terms };
        let round = next(&task, &self.history, &self.ledger, &self.seen);
        let (mut pause, mut took) = (PAUSE, 0.0);
        for action in round.actions {
            match action {
                Action::Write(entry) => self.history.apply(entry),
                Action::Account(entry) => self.ledger.apply(entry),
                Action::Set { setting, edit } => {
                    if setting.key.is_list() {
                        pause = SPREAD;
                    }
                    let set = self.seen.configs.get_mut(&setting.resource).unwrap();
                    match edit.after(set.get(&setting.key).map(String::as_str)) {
                        Some(value) => drop(set.insert(setting.key, value)),
                        None => drop(set.remove(&setting.key)),
                    }
                }
                Action::Submit { moves } => {
                    self.history.apply(JournalEntry::Begun { moves: moves.clone() });
                    took += self.begin(&moves);
                }
                Action::Elect { moves } => self.elects(&moves),
                Action::Place { .. } | Action::Cancel { .. } | Action::Reorder { .. } => {
                    panic!("{action:?}");
                }
                Action::Stop(_) => {}
            }
        }
        LOOK + pause + took
    }

    fn elects(&mut self, moves: &[usize]) {
        for change in moves.iter().map(|index| &self.plan.moves[*index]) {
            let topic = self.seen.topics.get_mut(&*change.topic).unwrap();
            let partition = topic.partitions.iter_mut().find(|p| p.id == change.partition);
            let facts = partition.unwrap().facts.as_mut().unwrap();
            facts.leader = Leader::Broker(change.to[0]);
        }
    }

    /// The moves that were begun before there were windows.
    fn as_planned(&self) -> Vec<usize> {
        let mut busy: BTreeMap<CopyPort, usize> = BTreeMap::new();
        for stream in self.fluid.streams.values() {
            *busy.entry(CopyPort::Dirs(stream.source)).or_default() += 1;
            *busy.entry(CopyPort::Dirs(stream.to)).or_default() += 1;
        }
        let mut picked = Vec::new();
        for (index, change) in self.plan.moves.iter().enumerate() {
            let of = change.of();
            let begun = self.open.contains_key(&of) || self.done.contains_key(&of);
            let part: Vec<CopyPort> =
                change.added().chain(self.leader(change)).map(CopyPort::Dirs).collect();
            let full = |port| busy.get(port).is_some_and(|count| *count >= MOVES_PER_BROKER);
            if begun || picked.len() >= 500 || part.iter().any(full) {
                continue;
            }
            part.into_iter().for_each(|port| *busy.entry(port).or_default() += 1);
            picked.push(index);
        }
        picked
    }

    /// Kafka begins these moves. Returns the seconds that its controller takes.
    fn begin(&mut self, moves: &[usize]) -> f64 {
        if !moves.is_empty() {
            self.began.get_or_insert(self.now);
        }
        for index in moves {
            let change = self.plan.moves[*index].clone();
            let of = change.of();
            let adding = change.added().collect();
            let running = Running { target: change.to.clone(), adding };
            self.seen.running.insert(of.clone(), running);
            let (source, all) = (self.leader(&change), change.copy_bytes().unwrap_or_default());
            let added: Vec<BrokerId> = change.added().collect();
            self.open.insert(of.clone(), added.len());
            for to in &added {
                let stream = Stream { source: source.unwrap(), to: *to, all, left: all.0 as f64 };
                self.fluid.streams.insert((of.clone(), *to), stream);
            }
            if added.is_empty() {
                self.ends_move(&of, self.now);
            }
        }
        moves.len() as f64 / BEGUN_PER_SECOND
    }

    fn arrives(&mut self, of: &TopicPartition, at: f64) {
        let open = self.open.get_mut(of).unwrap();
        *open -= 1;
        if *open == 0 {
            self.ends_move(of, at);
        }
    }

    fn ends_move(&mut self, of: &TopicPartition, at: f64) {
        let running = self.seen.running.remove(of).unwrap();
        let topic = self.seen.topics.get_mut(&of.topic).unwrap();
        let partition = topic.partitions.iter_mut().find(|p| p.id == of.partition).unwrap();
        let led = partition.leader();
        let facts = partition.facts.as_mut().unwrap();
        facts.isr = Some(running.target.clone());
        if !running.target.iter().any(|id| led == Leader::Broker(*id)) {
            facts.leader = Leader::Broker(running.target[0]);
        }
        partition.replicas = running.target;
        self.done.insert(of.clone(), at);
    }

    /// When the last partition was done, and the sum over all, counted from the first move.
    pub(crate) fn figures(&self) -> (f64, f64) {
        let ends = || self.done.values().map(|end| end - self.began.unwrap_or_default());
        (ends().fold(0.0, f64::max), ends().sum())
    }
}
