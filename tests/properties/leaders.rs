//! Properties of every choice of preferred leaders.

use crate::clusters::{self, Shape, shape};
use crate::config;
use mapper::scope::{Scope, TopicPattern};
use mapper::snapshot::{Broker, Partition, Parts, Topic};
use mapper::{
    Assignment, BrokerId, Bytes, LeadBy, LeaderEvacuation, Leaders, Mends, PartitionId, Plan,
    PlanFile, PlanTerms, Ratio, Reason, Rebuild, Snapshot, SolverStatus, TopicSelection,
    WhyLeftOut, check, leaders, rebuild,
};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::subsequence;
use std::collections::{BTreeMap, BTreeSet};

fn request(brokers: BTreeSet<BrokerId>) -> Leaders {
    let assignments = vec![Assignment::new(TopicSelection::Rest, brokers)];
    let all = PlanTerms::new(assignments, Ratio::from_percent(10));
    Leaders {
        terms: PlanTerms { mends: Mends::Nothing, ..all },
        by: LeadBy::Count,
        per_topic: false,
        evacuate: BTreeSet::new(),
    }
}

/// The parameters of a random request.
#[derive(Debug, Clone)]
struct Ask {
    by: LeadBy,
    per_topic: bool,
    evacuate: BTreeSet<usize>,
    unnamed: BTreeSet<usize>,
}

fn ask() -> impl Strategy<Value = Ask> {
    let by = prop_oneof![Just(LeadBy::Count), Just(LeadBy::Bytes)];
    (by, any::<bool>(), btree_set(0_usize..9, 0..3), btree_set(0_usize..9, 0..2))
        .prop_map(|(by, per_topic, evacuate, unnamed)| Ask { by, per_topic, evacuate, unnamed })
}

impl Ask {
    fn request(&self, ids: &[BrokerId]) -> Leaders {
        let at = |indices: &BTreeSet<usize>| -> BTreeSet<BrokerId> {
            indices.iter().filter_map(|index| ids.get(*index).copied()).collect()
        };
        let all: BTreeSet<BrokerId> = ids.iter().copied().collect();
        let named = all.difference(&at(&self.unnamed)).copied().collect();
        Leaders {
            by: self.by,
            per_topic: self.per_topic,
            evacuate: at(&self.evacuate),
            ..request(named)
        }
    }

    fn plan(&self, shape: &Shape) -> (Snapshot, Option<Plan>) {
        let before = shape.snapshot();
        let plan = leaders(&before, &self.request(&shape.ids())).ok();
        (before, plan)
    }
}

/// How many partitions of a topic (or of all topics) each broker leads.
fn counts<'s>(topics: impl Iterator<Item = &'s Topic>) -> BTreeMap<BrokerId, u64> {
    let mut counts = BTreeMap::new();
    for partition in topics.flat_map(|topic| &topic.partitions) {
        *counts.entry(partition.replicas[0]).or_default() += 1;
    }
    counts
}

fn squares(counts: &BTreeMap<BrokerId, u64>) -> u64 {
    counts.values().map(|count| count * count).sum()
}

/// A cluster of five brokers and up to seven partitions of one topic.
fn tiny() -> impl Strategy<Value = Snapshot> {
    let replicas = subsequence(vec![1, 2, 3, 4, 5], 1..4).prop_shuffle();
    vec(replicas, 1..8).prop_map(|lists| {
        let partition = |(id, list): (u32, Vec<u32>)| {
            Partition::new(PartitionId(id), list.into_iter().map(BrokerId))
        };
        snapshot(5, (0..).zip(lists).map(partition).collect())
    })
}

/// Brokers 1 to `brokers`, and one topic.
fn snapshot(brokers: u32, partitions: Vec<Partition>) -> Snapshot {
    let topics = vec![Topic { name: "t".to_owned(), partitions, ..Topic::default() }];
    let brokers = (1..=brokers).map(|id| Broker::new(BrokerId(id))).collect();
    Snapshot::new(Parts { brokers, topics, ..Parts::default() }).unwrap()
}

/// The smallest sum of squares of all choices of leaders, and the fewest changes that reach it.
fn best_of_all(before: &Snapshot, evacuate: &BTreeSet<BrokerId>) -> (u64, usize) {
    let partitions = &before.topics()[0].partitions;
    let may_lead: Vec<Vec<BrokerId>> = partitions
        .iter()
        .map(|partition| {
            let fit = partition.replicas.iter().copied().filter(|id| !evacuate.contains(id));
            let fit: Vec<BrokerId> = fit.collect();
            if fit.is_empty() { vec![partition.replicas[0]] } else { fit }
        })
        .collect();
    let mut best = (u64::MAX, usize::MAX);
    for mut choice in 0..may_lead.iter().map(Vec::len).product::<usize>() {
        let mut counts = BTreeMap::new();
        let mut changes = 0;
        for (partition, members) in partitions.iter().zip(&may_lead) {
            let leader = members[choice % members.len()];
            choice /= members.len();
            *counts.entry(leader).or_default() += 1;
            changes += usize::from(leader != partition.replicas[0]);
        }
        best = best.min((squares(&counts), changes));
    }
    best
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_choice_of_leaders_is_more_even_and_none_as_even_changes_less(
        before in tiny(),
        evacuate in btree_set((1_u32..6).prop_map(BrokerId), 0..3),
    ) {
        let all = before.brokers().iter().map(|broker| broker.id).collect();
        let request = Leaders { evacuate: evacuate.clone(), ..request(all) };
        let plan = leaders(&before, &request).unwrap();
        prop_assert_eq!(plan.solver.status, SolverStatus::Optimal);
        let after = before.after(&plan);
        let found = (squares(&counts(after.topics().iter())), plan.moves.len());
        prop_assert_eq!(found, best_of_all(&before, &evacuate));
    }

    #[test]
    fn a_plan_of_leaders_keeps_every_promise(shape in shape(), ask in ask()) {
        let (before, plan) = ask.plan(&shape);
        if let Some(plan) = plan {
            prop_assert_eq!(check(&before, &plan), []);
            prop_assert!(plan.moves.iter().all(|change| change.reason == Reason::Leader));
            prop_assert_eq!(plan.bytes_moved(), Some(Bytes(0)));
        }
    }

    #[test]
    fn the_others_keep_their_order(shape in shape(), ask in ask()) {
        let (_, plan) = ask.plan(&shape);
        for change in plan.iter().flat_map(|plan| &plan.moves) {
            let others: Vec<BrokerId> =
                change.from.iter().copied().filter(|id| *id != change.to[0]).collect();
            prop_assert_eq!(&change.to[1..], &others[..]);
        }
    }

    #[test]
    fn choosing_leaders_again_changes_nothing(shape in shape(), ask in ask()) {
        let (before, plan) = ask.plan(&shape);
        if let Some(plan) = plan {
            let again = leaders(&before.after(&plan), &ask.request(&shape.ids())).unwrap();
            prop_assert_eq!(again.moves, []);
        }
    }

    #[test]
    fn shuffled_input_gives_the_same_leaders(shape in shape(), ask in ask(), turn in 0_usize..7) {
        let (_, plan) = ask.plan(&shape);
        let mut parts = shape.parts();
        parts.brokers.reverse();
        let topics = parts.topics.len();
        parts.topics.rotate_left(turn % topics);
        parts.topics.iter_mut().for_each(|topic| topic.partitions.reverse());
        let shuffled = leaders(&Snapshot::new(parts).unwrap(), &ask.request(&shape.ids())).ok();
        prop_assert_eq!(plan, shuffled);
    }

    #[test]
    fn a_topic_by_itself_is_never_less_even_than_among_all(shape in shape()) {
        let before = shape.snapshot();
        let request = request(shape.ids().into_iter().collect());
        let together = before.after(&leaders(&before, &request).unwrap());
        let per_topic = Leaders { per_topic: true, ..request };
        let alone = before.after(&leaders(&before, &per_topic).unwrap());
        for (alone, together) in alone.topics().iter().zip(together.topics()) {
            let of = |topic| squares(&counts(std::iter::once(topic)));
            prop_assert!(of(alone) <= of(together));
        }
    }

    #[test]
    fn by_bytes_the_floor_holds_and_the_fullest_gets_no_fuller(shape in shape()) {
        let before = shape.snapshot();
        let request =
            Leaders { by: LeadBy::Bytes, ..request(shape.ids().into_iter().collect()) };
        if let Ok(plan) = leaders(&before, &request) {
            let bytes = plan.solver.leader_bytes.unwrap();
            prop_assert!(bytes.floor <= bytes.after && bytes.after <= bytes.before);
        }
    }

    #[test]
    fn a_plan_of_leaders_survives_its_file(shape in shape(), ask in ask()) {
        let (_, plan) = ask.plan(&shape);
        if let Some(plan) = plan {
            let mut out = Vec::new();
            PlanFile::of(plan.clone()).write_json(&mut out).unwrap();
            prop_assert_eq!(PlanFile::from_json(&out).unwrap(), PlanFile::of(plan));
        }
    }
}

/// 256 partitions with two replicas on 23 brokers. A few brokers lead most of them.
fn lopsided() -> Snapshot {
    let partition = |id: u32| {
        let (a, b) = (id * id % 23, (id * 7 + 3) % 23);
        let other = if a == b { (b + 1) % 23 } else { b };
        let list = [a.min(other), a.max(other)].map(|broker| BrokerId(broker + 1));
        Partition::new(PartitionId(id), list)
    };
    snapshot(23, (0..256).map(partition).collect())
}

#[test]
fn leaders_of_256_partitions_on_23_brokers_even_out() {
    let before = lopsided();
    let all: BTreeSet<BrokerId> = before.brokers().iter().map(|broker| broker.id).collect();
    let led = |snapshot: &Snapshot| {
        let counts = counts(snapshot.topics().iter());
        let of = |id: &BrokerId| counts.get(id).copied().unwrap_or(0);
        (all.iter().map(of).min().unwrap(), all.iter().map(of).max().unwrap())
    };
    let plan = leaders(&before, &request(all.clone())).unwrap();
    let (before_led, after_led) = (led(&before), led(&before.after(&plan)));
    assert!(before_led.0 < 3 && before_led.1 > 23, "{before_led:?} was even before");
    assert!(after_led.0 >= 3 && after_led.1 <= 23, "{after_led:?}");
}

fn evacuated(ids: &[u32]) -> Plan {
    let list = |ids: [u32; 3]| ids.map(BrokerId);
    let partitions = vec![
        Partition::new(PartitionId(0), list([1, 2, 3])),
        Partition::new(PartitionId(1), list([2, 4, 5])),
        Partition::new(PartitionId(2), list([4, 5, 1])),
    ];
    let before = snapshot(5, partitions);
    let all = before.brokers().iter().map(|broker| broker.id).collect();
    let evacuate = ids.iter().copied().map(BrokerId).collect();
    let plan = leaders(&before, &Leaders { evacuate, ..request(all) }).unwrap();
    assert_eq!(check(&before, &plan), []);
    let after = before.after(&plan);
    for partition in &after.topics()[0].partitions {
        let left = plan.left_out.iter().any(|left| left.partition == partition.id);
        assert!(left || !ids.contains(&partition.replicas[0].0));
    }
    plan
}

#[test]
fn an_evacuated_broker_leads_nothing() {
    assert_eq!(evacuated(&[1]).left_out, []);
    assert_eq!(evacuated(&[1, 2]).left_out, []);
}

#[test]
fn a_partition_with_every_replica_evacuated_is_left_as_it_is_and_named() {
    let plan = evacuated(&[1, 2, 3]);
    let left: Vec<_> = plan.left_out.iter().map(|left| (left.partition, &left.why)).collect();
    let stays = WhyLeftOut::NoOtherLeader { leader: BrokerId(1) };
    assert_eq!(left, [(PartitionId(0), &stays)]);
    assert!(plan.moves.iter().any(|change| change.partition == PartitionId(1)));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_rebuild_takes_leadership_off_evacuated_brokers(
        shape in shape(),
        ask in clusters::ask(),
        evacuate in btree_set(0_usize..9, 0..3),
        topic in 0_usize..6,
    ) {
        let ids = shape.ids();
        let brokers = evacuate.iter().filter_map(|index| ids.get(*index).copied()).collect();
        let pattern = if topic == 5 { ".*".to_owned() } else { format!("topic-{topic}") };
        let topics =
            Scope { include: vec![TopicPattern::new(&pattern).unwrap()], exclude: Vec::new() };
        let request = Rebuild {
            leader_evacuation: Some(LeaderEvacuation { brokers, topics }),
            ..ask.request(&shape)
        };
        let before = shape.snapshot();
        if let Ok(plan) = rebuild(&before, &request) {
            prop_assert_eq!(check(&before, &plan), []);
            let again = rebuild(&before.after(&plan), &request);
            prop_assert!(ask.force || again.unwrap().moves.is_empty());
        }
    }
}
