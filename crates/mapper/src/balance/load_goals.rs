//! Which brokers give, which take, and between which bands: the request applied to the cluster.

use super::band::Band;
use super::load::{BalancedLoad, REPLICA};
use super::rules::BalanceRules;
use super::shares::{Shares, shares};
use super::state::BalanceState;
use super::topic_bands::TopicBands;
use crate::bytes::{Bytes, Ratio};
use crate::dense::{BrokerIx, DenseCluster, Supply};
use crate::plan::BalanceFloor;
use crate::request::{Balance, Measure, PlanTerms, Rebalance, Relieve};

/// The rules and goals of a request, for any state of the cluster.
#[derive(Clone)]
pub(super) struct LoadGoals<'a> {
    pub(super) rules: BalanceRules<'a>,
    /// The loads to even, the most important first.
    pub(super) loads: Vec<BalancedLoad>,
    by: Measure,
    tolerance: Ratio,
    threshold: Threshold,
    relieve: Option<(BrokerIx, Ratio)>,
}

/// Options that only `rebalance` has.
#[derive(Clone, Copy, Default)]
pub(super) struct Special {
    pub(super) threshold: Threshold,
    pub(super) relieve: Option<Relieve>,
}

/// The most and the least.
type Extremes<T> = (Option<T>, Option<T>);

/// Which brokers may give replicas away.
#[derive(Clone, Copy, Default)]
pub(super) enum Threshold {
    #[default]
    All,
    /// Brokers with less free storage than this.
    FreeBelow(Bytes),
    /// Brokers whose free storage is below the harmonic mean of all brokers by more than this share of it.
    BelowMean(Ratio),
}

/// The bands for one state and one load.
pub(super) struct Layout {
    pub(super) load: BalancedLoad,
    pub(super) bands: Vec<Option<Band>>,
    pub(super) shares: Shares,
    pub(super) gives: Vec<bool>,
    /// The bands of each topic, if the load is that of topics. Then brokers have no bands.
    pub(super) topics: Option<TopicBands>,
}

impl<'a> LoadGoals<'a> {
    pub(super) fn new(
        cluster: &'a DenseCluster<'a>,
        terms: &PlanTerms,
        balance: &Balance,
        special: Special,
    ) -> Self {
        let relieve = special
            .relieve
            .and_then(|Relieve { broker, below }| Some((cluster.index_of(broker)?, below)));
        let mut limit = cluster.limits(terms.storage_headroom);
        if let Some((_, below)) = relieve {
            keep_below(cluster, below, &mut limit);
        }
        let rules =
            BalanceRules { cluster, racks: terms.racks, local: balance.locality_scoped, limit };
        // `relieve` empties one broker, and evens no other load.
        let loads = if relieve.is_some() {
            vec![BalancedLoad::Storage]
        } else {
            BalancedLoad::of(&balance.goals)
        };
        Self {
            rules,
            loads,
            by: balance.by,
            tolerance: balance.tolerance,
            threshold: special.threshold,
            relieve,
        }
    }

    /// The bands for a state. They depend only on where replicas are, not on the changes that led there.
    pub(super) fn layout(&self, state: &BalanceState<'_>, load: BalancedLoad) -> Layout {
        let gives = self.gives(state);
        if let Some(counts) = state.topics.as_ref().filter(|_| load == BalancedLoad::Topics) {
            let topics = TopicBands::new(state, counts, &self.rules, &gives);
            let brokers = state.cluster.ids.len();
            let shares = Shares::of_none(brokers);
            let bands = vec![None; brokers];
            return Layout { load, bands, shares, gives, topics: Some(topics) };
        }
        let by = if load == BalancedLoad::Storage { self.by } else { Measure::PercentUsed };
        let shares = shares(state, &self.rules, load, by, &gives);
        let around = |share: u64| match load {
            BalancedLoad::Storage | BalancedLoad::Network | BalancedLoad::Cpu => {
                Band::around(share, self.tolerance)
            }
            BalancedLoad::Replicas | BalancedLoad::Topics => {
                Band::of_pieces(share, self.tolerance, REPLICA)
            }
        };
        let bands = match self.relieve {
            None => shares.of.iter().map(|share| share.map(around)).collect(),
            Some((_, below)) => self.below(state, &shares, below),
        };
        Layout { load, bands, shares, gives, topics: None }
    }

    /// The orders in which the loads are evened, where topics are among them. Numbers of replicas are reached best before
    /// bytes: an exchange of two replicas of one topic keeps both numbers and moves bytes.
    pub(super) fn orders(&self) -> Vec<Vec<BalancedLoad>> {
        let first = |firsts: &[BalancedLoad]| -> Vec<BalancedLoad> {
            let firsts = firsts.iter().filter(|load| self.loads.contains(load));
            let mut order: Vec<BalancedLoad> = firsts.copied().collect();
            let rest = self.loads.iter().filter(|load| !order.contains(load));
            let rest: Vec<BalancedLoad> = rest.copied().collect();
            order.extend(rest);
            order
        };
        let counts = [BalancedLoad::Topics, BalancedLoad::Replicas];
        let mut orders = vec![first(&counts), first(&counts[..1]), self.loads.clone()];
        orders.dedup();
        orders
    }

    /// The same goals in another order.
    pub(super) fn in_order(&self, loads: Vec<BalancedLoad>) -> Self {
        Self { loads, ..self.clone() }
    }

    /// How far a state is from the bands of each load, the most important first.
    pub(super) fn strains(&self, state: &BalanceState<'_>) -> Vec<u128> {
        self.layouts(state).iter().map(|layout| layout.strain(state)).collect()
    }

    /// The bands of all loads, the most important first.
    pub(super) fn layouts(&self, state: &BalanceState<'_>) -> Vec<Layout> {
        self.loads.iter().map(|load| self.layout(state, *load)).collect()
    }

    fn gives(&self, state: &BalanceState<'_>) -> Vec<bool> {
        let cluster = self.rules.cluster;
        if let Some((relieved, _)) = self.relieve {
            return (0..cluster.ids.len()).map(|at| at == relieved as usize).collect();
        }
        let free = |at: usize| {
            cluster.capacity[at].map(|capacity| capacity.saturating_sub(state.used[at]))
        };
        let mark = match self.threshold {
            Threshold::All => return vec![true; cluster.ids.len()],
            Threshold::FreeBelow(bytes) => bytes.0,
            Threshold::BelowMean(ratio) => {
                let allowed = |at: &usize| state.targets.all.iter().any(|t| t.allowed[*at]);
                let all = (0..cluster.ids.len()).filter(allowed);
                let mean = harmonic_mean(all.filter_map(free));
                mean - ratio.of(Bytes(mean)).0.min(mean)
            }
        };
        (0..cluster.ids.len()).map(|at| free(at).is_some_and(|free| free < mark)).collect()
    }

    /// Every broker may fill up to the mark. A broker that is already above it keeps its load, unless it is relieved.
    fn below(&self, state: &BalanceState<'_>, shares: &Shares, below: Ratio) -> Vec<Option<Band>> {
        let band = |at: usize| {
            shares.of[at]?;
            let capacity = self.rules.cluster.capacity[at]?;
            let mark = below.of(Bytes(capacity)).0;
            let relieved = self.relieve.is_some_and(|(broker, _)| broker as usize == at);
            let high = if relieved { mark } else { mark.max(state.used[at]) };
            Some(Band { low: 0, share: capacity, high })
        };
        (0..shares.of.len()).map(band).collect()
    }
}

/// Limits each broker to the mark to which one broker is relieved. A broker above the mark takes nothing.
fn keep_below(cluster: &DenseCluster<'_>, below: Ratio, limit: &mut [Option<u64>]) {
    let facts = cluster.capacity.iter().zip(&cluster.used);
    for (limit, (capacity, used)) in limit.iter_mut().zip(facts) {
        let Some((capacity, used)) = capacity.zip(*used) else { continue };
        let mark = below.of(Bytes(capacity)).0.max(used);
        *limit = limit.map(|limit| limit.min(mark));
    }
}

impl Threshold {
    pub(super) fn of(request: &Rebalance) -> Self {
        match (request.storage_threshold_bytes, request.storage_threshold) {
            (Some(bytes), _) => Self::FreeBelow(bytes),
            (None, Some(ratio)) => Self::BelowMean(ratio),
            (None, None) => Self::All,
        }
    }
}

/// The harmonic mean of the values that are not zero; 0 if there are none.
fn harmonic_mean(values: impl Iterator<Item = u64>) -> u64 {
    const ONE: u128 = 1 << 100;
    let (mut inverse, mut count) = (0, 0);
    for value in values.filter(|value| *value > 0) {
        inverse += ONE / u128::from(value);
        count += 1;
    }
    if count == 0 {
        return 0;
    }
    u64::try_from(ONE / (inverse / count).max(1)).unwrap_or(u64::MAX)
}

impl Layout {
    /// The replicas of all topics outside their bands; 0 for another load.
    pub(super) fn topics_off(&self, state: &BalanceState<'_>) -> u64 {
        let both = self.topics.as_ref().zip(state.topics.as_ref());
        both.map_or(0, |(topics, counts)| {
            (0..topics.topics()).map(|topic| topics.off(counts, topic)).sum()
        })
    }

    /// The same for the topic of one partition.
    pub(super) fn topic_off(&self, state: &BalanceState<'_>, partition: u32) -> u64 {
        let topic = state.cluster.topic_of(partition as usize);
        let both = self.topics.as_ref().zip(state.topics.as_ref());
        both.map_or(0, |(topics, counts)| topics.off(counts, topic))
    }

    /// How far all brokers together are from their bands.
    pub(super) fn strain(&self, state: &BalanceState<'_>) -> u128 {
        if self.topics.is_some() {
            return u128::from(self.topics_off(state));
        }
        let strain = |(band, used): (&Option<Band>, &u64)| band.map_or(0, |b| b.strain(*used));
        let strains = self.bands.iter().zip(state.carried(self.load)).map(strain);
        strains.map(u128::from).sum()
    }

    /// Whether a broker that gets and gives so much of the load ends inside its band, or at least no further outside.
    pub(super) fn keeps(
        &self,
        state: &BalanceState<'_>,
        broker: BrokerIx,
        comes: u64,
        goes: u64,
    ) -> bool {
        let old = state.carried(self.load)[broker as usize];
        let new = (old + comes).saturating_sub(goes);
        self.bands[broker as usize].is_none_or(|band| band.keeps(old, new))
    }

    pub(super) fn is_even(&self, state: &BalanceState<'_>) -> bool {
        if let Some((topics, counts)) = self.topics.as_ref().zip(state.topics.as_ref()) {
            return topics.is_even(counts);
        }
        let held = |(band, used): (&Option<Band>, &u64)| band.is_none_or(|b| b.holds(*used));
        self.bands.iter().zip(state.carried(self.load)).all(held)
    }

    /// The best evenness that is reachable for storage.
    #[expect(clippy::cast_precision_loss, reason = "for display; no decision rests on it")]
    pub(super) fn floor(&self, cluster: &DenseCluster<'_>) -> Option<BalanceFloor> {
        let shared = self.shares.of.iter().zip(&cluster.capacity);
        let disks: Vec<(f64, f64)> =
            shared.filter_map(|(share, disk)| Some(((*share)? as f64, (*disk)? as f64))).collect();
        let mean = disks.iter().map(|d| d.0).sum::<f64>() / disks.iter().map(|d| d.1).sum::<f64>();
        let ratios = || disks.iter().filter(|disk| disk.1 > 0.0).map(|disk| disk.0 / disk.1);
        let (most, least) = (ratios().reduce(f64::max)?, ratios().reduce(f64::min)?);
        let deviation = f64::max(most / mean - 1.0, 1.0 - least / mean);
        Some(BalanceFloor {
            max_used_ratio: most,
            min_used_ratio: Some(least),
            worst_deviation: deviation.is_finite().then_some(deviation),
            ..BalanceFloor::default()
        })
    }

    /// Adds the best evenness that is reachable for a load other than storage.
    pub(super) fn add_floor(&self, cluster: &DenseCluster<'_>, floor: &mut BalanceFloor) {
        let shared = || (0..).zip(&self.shares.of).filter_map(|(b, share)| Some((b, (*share)?)));
        match self.load {
            BalancedLoad::Storage => {}
            BalancedLoad::Topics => {
                let least = self.topics.as_ref().map(TopicBands::floor);
                floor.uneven_topics = least.map(|(topics, _)| topics);
                floor.misplaced_replicas = least.map(|(_, replicas)| replicas);
            }
            BalancedLoad::Replicas => {
                let near = REPLICA / 64;
                let most = shared().map(|(_, share)| share.saturating_sub(near).div_ceil(REPLICA));
                floor.max_replicas = most.max();
                floor.min_replicas = shared().map(|(_, share)| (share + near) / REPLICA).min();
            }
            BalancedLoad::Network => {
                let (ratios, amounts) = self.supplied(cluster, Supply::Network);
                (floor.max_network_ratio, floor.min_network_ratio) = ratios;
                (floor.max_traffic_bytes_per_second, floor.min_traffic_bytes_per_second) = amounts;
            }
            BalancedLoad::Cpu => {
                let (ratios, amounts) = self.supplied(cluster, Supply::Cpu);
                (floor.max_cpu_ratio, floor.min_cpu_ratio) = ratios;
                (floor.max_cpu_nanocores, floor.min_cpu_nanocores) = amounts;
            }
        }
    }

    /// The most and the least of a supply that brokers have to use, as a share of it if it is known, else as an amount.
    #[expect(clippy::cast_precision_loss, reason = "for display; no decision rests on it")]
    fn supplied(
        &self,
        cluster: &DenseCluster<'_>,
        supply: Supply,
    ) -> (Extremes<f64>, Extremes<u64>) {
        let shared = || (0..).zip(&self.shares.of).filter_map(|(b, share)| Some((b, (*share)?)));
        let ratio = |(at, share)| Some(share as f64 / cluster.supply(supply, at)? as f64);
        let ratios = || shared().filter_map(ratio).filter(|ratio| ratio.is_finite());
        let ratios = (ratios().reduce(f64::max), ratios().reduce(f64::min));
        // If they are unequal, shares differ, and their extremes bound no plan.
        let amounts = || shared().map(|(_, share)| share).filter(|_| !cluster.knows(supply));
        (ratios, (amounts().max(), amounts().min()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_harmonic_mean_leans_to_the_small() {
        assert_eq!(harmonic_mean([100, 100].into_iter()), 100);
        assert_eq!(harmonic_mean([300, 600].into_iter()), 400);
        assert_eq!(harmonic_mean([0].into_iter()), 0);
    }
}
