//! `check` reads for itself which topics belong to which map: it agrees with the planners, whatever the patterns.

use crate::config;
use mapper::scope::{Scope, TopicPattern};
use mapper::snapshot::{Broker, Leader, Partition, PartitionFacts, Parts, Topic};
use mapper::{
    Assignment, BrokerId, Bytes, Figures, Move, PartitionId, PlaceBy, Plan, PlanTerms, Ratio,
    Reason, Rebuild, Request, Snapshot, Solver, TopicSelection, Violation, assign, check,
};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Every replica lies here, which is in no assignment.
const HOME: BrokerId = BrokerId(1);
/// The broker of the first assignment; each has one.
const FIRST: u32 = 11;
const MOST: u32 = 4;

/// Names of which some are patterns that would mean others, too.
const NAMES: [&str; 7] =
    ["a", "a-b", "a.b", "ab", "b.a", "__consumer_offsets", "__transaction_state"];
/// The last compiles only when it is used, as large ones do.
const PATTERNS: [&str; 12] = [
    "a",
    "a.b",
    "a.*",
    ".*",
    "b|ab",
    "[ab]+",
    "a.?b",
    "__.*",
    "b",
    "nothing",
    "ab|__.*|b.a",
    r"(?:\w{4}|\w{5}x|a).*",
];

fn scope() -> impl Strategy<Value = Scope> {
    let patterns = |size| {
        let one = proptest::sample::select(PATTERNS.as_slice());
        vec(one.prop_map(|source| TopicPattern::new(source).unwrap()), size)
    };
    (patterns(0..4), patterns(0..3)).prop_map(|(include, exclude)| Scope { include, exclude })
}

fn topics() -> impl Strategy<Value = TopicSelection> {
    let names = btree_set(proptest::sample::select(NAMES.as_slice()), 0..4);
    prop_oneof![
        4 => scope().prop_map(TopicSelection::Matching),
        2 => names.prop_map(|names| TopicSelection::Named(names.into_iter().map(str::to_owned).collect())),
        1 => Just(TopicSelection::Internal),
        1 => Just(TopicSelection::Rest),
    ]
}

fn assignments() -> impl Strategy<Value = Vec<Assignment>> {
    let all = vec(topics(), 1..=MOST as usize);
    all.prop_map(|all| {
        let own = (FIRST..).map(|id| BTreeSet::from([BrokerId(id)]));
        all.into_iter().zip(own).map(|(topics, brokers)| Assignment::new(topics, brokers)).collect()
    })
}

fn cluster(names: &BTreeSet<&str>) -> Snapshot {
    let topic = |name: &&str| {
        let mut partition = Partition::new(PartitionId(0), [HOME]);
        partition.size = Some(Bytes(1));
        let leader = Leader::Broker(HOME);
        partition.facts = Some(Box::new(PartitionFacts { leader, ..PartitionFacts::default() }));
        Topic { name: (*name).to_owned(), partitions: vec![partition], ..Topic::default() }
    };
    let brokers = [HOME.0].into_iter().chain(FIRST..FIRST + MOST);
    let parts = Parts {
        brokers: brokers.map(|id| Broker::new(BrokerId(id))).collect(),
        topics: names.iter().map(topic).collect(),
        ..Parts::default()
    };
    Snapshot::new(parts).unwrap()
}

/// Everything goes to one broker.
fn plan(before: &Snapshot, assignments: &[Assignment], to: BrokerId) -> Plan {
    let change = |topic: &Topic| Move {
        topic: topic.name.as_str().into(),
        partition: PartitionId(0),
        from: [HOME].into_iter().collect(),
        via: Box::default(),
        disk_bytes: mapper::Bytes(0),
        to: [to].into_iter().collect(),
        log_dirs: Vec::new(),
        reason: Reason::Map,
        bytes: Some(Bytes(1)),
    };
    let moves: Vec<Move> = before.topics().iter().map(change).collect();
    let terms = PlanTerms::new(assignments.to_vec(), Ratio::ZERO);
    Plan {
        cluster_id: None,
        snapshot: before.hash(),
        request: Request::Rebuild(Rebuild::new(terms, PlaceBy::Count)),
        steps: vec![(0..moves.len()).collect()],
        moves,
        left_out: Vec::new(),
        assumed: Vec::new(),
        before: Figures::default(),
        after: Figures::default(),
        bound_bytes: None,
        floor: None,
        solver: Solver::constructive(),
    }
}

/// For each topic, the assignment that `check` takes its brokers from: none, or the one whose broker it allows.
fn judged(
    before: &Snapshot,
    assignments: &[Assignment],
) -> Result<BTreeMap<String, Option<usize>>, Vec<Violation>> {
    let mut found: BTreeMap<String, Option<usize>> = BTreeMap::new();
    for (index, id) in (0..assignments.len()).zip(FIRST..) {
        let broken = check(before, &plan(before, assignments, BrokerId(id)));
        let mut refused = BTreeSet::new();
        for violation in &broken {
            match violation {
                Violation::OutOfScope { of } => {
                    found.insert(of.topic.clone(), None);
                    refused.insert(of.topic.as_str());
                }
                Violation::NotAllowed { of, .. } => {
                    refused.insert(of.topic.as_str());
                }
                // The broker that everything goes to is no other assignment's.
                Violation::Forgotten { .. } => {}
                _ => return Err(broken),
            }
        }
        for topic in before.topics().iter().filter(|topic| !refused.contains(topic.name.as_str())) {
            let other = found.insert(topic.name.clone(), Some(index));
            assert_eq!(other, None, "two brokers are allowed for {}", topic.name);
        }
    }
    Ok(found)
}

proptest! {
    // Each case compiles its patterns for every judgement again.
    #![proptest_config(proptest::test_runner::Config { cases: config().cases / 4, ..config() })]

    #[test]
    fn check_and_planners_give_each_topic_to_the_same_map(
        names in btree_set(proptest::sample::select(NAMES.as_slice()), 1..=NAMES.len()),
        assignments in assignments(),
    ) {
        let before = cluster(&names);
        match (assign(&before, &assignments), judged(&before, &assignments)) {
            (Ok(taken), Ok(judged)) => {
                let names = before.topics().iter().map(|topic| topic.name.clone());
                prop_assert_eq!(names.zip(taken).collect::<BTreeMap<_, _>>(), judged);
            }
            (Err(problem), Err(judged)) => {
                prop_assert_eq!(vec![Violation::Scope(problem)], judged);
            }
            (planners, judged) => prop_assert!(false, "{planners:?} and {judged:?}"),
        }
    }
}
