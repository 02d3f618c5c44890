//! The linear relaxation of the balance of storage, as a flow of bytes.
//!
//! If replicas could be divided, partitions on the same brokers would be one partition. Each such class has as many
//! bytes to place as its open seats need. A broker gets them at most once, and a rack as often as the rack rule says.
//! Each broker takes as much as its marks allow. Replicas that stay cost nothing; copies cost their bytes. No plan
//! costs less than the cheapest flow. The flow also says which way the bytes go in the best plans.

use super::marks::Marks;
use super::model::{SeatsToDecide, SmallSeats, StorageModel};
use super::network::{ArcFlow, Network};
use super::{BalanceState, SearchConditions};
use crate::dense::BrokerIx;
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// All seats to decide, by class.
pub(super) struct Classes {
    all: Vec<Class>,
    /// For each broker the total difference between its replicas' sizes and the sizes of copies: followers can lag.
    pub(super) off: Vec<u64>,
    /// Bytes to place, each replica counted.
    total: u64,
}

/// Partitions with the same open seats and choices.
struct Class {
    kind: ClassKind,
    /// Items of the model, the largest first.
    items: Vec<usize>,
    /// Bytes of one replica of each item, summed.
    bytes: u64,
}

/// The decision that a class leaves open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ClassKind {
    seats: usize,
    /// Brokers, and whether bytes have to be copied there.
    choices: SmallVec<[(BrokerIx, bool); 8]>,
    /// For each rack that limits the choice: its choices, and how many of them are taken at least and at most.
    racks: SmallVec<[ClassRack; 4]>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ClassRack {
    choices: SmallVec<[usize; 8]>,
    least: usize,
    most: usize,
}

/// The cheapest flow.
pub(super) struct CheapestFlow {
    /// Bytes copied.
    pub(super) copied: u64,
    /// For each class and each of its choices the bytes that go there.
    of: Vec<Vec<u64>>,
}

impl Classes {
    pub(super) fn new(asked: &SearchConditions<'_, '_>, model: &StorageModel) -> Self {
        let mut kinds: BTreeMap<ClassKind, Vec<usize>> = BTreeMap::new();
        let mut off = vec![0; model.base.len()];
        for (at, item) in model.items.iter().enumerate() {
            kinds.entry(ClassKind::of(asked, model, item)).or_default().push(at);
            for (broker, column) in &item.choices {
                off[*broker as usize] += model.seat(*column).load.abs_diff(item.size);
            }
        }
        let mut all = Vec::new();
        let mut total = 0;
        for (kind, mut items) in kinds {
            items.sort_by_key(|at| (Reverse(model.items[*at].size), *at));
            let bytes = items.iter().map(|at| model.items[*at].size).sum();
            total += bytes * kind.seats as u64;
            all.push(Class { kind, items, bytes });
        }
        Self { all, off, total }
    }

    /// The cheapest flow that ends between the marks. `off`: the bytes by which it may pass them. `None`: there is none.
    pub(super) fn pour(
        &self,
        model: &StorageModel,
        marks: &Marks,
        off: &[u64],
    ) -> Option<CheapestFlow> {
        let mut network = Network::default();
        let brokers: Vec<usize> = model.base.iter().map(|_| network.node()).collect();
        let sink = network.node();
        let mut laid = vec![0; brokers.len()];
        let mut arcs: Vec<Vec<usize>> = Vec::new();
        for class in &self.all {
            arcs.push(class.lay(&mut network, &brokers, &mut laid));
        }
        for (at, node) in brokers.iter().enumerate() {
            let (base, off) = (model.base[at], off[at]);
            let (low, high) = marks.of[at].map_or((0, u64::MAX), |mark| {
                (mark.low.saturating_sub(off), mark.high.min(mark.room).saturating_add(off))
            });
            let low = low.saturating_sub(base).min(self.total);
            let high = high.saturating_sub(base).min(self.total).max(low);
            let now = laid[at].clamp(low, high);
            network.arc(*node, sink, flow(low, now, high), 0);
        }
        network.supply(sink, -signed(self.total));
        if !network.settle() {
            return None;
        }
        network.straighten();
        let carried = |arc: &usize| u64::try_from(network.beyond_least(*arc)).unwrap_or(0);
        let of: Vec<Vec<u64>> =
            arcs.iter().map(|arcs| arcs.iter().map(carried).collect()).collect();
        let copied = self.all.iter().zip(&of).map(|(class, of)| class.copied(of)).sum();
        Some(CheapestFlow { copied, of })
    }

    /// Whole replicas, as near to a flow as their sizes allow: for each item of the model its brokers.
    pub(super) fn whole(
        &self,
        model: &StorageModel,
        poured: &CheapestFlow,
    ) -> Vec<(usize, SmallSeats)> {
        let mut all: Vec<(&Class, &Vec<u64>)> = self.all.iter().zip(&poured.of).collect();
        // Rounding errors pass on to the next class. Small replicas correct them best, so they come last.
        all.sort_by_key(|(class, _)| Reverse(class.items.last().map(|at| model.items[*at].size)));
        let mut left = vec![0; model.base.len()];
        all.iter().flat_map(|(class, of)| class.whole(model, of, &mut left)).collect()
    }
}

impl ClassKind {
    fn of(asked: &SearchConditions<'_, '_>, model: &StorageModel, item: &SeatsToDecide) -> Self {
        let rack = |broker: BrokerIx| asked.rules.cluster.rack[broker as usize];
        let choices = item.choices.iter().map(|(b, column)| (*b, model.seat(*column).moves));
        let mut racks = SmallVec::new();
        for (at, least, most) in &item.racks {
            let held = item.fixed.iter().filter(|broker| rack(**broker) == *at).count();
            let there = |(_, choice): &(usize, &(BrokerIx, usize))| rack(choice.0) == *at;
            let choices: SmallVec<[usize; 8]> =
                item.choices.iter().enumerate().filter(there).map(|(at, _)| at).collect();
            let (least, most) = (least.saturating_sub(held), most.saturating_sub(held));
            if !choices.is_empty() && (least > 0 || most < choices.len()) {
                racks.push(ClassRack { choices, least, most });
            }
        }
        Self { seats: item.open, choices: choices.collect(), racks }
    }
}

impl Class {
    /// Adds a flow in which every replica stays. Returns the arc of each choice.
    fn lay(&self, network: &mut Network, brokers: &[usize], laid: &mut [u64]) -> Vec<usize> {
        let node = network.node();
        network.supply(node, signed(self.bytes * self.kind.seats as u64));
        let stays = |at: usize| if self.kind.choices[at].1 { 0 } else { self.bytes };
        let mut from = vec![node; self.kind.choices.len()];
        for rack in &self.kind.racks {
            let through = network.node();
            let all = |replicas: usize| self.bytes * replicas as u64;
            let (low, high) = (all(rack.least), all(rack.most));
            let now: u64 = rack.choices.iter().map(|at| stays(*at)).sum();
            network.arc(node, through, flow(low, now.clamp(low, high), high), 0);
            rack.choices.iter().for_each(|at| from[*at] = through);
        }
        let choices = self.kind.choices.iter().enumerate();
        let arcs = choices.map(|(at, (broker, moves))| {
            let (broker, now) = (*broker as usize, stays(at));
            laid[broker] += now;
            let cost = i64::from(*moves);
            network.arc(from[at], brokers[broker], flow(0, now, self.bytes), cost)
        });
        arcs.collect()
    }

    fn copied(&self, of: &[u64]) -> u64 {
        let moved = self.kind.choices.iter().zip(of).filter(|((_, moves), _)| *moves);
        moved.map(|(_, bytes)| bytes).sum()
    }

    /// The largest replicas go where most of the class goes. The small ones correct the rounding errors.
    ///
    /// `left`: for each broker the bytes that earlier classes brought too few (positive) or too many (negative).
    fn whole(
        &self,
        model: &StorageModel,
        of: &[u64],
        left: &mut [i64],
    ) -> Vec<(usize, SmallSeats)> {
        let mut open: Vec<i64> = of.iter().map(|bytes| signed(*bytes)).collect();
        for (at, open) in open.iter_mut().enumerate() {
            if (1..self.bytes).contains(&of[at]) {
                *open += std::mem::take(&mut left[self.kind.choices[at].0 as usize]);
            }
        }
        let mut whole = Vec::with_capacity(self.items.len());
        for at in &self.items {
            let item = &model.items[*at];
            let chosen = self.chosen(&open);
            let mut seats = item.fixed.clone();
            for choice in chosen {
                let (broker, _) = item.choices[choice];
                open[choice] -= signed(item.size);
                seats.push(broker);
            }
            whole.push((*at, seats));
        }
        for ((broker, _), bytes) in self.kind.choices.iter().zip(open) {
            left[*broker as usize] += bytes;
        }
        whole
    }

    /// The choices for which most bytes are open, within the limits of the racks.
    fn chosen(&self, open: &[i64]) -> SmallVec<[usize; 4]> {
        let mut order: Vec<usize> = (0..open.len()).collect();
        order.sort_by_key(|at| (Reverse(open[*at]), self.kind.choices[*at].1, *at));
        let mut chosen: SmallVec<[usize; 4]> = SmallVec::new();
        for rack in &self.kind.racks {
            let there = order.iter().copied().filter(|at| rack.choices.contains(at));
            chosen.extend(there.take(rack.least));
        }
        for at in order {
            let full = || {
                self.kind.racks.iter().filter(|rack| rack.choices.contains(&at)).any(|rack| {
                    chosen.iter().filter(|at| rack.choices.contains(at)).count() >= rack.most
                })
            };
            if chosen.len() < self.kind.seats && !chosen.contains(&at) && !full() {
                chosen.push(at);
            }
        }
        chosen
    }
}

/// A state with whole replicas on the brokers of `seats`.
pub(super) fn placed<'a>(
    asked: &SearchConditions<'_, 'a>,
    model: &StorageModel,
    seats: &[(usize, SmallSeats)],
) -> BalanceState<'a> {
    let mut state = asked.before.clone();
    for (at, seats) in seats {
        let item = &model.items[*at];
        if item.keeps_rules(asked, seats) {
            super::change(&mut state, item.partition, seats);
        }
    }
    state
}

fn flow(low: u64, now: u64, high: u64) -> ArcFlow {
    ArcFlow { low: signed(low), now: signed(now), high: signed(high) }
}

/// Bytes of clusters are far below 2^62.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::super::load_goals::{LoadGoals, Special};
    use super::super::search_limits::SearchLimits;
    use super::*;
    use crate::bytes::{Bytes, Ratio};
    use crate::dense::DenseCluster;
    use crate::exact::{SolverAnswer, SolverChoice, SolverLimits};
    use crate::ids::{BrokerId, PartitionId};
    use crate::request::{Balance, PlanTerms};
    use crate::snapshot::{Broker, Partition, Parts, Snapshot, Topic};
    use crate::target::Targets;
    use crate::traffic::ReplicaLoads;
    use crate::{Assignment, TopicSelection};

    const BROKERS: u32 = 8;
    const RACKS: u32 = 4;

    /// Three replicas of each partition in four racks; brokers of one rack are twice as large.
    fn cluster(seed: u32) -> Snapshot {
        let partition = |at: u32| {
            let dice = (at + 1).wrapping_mul(2_654_435_761).wrapping_add(seed * 40_503) >> 7;
            let (first, upper) = (dice % RACKS, dice / 5 % 8);
            let replicas = (0..3).map(|turn| {
                let half = if upper >> turn & 1 == 0 { 0 } else { RACKS };
                BrokerId((first + turn) % RACKS + half)
            });
            let mut partition = Partition::new(PartitionId(at), replicas.collect::<Vec<_>>());
            partition.size = Some(Bytes(u64::from(1 + dice % 97) << 20));
            partition
        };
        let partitions: Vec<Partition> = (0..60).map(partition).collect();
        let broker = |id: u32| {
            let own = |partition: &&Partition| partition.replicas.contains(&BrokerId(id));
            let used = partitions.iter().filter(own).filter_map(|p| p.size).map(|size| size.0);
            let disk = (if id % RACKS == 1 { 2 } else { 1 }) << 33_u32;
            Broker {
                rack: Some(format!("rack-{}", id % RACKS)),
                storage_total: Some(Bytes(disk)),
                storage_free: Some(Bytes(disk - used.sum::<u64>())),
                ..Broker::new(BrokerId(id))
            }
        };
        let brokers = (0..BROKERS).map(broker).collect();
        let topic = Topic { name: "all".to_owned(), partitions, ..Topic::default() };
        Snapshot::new(Parts { brokers, topics: vec![topic], ..Parts::default() }).unwrap()
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "compared to a ten-millionth")]
    fn the_cheapest_flow_is_what_the_simplex_algorithm_finds() {
        let brokers = (0..BROKERS).map(BrokerId).collect();
        let all = vec![Assignment::new(TopicSelection::Rest, brokers)];
        let terms = PlanTerms::new(all, Ratio::from_percent(10));
        let balance = Balance::default();
        let mut compared = 0;
        for seed in 0..20 {
            let snapshot = cluster(seed);
            let cluster = DenseCluster::new(&snapshot);
            let targets = Targets::new(&cluster, &terms).unwrap();
            let goals = LoadGoals::new(&cluster, &terms, &balance, Special::default());
            let before = BalanceState::after_repairs(
                &cluster,
                &targets,
                &balance,
                &[],
                ReplicaLoads::default(),
            );
            let layout = goals.layout(&before, super::super::BalancedLoad::Storage);
            let (rules, balance, pace) = (&goals.rules, &balance, SearchLimits::Led);
            let asked =
                SearchConditions { before, rules, balance, repairs: &[], layout: &layout, pace };
            let model = StorageModel::new(&asked);
            let marks = asked.marks(&layout.bands);
            let (mut program, _) = model.rules(&asked);
            model.bound_loads(&mut program, &marks, 0.0, &[None; BROKERS as usize]);
            for (column, cost) in model.terms(|seat| model.load(seat.copied)) {
                program.columns[column].cost = cost;
            }
            let limits = SolverLimits { who: SolverChoice::Quick, nodes: 0, gap: 0.0 };
            let SolverAnswer::Found(found) = program.relaxed().solve(limits, None) else {
                continue;
            };
            let classes = Classes::new(&asked, &model);
            let poured = classes.pour(&model, &marks, &classes.off).unwrap();
            let (flow, simplex) = (poured.copied as f64, found.bound * model.unit);
            assert!((flow - simplex).abs() <= 1.0 + simplex * 1e-7, "{seed}: {flow}, {simplex}");
            compared += u32::from(poured.copied > 0);
        }
        assert!(compared > 10, "{compared}");
    }
}
