//! Properties of plans for brokers with several volumes.

use crate::clusters::{Ask, Shape, ask, shape};
use crate::config;
use mapper::{
    ANY_LOG_DIR, Assignment, Balance, BrokerId, Bytes, Plan, PlanTerms, Ratio, Rebalance, Snapshot,
    TopicSelection, Violation, check, rebalance, rebuild,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn divided(mut shape: Shape) -> Shape {
    shape.several_volumes = true;
    shape
}

fn evened(shape: &Shape, ask: &Ask) -> Rebalance {
    Rebalance::new(ask.request(shape).terms, Balance::default())
}

/// Every replica that moves to a broker with volumes names one. Each volume that grew is within its limit.
fn volumes_hold(before: &Snapshot, plan: &Plan) -> Result<(), TestCaseError> {
    let mut grown: BTreeMap<(BrokerId, String), u64> = BTreeMap::new();
    for change in &plan.moves {
        for id in change.added() {
            let several = before.broker(id).is_some_and(|broker| broker.volumes().len() > 1);
            prop_assert_eq!(change.log_dir(id).is_some(), several, "{} on {}", change.of(), id);
            if let Some(dir) = change.log_dir(id) {
                let bytes = change.copy_bytes().unwrap_or_default().0;
                *grown.entry((id, dir.to_owned())).or_default() += bytes;
            }
        }
        let stays =
            |(id, dir): (&BrokerId, &String)| !change.from.contains(id) || dir == ANY_LOG_DIR;
        prop_assert!(change.to.iter().zip(&change.log_dirs).all(stays));
    }
    let after = before.after(plan);
    let headroom = plan.request.terms().storage_headroom;
    for ((id, path), bytes) in grown.into_iter().filter(|(_, bytes)| *bytes > 0) {
        let broker = after.broker(id).unwrap();
        let dir = broker.log_dirs.iter().find(|dir| dir.path == path).unwrap();
        let (total, free) = (dir.total.unwrap(), dir.free.unwrap());
        prop_assert!(free >= headroom.of(total), "{} of {} grew by {}", path, id, bytes);
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_rebuild_fills_no_volume_beyond_its_limit(shape in shape(), ask in ask()) {
        let shape = divided(shape);
        let before = shape.snapshot();
        if let Ok(plan) = rebuild(&before, &ask.request(&shape)) {
            prop_assert_eq!(check(&before, &plan), []);
            volumes_hold(&before, &plan)?;
        }
    }

    #[test]
    fn a_rebalance_fills_no_volume_beyond_its_limit(shape in shape(), ask in ask()) {
        let shape = divided(shape);
        let before = shape.snapshot();
        if let Ok(plan) = rebalance(&before, &evened(&shape, &ask)) {
            prop_assert_eq!(check(&before, &plan), []);
            volumes_hold(&before, &plan)?;
        }
    }

    #[test]
    fn a_plan_that_overfills_a_volume_is_caught(shape in shape(), ask in ask()) {
        let shape = divided(shape);
        let before = shape.snapshot();
        let Ok(plan) = rebuild(&before, &ask.request(&shape)) else { return Ok(()) };
        // The volume that receives something has no room. The broker as a whole keeps the same room.
        let named = plan.moves.iter().find_map(|change| {
            let copies = change.bytes > Some(Bytes(0));
            change.added().filter(|_| copies).find_map(|id| Some((id, change.log_dir(id)?)))
        });
        let Some((id, path)) = named else { return Ok(()) };
        let mut parts = before.clone().into_parts();
        let broker = parts.brokers.iter_mut().find(|broker| broker.id == id).unwrap();
        let dir = broker.log_dirs.iter_mut().find(|dir| dir.path == path).unwrap();
        (dir.total, dir.free) = (Some(Bytes(0)), Some(Bytes(0)));
        let tighter = Snapshot::new(parts).unwrap();
        prop_assert_ne!(check(&tighter, &plan), []);
    }

    #[test]
    fn a_log_dir_that_is_not_there_is_caught(shape in shape(), ask in ask()) {
        let shape = divided(shape);
        let before = shape.snapshot();
        let Ok(mut plan) = rebuild(&before, &ask.request(&shape)) else { return Ok(()) };
        let mut dirs = plan.moves.iter_mut().flat_map(|change| &mut change.log_dirs);
        let Some(dir) = dirs.find(|dir| *dir != ANY_LOG_DIR) else { return Ok(()) };
        "/nowhere".clone_into(dir);
        prop_assert_ne!(check(&before, &plan), []);
    }

    #[test]
    fn a_replica_may_go_to_the_other_dir_of_its_broker_where_it_has_room(
        shape in shape(), ask in ask(),
    ) {
        let shape = divided(shape);
        let before = shape.snapshot();
        let Ok(mut plan) = rebuild(&before, &ask.request(&shape)) else { return Ok(()) };
        let Some((id, path)) = to_the_other_dir(&before, &mut plan) else { return Ok(()) };
        let refused = |bytes: u64| {
            let mut parts = before.clone().into_parts();
            let broker = parts.brokers.iter_mut().find(|broker| broker.id == id).unwrap();
            (broker.storage_total, broker.storage_free) = (Some(Bytes(1 << 50)), Some(Bytes(1 << 50)));
            let dir = broker.log_dirs.iter_mut().find(|dir| dir.path == path).unwrap();
            (dir.total, dir.free) = (Some(Bytes(bytes)), Some(Bytes(bytes)));
            let broken = check(&Snapshot::new(parts).unwrap(), &plan);
            broken.iter().any(|one| match one {
                Violation::LogDirs { .. } => true,
                Violation::Capacity { log_dir, .. } => log_dir.as_ref() == Some(&path),
                _ => false,
            })
        };
        prop_assert!(!refused(1 << 49));
        prop_assert!(refused(0));
    }
}

/// Moves a replica to the other dir of its broker. Returns the broker and the dir.
fn to_the_other_dir(before: &Snapshot, plan: &mut Plan) -> Option<(BrokerId, String)> {
    for change in &mut plan.moves {
        let topic = before.topics().iter().find(|topic| *topic.name == *change.topic)?;
        let partition = topic.partition(change.partition)?;
        let stays = change.to.iter().enumerate().find(|(_, id)| {
            let copied = partition.size_on(**id).unwrap_or_default() > Bytes(0);
            copied && topic.log_dir_of(partition, **id).is_some() && before.is_live(**id)
        });
        let Some((at, id)) = stays else { continue };
        let here = topic.log_dir_of(partition, *id)?;
        let dirs = &before.broker(*id)?.log_dirs;
        let other = dirs.iter().find(|dir| dir.path != here)?.path.clone();
        let id = *id;
        change.log_dirs.resize(change.to.len(), ANY_LOG_DIR.to_owned());
        change.log_dirs[at].clone_from(&other);
        return Some((id, other));
    }
    None
}

/// Only broker 4 has room for the large replica, and neither of its volumes takes it. The plan is then continued, and the
/// small replica is the next that would even the disks. Its former log dir on broker 4 has failed.
#[test]
fn a_plan_that_is_cut_short_sends_nothing_back_to_a_failed_log_dir() {
    let before = Snapshot::from_json(
        br#"{"version":1,"brokers":[
            {"id":1,"storage_total_bytes":95,"storage_free_bytes":5,"log_dirs":[
                {"path":"/a","total_bytes":52,"free_bytes":5},
                {"path":"/b","total_bytes":43,"free_bytes":0}]},
            {"id":2,"storage_total_bytes":95,"storage_free_bytes":5},
            {"id":3,"storage_total_bytes":94,"storage_free_bytes":14},
            {"id":4,"storage_total_bytes":122,"storage_free_bytes":122,"log_dirs":[
                {"path":"/a","total_bytes":79,"free_bytes":79},
                {"path":"/b","total_bytes":43,"free_bytes":43}]}],
        "topics":[
            {"name":"large","partitions":[{"id":0,"replicas":[1,3,2],"size_bytes":80}]},
            {"name":"small","partitions":[{"id":0,"replicas":[2,1,4],"size_bytes":10,
                "leader":2,"isr":[2,1],"offline":[4]}]}]}"#,
    )
    .unwrap();
    let brokers = [1, 2, 3, 4].map(BrokerId).into();
    let terms = PlanTerms::new(vec![Assignment::new(TopicSelection::Rest, brokers)], Ratio::ZERO);
    let balance = Balance { tolerance: Ratio::ZERO, ..Balance::default() };
    let plan = rebalance(&before, &Rebalance::new(terms, balance)).unwrap();
    assert_eq!(check(&before, &plan), []);
    assert_eq!(plan.moves.len(), 1, "{:?}", plan.moves);
    assert_eq!(plan.moves[0].to[..], [2, 1, 3].map(BrokerId));
}
