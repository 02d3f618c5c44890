//! Proves what no plan can improve: the least bytes to move, and the least load of the fullest broker.

use crate::bytes::Bytes;
use crate::dense::{BrokerIx, DenseCluster};
use crate::exact::Evidence;
use crate::finish::Proof;
use crate::no_plan::NoPlan;
use crate::plan::BalanceFloor;
use crate::request::{PlanTerms, RackRule};
use crate::target::{RackCounts, Target, Targets};
use crate::work::{Work, WorkSearch, log_size};
use std::collections::BTreeMap;

/// The proof about a request that only fills the seats of `work`.
pub(crate) fn proof(
    cluster: &DenseCluster<'_>,
    targets: &Targets,
    rule: RackRule,
    work: &[Work],
    bound_bytes: Option<Bytes>,
    evidence: Option<Evidence>,
) -> Proof {
    let mut floor = fullest(cluster, targets, rule, work);
    if let Some((floor, searched)) = floor.as_mut().zip(evidence.as_ref().and_then(|e| e.fullest)) {
        floor.max_used_ratio = floor.max_used_ratio.max(searched);
    }
    Proof { bound_bytes, floor, evidence }
}

/// The bytes that any answer has to copy, if a request forces work on healthy partitions: one copy for each seat that
/// would also be filled without force.
pub(crate) fn unforced(
    cluster: &DenseCluster<'_>,
    targets: &Targets,
    terms: &PlanTerms,
) -> Result<Option<Bytes>, NoPlan> {
    let found = WorkSearch::new(cluster, targets, terms).run()?;
    Ok(must_copy(cluster, &found.work))
}

/// The bytes that repairs had to copy, once their seats are filled.
pub(crate) fn had_to_copy(cluster: &DenseCluster<'_>, work: &[Work]) -> Option<Bytes> {
    let copied = |item: &Work, whole| cluster.partition(item.partition).copied(whole);
    sum(work, |item| needed(cluster, item), copied)
}

/// The bytes that the same copies come to hold.
pub(crate) fn had_to_hold(cluster: &DenseCluster<'_>, work: &[Work]) -> Option<Bytes> {
    sum(work, |item| needed(cluster, item), |_, whole| whole)
}

/// The least bytes that copies transfer to hold this many bytes in all: those of the topics whose new replicas start at
/// the last tiered offset, beginning with the smallest part of a log.
pub(crate) fn least_copied(cluster: &DenseCluster<'_>, held: Bytes) -> Bytes {
    let shorter = cluster.partitions().filter_map(|(_, partition)| {
        let whole = log_size(cluster, partition)?;
        let copied = partition.copied(Bytes(whole)).0;
        (copied < whole).then_some((u128::from(copied), u128::from(whole)))
    });
    let mut shorter: Vec<(u128, u128)> = shorter.collect();
    shorter.sort_unstable_by(|one, other| (one.0 * other.1).cmp(&(other.0 * one.1)));
    let (mut left, mut least) = (u128::from(held.0), 0);
    for (copied, whole) in shorter {
        // A broker has one replica of a partition at most.
        let taken = left.min(whole * cluster.ids.len() as u128);
        least += taken * copied / whole;
        left -= taken;
    }
    Bytes(u64::try_from(least + left).unwrap_or(held.0))
}

/// The copies of an item with its seats filled that it had to make. There are fewer than expected if the broker that gave
/// up a seat was the only one to take it back.
fn needed(cluster: &DenseCluster<'_>, item: &Work) -> usize {
    let current = cluster.seats_of(item.partition);
    let copied = item.held().filter(|broker| !current.contains(broker)).count();
    copied.min(item.must_copy as usize)
}

pub(crate) fn must_copy(cluster: &DenseCluster<'_>, work: &[Work]) -> Option<Bytes> {
    let copied = |item: &Work, whole| cluster.partition(item.partition).copied(whole);
    sum(work, |item| item.must_copy as usize, copied)
}

/// `each`: the bytes of a copy, by the bytes of the whole log.
fn sum(
    work: &[Work],
    copies: impl Fn(&Work) -> usize,
    each: impl Fn(&Work, Bytes) -> Bytes,
) -> Option<Bytes> {
    let bytes = work.iter().map(|item| match copies(item) {
        0 => Some(Bytes(0)),
        copies => item.size.map(|whole| each(item, Bytes(whole)).times(copies)),
    });
    bytes.sum()
}

/// The least share that the fullest allowed broker must use, if only the seats of `work` are placed.
///
/// Replicas that stay are fixed. Replicas that have to go to some racks fill their brokers like water, on any of these
/// brokers. All replicas together fill all brokers in the same way. `None` if a size or capacity is unknown.
pub(crate) fn fullest(
    cluster: &DenseCluster<'_>,
    targets: &Targets,
    rule: RackRule,
    work: &[Work],
) -> Option<BalanceFloor> {
    let mut fixed: Vec<Option<u64>> = cluster.used.clone();
    for item in work {
        let partition = cluster.partition(item.partition);
        for seat in cluster.seats_of(item.partition) {
            if !item.held().any(|held| held == *seat) {
                let size = partition.size_on(cluster.id(*seat)).unwrap_or_default().0;
                let fixed = &mut fixed[*seat as usize];
                *fixed = fixed.map(|fixed| fixed.saturating_sub(size));
            }
        }
    }
    let disks: Vec<Option<StayingBytes>> = (0_u32..)
        .zip(fixed.iter().zip(&cluster.capacity))
        .map(|(broker, (used, capacity))| {
            let rack = cluster.rack[broker as usize];
            used.zip(*capacity).map(|(used, capacity)| StayingBytes { rack, used, capacity })
        })
        .collect();
    let mut worst = 0.0_f64;
    for (at, target) in targets.all.iter().enumerate() {
        let of_target = work.iter().filter(|item| item.target == at);
        let pools = Pools::of(cluster, target, rule, of_target)?;
        let of = |broker: &BrokerIx| disks[*broker as usize];
        let (closed, open): (Vec<BrokerIx>, Vec<BrokerIx>) =
            target.brokers.iter().partition(|broker| cluster.is_cordoned(**broker));
        // A cordoned broker may keep its replicas, but takes no others.
        let closed = closed.iter().map(of).collect::<Option<Vec<StayingBytes>>>()?;
        worst = closed.iter().map(StayingBytes::share).fold(worst, f64::max);
        let mut disks = open.iter().map(of).collect::<Option<Vec<StayingBytes>>>()?;
        disks.sort_by(|a, b| a.share().total_cmp(&b.share()).then(a.used.cmp(&b.used)));
        worst = worst.max(level(&disks, pools.all.bytes));
        worst = worst.max(indivisible(&disks, pools.all.largest));
        for racks in pools.sets(target) {
            let inside: Vec<StayingBytes> =
                disks.iter().copied().filter(|disk| racks.has(disk.rack)).collect();
            worst = worst.max(level(&inside, pools.within(racks)));
        }
        for ((open, new), pool) in &pools.open {
            worst = worst.max(apart(&disks, *open, *new, pool.largest));
        }
    }
    Some(BalanceFloor { max_used_ratio: worst, ..BalanceFloor::default() })
}

/// The bytes that certainly stay on a broker's disk, and the disk.
#[derive(Clone, Copy)]
struct StayingBytes {
    rack: usize,
    used: u64,
    capacity: u64,
}

impl StayingBytes {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a bound; what floats are off by is far below a replica"
    )]
    fn share(&self) -> f64 {
        self.used as f64 / self.capacity.max(1) as f64
    }
}

/// A set of racks, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct RackSet(u64);

impl RackSet {
    const MOST: usize = 64;

    fn has(self, rack: usize) -> bool {
        self.0 >> rack & 1 == 1
    }

    fn without(self, others: Self) -> usize {
        (self.0 & !others.0).count_ones() as usize
    }
}

/// Bytes that have to go to the same brokers, and the largest replica among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct BytePool {
    bytes: u64,
    largest: u64,
}

impl BytePool {
    fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.largest = self.largest.max(other.largest);
    }
}

/// The bytes that have to go to brokers of a target.
#[derive(Debug, Default)]
struct Pools {
    all: BytePool,
    /// One copy of each partition. The key: the racks that the rule allows its new replicas, and how many replicas go
    /// there, at most one in each rack.
    open: BTreeMap<(RackSet, usize), BytePool>,
}

impl Pools {
    /// `None` if a size is unknown.
    fn of<'w>(
        cluster: &DenseCluster<'_>,
        target: &Target,
        rule: RackRule,
        work: impl Iterator<Item = &'w Work>,
    ) -> Option<Self> {
        let mut pools = Self::default();
        let by_rack = rule == RackRule::Spread && cluster.rack_names.len() <= RackSet::MOST;
        for item in work {
            let current = cluster.seats_of(item.partition);
            let new = item.held().filter(|broker| !current.contains(broker)).count();
            if new == 0 {
                continue;
            }
            let size = item.size?;
            pools.all.add(BytePool { bytes: size * new as u64, largest: size });
            let before = RackCounts::of(cluster, current.iter().copied());
            // A seat of a list that broke the rule before may be filled in the same way again.
            if !by_rack || !before.keeps(rule, target) {
                continue;
            }
            let kept = item.held().filter(|broker| current.contains(broker));
            let counts = RackCounts::of(cluster, kept);
            let open =
                counts.open(target).fold(RackSet(0), |open, rack| RackSet(open.0 | 1 << rack));
            // With more new replicas than open racks, each of these racks gets one.
            let apart = new.min(open.without(RackSet(0)));
            pools
                .open
                .entry((open, apart))
                .or_default()
                .add(BytePool { bytes: size, largest: size });
        }
        Some(pools)
    }

    /// The sets of racks to examine: all sets of a few racks; of many racks, only those that the rule names.
    fn sets(&self, target: &Target) -> Vec<RackSet> {
        if self.open.is_empty() {
            return Vec::new();
        }
        if target.racks.len() > MOST_RACKS {
            let singles = target.racks.iter().map(|rack| RackSet(1 << rack));
            let mut sets: Vec<RackSet> =
                singles.chain(self.open.keys().map(|(open, _)| *open)).collect();
            sets.sort_unstable();
            sets.dedup();
            return sets;
        }
        let chosen = |set: &u64| {
            let racks = target.racks.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1);
            RackSet(racks.fold(0, |all, (_, rack)| all | 1 << rack))
        };
        (1..1_u64 << target.racks.len()).map(|set| chosen(&set)).collect()
    }

    /// The bytes that have to go to these racks, because they find no other.
    fn within(&self, racks: RackSet) -> u64 {
        let inside =
            |(open, new): &(RackSet, usize)| new.saturating_sub(open.without(racks)) as u64;
        self.open.iter().map(|(of, pool)| pool.bytes * inside(of)).sum()
    }
}

/// With more racks than this, only some sets are examined. The bound is then lower, but still true.
const MOST_RACKS: usize = 8;

/// The level to which bytes fill partly full disks, the emptiest first, in proportion to the size of each disk. At least
/// the present level of the fullest disk.
#[expect(
    clippy::cast_precision_loss,
    reason = "a bound; what floats are off by is far below a replica"
)]
fn level(disks: &[StayingBytes], bytes: u64) -> f64 {
    let fullest = disks.last().map_or(0.0, StayingBytes::share);
    let (mut used, mut capacity, mut level) = (0.0, 0.0, 0.0);
    for (index, disk) in disks.iter().enumerate() {
        used += disk.used as f64;
        capacity += disk.capacity as f64;
        level = (used + bytes as f64) / f64::max(capacity, 1.0);
        if disks.get(index + 1).is_none_or(|next| next.share() >= level) {
            break;
        }
    }
    level.max(fullest)
}

/// The share of the best suited disk with the replica on it.
fn indivisible<'d>(disks: impl IntoIterator<Item = &'d StayingBytes>, size: u64) -> f64 {
    let with =
        disks.into_iter().map(|disk| StayingBytes { used: disk.used + size, ..*disk }.share());
    with.reduce(f64::min).unwrap_or(0.0)
}

/// The share of the fullest disk that gets one of these replicas, if each replica is in a different rack.
fn apart(disks: &[StayingBytes], racks: RackSet, replicas: usize, size: u64) -> f64 {
    let of = |rack| move |disk: &&StayingBytes| disk.rack == rack;
    let racks = (0..RackSet::MOST).filter(|rack| racks.has(*rack));
    let mut best: Vec<f64> =
        racks.map(|rack| indivisible(disks.iter().filter(of(rack)), size)).collect();
    best.sort_by(f64::total_cmp);
    replicas.checked_sub(1).and_then(|last| best.get(last).copied()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disks(of: &[(u64, u64)]) -> Vec<StayingBytes> {
        of.iter()
            .map(|(used, capacity)| StayingBytes { rack: 0, used: *used, capacity: *capacity })
            .collect()
    }

    #[test]
    fn water_fills_the_emptiest_disks_first() {
        let level = |of: &[(u64, u64)], bytes| level(&disks(of), bytes);
        assert!((level(&[(10, 100), (50, 100)], 20) - 0.5).abs() < 1e-9);
        assert!((level(&[(10, 100), (20, 100)], 30) - 0.3).abs() < 1e-9);
    }

    #[test]
    fn copies_of_one_partition_go_to_disks_of_different_racks() {
        let disk = |rack, used| StayingBytes { rack, used, capacity: 100 };
        let disks = [disk(0, 10), disk(0, 20), disk(1, 40), disk(2, 70)];
        let most = |replicas| apart(&disks, RackSet(0b111), replicas, 10);
        let apart = [1, 2, 3].map(most);
        assert!(apart.iter().zip([0.2, 0.5, 0.8]).all(|(a, b)| (a - b).abs() < 1e-9), "{apart:?}");
    }

    #[test]
    fn to_some_racks_goes_what_finds_none_outside() {
        let pool = BytePool { bytes: 10, largest: 4 };
        let open = BTreeMap::from([
            ((RackSet(0b0110), 1), pool),
            ((RackSet(0b0110), 2), pool),
            ((RackSet(0b0011), 1), pool),
        ]);
        let pools = Pools { open, ..Pools::default() };
        let bytes = |racks| pools.within(RackSet(racks));
        assert_eq!([0b0010, 0b0100, 0b0110, 0b0011, 0b0111].map(bytes), [10, 10, 30, 20, 40]);
        assert_eq!(bytes(0b0001), 0);
    }
}
