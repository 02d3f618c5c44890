//! The cluster as planned so far, in flat arrays: the broker of each seat, and the load of each broker.

use super::load::REPLICA;
use super::topic_counts::TopicCounts;
use crate::dense::{BrokerIx, DenseCluster};
use crate::request::{Balance, BalanceGoal};
use crate::target::Targets;
use crate::traffic::ReplicaLoads;
use crate::work::{Work, log_size, why_left_out};
use std::borrow::Cow;
use std::ops::Range;

/// Marks a partition that no target takes, or that must not move.
const FIXED: u32 = u32::MAX;

/// The move of a seat from one broker to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SeatShift {
    pub(super) partition: u32,
    pub(super) from: BrokerIx,
    pub(super) to: BrokerIx,
}

/// The seats while the load is evened.
#[derive(Clone)]
pub(super) struct BalanceState<'a> {
    pub(super) cluster: &'a DenseCluster<'a>,
    pub(super) targets: &'a Targets,
    /// For each partition the index of its first seat. The last entry is the number of all seats.
    first: Cow<'a, [usize]>,
    seats: Vec<BrokerIx>,
    /// The bytes that a copy of each partition transfers; 0 if unknown.
    pub(super) size: Vec<u64>,
    /// For each partition the target that takes it, or [`FIXED`].
    movable: Vec<u32>,
    /// Storage used on each broker, in bytes; 0 if unknown.
    pub(super) used: Vec<u64>,
    /// Replicas on each broker, in parts of [`REPLICA`].
    pub(super) replicas: Vec<u64>,
    /// Traffic, in bytes per second.
    pub(super) network: EstimatedLoad,
    /// CPU, in nanocores.
    pub(super) cpu: EstimatedLoad,
    /// The replicas of each topic on each broker, if a goal uses them.
    pub(super) topics: Option<TopicCounts>,
    /// Whether repairs placed any replica on a new broker.
    pub(super) is_repaired: bool,
    /// Every change since the repairs, in order.
    pub(super) log: Vec<SeatShift>,
}

/// A load that is estimated for each replica; all 0 if no goal uses it.
#[derive(Clone)]
pub(super) struct EstimatedLoad {
    /// Of one replica of each partition; empty if no goal uses it.
    of_replica: Vec<u64>,
    pub(super) of_broker: Vec<u64>,
}

impl EstimatedLoad {
    fn new(of_replica: Vec<u64>, brokers: usize) -> Self {
        Self { of_replica, of_broker: vec![0; brokers] }
    }

    pub(super) fn of(&self, partition: usize) -> u64 {
        self.of_replica.get(partition).copied().unwrap_or(0)
    }

    fn count(&mut self, seats_of: impl Fn(usize) -> Range<usize>, seats: &[BrokerIx]) {
        for (partition, load) in self.of_replica.iter().enumerate() {
            for seat in &seats[seats_of(partition)] {
                self.of_broker[*seat as usize] += load;
            }
        }
    }

    fn shift(&mut self, partition: usize, from: BrokerIx, to: BrokerIx) {
        if let Some(load) = self.of_replica.get(partition) {
            self.of_broker[from as usize] -= load;
            self.of_broker[to as usize] += load;
        }
    }
}

impl<'a> BalanceState<'a> {
    /// The cluster once the repairs are done.
    pub(super) fn after_repairs(
        cluster: &'a DenseCluster<'a>,
        targets: &'a Targets,
        terms: &Balance,
        repairs: &[Work],
        loads: ReplicaLoads,
    ) -> Self {
        let (first, seats) = seats_after(cluster, repairs);
        let mut state = Self {
            cluster,
            targets,
            size: vec![0; first.len() - 1],
            movable: vec![FIXED; first.len() - 1],
            first,
            seats,
            used: cluster.used.iter().map(|used| used.unwrap_or(0)).collect(),
            replicas: vec![0; cluster.ids.len()],
            network: EstimatedLoad::new(loads.network, cluster.ids.len()),
            cpu: EstimatedLoad::new(loads.cpu, cluster.ids.len()),
            topics: None,
            is_repaired: !repairs.is_empty(),
            log: Vec::new(),
        };
        for item in repairs {
            state.settle_repair(item);
        }
        state.find_movable(terms);
        state.count();
        if terms.goals.contains(&BalanceGoal::Topics) {
            state.topics = Some(TopicCounts::new(&state));
        }
        state
    }

    /// Counts each broker's loads other than bytes.
    fn count(&mut self) {
        for seat in &self.seats {
            self.replicas[*seat as usize] += REPLICA;
        }
        let seats_of = |partition: usize| self.first[partition]..self.first[partition + 1];
        self.network.count(seats_of, &self.seats);
        self.cpu.count(seats_of, &self.seats);
    }

    fn settle_repair(&mut self, item: &Work) {
        let partition = self.cluster.partition(item.partition);
        let current = self.cluster.seats_of(item.partition);
        for broker in current.iter().filter(|broker| !item.held().any(|held| held == **broker)) {
            let size = partition.size_on(self.cluster.id(*broker)).unwrap_or_default().0;
            let used = &mut self.used[*broker as usize];
            *used = used.saturating_sub(size);
        }
        for broker in item.held().filter(|broker| !current.contains(broker)) {
            self.used[broker as usize] += item.size.unwrap_or(0);
        }
    }

    fn find_movable(&mut self, terms: &Balance) {
        // An empty partition adds to no load but the numbers of replicas. Where topics are evened, it counts as well.
        let smallest = u64::from(!terms.goals.contains(&BalanceGoal::Topics));
        let least = terms.partition_size_threshold.map_or(smallest, |least| least.0.max(smallest));
        let topics = self.cluster.snapshot.topics().iter().zip(&self.targets.of_topic);
        for ((topic, target), first) in topics.zip(&self.cluster.first_partition) {
            let target = target.filter(|_| topic.diskless().is_none());
            let target = target.and_then(|target| u32::try_from(target).ok()).unwrap_or(FIXED);
            for (offset, partition) in topic.partitions.iter().enumerate() {
                let index = first + offset;
                let Some(size) = log_size(self.cluster, partition) else { continue };
                self.size[index] = size;
                let sound = match &partition.facts {
                    None => {
                        self.seats_of(index).iter().any(|seat| self.cluster.live[*seat as usize])
                    }
                    Some(facts) => {
                        facts.rare.offline.is_empty() && why_left_out(self.cluster, index).is_none()
                    }
                };
                if sound && size >= least {
                    self.movable[index] = target;
                }
            }
        }
    }

    pub(super) fn partitions(&self) -> usize {
        self.size.len()
    }

    pub(super) fn seats_of(&self, partition: usize) -> &[BrokerIx] {
        &self.seats[self.first[partition]..self.first[partition + 1]]
    }

    /// An index into [`Targets::all`]; `None` if the partition must not move.
    pub(super) fn target_of(&self, partition: usize) -> Option<usize> {
        let target = self.movable[partition];
        (target != FIXED).then_some(target as usize)
    }

    pub(super) fn holds(&self, partition: u32, broker: BrokerIx) -> bool {
        self.seats_of(partition as usize).contains(&broker)
    }

    /// The bytes that a broker frees with its replica: its own size, which can differ from the leader's.
    pub(super) fn size_on(&self, partition: u32, broker: BrokerIx) -> u64 {
        let index = partition as usize;
        let copied = self.size[index];
        if !self.cluster.seats_of(index).contains(&broker) {
            return copied;
        }
        let known = self.cluster.partition(index);
        if known.facts.is_none() {
            return copied;
        }
        known.size_on(self.cluster.id(broker)).map_or(copied, |size| size.0)
    }

    /// Applies a change to this state.
    pub(super) fn shift(&mut self, change: SeatShift) {
        let SeatShift { partition, from, to } = change;
        let gone = self.size_on(partition, from);
        let come = self.size_on(partition, to);
        let index = partition as usize;
        let seats = &mut self.seats[self.first[index]..self.first[index + 1]];
        let Some(seat) = seats.iter_mut().find(|seat| **seat == from) else { return };
        *seat = to;
        self.used[from as usize] = self.used[from as usize].saturating_sub(gone);
        self.used[to as usize] += come;
        self.replicas[from as usize] -= REPLICA;
        self.replicas[to as usize] += REPLICA;
        self.network.shift(index, from, to);
        self.cpu.shift(index, from, to);
        if let Some(topics) = &mut self.topics {
            topics.shift(self.cluster.topic_of(index), from, to);
        }
        self.log.push(change);
    }

    /// Gives a partition the brokers of `list`, in any order.
    pub(super) fn put(&mut self, partition: usize, list: &[BrokerIx]) {
        let seats = self.seats_of(partition).to_vec();
        let gone = seats.iter().copied().filter(|seat| !list.contains(seat));
        let come = list.iter().copied().filter(|broker| !seats.contains(broker));
        let partition = u32::try_from(partition).unwrap_or(u32::MAX);
        for (from, to) in gone.zip(come) {
            self.shift(SeatShift { partition, from, to });
        }
    }

    /// How a change alters the number of copies in the plan: none is added if it undoes an earlier change.
    pub(super) fn copies(&self, change: SeatShift) -> i8 {
        let before = self.cluster.seats_of(change.partition as usize);
        i8::from(!before.contains(&change.to)) - i8::from(!before.contains(&change.from))
    }

    /// Goes back to the state after the first `length` changes.
    pub(super) fn rewind(&mut self, length: usize) {
        while self.log.len() > length {
            let Some(SeatShift { partition, from, to }) = self.log.pop() else { return };
            self.shift(SeatShift { partition, from: to, to: from });
            self.log.pop();
        }
    }
}

/// The seats of all partitions, with the seats of `repairs` filled.
fn seats_after<'a>(
    cluster: &'a DenseCluster<'a>,
    repairs: &[Work],
) -> (Cow<'a, [usize]>, Vec<BrokerIx>) {
    let same = |item: &Work| item.seats.len() == cluster.seats_of(item.partition).len();
    if repairs.iter().all(same) {
        let mut seats = cluster.seats.clone();
        for item in repairs {
            let first = cluster.first_seat[item.partition];
            for (seat, broker) in seats[first..].iter_mut().zip(item.held()) {
                *seat = broker;
            }
        }
        return (Cow::Borrowed(&cluster.first_seat), seats);
    }
    let mut repairs = repairs.iter().peekable();
    let (mut first, mut seats) = (vec![0], Vec::with_capacity(cluster.seats.len()));
    for partition in 0..cluster.first_seat.len() - 1 {
        match repairs.next_if(|item| item.partition == partition) {
            Some(item) => seats.extend(item.held()),
            None => seats.extend(cluster.seats_of(partition)),
        }
        first.push(seats.len());
    }
    (Cow::Owned(first), seats)
}
