//! Finds a broker for every empty seat.
//!
//! The largest replicas come first. Each goes to the broker that then leaves the cluster most even. A replica without
//! room can push a replica that this plan has placed to another broker. A replica that the plan did not have to move is
//! never pushed.

use crate::both::both;
use crate::bytes::{Bytes, Ratio};
use crate::constraints::{Constraints, SeatRules};
use crate::dense::{BrokerIx, DenseCluster};
use crate::no_plan::{NoPlan, Refusal};
use crate::rack_queues::RackQueues;
use crate::request::{Optimize, PlaceBy, PlanTerms};
use crate::target::{Target, Targets};
use crate::volumes::Volumes;
use crate::work::Work;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

mod make_room;
mod refill;
mod refusal;

pub(crate) use refill::{Polishing, polish, rescue};

/// How seats are filled.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) by: PlaceBy,
    pub(crate) optimize: Optimize,
    pub(crate) size_factor: Ratio,
    /// Take the fullest broker that has room, not the emptiest. This packs tighter if space is short.
    pub(crate) tight: bool,
}

/// The brokers that replace others (`--sub-affinity`, `replace`).
pub(crate) type BrokerPairs = BTreeMap<BrokerIx, BrokerIx>;

/// A cluster while its seats are filled.
pub(crate) struct Placement<'a> {
    pub(crate) cluster: &'a DenseCluster<'a>,
    targets: &'a Targets,
    constraints: Constraints<'a>,
    pairs: &'a BrokerPairs,
    manner: Manner,
    /// Storage used on each broker after the plan as made so far.
    pub(crate) used: Vec<Option<u64>>,
    /// Replicas on each broker after the plan as made so far.
    count: Vec<u64>,
    /// Brokers in the present order of preference.
    queues: RackQueues<'a>,
    /// For each rack how many of the first in its queue are compared by their load with the replica.
    nearest: Vec<usize>,
    /// For each broker the seats that this plan filled with it: indices of work and seat.
    placed: Vec<Vec<(usize, usize)>>,
    /// The volumes of brokers that have several, after the plan as made so far.
    volumes: Volumes<'a>,
    /// The log dirs of the seats that this plan filled.
    log_dirs: BTreeMap<(usize, usize), &'a str>,
}

impl<'a> Placement<'a> {
    pub(crate) fn new(
        cluster: &'a DenseCluster<'a>,
        targets: &'a Targets,
        terms: &PlanTerms,
        pairs: &'a BrokerPairs,
        manner: Manner,
    ) -> Self {
        let mut count = vec![0; cluster.ids.len()];
        for seat in &cluster.seats {
            count[*seat as usize] += 1;
        }
        let brokers = cluster.ids.len();
        let unknown = vec![(0, 0); brokers];
        let mut placement = Self {
            cluster,
            targets,
            constraints: Constraints::new(cluster, terms),
            pairs,
            manner,
            used: cluster.used.clone(),
            count,
            queues: RackQueues::new(&cluster.rack, cluster.rack_names.len(), unknown),
            nearest: nearest(cluster),
            placed: vec![Vec::new(); brokers],
            volumes: Volumes::new(cluster, terms),
            log_dirs: BTreeMap::new(),
        };
        (0..).take(brokers).for_each(|broker| placement.requeue(broker));
        placement
    }

    /// Fills every empty seat of `work`, which is in order of partition.
    pub(crate) fn fill(&mut self, work: &mut [Work]) -> Result<(), NoPlan> {
        let all: &[Work] = work;
        let ((), (mut order, most)) = both(all.len(), || self.settle(all), || largest_first(all));
        if self.manner.tight {
            // The work with the fewest possible racks comes first; the sort is stable.
            order.sort_by_key(|at| self.open_racks(&work[*at]));
        }
        let (passes, seats) = match self.manner.optimize {
            Optimize::Distribution => (most, 1),
            Optimize::Storage => (1, most),
        };
        for _ in 0..passes {
            for block in order.chunks(BLOCK) {
                fetch(work, block);
                for at in block {
                    for _ in 0..seats {
                        if let Some(seat) = work[*at].seats.iter().position(Option::is_none) {
                            self.fill_seat(work, *at, seat)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The number of racks that the first empty seat may use.
    fn open_racks(&self, item: &Work) -> usize {
        let seat = item.seats.iter().position(Option::is_none).unwrap_or(0);
        let target = &self.targets.all[item.target];
        self.constraints.of(item, seat, target).open_racks().count()
    }

    /// Accounts for all replicas that leave or are already placed, and sorts the queues once.
    fn settle(&mut self, work: &[Work]) {
        work.iter().for_each(|item| self.settle_what_is_known(item));
        (0..).take(self.count.len()).for_each(|broker| self.requeue(broker));
    }

    /// Credits brokers with the replicas that leave them, before anything is placed.
    fn settle_what_is_known(&mut self, item: &Work) {
        let partition = self.cluster.partition(item.partition);
        let current = self.cluster.seats_of(item.partition);
        for broker in current.iter().filter(|broker| !item.held().any(|held| held == **broker)) {
            let size = partition.size_on(self.cluster.id(*broker)).map(|size| size.0);
            let used = &mut self.used[*broker as usize];
            *used = used.map(|used| used.saturating_sub(size.unwrap_or(0)));
            self.count[*broker as usize] -= 1;
            if !self.volumes.is_empty() {
                let topic = &self.cluster.snapshot.topics()[self.cluster.topic_of(item.partition)];
                let id = self.cluster.id(*broker);
                self.volumes.free_replica(self.cluster, topic, partition, id);
            }
        }
        for broker in item.held().filter(|broker| !current.contains(broker)) {
            self.hold(broker, item.size);
            self.take_volume(broker, item.size);
        }
    }

    #[inline]
    fn add(&mut self, broker: BrokerIx, size: Option<u64>) {
        self.hold(broker, size);
        self.requeue(broker);
    }

    #[inline]
    fn hold(&mut self, broker: BrokerIx, size: Option<u64>) {
        let used = &mut self.used[broker as usize];
        *used = used.map(|used| used + size.unwrap_or(0));
        self.count[broker as usize] += 1;
    }

    fn take(&mut self, broker: BrokerIx, size: Option<u64>) {
        let used = &mut self.used[broker as usize];
        *used = used.map(|used| used.saturating_sub(size.unwrap_or(0)));
        self.count[broker as usize] -= 1;
        self.requeue(broker);
    }

    #[inline]
    fn requeue(&mut self, broker: BrokerIx) {
        let (first, second, _) = self.rank(broker, None);
        self.queues.update(broker, (first, second));
    }

    fn fill_seat(&mut self, work: &mut [Work], at: usize, seat: usize) -> Result<(), NoPlan> {
        let best = self.best(&work[at], seat, None);
        let broker = match best {
            Some(broker) => broker,
            None => self.make_room(work, at, seat).ok_or_else(|| self.explain(work, at, seat))?,
        };
        self.put(work, at, seat, broker);
        Ok(())
    }

    fn put(&mut self, work: &mut [Work], at: usize, seat: usize, broker: BrokerIx) {
        work[at].seats[seat] = Some(broker);
        self.add(broker, work[at].size);
        self.placed[broker as usize].push((at, seat));
        if let Some(log_dir) = self.take_volume(broker, work[at].size) {
            self.log_dirs.insert((at, seat), log_dir);
        }
    }

    /// Adds a replica to the volume that takes it, if the broker has several.
    fn take_volume(&mut self, broker: BrokerIx, size: Option<u64>) -> Option<&'a str> {
        if self.volumes.is_empty() {
            return None;
        }
        let bytes = size.unwrap_or(0);
        let log_dir = self.volumes.choose(broker, bytes).ok().flatten()?;
        self.volumes.take(broker, log_dir, bytes);
        Some(log_dir)
    }

    /// The answer of the rules, and whether one of the broker's volumes has room.
    #[inline]
    fn admits(&self, rules: &SeatRules<'_>, item: &Work, broker: BrokerIx) -> Result<(), Refusal> {
        rules.admits(broker, self.used[broker as usize])?;
        if self.volumes.is_empty() {
            return Ok(());
        }
        let chosen = self.volumes.choose(broker, item.size.unwrap_or(0));
        chosen.map(drop).map_err(|full| Refusal::NoRoom {
            log_dir: Some(full.log_dir.to_owned()),
            room_bytes: Bytes(full.room),
            missing_bytes: Bytes(full.missing),
        })
    }

    /// The only broker that may take a seat, because it replaces the seat's former broker.
    fn partner(&self, item: &Work, seat: usize) -> Option<BrokerIx> {
        item.replaces[seat].and_then(|outgoing| self.pairs.get(&outgoing).copied())
    }

    /// The brokers that may take a seat.
    fn candidates(&self, item: &Work, seat: usize) -> (&'a Target, Cow<'a, [BrokerIx]>) {
        let target = &self.targets.all[item.target];
        let all = || Cow::Borrowed(target.brokers.as_slice());
        let one = |partner| Cow::Owned(vec![partner]);
        (target, self.partner(item, seat).map_or_else(all, one))
    }

    /// The preferred broker among those admitted, without `except`.
    fn best(&self, item: &Work, seat: usize, except: Option<BrokerIx>) -> Option<BrokerIx> {
        let (target, candidates) = self.candidates(item, seat);
        let rules = self.constraints.of(item, seat, target);
        // A partition that broke the rack rule before may continue to break it in the same way.
        self.choose(&rules, item, &candidates, except)
            .or_else(|| self.choose(&rules.as_before()?, item, &candidates, except))
    }

    fn choose(
        &self,
        rules: &SeatRules<'_>,
        item: &Work,
        candidates: &[BrokerIx],
        except: Option<BrokerIx>,
    ) -> Option<BrokerIx> {
        let admitted = |broker: &BrokerIx| {
            Some(*broker) != except && self.admits(rules, item, *broker).is_ok()
        };
        if candidates.len() <= FEW {
            let admitted = candidates.iter().copied().filter(admitted);
            return admitted.min_by_key(|broker| self.rank(*broker, item.size));
        }
        let mut best = None;
        for rack in rules.open_racks() {
            let first = self.queues.of(rack).filter(admitted).take(self.nearest[rack]);
            for broker in first {
                let rank = self.rank(broker, item.size);
                best = best.filter(|best| *best < rank).or(Some(rank));
            }
        }
        best.map(|(.., broker)| broker)
    }

    /// The smallest rank is best. The id breaks every tie, so no two runs can differ.
    #[inline]
    fn rank(&self, broker: BrokerIx, size: Option<u64>) -> (u64, u64, BrokerIx) {
        let count = self.count[broker as usize];
        let fill = self.fill_after(broker, size);
        match self.manner.by {
            PlaceBy::Storage if self.manner.tight => (u64::MAX - fill, count, broker),
            PlaceBy::Storage => (fill, count, broker),
            PlaceBy::Count => (count, fill, broker),
        }
    }

    /// The share of its storage that a broker uses with one more replica, in parts per 2^30; 0 if unknown.
    #[inline]
    fn fill_after(&self, broker: BrokerIx, size: Option<u64>) -> u64 {
        let (used, capacity) = (self.used[broker as usize], self.cluster.capacity[broker as usize]);
        used.zip(capacity).map_or(0, |(used, capacity)| {
            let size = size.unwrap_or(0);
            let size = match self.manner.size_factor {
                Ratio::ONE => size,
                factor => {
                    let size = u128::from(size) * u128::from(factor.ppm()) / 1_000_000;
                    u64::try_from(size).unwrap_or(u64::MAX)
                }
            };
            parts(used.saturating_add(size), capacity)
        })
    }

    /// Moves a replica that this plan placed.
    fn shift(
        &mut self,
        work: &mut [Work],
        (at, seat): (usize, usize),
        from: BrokerIx,
        to: BrokerIx,
    ) {
        self.clear(work, (at, seat), from);
        self.put(work, at, seat, to);
    }

    /// Removes a replica that this plan placed from its broker.
    fn clear(&mut self, work: &mut [Work], (at, seat): (usize, usize), from: BrokerIx) {
        work[at].seats[seat] = None;
        self.take(from, work[at].size);
        self.placed[from as usize].retain(|entry| *entry != (at, seat));
        if let Some(log_dir) = self.log_dirs.remove(&(at, seat)) {
            self.volumes.free(from, log_dir, work[at].size.unwrap_or(0));
        }
    }

    /// The brokers that the rules allow for a seat, without regard to its present broker.
    fn admitted(&self, item: &Work, seat: usize) -> Vec<BrokerIx> {
        let (target, candidates) = self.candidates(item, seat);
        let rules = self.constraints.of(item, seat, target);
        let admitted = |broker: &BrokerIx| self.admits(&rules, item, *broker).is_ok();
        candidates.iter().copied().filter(admitted).collect()
    }
}

/// The work with empty seats, the largest first, equal sizes in their given order; and the most empty seats of any.
fn largest_first(work: &[Work]) -> (Vec<usize>, usize) {
    let mut sizes: Vec<(u64, usize)> = Vec::with_capacity(work.len());
    let mut most = 0;
    for (at, item) in work.iter().enumerate() {
        let empty = item.empty();
        most = most.max(empty);
        if empty > 0 {
            // Work of unknown size comes last.
            sizes.push((item.size.map_or(0, |size| size.saturating_add(1)), at));
        }
    }
    sizes.sort_by_key(|(size, _)| Reverse(*size));
    (sizes.into_iter().map(|(_, at)| at).collect(), most)
}

/// Touches a block of work at once. In order of size it is scattered in memory, and the processor then loads many items
/// in about the time of one.
fn fetch(work: &[Work], block: &[usize]) {
    let look = |at: &usize| {
        let Work { seats, replaces, offline, target, .. } = &work[*at];
        seats.len() ^ replaces.len() ^ offline.len() ^ target
    };
    std::hint::black_box(block.iter().fold(0, |seen, at| seen ^ look(at)));
}

/// A part as a share of the whole, in parts per 2^30.
#[inline]
fn parts(part: u64, whole: u64) -> u64 {
    const STEP: u32 = 15;
    let whole = whole.max(1);
    let (shares, rest) = (part / whole, part % whole);
    if whole >> (64 - STEP) > 0 || shares >> (64 - 2 * STEP) > 0 {
        let parts = (u128::from(part) << (2 * STEP)) / u128::from(whole);
        return u64::try_from(parts).unwrap_or(u64::MAX);
    }
    // The same in two halves: a division of 128 bits takes several times as long, and every seat needs one.
    let (high, rest) = ((rest << STEP) / whole, (rest << STEP) % whole);
    let low = (rest << STEP) / whole;
    (shares << (2 * STEP)) + (high << STEP) + low
}

/// If all brokers of a rack have the same storage, the best one before a replica arrives is also the best one after.
fn nearest(cluster: &DenseCluster<'_>) -> Vec<usize> {
    let mut capacity: Vec<Option<Option<u64>>> = vec![None; cluster.rack_names.len()];
    let mut nearest = vec![1; cluster.rack_names.len()];
    for (rack, own) in cluster.rack.iter().zip(&cluster.capacity) {
        if *capacity[*rack].get_or_insert(*own) != *own {
            nearest[*rack] = NEAREST;
        }
    }
    nearest
}

/// The number of work items that are touched in advance. They are few enough to be still in the cache when they are used.
const BLOCK: usize = 32;

/// Up to this number, every candidate is compared. Beyond it, only the first of each rack are.
const FEW: usize = 16;

/// Brokers compared in a rack with different disks: the emptiest one may be fuller than others once it has the replica.
const NEAREST: usize = 4;

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn parts_are_those_of_a_long_division() {
        let numbers = [0, 1, 7, 1 << 20, (1 << 41) - 3, 3 << 47, (1 << 49) - 1, 1 << 49, u64::MAX];
        for part in numbers {
            for whole in numbers {
                let long = (u128::from(part) << 30) / u128::from(whole.max(1));
                let long = u64::try_from(long).unwrap_or(u64::MAX);
                assert_eq!(parts(part, whole), long, "{part} of {whole}");
            }
        }
    }
}
