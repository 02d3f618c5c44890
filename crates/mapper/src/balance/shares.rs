//! The load that each broker should hold: the most even shares that scope, racks and fixed replicas allow.
//!
//! The shares are like water in connected vessels: at one level, all brokers together hold all bytes. Replicas that a
//! broker cannot give away lift it above the level. Replicas that it may not hold keep it below. The same applies to
//! a rack, because the rack rule sets the least and the most replicas of each partition in it. Of all loads within
//! these bounds, the shares have the lowest peak and the highest trough, so no plan ends more evenly. If the
//! replication factor equals the number of racks, the two bounds of each rack meet, and each rack has its own level.

use super::load::BalancedLoad;
use super::rules::BalanceRules;
use super::state::BalanceState;
use crate::dense::{BrokerIx, DenseCluster};
use crate::request::{Measure, RackRule};
use std::collections::BTreeMap;

/// Brokers that can hand bytes to each other, but to no other broker.
pub(super) struct BrokerGroup {
    pub(super) brokers: Vec<BrokerIx>,
}

/// The most even loads that are reachable.
pub(super) struct Shares {
    /// For each broker its share in bytes; `None` for brokers that no target allows.
    pub(super) of: Vec<Option<u64>>,
    pub(super) groups: Vec<BrokerGroup>,
}

impl Shares {
    /// No broker has a share, and all brokers can hand bytes to each other.
    pub(super) fn of_none(brokers: usize) -> Self {
        let all = (0..).take(brokers).collect();
        Self { of: vec![None; brokers], groups: vec![BrokerGroup { brokers: all }] }
    }
}

/// Finds the shares. `gives`: for each broker whether it may give replicas away.
pub(super) fn shares(
    state: &BalanceState<'_>,
    rules: &BalanceRules<'_>,
    load: BalancedLoad,
    by: Measure,
    gives: &[bool],
) -> Shares {
    let bounds = broker_bounds(state, rules, load, gives);
    let mut shares = Shares { of: vec![None; state.used.len()], groups: Vec::new() };
    for pool in pools(state) {
        let racks = rack_bounds(state, rules, load, &pool);
        let closed = racks.values().all(|rack| rack.least == rack.most);
        let vessels: Vec<(Bounds, Vec<Vessel>)> = racks
            .iter()
            .map(|(rack, bounds_of_rack)| {
                let of_rack =
                    pool.brokers.iter().filter(|b| rules.cluster.rack[**b as usize] == *rack);
                let vessels =
                    of_rack.map(|b| Vessel::new(rules.cluster, load, *b, bounds[*b as usize]));
                (*bounds_of_rack, vessels.collect())
            })
            .collect();
        let level = Level::new(rules.cluster, &pool, load, by);
        let carried = state.carried(load);
        let total: u64 = pool.brokers.iter().map(|broker| carried[*broker as usize]).sum();
        let of_rack = |x: u64, (bounds, vessels): &(Bounds, Vec<Vessel>)| {
            let poured: u64 = vessels.iter().map(|vessel| vessel.at(level, x)).sum();
            bounds.clamp(poured)
        };
        let sea = level.reaching(total, |x| vessels.iter().map(|rack| of_rack(x, rack)).sum());
        for rack in &vessels {
            let held = of_rack(sea, rack);
            let own = level.reaching(held, |x| rack.1.iter().map(|v| v.at(level, x)).sum());
            for vessel in &rack.1 {
                shares.of[vessel.broker as usize] = Some(vessel.at(level, own));
            }
            if closed {
                let brokers = rack.1.iter().map(|vessel| vessel.broker).collect();
                shares.groups.push(BrokerGroup { brokers });
            }
        }
        if !closed {
            shares.groups.push(BrokerGroup { brokers: pool.brokers });
        }
    }
    shares
}

/// A rack with the bounds of its pieces, and its brokers with theirs.
pub(super) type RackBounds = (Bounds, Vec<(BrokerIx, Bounds)>);

/// The pieces of the brokers in a rack.
pub(super) struct RackPieces {
    pub(super) shares: Vec<(BrokerIx, u64)>,
    /// Whether the bounds of the rack keep it from the level of the others.
    pub(super) is_apart: bool,
}

/// The most even numbers of pieces on the brokers of these racks, within the bounds of each rack and broker.
pub(super) fn piece_shares(racks: &[RackBounds], total: u64) -> Vec<RackPieces> {
    // Free pieces count, so every broker has the same level.
    let level = Level { by: Measure::BytesFree, largest_disk: total, parts: PARTS };
    let at = |bounds: &Bounds, x: u64| bounds.clamp(level.bytes(total, x));
    let poured = |(_, brokers): &RackBounds, x: u64| -> u64 {
        brokers.iter().map(|(_, bounds)| at(bounds, x)).sum()
    };
    let of_rack = |rack: &RackBounds, x| rack.0.clamp(poured(rack, x));
    let sea = level.reaching(total, |x| racks.iter().map(|rack| of_rack(rack, x)).sum());
    let pieces = |rack: &RackBounds| {
        let held = of_rack(rack, sea);
        let own = level.reaching(held, |x| poured(rack, x));
        let shares = rack.1.iter().map(|(broker, bounds)| (*broker, at(bounds, own))).collect();
        RackPieces { shares, is_apart: held != poured(rack, sea) }
    };
    racks.iter().map(pieces).collect()
}

/// The least and the most bytes of a broker or rack.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds {
    pub(super) least: u64,
    pub(super) most: u64,
}

impl Bounds {
    fn clamp(self, bytes: u64) -> u64 {
        bytes.min(self.most).max(self.least)
    }
}

/// A broker while its share is computed.
struct Vessel {
    broker: BrokerIx,
    capacity: u64,
    bounds: Bounds,
}

impl Vessel {
    fn new(
        cluster: &DenseCluster<'_>,
        load: BalancedLoad,
        broker: BrokerIx,
        bounds: Bounds,
    ) -> Self {
        let capacity = load.capacity(cluster, broker).unwrap_or(0);
        Self { broker, capacity, bounds }
    }

    fn at(&self, level: Level, x: u64) -> u64 {
        self.bounds.clamp(level.bytes(self.capacity, x))
    }
}

/// The water level: a whole number, and a broker's load grows with it.
#[derive(Clone, Copy)]
struct Level {
    by: Measure,
    largest_disk: u64,
    parts: u32,
}

/// Resolution of a level by percent: 2^32 parts of a disk, finer than a KiB of the largest disks.
const PARTS: u32 = 32;

impl Level {
    fn new(
        cluster: &DenseCluster<'_>,
        pool: &SharedTargets,
        load: BalancedLoad,
        by: Measure,
    ) -> Self {
        let disks = pool.brokers.iter().filter_map(|broker| load.capacity(cluster, *broker));
        Self { by, largest_disk: disks.max().unwrap_or(0), parts: PARTS + load.finer() }
    }

    /// The load of a broker of this capacity at level `x`.
    fn bytes(self, capacity: u64, x: u64) -> u64 {
        match self.by {
            Measure::PercentUsed => {
                let bytes = (u128::from(capacity) * u128::from(x)) >> self.parts;
                u64::try_from(bytes).unwrap_or(u64::MAX)
            }
            Measure::BytesFree => x.saturating_sub(self.largest_disk - capacity),
        }
    }

    fn top(self) -> u64 {
        match self.by {
            Measure::PercentUsed => 1 << (PARTS + 1 + 2 * (self.parts - PARTS)),
            Measure::BytesFree => self.largest_disk * 2,
        }
    }

    /// The lowest level at which `held` reaches `bytes`, or the top.
    fn reaching(self, bytes: u64, held: impl Fn(u64) -> u64) -> u64 {
        let (mut below, mut enough) = (0, self.top());
        while below < enough {
            let middle = below + (enough - below) / 2;
            if held(middle) >= bytes {
                enough = middle;
            } else {
                below = middle + 1;
            }
        }
        enough
    }
}

fn broker_bounds(
    state: &BalanceState<'_>,
    rules: &BalanceRules<'_>,
    load: BalancedLoad,
    gives: &[bool],
) -> Vec<Bounds> {
    let mut movable = vec![0_u64; state.used.len()];
    let mut of_target = vec![0_u64; state.targets.all.len()];
    for partition in 0..state.partitions() {
        let Some(target) = state.target_of(partition) else { continue };
        let weight = state.weight(load, index(partition));
        of_target[target] += weight;
        for seat in state.seats_of(partition) {
            movable[*seat as usize] += weight;
        }
    }
    let limit = |broker: usize| match load {
        BalancedLoad::Storage => rules.limit[broker].unwrap_or(u64::MAX),
        BalancedLoad::Topics
        | BalancedLoad::Replicas
        | BalancedLoad::Network
        | BalancedLoad::Cpu => u64::MAX,
    };
    let bounds = |broker: usize| {
        let used = state.carried(load)[broker];
        let fixed = used.saturating_sub(movable[broker]);
        let allowing = state.targets.all.iter().zip(&of_target);
        let offered: u64 =
            allowing.filter(|(target, _)| target.allowed[broker]).map(|(_, bytes)| bytes).sum();
        let cordoned = u32::try_from(broker).is_ok_and(|at| rules.cluster.is_cordoned(at));
        let most = match cordoned {
            true => used,
            false => limit(broker).min(fixed.saturating_add(offered)),
        };
        Bounds { least: if gives[broker] { fixed } else { used }, most: most.max(used) }
    };
    (0..state.used.len()).map(bounds).collect()
}

/// Converts the number of a partition, which fits into 32 bits.
fn index(partition: usize) -> u32 {
    u32::try_from(partition).unwrap_or(u32::MAX)
}

/// Targets that share brokers, directly or through other targets.
struct SharedTargets {
    targets: Vec<usize>,
    brokers: Vec<BrokerIx>,
}

fn pools(state: &BalanceState<'_>) -> Vec<SharedTargets> {
    let targets = &state.targets.all;
    let mut pools: Vec<SharedTargets> = Vec::new();
    for (at, target) in targets.iter().enumerate() {
        let mut joined = SharedTargets { targets: vec![at], brokers: target.brokers.clone() };
        let (touching, apart): (Vec<SharedTargets>, Vec<SharedTargets>) = pools
            .into_iter()
            .partition(|pool| pool.brokers.iter().any(|b| target.allowed[*b as usize]));
        for pool in touching {
            joined.targets.extend(pool.targets);
            joined.brokers.extend(pool.brokers);
        }
        joined.brokers.sort_unstable();
        joined.brokers.dedup();
        pools = apart;
        pools.push(joined);
    }
    pools.retain(|pool| !pool.brokers.is_empty());
    pools
}

/// For each rack of a pool the least and the most bytes, its fixed bytes included.
fn rack_bounds(
    state: &BalanceState<'_>,
    rules: &BalanceRules<'_>,
    load: BalancedLoad,
    pool: &SharedTargets,
) -> BTreeMap<usize, Bounds> {
    let rack = |broker: BrokerIx| rules.cluster.rack[broker as usize];
    let mut bounds: BTreeMap<usize, Bounds> = BTreeMap::new();
    for broker in &pool.brokers {
        let of_rack = bounds.entry(rack(*broker)).or_default();
        of_rack.least += state.carried(load)[*broker as usize];
        of_rack.most += state.carried(load)[*broker as usize];
    }
    if rules.local {
        return bounds;
    }
    // The bytes of the racks now, without those that may change their rack, plus those that the rule assigns.
    let mut bytes: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    let mut leaves = vec![0_u64; rules.cluster.rack_names.len()];
    for partition in 0..state.partitions() {
        let Some(target) = state.target_of(partition).filter(|t| pool.targets.contains(t)) else {
            continue;
        };
        let seats = state.seats_of(partition);
        if rules.keeps(seats, &state.targets.all[target]) {
            let weight = state.weight(load, index(partition));
            *bytes.entry((target, seats.len())).or_default() += weight;
            for seat in seats {
                leaves[rack(*seat)] += weight;
            }
        }
    }
    for (rack, of_rack) in &mut bounds {
        of_rack.least = of_rack.least.saturating_sub(leaves[*rack]);
        of_rack.most = of_rack.most.saturating_sub(leaves[*rack]);
    }
    for ((target, replicas), bytes) in bytes {
        let target = &state.targets.all[target];
        for rack in &target.racks {
            let (least, most) = replicas_in(&target.rack_size, *rack, replicas, rules.racks);
            if let Some(of_rack) = bounds.get_mut(rack) {
                of_rack.least += bytes * least as u64;
                of_rack.most += bytes * most as u64;
            }
        }
    }
    bounds
}

/// The fewest and the most replicas of one partition in a rack under the rule. `sizes`: brokers of each rack.
pub(super) fn replicas_in(
    sizes: &[usize],
    rack: usize,
    replicas: usize,
    rule: RackRule,
) -> (usize, usize) {
    let elsewhere: usize = sizes.iter().sum::<usize>() - sizes[rack];
    match rule {
        RackRule::AtLeast(asked) => {
            let others = replicas.min(asked as usize).saturating_sub(1);
            (replicas.saturating_sub(elsewhere), sizes[rack].min(replicas.saturating_sub(others)))
        }
        RackRule::Spread => {
            let poured = |each: usize| sizes.iter().map(|size| each.min(*size)).sum::<usize>();
            let each = (0..=replicas).rev().find(|each| poured(*each) <= replicas).unwrap_or(0);
            let least = each.min(sizes[rack]);
            let left = replicas.saturating_sub(poured(each));
            let open = sizes.iter().enumerate().filter(|(at, size)| *at != rack && **size > each);
            let most = if left > 0 { (each + 1).min(sizes[rack]) } else { least };
            // If every rack that is still open gets one more, this rack does, too.
            (if left > open.count() { most } else { least }, most)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_racks_as_replicas_leave_each_rack_one() {
        assert_eq!(replicas_in(&[2, 3, 1], 2, 3, RackRule::Spread), (1, 1));
    }

    #[test]
    fn fewer_replicas_than_racks_leave_each_rack_none_or_one() {
        assert_eq!(replicas_in(&[2, 3, 1], 0, 2, RackRule::Spread), (0, 1));
    }

    #[test]
    fn more_replicas_than_racks_spread_as_evenly_as_brokers_allow() {
        assert_eq!(replicas_in(&[4, 4], 0, 3, RackRule::Spread), (1, 2));
        assert_eq!(replicas_in(&[4, 1], 0, 3, RackRule::Spread), (2, 2));
        assert_eq!(replicas_in(&[4, 1], 1, 3, RackRule::Spread), (1, 1));
    }

    #[test]
    fn a_minimum_of_racks_leaves_the_rest_free() {
        assert_eq!(replicas_in(&[4, 4, 4], 0, 3, RackRule::AtLeast(2)), (0, 2));
        assert_eq!(replicas_in(&[4, 1, 0], 0, 3, RackRule::AtLeast(1)), (2, 3));
    }
}
