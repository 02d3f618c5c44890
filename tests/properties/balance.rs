//! Properties of every rebalance.

use crate::clusters::{Shape, shape};
use crate::config;
use mapper::snapshot::{Broker, Partition, Parts, Topic};
use mapper::{
    Assignment, Balance, BalanceGoal, BrokerId, Bytes, Figures, Measure, Move, NoPlan, PartitionId,
    Plan, PlanFile, PlanTerms, RackRule, Ratio, Reason, Rebalance, Relieve, Scale, Snapshot,
    TopicSelection, check, rebalance, scale,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError};
use std::collections::BTreeSet;

/// A random request over all topics and live brokers.
#[derive(Debug, Clone)]
pub struct Ask {
    drain: Option<usize>,
    min_rack_ids: Option<u32>,
    fix_racks: bool,
    headroom: u32,
    by: Measure,
    pub tolerance_ppm: u32,
    local: bool,
    least: Option<u64>,
    optimize_leadership: bool,
    pub goals: Vec<BalanceGoal>,
}

/// Any goals in any order. Storage alone is the most frequent.
fn goals() -> impl Strategy<Value = Vec<BalanceGoal>> {
    let all = vec![
        BalanceGoal::Storage,
        BalanceGoal::Replicas,
        BalanceGoal::Leaders,
        BalanceGoal::Network,
    ];
    let some = proptest::sample::subsequence(all, 1..=4).prop_shuffle();
    prop_oneof![2 => Just(vec![BalanceGoal::Storage]), 1 => some]
}

/// With CPU next to traffic in a third of the requests, and in place of it in another third.
fn with_cpu(mut goals: Vec<BalanceGoal>, lot: u32) -> Vec<BalanceGoal> {
    if let Some(at) = goals.iter().position(|goal| *goal == BalanceGoal::Network) {
        match lot % 3 {
            0 => goals.insert(at, BalanceGoal::Cpu),
            1 => goals[at] = BalanceGoal::Cpu,
            _ => {}
        }
    }
    goals
}

pub fn ask() -> impl Strategy<Value = Ask> {
    let drain = prop_oneof![3 => Just(None), 1 => (0_usize..9).prop_map(Some)];
    let min_rack_ids = prop_oneof![4 => Just(None), 1 => (1_u32..4).prop_map(Some)];
    let by = prop_oneof![4 => Just(Measure::PercentUsed), 1 => Just(Measure::BytesFree)];
    let tolerance = prop_oneof![Just(0_u32), Just(5_000), Just(100_000)];
    let least = prop_oneof![4 => Just(None), 1 => (1_u64..500).prop_map(Some)];
    let flags = (
        proptest::bool::weighted(0.2),
        proptest::bool::weighted(0.2),
        proptest::bool::weighted(0.2),
    );
    (drain, min_rack_ids, by, tolerance, least, flags, 0_u32..20, goals()).prop_map(
        |(drain, min_rack_ids, by, tolerance_ppm, least, flags, headroom, goals)| Ask {
            goals: with_cpu(goals, headroom),
            drain,
            min_rack_ids,
            fix_racks: flags.0,
            headroom,
            by,
            tolerance_ppm,
            local: flags.1,
            least,
            optimize_leadership: flags.2,
        },
    )
}

impl Ask {
    pub fn request(&self, shape: &Shape) -> Rebalance {
        let brokers = shape.live();
        let drained = self.drain.and_then(|at| shape.ids().get(at).copied());
        let assignments = vec![Assignment::new(TopicSelection::Rest, brokers)];
        let terms = PlanTerms {
            racks: self.min_rack_ids.map_or(RackRule::Spread, RackRule::AtLeast),
            fix_racks: self.fix_racks,
            ..PlanTerms::new(assignments, Ratio::from_percent(self.headroom))
        };
        let balance = Balance {
            goals: self.goals.clone(),
            by: self.by,
            tolerance: Ratio::from_ppm(self.tolerance_ppm),
            drain: drained.into_iter().collect(),
            partition_size_threshold: self.least.map(Bytes),
            locality_scoped: self.local,
            optimize_leadership: self.optimize_leadership,
            ..Balance::default()
        };
        Rebalance::new(terms, balance)
    }
}

/// Brokers of one rack that hold these loads, half in partitions of eight bytes and half in partitions of one, with one
/// replica each. Also a request to balance them.
fn loaded(loads: &[u64]) -> (Snapshot, Rebalance) {
    let ids = (1..).take(loads.len()).map(BrokerId);
    let total = Bytes(1_000);
    let broker = |(id, load): (BrokerId, &u64)| Broker {
        storage_total: Some(total),
        storage_free: Some(Bytes(total.0 - load)),
        ..Broker::new(id)
    };
    let brokers: Vec<Broker> = ids.clone().zip(loads).map(broker).collect();
    let large = |load: u64| load / 16;
    let sizes = |load: u64| (0..large(load)).map(|_| 8).chain((8 * large(load)..load).map(|_| 1));
    let holders = ids.clone().zip(loads).flat_map(|(id, load)| sizes(*load).map(move |s| (id, s)));
    let partition = |(number, (id, size)): (u32, (BrokerId, u64))| Partition {
        size: Some(Bytes(size)),
        ..Partition::new(PartitionId(number), [id])
    };
    let partitions = (0..).zip(holders).map(partition).collect();
    let topics = vec![Topic { name: "t".to_owned(), partitions, ..Topic::default() }];
    let parts = Parts { brokers, topics, ..Parts::default() };
    let assignments = vec![Assignment::new(TopicSelection::Rest, ids.collect())];
    let balance = Balance { tolerance: Ratio::ZERO, ..Balance::default() };
    let request = Rebalance::new(PlanTerms::new(assignments, Ratio::ZERO), balance);
    (Snapshot::new(parts).unwrap(), request)
}

/// The cluster with one more empty broker, next to a live one that stays, and the request that may use it.
fn with_newcomer(shape: &Shape, ask: &Ask) -> Option<(Snapshot, Rebalance)> {
    const NEWCOMER: BrokerId = BrokerId(2_001);
    let mut request = ask.request(shape);
    let mut parts = shape.parts();
    let stays = |broker: &&Broker| broker.live && !request.balance.drain.contains(&broker.id);
    let beside = parts.brokers.iter().find(stays)?.clone();
    parts.brokers.push(Broker {
        rack: beside.rack,
        storage_total: beside.storage_total,
        storage_free: beside.storage_total,
        ..Broker::new(NEWCOMER)
    });
    request.terms.assignments[0].brokers.insert(NEWCOMER);
    Some((Snapshot::new(parts).unwrap(), request))
}

fn json(plan: &Plan) -> Vec<u8> {
    let mut out = Vec::new();
    PlanFile::of(plan.clone()).write_json(&mut out).unwrap();
    out
}

/// How far the fullest or emptiest broker is from the mean share of used storage, relative to it.
fn worst(after: &Snapshot, brokers: &BTreeSet<BrokerId>) -> f64 {
    let used = |id: &BrokerId| {
        let broker = after.broker(*id).unwrap();
        let total = broker.storage_total.unwrap().0;
        ((total - broker.storage_free.unwrap().0) as f64, total as f64)
    };
    let mean = brokers.iter().map(|id| used(id).0).sum::<f64>()
        / brokers.iter().map(|id| used(id).1).sum::<f64>();
    let deviation = |id: &BrokerId| (used(id).0 / used(id).1 / mean - 1.0).abs();
    brokers.iter().map(deviation).fold(0.0, f64::max)
}

/// What the smallest of these brokers holds if all use the same share of their storage, in bytes.
fn least_share(after: &Snapshot, brokers: &BTreeSet<BrokerId>) -> f64 {
    let brokers: Vec<&Broker> = brokers.iter().map(|id| after.broker(*id).unwrap()).collect();
    let total = |broker: &&Broker| broker.storage_total.unwrap().0 as f64;
    let used = |broker: &&Broker| total(broker) - broker.storage_free.unwrap().0 as f64;
    let mean = brokers.iter().map(used).sum::<f64>() / brokers.iter().map(total).sum::<f64>();
    brokers.iter().map(total).fold(f64::INFINITY, f64::min) * mean
}

/// A second rebalance moves nothing.
fn once_is_enough(shape: &Shape, ask: &Ask) -> Result<(), TestCaseError> {
    let before = shape.snapshot();
    let mut partitions = before.topics().iter().flat_map(|topic| &topic.partitions);
    // A replica from a failed log dir must not return to it, but once it has left, the snapshot no longer shows the
    // failure.
    if partitions.any(|partition| !partition.offline().is_empty()) {
        return Ok(());
    }
    if let Ok(plan) = rebalance(&before, &ask.request(shape)) {
        let again = rebalance(&before.after(&plan), &ask.request(shape)).unwrap();
        prop_assert_eq!(again.moves, []);
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_rebalance_keeps_every_promise(shape in shape(), ask in ask()) {
        let before = shape.snapshot();
        if let Ok(plan) = rebalance(&before, &ask.request(&shape)) {
            prop_assert_eq!(check(&before, &plan), []);
        }
    }

    #[test]
    fn rebalancing_again_moves_nothing(shape in shape(), ask in ask()) {
        once_is_enough(&shape, &ask)?;
    }

    #[test]
    fn a_shuffled_cluster_is_rebalanced_alike(shape in shape(), ask in ask(), turn in 0_usize..7) {
        let plan = rebalance(&shape.snapshot(), &ask.request(&shape));
        let mut parts = shape.parts();
        parts.brokers.reverse();
        let topics = parts.topics.len();
        parts.topics.rotate_left(turn % topics);
        parts.topics.iter_mut().for_each(|topic| topic.partitions.reverse());
        let shuffled = rebalance(&Snapshot::new(parts).unwrap(), &ask.request(&shape));
        prop_assert_eq!(plan.as_ref().map(json), shuffled.as_ref().map(json));
    }

    #[test]
    fn bytes_moved_are_never_below_the_bound(shape in shape(), ask in ask()) {
        if let Ok(plan) = rebalance(&shape.snapshot(), &ask.request(&shape)) {
            prop_assert!(plan.bytes_moved() >= plan.bound_bytes, "{:?}", plan.bound_bytes);
        }
    }

    #[test]
    fn whoever_is_relieved_fills_nobody_beyond_the_mark(shape in shape(), ask in ask(), at in 0_usize..9, percent in 5_u32..90) {
        let (before, mut request) = (shape.snapshot(), ask.request(&shape));
        let ids: Vec<BrokerId> = shape.live().into_iter().collect();
        prop_assume!(!ids.is_empty());
        let (broker, below) = (ids[at % ids.len()], Ratio::from_percent(percent));
        request.relieve = Some(Relieve { broker, below });
        let Ok(plan) = rebalance(&before, &request) else { return Ok(()) };
        prop_assert_eq!(check(&before, &plan), []);
        let balances = |change: &Move| matches!(change.reason, Reason::Balance);
        // Replicas that the same plan repairs must go somewhere.
        prop_assume!(plan.moves.iter().all(balances));
        let used = |of: &Figures, id: BrokerId| {
            let one = of.brokers.iter().find(|one| one.id == id)?;
            Some((one.used_bytes?, one.capacity_bytes?))
        };
        for id in ids.into_iter().filter(|id| *id != broker) {
            let Some((now, capacity)) = used(&plan.after, id) else { continue };
            let most = used(&plan.before, id).map_or(below.of(capacity), |(was, _)| was.max(below.of(capacity)));
            prop_assert!(now <= most, "{id:?} ends with {now:?}, beyond {most:?}");
        }
    }

    #[test]
    fn scaling_ends_as_a_rebalance_does(shape in shape(), ask in ask()) {
        let Some((before, request)) = with_newcomer(&shape, &ask) else { return Ok(()) };
        let scaled = Scale { terms: request.terms.clone(), balance: request.balance.clone() };
        let (a, b) = (scale(&before, &scaled), rebalance(&before, &request));
        prop_assert_eq!(a.map(|plan| plan.moves), b.map(|plan| plan.moves));
    }

    #[test]
    fn more_capacity_never_ends_in_no_plan(shape in shape(), ask in ask(), more in 1_u64..10_000) {
        let request = ask.request(&shape);
        if rebalance(&shape.snapshot(), &request).is_ok() {
            let mut parts = shape.parts();
            for broker in &mut parts.brokers {
                broker.storage_total = broker.storage_total.map(|total| Bytes(total.0 + more));
                broker.storage_free = broker.storage_free.map(|free| Bytes(free.0 + more));
            }
            let plan = rebalance(&Snapshot::new(parts).unwrap(), &request);
            prop_assert!(plan.is_ok(), "{}", plan.unwrap_err());
        }
    }

    #[test]
    fn what_is_out_of_scope_stays(shape in shape(), ask in ask()) {
        let before = shape.snapshot();
        let mut request = ask.request(&shape);
        let only = before.topics()[0].name.clone();
        request.terms.assignments[0].topics = TopicSelection::Named(BTreeSet::from([only.clone()]));
        if let Ok(plan) = rebalance(&before, &request) {
            prop_assert!(plan.moves.iter().all(|change| *change.topic == *only));
            prop_assert_eq!(check(&before, &plan), []);
        }
    }

    #[test]
    fn one_more_broker_never_ends_in_no_plan(shape in shape(), ask in ask()) {
        let request = ask.request(&shape);
        if rebalance(&shape.snapshot(), &request).is_ok() {
            let Some((before, request)) = with_newcomer(&shape, &ask) else { return Ok(()) };
            match rebalance(&before, &request) {
                // One more broker can make a repair possible for a partition of unknown size.
                Ok(_) | Err(NoPlan::MissingFact { .. }) => {}
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }
}

proptest! {
    // A limit makes exact answers dear.
    #![proptest_config(Config { cases: config().cases / 4, ..config() })]

    #[test]
    fn a_larger_limit_is_never_less_even(shape in shape(), ask in ask(), limits in (0_u64..4_000, 0_u64..4_000)) {
        let before = shape.snapshot();
        let limited = |bytes: u64| {
            let mut request = ask.request(&shape);
            request.balance.max_bytes_moved = Some(Bytes(bytes));
            let plan = rebalance(&before, &request);
            if let Ok(plan) = &plan {
                assert_eq!(check(&before, plan), []);
            }
            plan
        };
        let (small, large) = (limits.0.min(limits.1), limits.0.max(limits.1));
        if let (Ok(less_plan), Ok(more_plan)) = (limited(small), limited(large)) {
            // The tolerance is relative to the mean, except that shares are whole bytes. If racks or fixed replicas
            // give brokers other shares, evenness has another value.
            let floor = more_plan.floor.unwrap().worst_deviation.unwrap_or(0.0);
            let allowed = ask.request(&shape);
            let brokers: BTreeSet<BrokerId> =
                shape.live().into_iter().filter(|id| !allowed.balance.drain.contains(id)).collect();
            let storage_first = ask.goals.first() == Some(&BalanceGoal::Storage);
            if floor < 1e-6 && storage_first && less_plan.moves != more_plan.moves {
                let tolerance = allowed.balance.tolerance.as_f64();
                let (less, more) = (
                    worst(&before.after(&less_plan), &brokers),
                    worst(&before.after(&more_plan), &brokers),
                );
                let whole_bytes = 2.0 / least_share(&before.after(&more_plan), &brokers);
                prop_assert!(more <= less.max(tolerance) + whole_bytes, "{more} above {less}");
            }
        }
    }
}

proptest! {
    // With this seed, plans without room for both copies of some moves were followed by other plans.
    #![proptest_config(Config { cases: 1_500, rng_seed: RngSeed::Fixed(99), ..config() })]

    #[test]
    fn what_found_no_room_is_not_planned_again(shape in shape(), ask in ask()) {
        once_is_enough(&shape, &ask)?;
    }
}

proptest! {
    // Each case tries thousands of limits.
    #![proptest_config(Config { cases: 48, ..config() })]

    #[test]
    fn what_a_limit_allows_is_spent_on_the_fullest_and_on_the_emptiest(
        loads in proptest::collection::vec(0_u64..60, 2..6),
        limit in 0_u64..100,
    ) {
        let (before, mut request) = loaded(&loads);
        request.balance.max_bytes_moved = Some(Bytes(limit));
        let plan = rebalance(&before, &request).unwrap();
        prop_assert_eq!(check(&before, &plan), []);
        let held = |of: &Figures| -> Vec<u64> { of.brokers.iter().map(|one| one.used_bytes.unwrap().0).collect() };
        let after = held(&plan.after);
        let (top, bottom) = (*after.iter().max().unwrap(), *after.iter().min().unwrap());
        let total: u64 = loads.iter().sum();
        let mean = total.div_ceil(loads.len() as u64);
        // With so few bytes, two neighbouring limits differ by less than one byte.
        let spent = limit.saturating_sub(1);
        let given = |level: u64| loads.iter().map(|load| load.saturating_sub(level)).sum::<u64>();
        let taken = |level: u64| loads.iter().map(|load| level.saturating_sub(*load)).sum::<u64>();
        let lowest = (mean..=60).find(|level| given(*level) <= spent).unwrap();
        let highest = (0..=total / loads.len() as u64).rev().find(|level| taken(*level) <= spent).unwrap();
        prop_assert!(top <= lowest + 1, "{after:?} where {lowest} can be had of {loads:?}");
        prop_assert!(bottom + 1 >= highest, "{after:?} where {highest} can be had of {loads:?}");
    }
}
