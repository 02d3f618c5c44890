//! How many replicas of each topic a broker should hold: the whole numbers next to its share of the topic.
//!
//! The shares of a topic are those of [`shares`](super::shares), for this topic alone: racks, replicas that cannot move,
//! cordons and brokers that give nothing count. Topics in the same position have the same bands, which are kept once.

use super::load::REPLICA;
use super::rules::BalanceRules;
use super::shares::{Bounds, RackBounds, RackPieces, piece_shares, replicas_in};
use super::state::BalanceState;
use super::topic_counts::TopicCounts;
use crate::dense::{BrokerIx, DenseCluster};
use crate::target::Target;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// The bands of all topics, for one state.
pub(super) struct TopicBands {
    /// For each topic an index into `kinds`; `None` if it is out of scope.
    of_topic: Vec<Option<usize>>,
    kinds: Vec<TopicShares>,
}

/// The bands of topics in the same position.
pub(super) struct TopicShares {
    /// For each broker the fewest and the most replicas that it should hold.
    bands: Vec<PieceBand>,
    pub(super) groups: Vec<TopicGroup>,
    /// For each broker an index into `groups`, if there are several.
    group_of: Vec<usize>,
    /// Whether any broker should hold at least one replica.
    everywhere: bool,
    /// The replicas that are too many on their broker, or missing on another one, in every plan.
    least_off: u64,
}

/// Brokers that share a number of replicas of a topic: those of a rack that the rack rule keeps above or below the other
/// racks, or all others.
pub(super) struct TopicGroup {
    pub(super) brokers: Vec<BrokerIx>,
    /// The replicas that they should hold together.
    pub(super) total: u64,
}

/// The fewest and the most replicas of a topic on a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PieceBand {
    pub(super) low: u32,
    pub(super) high: u32,
}

/// A broker that the topic may not use: its replicas are not counted.
const ANY: PieceBand = PieceBand { low: 0, high: u32::MAX };

impl PieceBand {
    /// The number of replicas outside the band.
    pub(super) fn off(self, held: u32) -> u32 {
        held.saturating_sub(self.high).max(self.low.saturating_sub(held))
    }
}

/// All that the shares of a topic depend on.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct TopicKind {
    target: usize,
    /// Partitions whose replicas may change racks: how many have this number of replicas.
    free: BTreeMap<usize, u64>,
    /// Replicas that may move inside their rack only: how many are in each.
    pinned: BTreeMap<usize, u64>,
    /// Replicas that may not move: how many are on each broker.
    fixed: BTreeMap<BrokerIx, u64>,
    /// Brokers that take or give nothing, with the replicas that they hold.
    stiff: BTreeMap<BrokerIx, u64>,
    /// Partitions that may move.
    movable: u64,
}

impl TopicBands {
    pub(super) fn new(
        state: &BalanceState<'_>,
        counts: &TopicCounts,
        rules: &BalanceRules<'_>,
        gives: &[bool],
    ) -> Self {
        let mut known: BTreeMap<TopicKind, usize> = BTreeMap::new();
        let mut bands = Self { of_topic: Vec::new(), kinds: Vec::new() };
        for (topic, target) in state.targets.of_topic.iter().enumerate() {
            let Some(target) = target.filter(|at| !state.targets.all[*at].brokers.is_empty())
            else {
                bands.of_topic.push(None);
                continue;
            };
            let kind = TopicKind::of(state, counts, rules, gives, topic, target);
            let next = bands.kinds.len();
            if let Some(at) = known.get(&kind) {
                bands.of_topic.push(Some(*at));
                continue;
            }
            bands.kinds.push(kind.shares(&state.targets.all[target], rules, gives));
            bands.of_topic.push(Some(next));
            known.insert(kind, next);
        }
        bands
    }

    pub(super) fn of(&self, topic: usize) -> Option<&TopicShares> {
        self.of_topic[topic].map(|at| &self.kinds[at])
    }

    pub(super) fn band(&self, topic: usize, broker: BrokerIx) -> PieceBand {
        self.of(topic).map_or(ANY, |shares| shares.band(broker))
    }

    pub(super) fn topics(&self) -> usize {
        self.of_topic.len()
    }

    pub(super) fn is_even(&self, counts: &TopicCounts) -> bool {
        (0..self.topics()).all(|topic| self.off(counts, topic) == 0)
    }

    /// The number of a topic's replicas outside their bands.
    pub(super) fn off(&self, counts: &TopicCounts, topic: usize) -> u64 {
        self.of(topic).map_or(0, |shares| shares.off(counts.of(topic)))
    }

    /// The topics that no plan evens, and their replicas that are out of place in every plan.
    pub(super) fn floor(&self) -> (u64, u64) {
        let least = self.of_topic.iter().flatten().map(|at| self.kinds[*at].least_off);
        least.fold((0, 0), |(topics, off), one| (topics + u64::from(one > 0), off + one))
    }
}

impl TopicShares {
    pub(super) fn band(&self, broker: BrokerIx) -> PieceBand {
        self.bands[broker as usize]
    }

    fn off(&self, held: &[(BrokerIx, u32)]) -> u64 {
        let off = held.iter().map(|(broker, held)| u64::from(self.band(*broker).off(*held)));
        let groups = 0..self.groups.len();
        let of_groups = groups.map(|at| self.held_in(at, held).abs_diff(self.groups[at].total));
        off.sum::<u64>() + self.missing(held) + of_groups.sum::<u64>()
    }

    /// The replicas that brokers without any replica of the topic should hold at least.
    fn missing(&self, held: &[(BrokerIx, u32)]) -> u64 {
        if !self.everywhere {
            return 0;
        }
        let holds = |broker: &BrokerIx| held.binary_search_by_key(broker, |entry| entry.0).is_ok();
        let brokers = self.groups.iter().flat_map(|group| &group.brokers);
        let without = brokers.filter(|broker| !holds(broker));
        without.map(|broker| u64::from(self.band(*broker).low)).sum()
    }

    /// The replicas that a group of brokers holds. A single group always holds as many as it should.
    pub(super) fn held_in(&self, group: usize, held: &[(BrokerIx, u32)]) -> u64 {
        if self.group_of.is_empty() {
            return self.groups[group].total;
        }
        let inside = held.iter().filter(|(broker, _)| self.group_of[*broker as usize] == group);
        inside.map(|(_, held)| u64::from(*held)).sum()
    }

    /// The groups of two brokers, if they differ.
    fn crossed(&self, from: BrokerIx, to: BrokerIx) -> Option<(usize, usize)> {
        let of = |broker: BrokerIx| self.group_of.get(broker as usize).copied();
        let (from, to) = of(from).zip(of(to))?;
        (from != to && from < self.groups.len() && to < self.groups.len()).then_some((from, to))
    }
}

impl TopicKind {
    fn of(
        state: &BalanceState<'_>,
        counts: &TopicCounts,
        rules: &BalanceRules<'_>,
        gives: &[bool],
        topic: usize,
        target: usize,
    ) -> Self {
        let of_target = &state.targets.all[target];
        let allowed = |broker: BrokerIx| of_target.allowed[broker as usize];
        let mut kind = Self {
            target,
            free: BTreeMap::new(),
            pinned: BTreeMap::new(),
            fixed: BTreeMap::new(),
            stiff: BTreeMap::new(),
            movable: 0,
        };
        let cluster = state.cluster;
        for partition in cluster.first_partition[topic]..cluster.first_partition[topic + 1] {
            let seats = state.seats_of(partition);
            let here = seats.iter().copied().filter(|seat| allowed(*seat));
            let keeps = rules.keeps(seats, of_target);
            if state.target_of(partition).is_none() || (cluster.shared_hosts && !keeps) {
                here.for_each(|seat| *kind.fixed.entry(seat).or_default() += 1);
                continue;
            }
            kind.movable += 1;
            if keeps && !rules.local {
                *kind.free.entry(seats.len()).or_default() += 1;
            } else {
                here.for_each(|seat| {
                    *kind.pinned.entry(cluster.rack[seat as usize]).or_default() += 1;
                });
            }
        }
        let held = counts.of(topic).iter().copied();
        let stiff = held.filter(|(broker, _)| {
            allowed(*broker) && (cluster.is_cordoned(*broker) || !gives[*broker as usize])
        });
        kind.stiff = stiff.map(|(broker, held)| (broker, u64::from(held))).collect();
        kind
    }

    fn shares(&self, target: &Target, rules: &BalanceRules<'_>, gives: &[bool]) -> TopicShares {
        let mut racks: Vec<RackBounds> = Vec::new();
        for rack in &target.racks {
            let inside = |broker: &&BrokerIx| rules.cluster.rack[**broker as usize] == *rack;
            let brokers = target.brokers.iter().filter(inside);
            let bounds = brokers.map(|broker| (*broker, self.of_broker(*broker, rules, gives)));
            racks.push((self.of_rack(*rack, target, rules), bounds.collect()));
        }
        let fixed: u64 = self.fixed.values().chain(self.pinned.values()).sum();
        let free: u64 = self.free.iter().map(|(replicas, count)| *replicas as u64 * count).sum();
        let closed = racks.iter().all(|(bounds, _)| bounds.least == bounds.most);
        let pieces = piece_shares(&racks, (fixed + free) * REPLICA);
        let mut bands = vec![ANY; rules.cluster.ids.len()];
        let (mut groups, mut sea) = (Vec::new(), Vec::new());
        for RackPieces { shares, is_apart } in &pieces {
            for (broker, share) in shares {
                bands[*broker as usize] = around(*share);
            }
            match closed || *is_apart {
                true => groups.push(TopicGroup::of(shares)),
                false => sea.extend_from_slice(shares),
            }
        }
        if !sea.is_empty() {
            groups.push(TopicGroup::of(&sea));
        }
        let mut group_of = Vec::new();
        if groups.len() > 1 {
            group_of = vec![usize::MAX; bands.len()];
            for (at, group) in groups.iter().enumerate() {
                group.brokers.iter().for_each(|broker| group_of[*broker as usize] = at);
            }
        }
        let everywhere = bands.iter().any(|band| band.low > 0);
        let least_off = least_off(&pieces, fixed + free);
        TopicShares { bands, groups, group_of, everywhere, least_off }
    }

    fn of_broker(&self, broker: BrokerIx, rules: &BalanceRules<'_>, gives: &[bool]) -> Bounds {
        let fixed = self.fixed.get(&broker).copied().unwrap_or(0);
        let held = self.stiff.get(&broker).copied().unwrap_or(0);
        let least = if gives[broker as usize] { fixed } else { held };
        let most = if rules.cluster.is_cordoned(broker) { held } else { fixed + self.movable };
        Bounds { least: least * REPLICA, most: most.max(least) * REPLICA }
    }

    fn of_rack(&self, rack: usize, target: &Target, rules: &BalanceRules<'_>) -> Bounds {
        let inside = |broker: &BrokerIx| rules.cluster.rack[*broker as usize] == rack;
        let fixed = self.fixed.iter().filter(|(broker, _)| inside(broker)).map(|(_, count)| count);
        let stays: u64 = fixed.chain(self.pinned.get(&rack)).sum();
        let mut bounds = Bounds { least: stays, most: stays };
        for (replicas, count) in &self.free {
            let (least, most) = replicas_in(&target.rack_size, rack, *replicas, rules.racks);
            bounds.least += count * least as u64;
            bounds.most += count * most as u64;
        }
        Bounds { least: bounds.least * REPLICA, most: bounds.most * REPLICA }
    }
}

/// By how many replicas of each topic an exchange changes its two brokers.
pub(super) struct TopicExchange {
    /// Topics, each with the replicas that its giver gets.
    gets: SmallVec<[(usize, i64); 4]>,
}

impl TopicExchange {
    /// The replicas of `there` leave the giver, and that of `back` comes to it.
    pub(super) fn new(cluster: &DenseCluster<'_>, there: &[u32], back: Option<u32>) -> Self {
        let mut exchange = Self { gets: SmallVec::new() };
        let mut add = |partition: u32, more: i64| {
            let topic = cluster.topic_of(partition as usize);
            match exchange.gets.iter_mut().find(|(known, _)| *known == topic) {
                Some((_, gets)) => *gets += more,
                None => exchange.gets.push((topic, more)),
            }
        };
        there.iter().for_each(|partition| add(*partition, -1));
        back.iter().for_each(|partition| add(*partition, 1));
        exchange
    }

    /// Whether each topic stays inside its bands on both brokers, or at least no further outside.
    pub(super) fn keeps(
        &self,
        bands: &TopicBands,
        counts: &TopicCounts,
        giver: BrokerIx,
        taker: BrokerIx,
    ) -> bool {
        let keeps = |topic: usize, broker: BrokerIx, more: i64| {
            let (band, held) = (bands.band(topic, broker), counts.held(topic, broker));
            let new = u32::try_from(i64::from(held) + more).unwrap_or(0);
            band.off(new) <= band.off(held)
        };
        // Where racks limit a topic, each group of brokers keeps its number of replicas as well.
        let keeps_groups = |topic: usize, more: i64| {
            let shares = bands.of(topic);
            let groups = shares.and_then(|shares| Some((shares, shares.crossed(giver, taker)?)));
            groups.is_none_or(|(shares, (from, to))| {
                let nears = |group: usize, more: i64| {
                    let held = shares.held_in(group, counts.of(topic));
                    let (new, total) =
                        (held.saturating_add_signed(more), shares.groups[group].total);
                    new.abs_diff(total) <= held.abs_diff(total)
                };
                nears(from, more) && nears(to, -more)
            })
        };
        self.gets.iter().all(|(topic, more)| {
            *more == 0
                || (keeps(*topic, giver, *more)
                    && keeps(*topic, taker, -more)
                    && keeps_groups(*topic, *more))
        })
    }
}

impl TopicGroup {
    fn of(shares: &[(BrokerIx, u64)]) -> Self {
        let mut brokers: Vec<BrokerIx> = shares.iter().map(|(broker, _)| *broker).collect();
        brokers.sort_unstable();
        let total: u64 = shares.iter().map(|(_, share)| share).sum();
        Self { brokers, total: (total + REPLICA / 2) / REPLICA }
    }
}

/// A share is rounded by less than this.
const NEAR: u64 = 16;

fn around(share: u64) -> PieceBand {
    let whole = |pieces: u64| u32::try_from(pieces).unwrap_or(u32::MAX);
    PieceBand {
        low: whole((share + NEAR) / REPLICA),
        high: whole(share.saturating_sub(NEAR).div_ceil(REPLICA)),
    }
}

/// The replicas above or below the even number in every plan: no plan has lower peaks or higher troughs than the shares.
fn least_off(racks: &[RackPieces], replicas: u64) -> u64 {
    let shares = || racks.iter().flat_map(|rack| &rack.shares).map(|(_, share)| *share);
    let brokers = shares().count().max(1) as u64;
    let (low, high) = (replicas / brokers * REPLICA, replicas.div_ceil(brokers) * REPLICA);
    let above: u64 = shares().map(|share| share.saturating_sub(high)).sum();
    let below: u64 = shares().map(|share| low.saturating_sub(share)).sum();
    (above.max(below) + REPLICA / 2) / REPLICA
}
