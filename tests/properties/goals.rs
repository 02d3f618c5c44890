//! Properties of a rebalance's goals, in their order.

use crate::balance::{Ask, ask};
use crate::clusters::{Shape, shape};
use crate::config;
use mapper::{BalanceGoal, NoPlan, Plan, rebalance};
use proptest::prelude::*;

fn planned(shape: &Shape, ask: &Ask, goals: &[BalanceGoal]) -> Result<Plan, NoPlan> {
    let mut request = ask.request(shape);
    request.balance.goals = goals.to_vec();
    rebalance(&shape.snapshot(), &request)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn later_goals_leave_storage_within_its_tolerance(shape in shape(), ask in ask()) {
        let mut goals = ask.goals.clone();
        goals.retain(|goal| *goal != BalanceGoal::Storage);
        goals.insert(0, BalanceGoal::Storage);
        let (alone, all) = (planned(&shape, &ask, &[BalanceGoal::Storage]), planned(&shape, &ask, &goals));
        if let (Ok(alone), Ok(all)) = (alone, all) {
            let (floor, wide) = (alone.floor.unwrap(), f64::from(ask.tolerance_ppm) / 1e6);
            let is_even = |plan: &Plan| {
                plan.after.max_used_ratio.unwrap() <= floor.max_used_ratio * (1.0 + wide) + 1e-9
                    && plan.after.min_used_ratio.unwrap() >= floor.min_used_ratio.unwrap() * (1.0 - wide) - 1e-9
            };
            prop_assert!(!is_even(&alone) || is_even(&all));
        }
    }

    #[test]
    fn no_goal_is_reached_better_than_its_floor(shape in shape(), ask in ask()) {
        if let Ok(plan) = planned(&shape, &ask, &ask.goals) {
            let (after, floor) = (&plan.after, plan.floor.unwrap());
            prop_assert!(floor.max_replicas.is_none_or(|least| after.max_replicas.unwrap() >= least));
            prop_assert!(floor.min_replicas.is_none_or(|most| after.min_replicas.unwrap() <= most));
            prop_assert!(floor.max_leaders.is_none_or(|least| after.max_leaders.unwrap() >= least));
            prop_assert!(floor.misplaced_replicas.is_none_or(|least| after.misplaced_replicas.unwrap() >= least));
            prop_assert!(floor.uneven_topics.is_none_or(|least| after.uneven_topics.unwrap() >= least));
            let near = |a: f64, b: f64| a >= b - 1e-6;
            prop_assert!(floor.max_network_ratio.is_none_or(|least| near(after.max_network_ratio.unwrap(), least)));
            prop_assert!(floor.min_network_ratio.is_none_or(|most| near(most, after.min_network_ratio.unwrap())));
            prop_assert!(floor.max_cpu_ratio.is_none_or(|least| near(after.max_cpu_ratio.unwrap(), least)));
            prop_assert!(floor.min_cpu_ratio.is_none_or(|most| near(most, after.min_cpu_ratio.unwrap())));
        }
    }

    #[test]
    fn replicas_alone_end_within_one_of_the_best(shape in shape(), ask in ask()) {
        let mut ask = ask;
        ask.tolerance_ppm = 0;
        if let Ok(plan) = planned(&shape, &ask, &[BalanceGoal::Replicas]) {
            let (after, floor) = (&plan.after, plan.floor.unwrap());
            // Full disks can prevent it.
            prop_assume!(after.max_used_ratio.unwrap() < 0.7);
            let (most, least) = (after.max_replicas.unwrap(), after.min_replicas.unwrap());
            prop_assert!(most <= floor.max_replicas.unwrap() + 1, "{most} above {floor:?}");
            prop_assert!(least + 1 >= floor.min_replicas.unwrap(), "{least} below {floor:?}");
        }
    }

    #[test]
    fn a_missing_fact_is_named_where_network_or_cpu_is_evened(shape in shape(), ask in ask()) {
        for goal in [BalanceGoal::Network, BalanceGoal::Cpu] {
            match planned(&shape, &ask, &[goal]) {
                Err(NoPlan::MissingFact { fact, what }) if fact.contains("per_second") || fact == "cpu_model" => {
                    prop_assert!(!shape.rates, "{fact} of {what} is told");
                }
                Ok(_) => prop_assert!(shape.rates),
                Err(_) => {}
            }
        }
    }
}
