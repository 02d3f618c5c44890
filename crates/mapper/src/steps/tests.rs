//! Each test covers one rule of steps.

use crate::snapshot::{Broker, Partition, PartitionFacts, Parts, Snapshot, Topic};
use crate::{
    Assignment, BrokerId, Bytes, Move, PartitionId, PlaceBy, Plan, PlanTerms, Ratio, Rebuild,
    StepLimits, StepOrder, TopicSelection, check, rebuild,
};
use std::collections::BTreeSet;

const KEEP: [u32; 3] = [1, 2, 3];

/// Brokers without racks, half full, and one topic: for each partition its size and replicas.
fn cluster(brokers: u32, partitions: &[(u64, &[u32])]) -> Parts {
    let broker = |id| Broker {
        storage_total: Some(Bytes(10_000)),
        storage_free: Some(Bytes(5_000)),
        ..Broker::new(BrokerId(id))
    };
    let partition = |(number, (size, replicas)): (u32, &(u64, &[u32]))| {
        let replicas = replicas.iter().copied().map(BrokerId);
        let mut partition = Partition::new(PartitionId(number), replicas);
        partition.size = Some(Bytes(*size));
        partition
    };
    let partitions = (0..).zip(partitions).map(partition).collect();
    let topic = Topic { name: "events".to_owned(), partitions, ..Topic::default() };
    Parts { brokers: (1..=brokers).map(broker).collect(), topics: vec![topic], ..Parts::default() }
}

/// A request that moves everything to these brokers.
fn onto(brokers: &[u32], pacing: StepLimits) -> Rebuild {
    let brokers = brokers.iter().copied().map(BrokerId).collect();
    let all = PlanTerms::new(vec![Assignment::new(TopicSelection::Rest, brokers)], Ratio::ZERO);
    let terms = PlanTerms { pacing, ..all };
    Rebuild::new(terms, PlaceBy::Storage)
}

fn planned(parts: Parts, brokers: &[u32], pacing: StepLimits) -> Plan {
    let before = Snapshot::new(parts).unwrap();
    let plan = rebuild(&before, &onto(brokers, pacing)).unwrap();
    assert_eq!(check(&before, &plan), []);
    plan
}

fn chunks_of(brokers: u32) -> StepLimits {
    StepLimits { chunk_brokers: Some(brokers), ..StepLimits::default() }
}

/// The partitions of each step.
fn partitions(plan: &Plan) -> Vec<Vec<u32>> {
    let steps = plan.stages();
    let numbers = steps.iter().map(|step| step.iter().map(|s| s.change.partition.0).collect());
    numbers.collect()
}

/// Nine brokers with a partition on each three neighbours; three of them stay.
fn nine() -> Parts {
    let lists: Vec<[u32; 3]> =
        (0..9).map(|at| [at % 9 + 1, (at + 1) % 9 + 1, (at + 2) % 9 + 1]).collect();
    let partitions: Vec<(u64, &[u32])> = lists.iter().map(|list| (10, &list[..])).collect();
    cluster(9, &partitions)
}

#[test]
fn each_chunk_empties_the_highest_brokers_that_are_left() {
    for (size, expected) in [(3, 2), (1, 6), (4, 2), (12, 1)] {
        let plan = planned(nine(), &KEEP, chunks_of(size));
        assert_eq!(plan.steps.len(), expected, "chunks of {size}");
        let mut lists: Vec<Vec<BrokerId>> = plan.moves.iter().map(|m| m.from.to_vec()).collect();
        for (step, stages) in (1_u32..).zip(plan.stages()) {
            for stage in stages {
                let at = plan.moves.iter().position(|change| change == stage.change).unwrap();
                lists[at] = stage.to.to_vec();
            }
            let emptied = 9_u32.saturating_sub(step * size).max(3);
            assert!(lists.iter().flatten().all(|id| id.0 <= emptied), "step {step} of {size}");
        }
        let ends: Vec<Vec<BrokerId>> = plan.moves.iter().map(|m| m.to.to_vec()).collect();
        assert_eq!(lists, ends);
    }
}

#[test]
fn what_is_lost_is_replaced_in_the_first_chunk() {
    let mut parts = nine();
    parts.brokers[3].live = false;
    let plan = planned(parts, &KEEP, chunks_of(1));
    assert_eq!(plan.steps.len(), 5, "five live brokers are emptied one by one");
    let stages = plan.stages();
    let gone = |stage: &crate::Stage<'_>| stage.removed().any(|id| id == BrokerId(4));
    assert_eq!(stages[0].iter().filter(|stage| gone(stage)).count(), 3);
}

#[test]
fn a_leader_that_leaves_stays_until_the_others_are_there() {
    let phased = StepLimits { phased: true, ..StepLimits::default() };
    let parts = cluster(4, &[(10, &[4, 1, 2]), (10, &[1, 4, 2])]);
    let plan = planned(parts, &KEEP, phased);
    assert_eq!(partitions(&plan), [vec![0, 1], vec![0]], "only the leader's move has two phases");
    let Move { via, to, .. } = &plan.moves[0];
    assert_eq!(via.len(), 1);
    assert_eq!((via[0][0], &via[0][1..]), (BrokerId(4), &to[..]));
}

#[test]
fn a_lost_leader_is_not_kept() {
    let mut parts = cluster(4, &[(10, &[4, 1, 2])]);
    parts.brokers[3].live = false;
    let plan = planned(parts, &KEEP, StepLimits { phased: true, ..StepLimits::default() });
    assert!(plan.moves[0].via.is_empty());
}

#[test]
fn the_leader_that_is_told_is_kept_not_the_preferred_one() {
    let mut parts = cluster(4, &[(10, &[1, 4, 2])]);
    let leader = crate::snapshot::Leader::Broker(BrokerId(4));
    parts.topics[0].partitions[0].facts =
        Some(Box::new(PartitionFacts { leader, ..PartitionFacts::default() }));
    let plan = planned(parts, &KEEP, StepLimits { phased: true, ..StepLimits::default() });
    assert_eq!(plan.moves[0].via[0][0], BrokerId(4));
}

#[test]
fn a_step_copies_no_more_than_asked_for_and_the_largest_go_alone() {
    let sizes: [u64; 5] = [30, 40, 500, 20, 60];
    let partitions_of: Vec<(u64, &[u32])> = sizes.iter().map(|size| (*size, &[4][..])).collect();
    let steps = |order| {
        let pacing = StepLimits { max_bytes: Some(Bytes(100)), order, ..StepLimits::default() };
        partitions(&planned(cluster(4, &partitions_of), &KEEP, pacing))
    };
    assert_eq!(steps(StepOrder::ByReason), [vec![0, 1], vec![2], vec![3, 4]]);
    assert_eq!(steps(StepOrder::SmallFirst), [vec![0, 1, 3], vec![4], vec![2]]);
    assert_eq!(steps(StepOrder::LargeFirst), [vec![2], vec![1, 4], vec![0, 3]]);
}

#[test]
fn a_broker_takes_part_in_no_more_moves_of_a_step_than_asked_for() {
    let partitions_of: Vec<(u64, &[u32])> = (0..6).map(|_| (10, &[4][..])).collect();
    for most in 1..4 {
        let pacing = StepLimits { max_moves_per_broker: Some(most), ..StepLimits::default() };
        let plan = planned(cluster(4, &partitions_of), &KEEP, pacing);
        // Broker 4 is the source of all.
        assert_eq!(plan.steps.len(), 6_usize.div_ceil(most as usize));
    }
}

#[test]
fn the_least_risk_first_heals_then_relieves_then_takes_the_small() {
    let lists: [(u64, &[u32]); 4] = [(50, &[5, 1]), (40, &[4, 1]), (30, &[6, 2]), (20, &[5, 2])];
    let mut parts = cluster(6, &lists);
    parts.brokers[5].live = false;
    // Broker 4 is beyond its limit.
    parts.brokers[3].storage_free = Some(Bytes(0));
    let order = StepOrder::LeastRiskFirst;
    let pacing = StepLimits { max_bytes: Some(Bytes(1)), order, ..StepLimits::default() };
    let mut request = onto(&KEEP, pacing);
    request.terms.storage_headroom = Ratio::from_percent(10);
    let before = Snapshot::new(parts).unwrap();
    let plan = rebuild(&before, &request).unwrap();
    assert_eq!(partitions(&plan), [vec![2], vec![1], vec![3], vec![0]]);
}

#[test]
fn a_partition_under_min_isr_is_healed_before_those_that_only_leave() {
    let mut parts = cluster(4, &[(10, &[4, 1]), (90, &[4, 2])]);
    let in_sync: BTreeSet<BrokerId> = [BrokerId(2)].into();
    parts.topics[0].min_insync_replicas = Some(2);
    parts.topics[0].partitions[1].facts = Some(Box::new(PartitionFacts {
        isr: Some(in_sync.into_iter().collect()),
        leader: crate::snapshot::Leader::Broker(BrokerId(2)),
        ..PartitionFacts::default()
    }));
    let order = StepOrder::LeastRiskFirst;
    let pacing = StepLimits { max_bytes: Some(Bytes(1)), order, ..StepLimits::default() };
    assert_eq!(partitions(&planned(parts, &KEEP, pacing)), [vec![1], vec![0]]);
}
