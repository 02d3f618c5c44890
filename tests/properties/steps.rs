//! Properties of the steps of every plan, with any limits on them.

use crate::clusters::{ask, shape};
use crate::config;
use mapper::{
    Balance, BrokerId, Bytes, Move, Plan, Rebalance, Snapshot, StepLimits, StepOrder, check,
    rebalance, rebuild,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn pacing() -> impl Strategy<Value = StepLimits> {
    let order = prop_oneof![
        Just(StepOrder::ByReason),
        Just(StepOrder::SmallFirst),
        Just(StepOrder::LargeFirst),
        Just(StepOrder::LeastRiskFirst),
    ];
    let bytes = proptest::option::of((1_u64..5_000).prop_map(Bytes));
    let moves = proptest::option::of(1_u32..5);
    let chunk = proptest::option::of(1_u32..4);
    (bytes, moves, order, chunk, any::<bool>()).prop_map(
        |(max_bytes, max_moves_per_broker, order, chunk_brokers, phased)| StepLimits {
            max_bytes,
            max_moves_per_broker,
            order,
            chunk_brokers,
            phased,
        },
    )
}

/// Follows the steps independently: each starts from the current lists, and both copies fit.
fn walk(before: &Snapshot, plan: &Plan) -> Result<(), TestCaseError> {
    let mut lists: BTreeMap<(&str, u32), Vec<BrokerId>> = BTreeMap::new();
    let mut free: BTreeMap<BrokerId, i128> = BTreeMap::new();
    for broker in before.brokers() {
        if let Some((total, free_now)) = broker.storage_total.zip(broker.storage_free) {
            let kept = plan.request.terms().storage_headroom.of(total).0;
            free.insert(broker.id, i128::from(free_now.0) - i128::from(kept));
        }
    }
    for step in plan.stages() {
        prop_assert!(!step.is_empty(), "a step submits something");
        let mut leaves = Vec::new();
        let mut grown = BTreeSet::new();
        for stage in &step {
            let key = (&*stage.change.topic, stage.change.partition.0);
            let known = before.partition(key.0, stage.change.partition).unwrap();
            let list = lists.entry(key).or_insert_with(|| known.replicas.to_vec());
            prop_assert_eq!(&list[..], &stage.from[..]);
            prop_assert_eq!(stage.to.iter().collect::<BTreeSet<_>>().len(), stage.to.len());
            let each = stage.change.copy_bytes().unwrap_or_default().0;
            for id in stage.added().filter(|_| each > 0) {
                *free.get_mut(&id).unwrap() -= i128::from(each);
                grown.insert(id);
            }
            leaves.extend(stage.removed().map(|id| (id, known.size_on(id).unwrap_or_default())));
            *list = stage.to.to_vec();
        }
        for id in grown {
            prop_assert!(free[&id] >= 0, "{} is filled beyond its limit", id);
        }
        for (id, bytes) in leaves {
            free.entry(id).and_modify(|free| *free += i128::from(bytes.0));
        }
    }
    for change in &plan.moves {
        prop_assert_eq!(&lists[&(&*change.topic, change.partition.0)][..], &change.to[..]);
    }
    Ok(())
}

fn without_via(plan: &Plan) -> Vec<Move> {
    plan.moves.iter().map(|change| Move { via: Box::default(), ..change.clone() }).collect()
}

/// Ways to break the steps of a plan. Each returns false if it cannot apply to this plan.
const SPOILERS: [fn(&mut Plan) -> bool; 5] =
    [forgets_a_list, repeats_a_broker, drops_a_replica, goes_astray, copies_too_much_at_once];

fn list_on_the_way(plan: &mut Plan) -> Option<&mut mapper::Replicas> {
    plan.moves.iter_mut().find_map(|change| change.via.first_mut())
}

fn forgets_a_list(plan: &mut Plan) -> bool {
    let Some(change) = plan.moves.iter_mut().find(|change| !change.via.is_empty()) else {
        return false;
    };
    change.via = change.via.iter().rev().skip(1).rev().cloned().collect();
    true
}

fn repeats_a_broker(plan: &mut Plan) -> bool {
    let Some(list) = list_on_the_way(plan) else { return false };
    list.push(list[0]);
    true
}

fn drops_a_replica(plan: &mut Plan) -> bool {
    let Some(list) = list_on_the_way(plan) else { return false };
    list.clear();
    true
}

fn goes_astray(plan: &mut Plan) -> bool {
    let Some(list) = list_on_the_way(plan) else { return false };
    list[0] = BrokerId(7);
    true
}

fn copies_too_much_at_once(plan: &mut Plan) -> bool {
    let copies = |step: &Vec<mapper::Stage<'_>>| {
        step.iter().filter(|stage| stage.bytes() > Some(Bytes(0))).count()
    };
    if plan.stages().iter().all(|step| copies(step) < 2) {
        return false;
    }
    match &mut plan.request {
        mapper::Request::Rebuild(rebuild) => rebuild.terms.pacing.max_bytes = Some(Bytes(1)),
        other => unreachable!("{other:?}"),
    }
    true
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_step_of_a_rebuild_is_safe_and_the_last_ends_the_plan(
        shape in shape(), ask in ask(), pacing in pacing(),
    ) {
        let before = shape.snapshot();
        let mut request = ask.request(&shape);
        let at_once = rebuild(&before, &request);
        request.terms.pacing = pacing;
        if let Ok(plan) = rebuild(&before, &request) {
            prop_assert_eq!(check(&before, &plan), []);
            walk(&before, &plan)?;
            // Steps decide when, never what.
            if let Ok(at_once) = at_once {
                prop_assert_eq!(without_via(&plan), at_once.moves);
            }
        }
    }

    #[test]
    fn every_step_of_a_rebalance_is_safe_and_the_last_ends_the_plan(
        shape in shape(), ask in ask(), pacing in pacing(),
    ) {
        let before = shape.snapshot();
        let mut terms = ask.request(&shape).terms;
        terms.pacing = pacing;
        let request = Rebalance::new(terms, Balance::default());
        if let Ok(plan) = rebalance(&before, &request) {
            prop_assert_eq!(check(&before, &plan), []);
            walk(&before, &plan)?;
        }
    }

    #[test]
    fn spoiled_steps_are_caught(
        shape in shape(), ask in ask(), pacing in pacing(), spoiler in 0..SPOILERS.len(),
    ) {
        let before = shape.snapshot();
        let mut request = ask.request(&shape);
        request.terms.pacing = pacing;
        let Ok(mut plan) = rebuild(&before, &request) else { return Ok(()) };
        if SPOILERS[spoiler](&mut plan) {
            prop_assert_ne!(check(&before, &plan), [], "spoiler {}", spoiler);
        }
    }
}
