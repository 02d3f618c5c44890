//! Properties of the goal `leaders-zone`: leaders in the rack where the clients are, as many as the order of goals allows.

use crate::balance::{Ask, ask};
use crate::clusters::{Shape, shape};
use crate::config;
use mapper::snapshot::{Broker, Leader, Partition, PartitionFacts, Parts, Topic};
use mapper::{
    Assignment, Balance, BalanceGoal, BrokerId, Bytes, Figures, PartitionId, Plan, PlanTerms,
    Ratio, Rebalance, Snapshot, TopicSelection, Violation, ZoneFigures, check, rebalance,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;
use std::collections::BTreeSet;

const ZONE: &str = "rack-1";
const OTHERS: [BalanceGoal; 6] = [
    BalanceGoal::Storage,
    BalanceGoal::Replicas,
    BalanceGoal::Leaders,
    BalanceGoal::Topics,
    BalanceGoal::Network,
    BalanceGoal::Cpu,
];

fn with_zone(shape: &Shape, ask: &Ask, at: usize) -> Rebalance {
    let mut request = ask.request(shape);
    let goals = &mut request.balance.goals;
    goals.insert(at % (goals.len() + 1), BalanceGoal::LeadersZone);
    request.balance.leaders_zone = Some(ZONE.to_owned());
    request
}

/// The new replicas of each partition that gets any.
fn added(plan: &Plan) -> Vec<(String, BTreeSet<BrokerId>)> {
    let copied = plan.moves.iter().filter(|change| change.added().next().is_some());
    copied.map(|change| (change.of().to_string(), change.added().collect())).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_plan_for_a_zone_keeps_every_promise(shape in shape(), ask in ask(), at in 0_usize..5) {
        let before = shape.snapshot();
        if let Ok(plan) = rebalance(&before, &with_zone(&shape, &ask, at)) {
            prop_assert_eq!(check(&before, &plan), []);
            let zone = plan.after.zone.unwrap();
            prop_assert!(zone.leaders_outside >= zone.without_replica);
        }
    }

    #[test]
    fn a_zone_that_comes_before_leaders_leads_all_that_it_can(shape in shape(), ask in ask(), at in 0_usize..5) {
        let before = shape.snapshot();
        let request = with_zone(&shape, &ask, at);
        let first = request.balance.goals.iter().find(|of| matches!(of, BalanceGoal::Leaders | BalanceGoal::LeadersZone));
        if first != Some(&BalanceGoal::LeadersZone) {
            return Ok(());
        }
        let Ok(plan) = rebalance(&before, &request) else { return Ok(()) };
        let allowed = &request.terms.assignments[0].brokers;
        let after = before.after(&plan);
        for topic in after.topics() {
            for partition in &topic.partitions {
                let left = plan.left_out.iter().any(|l| *l.topic == *topic.name && l.partition == partition.id);
                let is_home = |id: &BrokerId| after.broker(*id).and_then(|b| b.rack.as_deref()) == Some(ZONE);
                let list = &partition.replicas;
                // What has to stay as it is keeps its leader as well.
                let was = before.partition(&topic.name, partition.id).unwrap();
                let left = left || was.is_moving() || was.leader() == Leader::None;
                let stays = left || !list.iter().all(|id| allowed.contains(id) && !request.balance.drain.contains(id));
                prop_assert!(stays || is_home(&list[0]) || !list.iter().any(is_home), "{} {:?}", topic.name, list);
            }
        }
    }

    #[test]
    fn a_zone_moves_no_replica(shape in shape(), ask in ask(), at in 0_usize..5) {
        let before = shape.snapshot();
        let with = rebalance(&before, &with_zone(&shape, &ask, at));
        let without = rebalance(&before, &ask.request(&shape));
        prop_assert_eq!(with.as_ref().map(added).ok(), without.as_ref().map(added).ok());
    }

    #[test]
    fn planning_for_a_zone_again_changes_nothing(shape in shape(), ask in ask(), at in 0_usize..5) {
        let (before, request) = (shape.snapshot(), with_zone(&shape, &ask, at));
        if let Ok(plan) = rebalance(&before, &request)
            && !shape.has_failed_log_dir()
            && plan.after.max_used_ratio.is_some_and(|used| used < 0.6)
        {
            let again = rebalance(&before.after(&plan), &request).unwrap();
            prop_assert_eq!(again.moves, []);
        }
    }

    #[test]
    fn a_zone_breaks_no_other_goal_in_any_order(
        shape in shape(),
        ask in ask(),
        goals in subsequence(OTHERS.to_vec(), 1..=OTHERS.len()).prop_shuffle(),
        at in 0_usize..6,
    ) {
        let before = shape.snapshot();
        let mut others = ask.request(&shape);
        others.balance.goals = goals;
        let mut all = others.clone();
        all.balance.goals.insert(at % (others.balance.goals.len() + 1), BalanceGoal::LeadersZone);
        all.balance.leaders_zone = Some(ZONE.to_owned());
        let Ok(plan) = rebalance(&before, &all) else { return Ok(()) };
        prop_assert_eq!(check(&before, &plan), []);
        let without = rebalance(&before, &others).unwrap();
        prop_assert_eq!(plan.bytes_moved(), without.bytes_moved());
        let of_replicas = |of: &Figures| {
            let storage = (of.max_used_ratio, of.min_used_ratio, of.max_replicas, of.min_replicas);
            (storage, of.misplaced_replicas)
        };
        prop_assert_eq!(of_replicas(&plan.after), of_replicas(&without.after));
        let place = |goal| all.balance.goals.iter().position(|of| *of == goal);
        if place(BalanceGoal::Leaders).is_some_and(|leaders| Some(leaders) < place(BalanceGoal::LeadersZone)) {
            let of_leaders = |of: &Figures| (of.max_leaders, of.min_leaders);
            prop_assert_eq!(of_leaders(&plan.after), of_leaders(&without.after));
        }
    }

    #[test]
    fn wrong_figures_of_a_zone_are_caught(shape in shape(), ask in ask()) {
        let before = shape.snapshot();
        let Ok(mut plan) = rebalance(&before, &with_zone(&shape, &ask, 0)) else { return Ok(()) };
        let wrong = |one: &Violation| matches!(one, Violation::Figures { .. });
        let right = plan.after.zone.unwrap();
        plan.after.zone = None;
        prop_assert!(check(&before, &plan).iter().any(wrong));
        plan.after.zone = Some(ZoneFigures { leaders_inside: right.leaders_inside + 1, ..right });
        prop_assert!(check(&before, &plan).iter().any(wrong));
        plan.after.zone = Some(right);
        plan.before.zone.as_mut().unwrap().leaders_outside += 1;
        prop_assert!(check(&before, &plan).iter().any(wrong));
    }
}

/// Six brokers in three racks, and the list of each partition.
#[derive(Debug, Clone)]
struct Few(Vec<FewPartition>);

/// The first broker, the number of replicas, and the rates of producers and consumers.
type FewPartition = (u32, usize, u64, u64);

const BROKERS: u32 = 6;

fn few() -> impl Strategy<Value = Few> {
    vec((0_u32..BROKERS, 1_usize..4, 0_u64..1_000, 0_u64..1_000), 1..8).prop_map(Few)
}

impl Few {
    fn lists(&self) -> Vec<Vec<u32>> {
        let of = |(first, replicas, ..): &(u32, usize, u64, u64)| {
            (0..).take(*replicas).map(|at| 1 + (first + at) % BROKERS).collect()
        };
        self.0.iter().map(of).collect()
    }

    fn rack(id: u32) -> u32 {
        id % 3
    }

    fn snapshot(&self) -> Snapshot {
        let broker = |id| Broker {
            rack: Some(format!("rack-{}", Self::rack(id))),
            storage_total: Some(Bytes(1_000_000)),
            storage_free: Some(Bytes(900_000)),
            ..Broker::new(BrokerId(id))
        };
        let partition = |(id, (list, rates)): (u32, (Vec<u32>, &FewPartition))| {
            let (.., bytes_in, bytes_out) = rates;
            let facts = PartitionFacts {
                bytes_in: Some(*bytes_in),
                bytes_out: Some(*bytes_out),
                ..PartitionFacts::default()
            };
            Partition {
                size: Some(Bytes(10)),
                facts: Some(Box::new(facts)),
                ..Partition::new(PartitionId(id), list.into_iter().map(BrokerId))
            }
        };
        let both = self.lists().into_iter().zip(&self.0);
        let partitions = (0..).zip(both).map(partition).collect();
        let topic = Topic { name: "events".to_owned(), partitions, ..Topic::default() };
        let brokers = (1..=BROKERS).map(broker).collect();
        Snapshot::new(Parts { brokers, topics: vec![topic], ..Parts::default() }).unwrap()
    }

    fn planned(&self, goals: &[BalanceGoal]) -> (Plan, Vec<u32>) {
        let brokers = (1..=BROKERS).map(BrokerId).collect();
        let all = Assignment::new(TopicSelection::Rest, brokers);
        let balance = Balance {
            goals: goals.to_vec(),
            leaders_zone: Some(ZONE.to_owned()),
            ..Balance::default()
        };
        let request = Rebalance::new(PlanTerms::new(vec![all], Ratio::ZERO), balance);
        let before = self.snapshot();
        let plan = rebalance(&before, &request).unwrap();
        assert_eq!(check(&before, &plan), []);
        let after = before.after(&plan);
        let heads = after.topics()[0].partitions.iter().map(|of| of.replicas[0].0).collect();
        (plan, heads)
    }

    /// Every choice of leaders.
    fn all(&self) -> Vec<Vec<u32>> {
        let mut all = vec![Vec::new()];
        for list in self.lists() {
            let longer = all.iter().flat_map(|heads: &Vec<u32>| {
                list.iter().map(move |head| [heads.as_slice(), &[*head]].concat())
            });
            all = longer.collect();
        }
        all
    }

    fn changed(&self, heads: &[u32]) -> usize {
        self.lists().iter().zip(heads).filter(|(list, head)| list[0] != **head).count()
    }

    fn outside(heads: &[u32]) -> usize {
        heads.iter().filter(|head| Self::rack(**head) != 1).count()
    }

    fn squares(heads: &[u32]) -> usize {
        (1..=BROKERS).map(|id| heads.iter().filter(|head| **head == id).count().pow(2)).sum()
    }

    fn crossing(&self, heads: &[u32]) -> u64 {
        let each = self.0.iter().zip(self.lists()).zip(heads);
        each.map(|(((.., bytes_in, bytes_out), list), head)| {
            let far = list.iter().filter(|id| Self::rack(**id) != Self::rack(*head)).count();
            let outside = u64::from(Self::rack(*head) != 1);
            bytes_in * far as u64 + outside * (bytes_in + bytes_out)
        })
        .sum()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_choice_of_leaders_is_better_in_the_order_of_the_goals(few in few()) {
        use BalanceGoal::{Leaders, LeadersZone};
        let all = few.all();
        let zone_first = |heads: &Vec<u32>| (Few::outside(heads), Few::squares(heads), few.changed(heads));
        let even_first = |heads: &Vec<u32>| (Few::squares(heads), Few::outside(heads), few.changed(heads));
        let (plan, heads) = few.planned(&[LeadersZone, Leaders]);
        prop_assert_eq!(zone_first(&heads), all.iter().map(zone_first).min().unwrap());
        let zone = plan.after.zone.unwrap();
        prop_assert_eq!(zone.leaders_outside, zone.without_replica);
        prop_assert_eq!(zone.crossing_bytes_per_second, Some(few.crossing(&heads)));
        let (_, heads) = few.planned(&[Leaders, LeadersZone]);
        prop_assert_eq!(even_first(&heads), all.iter().map(even_first).min().unwrap());
        let (_, heads) = few.planned(&[LeadersZone]);
        let alone = |heads: &Vec<u32>| (Few::outside(heads), few.changed(heads));
        prop_assert_eq!(alone(&heads), all.iter().map(alone).min().unwrap());
    }
}
