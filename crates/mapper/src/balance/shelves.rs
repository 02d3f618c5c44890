//! The replicas that each broker could give away, the largest first.

use super::load::BalancedLoad;
use super::state::BalanceState;
use crate::dense::BrokerIx;
use std::cmp::Reverse;
use std::rc::Rc;

/// Topic, weight and number of a partition.
pub(super) type Kin = (u32, u64, u32);

/// Of the replicas that are unlike the others, how many of each kind are kept for a broker.
const UNLIKE: usize = 64;

/// Weight, size and number of a partition.
pub(super) type WeighedSeat = (u64, u64, u32);

/// The replicas of one broker that have the most or the least of a load, compared to another load.
pub(super) struct Unlike {
    pub(super) more: Vec<WeighedSeat>,
    pub(super) less: Vec<WeighedSeat>,
}

/// For each broker its movable partitions at one moment. The shelves do not follow later changes, so the caller checks
/// that a replica is still there.
pub(super) struct Shelves {
    first: Vec<usize>,
    partitions: Vec<u32>,
    sorted: Vec<bool>,
    /// For each broker the same partitions by topic; empty until they are asked for.
    by_topic: Vec<Rc<[Kin]>>,
    /// For each broker those that are unlike the others, once they are asked for.
    unlike: Vec<Option<Rc<Unlike>>>,
    /// The most partitions per broker that may move: its largest (`--partition-limit`).
    most: usize,
    /// The load by which they are sorted.
    load: BalancedLoad,
}

impl Shelves {
    pub(super) fn new(state: &BalanceState<'_>, most: Option<u32>, load: BalancedLoad) -> Self {
        let brokers = state.used.len();
        let mut first = vec![0; brokers + 1];
        let movable = || (0..state.partitions()).filter(|p| state.target_of(*p).is_some());
        for seat in movable().flat_map(|partition| state.seats_of(partition)) {
            first[*seat as usize + 1] += 1;
        }
        for broker in 0..brokers {
            first[broker + 1] += first[broker];
        }
        let mut next = first.clone();
        let mut partitions = vec![0; first[brokers]];
        for partition in movable() {
            for seat in state.seats_of(partition) {
                let slot = &mut next[*seat as usize];
                partitions[*slot] = u32::try_from(partition).unwrap_or(u32::MAX);
                *slot += 1;
            }
        }
        let most = most.map_or(usize::MAX, |most| most as usize);
        let by_topic = vec![Rc::default(); brokers];
        let (sorted, unlike) = (vec![false; brokers], vec![None; brokers]);
        Self { first, partitions, sorted, by_topic, unlike, most, load }
    }

    /// Whether a replica is among those of its broker that may move.
    pub(super) fn have(
        &mut self,
        broker: BrokerIx,
        partition: u32,
        state: &BalanceState<'_>,
    ) -> bool {
        self.most == usize::MAX || self.of(broker, state).contains(&partition)
    }

    /// The partitions on one broker, the heaviest first. Of equal weight, the smallest comes first, so that evening by
    /// count costs few bytes.
    pub(super) fn of(&mut self, broker: BrokerIx, state: &BalanceState<'_>) -> &[u32] {
        let at = broker as usize;
        let shelf = &mut self.partitions[self.first[at]..self.first[at + 1]];
        if !self.sorted[at] {
            sort(shelf, |p| (Reverse(state.size[p as usize]), 0));
            let length = shelf.len().min(self.most);
            if !matches!(self.load, BalancedLoad::Storage | BalancedLoad::Topics) {
                let weight = |p: u32| Reverse(state.weight(self.load, p));
                sort(&mut shelf[..length], |p| (weight(p), state.size[p as usize]));
            }
            self.sorted[at] = true;
        }
        &shelf[..shelf.len().min(self.most)]
    }

    /// The same partitions, ascending, with topic and weight: to look these up takes longer than all else.
    pub(super) fn by_topic(&mut self, broker: BrokerIx, state: &BalanceState<'_>) -> Rc<[Kin]> {
        let at = broker as usize;
        if self.by_topic[at].is_empty() {
            let load = self.load;
            let of = |partition: &u32| {
                let topic = state.cluster.topic_of(*partition as usize);
                let topic = u32::try_from(topic).unwrap_or(u32::MAX);
                (topic, state.weight(load, *partition), *partition)
            };
            let mut own: Vec<Kin> = self.of(broker, state).iter().map(of).collect();
            own.sort_unstable();
            self.by_topic[at] = own.into();
        }
        Rc::clone(&self.by_topic[at])
    }

    /// The replicas whose weight differs most from what `expects` says of their partition.
    pub(super) fn unlike(
        &mut self,
        broker: BrokerIx,
        state: &BalanceState<'_>,
        expects: impl Fn(u32) -> i128,
    ) -> Rc<Unlike> {
        let at = broker as usize;
        if let Some(known) = &self.unlike[at] {
            return Rc::clone(known);
        }
        let load = self.load;
        let beyond = |p: &u32| (i128::from(state.weight(load, *p)) - expects(*p), *p);
        let mut own: Vec<_> = self.of(broker, state).iter().map(beyond).collect();
        own.sort_unstable();
        let kept = |own: &mut dyn Iterator<Item = &(i128, u32)>| {
            let weighed = |p: u32| (state.weight(load, p), state.size[p as usize], p);
            own.take(UNLIKE).map(|(_, partition)| weighed(*partition)).collect()
        };
        let found = Unlike { more: kept(&mut own.iter().rev()), less: kept(&mut own.iter()) };
        Rc::clone(self.unlike[at].insert(Rc::new(found)))
    }
}

/// Sorts by a key; equal keys stay in order of partition.
fn sort(shelf: &mut [u32], key: impl Fn(u32) -> (Reverse<u64>, u64)) {
    let mut keyed: Vec<_> = shelf.iter().map(|partition| (key(*partition), *partition)).collect();
    keyed.sort_unstable();
    for (slot, (_, partition)) in shelf.iter_mut().zip(keyed) {
        *slot = partition;
    }
}
