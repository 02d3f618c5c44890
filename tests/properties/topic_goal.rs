//! Properties of the goal `topics`: each topic's replicas as even over its brokers as can be, in any order of goals.

use crate::balance::{Ask, ask};
use crate::clusters::{Shape, shape};
use crate::config;
use mapper::snapshot::{Broker, Partition, Parts, Topic};
use mapper::{
    Assignment, Balance, BalanceGoal, BrokerId, Bytes, NoPlan, PartitionId, Plan, PlanTerms, Ratio,
    Rebalance, Snapshot, TopicSelection, check, rebalance,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use std::collections::BTreeMap;

/// The request with the goal `topics` at this place among the others.
fn with_topics(shape: &Shape, ask: &Ask, at: usize) -> Rebalance {
    let mut request = ask.request(shape);
    let goals = &mut request.balance.goals;
    goals.insert(at % (goals.len() + 1), BalanceGoal::Topics);
    request
}

/// Whether no disk is so full that it decides what moves.
fn is_roomy(plan: &Plan) -> bool {
    [&plan.before, &plan.after].iter().all(|of| of.max_used_ratio.is_some_and(|used| used < 0.6))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_plan_that_evens_topics_keeps_every_promise(shape in shape(), ask in ask(), at in 0_usize..5) {
        let before = shape.snapshot();
        if let Ok(plan) = rebalance(&before, &with_topics(&shape, &ask, at)) {
            prop_assert_eq!(check(&before, &plan), []);
            prop_assert!(plan.bytes_moved() >= plan.bound_bytes, "{:?}", plan.bound_bytes);
            let (after, floor) = (&plan.after, plan.floor.unwrap());
            prop_assert!(after.misplaced_replicas >= floor.misplaced_replicas);
            prop_assert!(after.uneven_topics >= floor.uneven_topics);
        }
    }

    #[test]
    fn topics_that_come_first_end_within_one_replica_of_the_best(shape in shape(), ask in ask()) {
        if let Ok(plan) = rebalance(&shape.snapshot(), &with_topics(&shape, &ask, 0)) {
            let (after, floor) = (&plan.after, plan.floor.unwrap());
            let (off, least) = (after.misplaced_replicas.unwrap(), floor.misplaced_replicas.unwrap());
            prop_assert!(!is_roomy(&plan) || off <= least + 1, "{off} where {least} will do");
        }
    }

    #[test]
    fn later_goals_leave_topics_as_they_are(shape in shape(), ask in ask()) {
        let (before, all) = (shape.snapshot(), with_topics(&shape, &ask, 0));
        let mut alone = all.clone();
        alone.balance.goals = vec![BalanceGoal::Topics];
        if let (Ok(alone), Ok(all)) = (rebalance(&before, &alone), rebalance(&before, &all)) {
            let off = |plan: &Plan| plan.after.misplaced_replicas.unwrap();
            prop_assert!(!is_roomy(&all) || off(&all) <= off(&alone) + 1);
        }
    }

    #[test]
    fn evening_topics_again_moves_nothing(shape in shape(), ask in ask(), at in 0_usize..5) {
        let (before, request) = (shape.snapshot(), with_topics(&shape, &ask, at));
        let mut partitions = before.topics().iter().flat_map(|topic| &topic.partitions);
        let failed = partitions.any(|partition| !partition.offline().is_empty());
        if let Ok(plan) = rebalance(&before, &request)
            && !failed
            && is_roomy(&plan)
        {
            let again = rebalance(&before.after(&plan), &request).unwrap();
            prop_assert_eq!(again.moves, []);
        }
    }

    #[test]
    fn a_shuffled_cluster_has_its_topics_evened_alike(shape in shape(), ask in ask(), at in 0_usize..5) {
        let request = with_topics(&shape, &ask, at);
        let mut parts = shape.parts();
        parts.brokers.reverse();
        parts.topics.reverse();
        parts.topics.iter_mut().for_each(|topic| topic.partitions.reverse());
        let shuffled = rebalance(&Snapshot::new(parts).unwrap(), &request);
        let plan = rebalance(&shape.snapshot(), &request);
        prop_assert_eq!(plan.map(|plan| plan.moves), shuffled.map(|plan| plan.moves));
    }
}

/// A cluster of twelve brokers, with topics that sit on a few of them.
#[derive(Debug, Clone)]
struct Hot {
    racks: u32,
    replication: u32,
    /// For each topic the sizes of its partitions, and a seed for their places.
    topics: Vec<(Vec<u64>, u32)>,
}

const BROKERS: u32 = 12;

fn hot() -> impl Strategy<Value = Hot> {
    let size = prop_oneof![3 => 10_000_u64..40_000, 1 => 100_000_u64..200_000];
    let topics = vec((vec(size, 3..40), any::<u32>()), 20..30);
    (1_u32..=4, 1_u32..=3, topics).prop_map(|(racks, replication, topics)| Hot {
        racks,
        replication,
        topics,
    })
}

impl Hot {
    fn brokers(&self) -> impl Iterator<Item = BrokerId> {
        (1..=BROKERS).map(BrokerId)
    }

    /// Brokers next to each other are in different racks, and a topic starts at few of them.
    fn list(&self, seed: u32, partition: u32) -> Vec<BrokerId> {
        let first = (seed + partition % (1 + seed % 5)) % BROKERS;
        (0..self.replication).map(|at| BrokerId(1 + (first + at) % BROKERS)).collect()
    }

    fn snapshot(&self) -> Snapshot {
        let mut used: BTreeMap<BrokerId, u64> = BTreeMap::new();
        let mut topics = Vec::new();
        for (number, (sizes, seed)) in self.topics.iter().enumerate() {
            let mut partitions = Vec::new();
            for (id, size) in (0..).zip(sizes) {
                let list = self.list(*seed, id);
                list.iter().for_each(|broker| *used.entry(*broker).or_default() += size);
                let size = Some(Bytes(*size));
                partitions.push(Partition { size, ..Partition::new(PartitionId(id), list) });
            }
            let name = format!("topic-{number:02}");
            topics.push(Topic { name, partitions, ..Topic::default() });
        }
        let total = used.values().sum::<u64>();
        let broker = |id: BrokerId| Broker {
            rack: (self.racks > 1).then(|| format!("rack-{}", id.0 % self.racks)),
            storage_total: Some(Bytes(total)),
            storage_free: Some(Bytes(total - used.get(&id).copied().unwrap_or(0))),
            ..Broker::new(id)
        };
        let brokers = self.brokers().map(broker).collect();
        Snapshot::new(Parts { brokers, topics, ..Parts::default() }).unwrap()
    }

    fn planned(&self, goals: &[BalanceGoal]) -> Result<Plan, NoPlan> {
        let brokers = self.brokers().collect();
        let assignments = vec![Assignment::new(TopicSelection::Rest, brokers)];
        let terms = PlanTerms::new(assignments, Ratio::from_percent(10));
        let balance = Balance { goals: goals.to_vec(), ..Balance::default() };
        let before = self.snapshot();
        let plan = rebalance(&before, &Rebalance::new(terms, balance))?;
        assert_eq!(check(&before, &plan), []);
        Ok(plan)
    }
}

fn misplaced(plan: &Plan) -> u64 {
    plan.after.misplaced_replicas.unwrap()
}

/// How far the fullest and the emptiest broker are from their best, in parts of it.
fn storage_off(plan: &Plan) -> f64 {
    let (after, floor) = (&plan.after, plan.floor.unwrap());
    let above = after.max_used_ratio.unwrap() / floor.max_used_ratio - 1.0;
    above.max(1.0 - after.min_used_ratio.unwrap() / floor.min_used_ratio.unwrap())
}

fn replicas_off(plan: &Plan) -> u64 {
    let (after, floor) = (&plan.after, plan.floor.unwrap());
    let above = after.max_replicas.unwrap().saturating_sub(floor.max_replicas.unwrap());
    above.max(floor.min_replicas.unwrap().saturating_sub(after.min_replicas.unwrap()))
}

/// Every order of these goals.
fn orders(goals: &[BalanceGoal]) -> Vec<Vec<BalanceGoal>> {
    let Some((first, rest)) = goals.split_first() else { return vec![Vec::new()] };
    let into = |order: Vec<BalanceGoal>| {
        (0..=order.len()).map(move |at| {
            let mut order = order.clone();
            order.insert(at, *first);
            order
        })
    };
    orders(rest).into_iter().flat_map(into).collect()
}

proptest! {
    // Each case makes many plans.
    #![proptest_config(Config { cases: config().cases / 20, ..config() })]

    #[test]
    fn every_goal_is_reached_in_every_order(hot in hot()) {
        for goals in orders(&[BalanceGoal::Topics, BalanceGoal::Storage, BalanceGoal::Replicas]) {
            let plan = hot.planned(&goals).unwrap();
            let least = plan.floor.unwrap().misplaced_replicas.unwrap();
            let said = format!("{goals:?}: {}, {}, {}", misplaced(&plan) - least, storage_off(&plan), replicas_off(&plan));
            prop_assert!(misplaced(&plan) <= least, "{said}");
            prop_assert!(storage_off(&plan) <= 0.01, "{said}");
            prop_assert!(replicas_off(&plan) <= 1, "{said}");
        }
    }

    #[test]
    fn topics_alone_copy_what_any_plan_has_to(hot in hot()) {
        let plan = hot.planned(&[BalanceGoal::Topics]).unwrap();
        let (moved, bound) = (plan.bytes_moved().unwrap().0, plan.bound_bytes.unwrap().0);
        // Where a partition has fewer replicas than there are racks, the bound does not know where a replica may go.
        let is_known = hot.racks == 1 || hot.racks == hot.replication;
        let more = if is_known { bound / 50 } else { bound / 5 };
        prop_assert!(moved <= bound + more, "{moved} bytes, of which {bound} have to, {} racks, {} replicas", hot.racks, hot.replication);
    }

    #[test]
    fn moves_for_topics_even_storage_as_well(hot in hot()) {
        let plan = hot.planned(&[BalanceGoal::Topics, BalanceGoal::Storage]).unwrap();
        let alone = hot.planned(&[BalanceGoal::Storage]).unwrap();
        let topics = hot.planned(&[BalanceGoal::Topics]).unwrap();
        let bytes = |plan: &Plan| plan.bytes_moved().unwrap().0;
        // Sizes seldom fit exactly.
        let apart = (bytes(&alone) + bytes(&topics)) * 5 / 4;
        prop_assert!(bytes(&plan) <= apart, "{} bytes, where one after the other takes {apart}", bytes(&plan));
    }
}

#[test]
fn a_hot_topic_is_evened() {
    // Nine partitions on three of nine brokers, next to a topic that is even.
    let hot = Hot {
        racks: 3,
        replication: 1,
        topics: vec![(vec![20_000; 12], 0), (vec![15_000; 12], 5)],
    };
    let before = hot.planned(&[BalanceGoal::Storage]).unwrap().before;
    assert!(before.misplaced_replicas.unwrap() > 0, "{before:?}");
    let plan = hot.planned(&[BalanceGoal::Topics, BalanceGoal::Storage]).unwrap();
    assert_eq!((misplaced(&plan), plan.after.uneven_topics), (0, Some(0)));
}

/// A cluster in which a second plan once moved some replicas: they cost nothing when the first plan looked for a change, because
/// it had moved them already. Broker 1005 is fenced, and replicas stay in their racks.
#[test]
fn what_a_second_plan_would_find_is_in_the_first() {
    let sizes_and_lists: [&[(u64, &[u32])]; 5] = [
        &[(555, &[1006, 1002, 1004]), (839, &[1006, 1002, 1004])],
        &[(954, &[1004]), (396, &[1004])],
        &[(396, &[1003, 1005]), (332, &[1005, 1001]), (520, &[1001, 1005])],
        &[(653, &[1001, 1005])],
        &[
            (43, &[1004, 1006, 1002]),
            (948, &[1004, 1002, 1006]),
            (888, &[1002, 1006, 1004]),
            (328, &[1006, 1002, 1004]),
            (575, &[1006, 1002, 1004]),
            (927, &[1004, 1002, 1006]),
        ],
    ];
    // Its id, its rack and its storage.
    let brokers: [(u32, u32, u64); 6] = [
        (1001, 0, 45468),
        (1002, 2, 45468),
        (1003, 1, 136404),
        (1004, 1, 90936),
        (1005, 0, 45468),
        (1006, 2, 45468),
    ];
    let partition = |(id, (size, list)): (u32, &(u64, &[u32]))| Partition {
        size: Some(Bytes(*size)),
        ..Partition::new(PartitionId(id), list.iter().copied().map(BrokerId))
    };
    let topic = |(number, of): (usize, &&[(u64, &[u32])])| Topic {
        name: format!("topic-{number}"),
        partitions: (0..).zip(*of).map(partition).collect(),
        ..Topic::default()
    };
    let used = |id: u32| -> u64 {
        let all = sizes_and_lists.iter().copied().flatten();
        all.filter(|(_, list)| list.contains(&id)).map(|(size, _)| size).sum()
    };
    let broker = |(id, rack, total): (u32, u32, u64)| Broker {
        live: id != 1005,
        rack: Some(format!("rack-{rack}")),
        storage_total: Some(Bytes(total)),
        storage_free: Some(Bytes(total - used(id))),
        ..Broker::new(BrokerId(id))
    };
    let live = brokers.iter().filter(|of| of.0 != 1005).map(|of| BrokerId(of.0)).collect();
    let parts = Parts {
        brokers: brokers.map(broker).to_vec(),
        topics: sizes_and_lists.iter().enumerate().map(topic).collect(),
        ..Parts::default()
    };
    let before = Snapshot::new(parts).unwrap();
    let assignments = vec![Assignment::new(TopicSelection::Rest, live)];
    let goals = vec![BalanceGoal::Storage, BalanceGoal::Topics];
    let balance = Balance { goals, locality_scoped: true, ..Balance::default() };
    let request = Rebalance::new(PlanTerms::new(assignments, Ratio::ZERO), balance);
    let plan = rebalance(&before, &request).unwrap();
    assert_eq!(check(&before, &plan), []);
    assert_eq!(rebalance(&before.after(&plan), &request).unwrap().moves, []);
}
