//! `check` detects every change that breaks a plan.

use crate::clusters::{ask, shape};
use crate::config;
use mapper::{BrokerId, Bytes, Plan, Snapshot, Violation, check, rebuild};
use proptest::prelude::*;

/// Ways to break a plan. Each returns false if it cannot apply to this plan.
const SPOILERS: [fn(&mut Plan) -> bool; 9] = [
    repeats_a_broker,
    names_a_broker_that_is_not_there,
    drops_a_replica,
    adds_a_replica,
    forgets_a_move,
    starts_elsewhere,
    moves_twice,
    steps_twice,
    understates_its_bytes,
];

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_spoiled_plan_is_caught(shape in shape(), ask in ask(), spoiler in 0..SPOILERS.len()) {
        let before = shape.snapshot();
        let Ok(mut plan) = rebuild(&before, &ask.request(&shape)) else { return Ok(()) };
        if SPOILERS[spoiler](&mut plan) {
            prop_assert_ne!(check(&before, &plan), [], "spoiler {}", spoiler);
        }
    }

    #[test]
    fn a_topic_without_a_log_on_brokers_stays_and_a_plan_that_moves_it_is_caught(
        shape in shape(),
        ask in ask(),
    ) {
        let before = shape.snapshot();
        let request = ask.request(&shape);
        let Ok(plan) = rebuild(&before, &request) else { return Ok(()) };
        let Some(moved) = plan.moves.first().map(|change| change.topic.clone()) else { return Ok(()) };
        let mut parts = before.into_parts();
        let topic = parts.topics.iter_mut().find(|topic| *topic.name == *moved).unwrap();
        topic.config.insert("diskless.enable".to_owned(), "true".to_owned());
        let diskless = Snapshot::new(parts).unwrap();
        let caught = |found: &Violation| matches!(found, Violation::Diskless { .. });
        prop_assert!(check(&diskless, &plan).iter().any(caught));
        let Ok(again) = rebuild(&diskless, &request) else { return Ok(()) };
        prop_assert!(again.moves.iter().all(|change| change.topic != moved));
    }
}

fn repeats_a_broker(plan: &mut Plan) -> bool {
    let Some(change) = plan.moves.iter_mut().find(|change| change.to.len() > 1) else {
        return false;
    };
    change.to[1] = change.to[0];
    true
}

fn names_a_broker_that_is_not_there(plan: &mut Plan) -> bool {
    let Some(change) = plan.moves.first_mut() else { return false };
    change.to[0] = BrokerId(1);
    true
}

fn drops_a_replica(plan: &mut Plan) -> bool {
    let Some(change) = plan.moves.first_mut() else { return false };
    change.to.pop();
    true
}

fn adds_a_replica(plan: &mut Plan) -> bool {
    let Some(change) = plan.moves.first_mut() else { return false };
    change.to.push(BrokerId(1));
    true
}

/// Without a reordering or a smaller replication factor, no guarantee breaks, so this removes only repairs.
fn forgets_a_move(plan: &mut Plan) -> bool {
    use mapper::Reason::{Leaving, Lost, Map};
    let forced = matches!(&plan.request, mapper::Request::Rebuild(rebuild) if rebuild.force);
    let repair = |change: &mapper::Move| matches!(change.reason, Lost | Leaving | Map);
    let Some(at) = plan.moves.iter().position(repair).filter(|_| !forced) else { return false };
    plan.moves.remove(at);
    plan.steps = vec![(0..plan.moves.len()).collect()];
    true
}

fn starts_elsewhere(plan: &mut Plan) -> bool {
    let Some(change) = plan.moves.first_mut() else { return false };
    change.from.reverse();
    change.from.push(BrokerId(7));
    true
}

fn moves_twice(plan: &mut Plan) -> bool {
    let Some(change) = plan.moves.first().cloned() else { return false };
    plan.moves.push(change);
    plan.steps.push(vec![plan.moves.len() - 1]);
    true
}

fn steps_twice(plan: &mut Plan) -> bool {
    let Some(first) = plan.steps.first().cloned().filter(|step| !step.is_empty()) else {
        return false;
    };
    plan.steps.push(first);
    true
}

fn understates_its_bytes(plan: &mut Plan) -> bool {
    let Some(change) = plan.moves.iter_mut().find(|change| change.bytes > Some(Bytes(0))) else {
        return false;
    };
    change.bytes = Some(Bytes(0));
    true
}
