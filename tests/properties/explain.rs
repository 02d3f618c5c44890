//! Properties of every explanation: its answers match those of the check.

use crate::clusters::{Ask, Shape, ask, shape};
use crate::config;
use mapper::explain::{
    BrokerVerdict, ExplainQuestion, Explained, Instead, PartitionExplained, explain,
};
use mapper::{
    Balance, BrokerId, Bytes, NoPlan, Plan, Rebalance, Refusal, Snapshot, Violation, check,
    rebalance, rebuild,
};
use proptest::prelude::*;

fn explained(before: &Snapshot, plan: &Plan, index: usize) -> PartitionExplained {
    match explain(before, plan, &ExplainQuestion::Move(index, None)).unwrap() {
        Explained::Partition(partition) => *partition,
        other => panic!("{other:?}"),
    }
}

/// The plan with one broker of one move replaced.
fn exchanged(before: &Snapshot, plan: &Plan, index: usize, from: BrokerId, to: BrokerId) -> Plan {
    let mut other = plan.clone();
    let change = &mut other.moves[index];
    let lists = change.via.iter_mut().chain([&mut change.to]);
    lists.flatten().filter(|id| **id == from).for_each(|id| *id = to);
    let partition = before.partition(&change.topic, change.partition).unwrap();
    let size = partition.size.map(|whole| partition.copied(whole));
    let copies = change.added().count() as u64;
    change.bytes = if copies == 0 { Some(Bytes(0)) } else { size.map(|s| Bytes(s.0 * copies)) };
    other
}

fn balanced(shape: &Shape, ask: &Ask) -> (Snapshot, Result<Plan, NoPlan>) {
    let before = shape.snapshot();
    let request = Rebalance::new(ask.request(shape).terms, Balance::default());
    let plan = rebalance(&before, &request);
    (before, plan)
}

/// What a changed plan breaks. The figures next to its moves are still those of the original plan.
fn promises_broken(before: &Snapshot, other: &Plan) -> Vec<Violation> {
    let mut broken = check(before, other);
    broken.retain(|violation| !matches!(violation, Violation::Figures { .. }));
    broken
}

/// Compares each answer about a broker with the check of the plan with that broker.
fn answers_hold(before: &Snapshot, plan: &Plan) -> Result<(), TestCaseError> {
    for index in 0..plan.moves.len().min(2) {
        let one = explained(before, plan, index);
        let without = one.without.unwrap();
        prop_assert_eq!(one.comes.len(), plan.moves[index].added().count());
        for comes in &one.comes {
            for Instead { broker, verdict, .. } in &comes.instead {
                let other = exchanged(before, plan, index, comes.broker, *broker);
                let broken = promises_broken(before, &other);
                match verdict {
                    // An exchange with the broker that gives up the replica is not a move.
                    BrokerVerdict::Admitted(admitted) if admitted.copies => prop_assert_eq!(
                        broken,
                        [],
                        "{} instead of {}: {:?}",
                        broker,
                        comes.broker,
                        one.of
                    ),
                    BrokerVerdict::Refused {
                        why:
                            Refusal::NotLive
                            | Refusal::NotAllowed
                            | Refusal::Cordoned
                            | Refusal::Holds
                            | Refusal::FailedLogDir,
                    }
                    | BrokerVerdict::NoRoomDuring { .. } => {
                        prop_assert!(
                            !broken.is_empty(),
                            "{} instead of {} for {:?}: {:?}",
                            broker,
                            comes.broker,
                            plan.moves[index],
                            verdict
                        )
                    }
                    _ => {}
                }
            }
        }
        let mut rest = plan.clone();
        rest.moves.remove(index);
        for step in &mut rest.steps {
            step.retain(|other| *other != index);
            step.iter_mut().filter(|other| **other > index).for_each(|other| *other -= 1);
        }
        prop_assert_eq!(without.breaks, promises_broken(before, &rest));
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_broker_that_is_admitted_would_do_and_one_that_is_refused_would_not(shape in shape(), ask in ask()) {
        let before = shape.snapshot();
        if let Ok(plan) = rebuild(&before, &ask.request(&shape)) {
            answers_hold(&before, &plan)?;
        }
    }

    #[test]
    fn the_same_holds_where_load_is_evened(shape in shape(), ask in ask()) {
        if let (before, Ok(plan)) = balanced(&shape, &ask) {
            answers_hold(&before, &plan)?;
        }
    }

    #[test]
    fn every_broker_answers_for_every_replica_that_is_copied(shape in shape(), ask in ask()) {
        let before = shape.snapshot();
        let Ok(plan) = rebuild(&before, &ask.request(&shape)) else { return Ok(()) };
        for broker in shape.ids().into_iter().filter(|id| before.broker(*id).is_some()) {
            let answer = explain(&before, &plan, &ExplainQuestion::Broker(broker)).unwrap();
            let Explained::Broker(one) = answer else { panic!("{answer:?}") };
            let elsewhere: usize = one.placed.elsewhere.iter().map(|verdict| verdict.replicas).sum();
            prop_assert_eq!(one.placed.replicas, plan.replicas_moved());
            prop_assert_eq!(one.placed.here + elsewhere, one.placed.replicas);
            prop_assert_eq!(one.takes.len(), one.placed.here);
        }
    }
}
