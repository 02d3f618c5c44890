//! Properties of every rebuild and every replacement.

use crate::clusters::{Ask, Shape, ask, shape};
use crate::config;
use mapper::{
    BaseReplicas, BrokerId, NoPlan, Plan, PlanFile, RackRule, Ratio, Rebuild, Replace, Snapshot,
    TopicSelection, check, rebuild, replace,
};
use proptest::prelude::*;

fn json(plan: &Plan) -> Vec<u8> {
    let mut out = Vec::new();
    plan.write_json(&mut out).unwrap();
    out
}

fn planned(shape: &Shape, ask: &Ask) -> (Snapshot, Result<Plan, NoPlan>) {
    let before = shape.snapshot();
    let plan = rebuild(&before, &ask.request(shape));
    (before, plan)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_plan_keeps_every_promise(shape in shape(), ask in ask()) {
        let (before, plan) = planned(&shape, &ask);
        if let Ok(plan) = plan {
            prop_assert_eq!(check(&before, &plan), []);
        }
    }

    #[test]
    fn planning_again_moves_nothing(shape in shape(), ask in ask()) {
        // A broker with a failed log dir may not take that replica back. Once the replica has left, the snapshot no
        // longer shows the failure.
        prop_assume!(!(ask.force && shape.has_failed_log_dir()));
        let (before, plan) = planned(&shape, &ask);
        if let Ok(plan) = plan {
            let after = before.after(&plan);
            let again = rebuild(&after, &ask.request(&shape)).unwrap();
            prop_assert_eq!(again.moves, []);
        }
    }

    #[test]
    fn shuffled_input_gives_the_same_plan(shape in shape(), ask in ask(), turn in 0_usize..7) {
        let (_, plan) = planned(&shape, &ask);
        let mut parts = shape.parts();
        parts.brokers.reverse();
        let topics = parts.topics.len();
        parts.topics.rotate_left(turn % topics);
        parts.topics.iter_mut().for_each(|topic| topic.partitions.reverse());
        let shuffled = rebuild(&Snapshot::new(parts).unwrap(), &ask.request(&shape));
        prop_assert_eq!(plan.as_ref().map(json), shuffled.as_ref().map(json));
    }

    #[test]
    fn bytes_moved_are_the_bytes_that_have_to_move(shape in shape(), ask in ask()) {
        let (_, plan) = planned(&shape, &ask);
        if let Ok(plan) = plan {
            if ask.force {
                let moved = plan.bytes_moved();
                prop_assert!(moved.is_none() || moved >= plan.bound_bytes);
            } else {
                prop_assert_eq!(plan.bytes_moved(), plan.bound_bytes);
            }
        }
    }

    #[test]
    fn no_plan_names_the_seat_every_broker_and_its_rule(shape in shape(), ask in ask()) {
        let (before, plan) = planned(&shape, &ask);
        match plan {
            Err(NoPlan::NoBroker { seat, refusals, .. }) => {
                prop_assert!(before.partition(&seat.of.topic, seat.of.partition).is_some());
                for broker in shape.live() {
                    prop_assert!(refusals.contains_key(&broker), "{} is not answered for", broker);
                }
            }
            Err(NoPlan::TooFewBrokers { replication, allowed, .. }) => {
                prop_assert!(replication > allowed.len());
            }
            Err(NoPlan::TooFewRacks { asked, racks, .. }) => {
                prop_assert!(racks.len() < asked as usize);
            }
            Err(NoPlan::NoRoomForBothCopies { missing_bytes, .. }) => {
                prop_assert!(missing_bytes.0 > 0);
            }
            Err(NoPlan::NoPartner { outgoing, problem, .. }) => {
                prop_assert!(shape.ids().contains(&outgoing) && problem.contains("rack"));
            }
            Err(NoPlan::MissingFact { fact, what }) => {
                prop_assert!(fact == "size_bytes" && what.starts_with("partition topic-"));
            }
            Err(other) => prop_assert!(false, "{}", other),
            Ok(_) => {}
        }
    }

    #[test]
    fn one_broker_more_never_loses_a_plan(shape in shape(), ask in ask()) {
        let (_, plan) = planned(&shape, &ask);
        if let (Ok(_), false, Some(larger)) = (plan, ask.force, shape.with_one_more(&ask)) {
            let (_, more) = planned(&larger, &ask);
            prop_assert!(more.is_ok(), "{}", more.unwrap_err());
        }
    }

    #[test]
    fn lists_that_the_caller_gives_are_the_whole_scope(shape in shape(), ask in ask(), at in 0_usize..40) {
        let before = shape.snapshot();
        let all: Vec<_> =
            before.topics().iter().flat_map(|t| t.partitions.iter().map(move |p| (t, p))).collect();
        let (topic, partition) = all[at % all.len()];
        let given = BaseReplicas {
            topic: topic.name.clone(),
            partition: partition.id,
            replicas: partition.replicas.iter().rev().copied().map(Some).collect(),
        };
        let request = Rebuild { base: vec![given], ..ask.request(&shape) };
        if let Ok(plan) = rebuild(&before, &request) {
            prop_assert_eq!(check(&before, &plan), []);
            for change in &plan.moves {
                prop_assert_eq!((&*change.topic, change.partition), (topic.name.as_str(), partition.id));
            }
        }
    }

    #[test]
    fn a_plan_survives_its_file(shape in shape(), ask in ask()) {
        let (_, plan) = planned(&shape, &ask);
        if let Ok(plan) = plan {
            let read = PlanFile::from_json(&json(&plan)).unwrap();
            prop_assert_eq!(read, PlanFile::of(plan));
        }
    }

    #[test]
    fn a_snapshot_survives_its_file(shape in shape()) {
        let before = shape.snapshot();
        let mut out = Vec::new();
        before.write_json(&mut out).unwrap();
        let read = Snapshot::from_json(&out).unwrap();
        prop_assert_eq!(read.hash(), before.hash());
        prop_assert_eq!(read, before);
    }

    #[test]
    fn a_replacement_moves_the_seats_of_one_broker_to_one_other(shape in shape()) {
        let ids = shape.ids();
        let (outgoing, incoming) = (ids[0], ids[ids.len() - 1]);
        let before = shape.snapshot();
        let request =
            Replace::new(TopicSelection::Rest, outgoing, incoming, RackRule::Spread, Ratio::from_percent(10));
        if let Ok(plan) = replace(&before, &request) {
            prop_assert_eq!(check(&before, &plan), []);
            for change in &plan.moves {
                prop_assert_eq!(change.removed().collect::<Vec<BrokerId>>(), [outgoing]);
                prop_assert_eq!(change.added().collect::<Vec<BrokerId>>(), [incoming]);
            }
            let again = replace(&before.after(&plan), &request).unwrap();
            prop_assert_eq!(again.moves, []);
        }
    }
}
