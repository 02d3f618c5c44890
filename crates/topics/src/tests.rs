//! Decisions, and the record that they leave.

use crate::testing::World;
use crate::{Options, PruneLimits, PruneRefusal, TopicChanges, TopicState, WhyHeld};
use mapper::PartitionId;
use std::collections::{BTreeMap, BTreeSet};

fn one(name: &str, more: &str) -> String {
    format!("version: 1\ntopics:\n  - {{name: {name}, {more}}}\n")
}

const ORDERS: &str = "partitions: 2, replication: 3, config: {retention.ms: 1000}";

fn decided(world: &mut World, text: &str) -> TopicChanges {
    world.decide(text, &Options::default()).unwrap_or_else(|errors| panic!("{:#?}", errors.0))
}

fn mistakes(world: &mut World, text: &str) -> Vec<String> {
    let errors = world.decide(text, &Options::default()).unwrap_err();
    errors.0.iter().map(ToString::to_string).collect()
}

fn prune_after(seconds: i64) -> Options {
    let prune = Some(PruneLimits { after_seconds: seconds, max: 1 });
    Options { prune, ..Options::default() }
}

#[test]
fn what_is_missing_is_made_on_its_maps_brokers_and_a_second_run_does_nothing() {
    let mut world = World::default();
    let text = one("events.a", ORDERS);
    let decision = decided(&mut world, &text);
    let made = &decision.create[0];
    assert_eq!((made.map.as_str(), made.replicas.len()), ("m1", 2));
    for replicas in &made.replicas {
        assert!(replicas.iter().all(|id| id.0 <= 6), "{replicas:?}");
        let racks: BTreeSet<u32> = replicas.iter().map(|id| id.0 % 3).collect();
        assert_eq!(racks.len(), 3);
    }
    world.carry_out(&decision);
    assert!(decided(&mut world, &text).is_empty());
    assert!(world.state.owns("events.a", world.ids().get("events.a")));
}

#[test]
fn a_topic_that_was_there_is_not_owned_and_only_what_differs_is_set() {
    let config = [("retention.ms", "5"), ("segment.ms", "7")];
    let mut world = World::default().with("events.a", &[&[1, 2, 3], &[4, 5, 6]], &config);
    let text = one("events.a", ORDERS);
    let decision = decided(&mut world, &text);
    let change = &decision.configs[0];
    assert_eq!(change.set, BTreeMap::from([("retention.ms".to_owned(), "1000".to_owned())]));
    assert_eq!(change.before["retention.ms"], "5");
    assert!(change.unset.is_empty() && decision.create.is_empty() && decision.grow.is_empty());
    world.carry_out(&decision);
    assert!(!world.state.owns("events.a", world.ids().get("events.a")));
    assert_eq!(world.state.keys("events.a"), BTreeSet::from(["retention.ms"]));

    // The key is removed with its definition; the key that another tool set stays.
    let text = one("events.a", "partitions: 2, replication: 3");
    let decision = decided(&mut world, &text);
    assert_eq!(decision.configs[0].unset, BTreeSet::from(["retention.ms".to_owned()]));
    world.carry_out(&decision);
    assert_eq!(world.topics["events.a"].1.len(), 1);
    assert!(decided(&mut world, &text).is_empty());
    assert_eq!(world.state.topics, BTreeMap::new());
}

#[test]
fn partitions_are_added_and_never_taken_away() {
    let mut world = World::default().with("events.a", &[&[1, 2], &[4, 5]], &[]);
    let decision = decided(&mut world, &one("events.a", "partitions: 5, replication: 2"));
    let grow = &decision.grow[0];
    assert_eq!((grow.from, grow.to()), (2, 5));
    assert!(grow.replicas.iter().all(|list| list.len() == 2));
    world.carry_out(&decision);
    let decision = decided(&mut world, &one("events.a", "partitions: 4, replication: 2"));
    assert_eq!(decision.held[0].why, WhyHeld::Shrink { from: 5, to: 4 });
    assert!(decision.grow.is_empty());
}

#[test]
fn partitions_follow_the_replicas_of_a_deployment_and_only_grow() {
    let text = one(
        "events.a",
        "partitions: {replicasOf: deployment/shop/billing, atMost: 6}, replication: 2",
    );
    let mut world = World::default();
    let decision = decided(&mut world, &text);
    let why = "its partitions are the replicas of deployment/shop/billing, which does not exist";
    assert_eq!(decision.held[0].why.to_string(), why);
    assert!(decision.create.is_empty());
    world.scale("billing", 0);
    let decision = decided(&mut world, &text);
    assert!(matches!(decision.held[0].why, WhyHeld::NoReplicas(_)), "{:?}", decision.held);
    assert!(decision.create.is_empty());

    world.scale("billing", 3);
    let decision = decided(&mut world, &text);
    assert_eq!(decision.create[0].replicas.len(), 3);
    world.carry_out(&decision);
    // At night the Deployment sleeps, and then it gets more replicas than ever.
    for (replicas, grown) in [(3, None), (1, None), (0, None), (5, Some(5)), (2, None)] {
        world.scale("billing", replicas);
        let decision = decided(&mut world, &text);
        assert_eq!(decision.grow.first().map(|grow| grow.to()), grown, "{replicas} replicas");
        assert!(decision.held.is_empty(), "{:?}", decision.held);
        world.carry_out(&decision);
    }
    world.scale("billing", 1_000);
    let decision = decided(&mut world, &text);
    assert_eq!((decision.grow[0].from, decision.grow[0].to()), (5, 6));
    world.carry_out(&decision);
    world.replicas.clear();
    let decision = decided(&mut world, &text);
    assert!(matches!(decision.held[0].why, WhyHeld::NoDeployment(_)), "{:?}", decision.held);
    assert!(decision.grow.is_empty());
}

#[test]
fn new_partitions_are_as_many_times_replicated_as_the_old_ones_until_a_plan_has_run() {
    let mut world = World::default().with("events.a", &[&[1, 2]], &[]);
    let decision = decided(&mut world, &one("events.a", "partitions: 2, replication: 3"));
    assert_eq!(decision.grow[0].replicas[0].len(), 2);
    assert_eq!((decision.moves[0].wrong_replication, decision.moves[0].off_map), (1, 0));
}

#[test]
fn replicas_off_the_map_are_for_a_plan() {
    let mut world = World::default().with("logs.a", &[&[1, 8, 9], &[7, 8, 9]], &[]);
    let decision = decided(&mut world, &one("logs.a", "partitions: 2, replication: 3"));
    let moving = &decision.moves[0];
    assert_eq!((moving.wrong_replication, moving.off_map), (0, 1));
    assert!(decision.create.is_empty() && decision.grow.is_empty());
}

#[test]
fn a_topic_too_large_for_its_map_does_not_stop_the_others() {
    let text = "version: 1\ndefaults: {partitions: 1}\ntopics: [{name: logs.a, replication: 4}, \
                {name: logs.b, replication: 3}]";
    let decision = decided(&mut World::default(), text);
    assert_eq!(decision.create[0].topic, "logs.b");
    assert!(matches!(decision.held[0].why, WhyHeld::NoPlace(_)), "{:?}", decision.held);
}

#[test]
fn maps_and_min_isr_are_held_against_each_topic() {
    let text = "version: 1\ndefaults: {partitions: 1, replication: 2}\ntopics:\n  - {name: other}\n  \
                - {name: logs.a, map: m1}\n  - {name: logs.b, map: m3}\n  \
                - {name: logs.c, config: {min.insync.replicas: 3}}\n  \
                - {name: logs.d, config: {min.insync.replicas: 2}}\n  \
                - {name: logs.e, config: {min.insync.replicas: 2}, allow: [min-isr]}\n  \
                - {name: logs.f, config: {min.insync.replicas: many}}\n  - {name: else, map: m2}\n";
    assert_eq!(
        mistakes(&mut World::default(), text),
        [
            "test.yaml:4:5: topic other: map: no map takes this topic; the maps are m1, m2",
            "test.yaml:5:25: topic logs.a: map: says m1, but map m2 takes this topic",
            "test.yaml:6:25: topic logs.b: map: there is no map \"m3\"; the maps are m1, m2",
            "test.yaml:7:50: topic logs.c: config.min.insync.replicas: 3 is above the replication factor 2: no \
             write with acks=all succeeds",
            "test.yaml:8:50: topic logs.d: config.min.insync.replicas: 2 equals the replication factor: one \
             replica less and no write with acks=all succeeds; if that is meant, say allow: [min-isr]",
            "test.yaml:10:50: topic logs.f: config.min.insync.replicas: has to be a number from 1 to 32767, not \
             \"many\"",
        ]
    );
}

#[test]
fn a_min_isr_that_the_cluster_has_already_is_no_mistake() {
    let config = [("min.insync.replicas", "2")];
    let text = one("logs.d", "partitions: 1, replication: 2, config: {min.insync.replicas: 2}");
    let mut world = World::default().with("logs.d", &[&[7, 8]], &config);
    assert!(decided(&mut world, &text).is_empty());
    let mut world = World::default().with("logs.d", &[&[7, 8, 9]], &config);
    assert_eq!(mistakes(&mut world, &text).len(), 1);
}

#[test]
fn a_topic_of_its_own_that_somebody_deleted_waits_for_recreate() {
    let mut world = World::default();
    let text = one("events.a", ORDERS);
    let decision = decided(&mut world, &text);
    world.carry_out(&decision);
    world.topics.clear();
    let decision = decided(&mut world, &text);
    assert_eq!(decision.held[0].why, WhyHeld::Deleted);
    assert!(decision.create.is_empty());
    let again = Options { recreate: true, ..Options::default() };
    assert_eq!(world.decide(&text, &again).unwrap().create.len(), 1);
}

#[test]
fn a_topic_that_somebody_made_anew_is_theirs() {
    let mut world = World::default();
    let decision = decided(&mut world, &one("events.a", ORDERS));
    world.carry_out(&decision);
    world.remade.insert("events.a".to_owned());
    let none = "version: 1\ntopics: []";
    assert!(world.decide(none, &prune_after(0)).unwrap().is_empty());
    assert_eq!(world.state.topics, BTreeMap::new());
}

#[test]
fn a_run_that_was_killed_neither_loses_nor_gains() {
    let text = one("events.a", ORDERS);
    let mut before = World::default();
    let decision = decided(&mut before, &text);
    let made = &decision.create[0];
    before.state.intend_to_create(&made.topic, &made.replicas, &made.config);

    // Killed after it created the topic: the topic belongs to it.
    let mut world = before.clone();
    let mut other = before.clone();
    world.carry_out(&decision);
    world.state = before.state.clone();
    assert!(decided(&mut world, &text).is_empty());
    assert!(world.state.owns("events.a", world.ids().get("events.a")));

    // Killed before that, and another tool created a topic with that name: it does not belong to it.
    other = other.with("events.a", &[&[1, 2, 3], &[4, 5, 6]], &[("retention.ms", "1000")]);
    assert!(decided(&mut other, &text).is_empty());
    assert_eq!(other.state.topics, BTreeMap::new());

    // Killed before that, and the topic does not exist: it is created now.
    assert_eq!(decided(&mut before, &text).create, decision.create);
}

#[test]
fn a_key_that_was_only_about_to_be_set_is_not_owned() {
    let text = one("events.a", ORDERS);
    let mut world =
        World::default().with("events.a", &[&[1, 2, 3], &[4, 5, 6]], &[("retention.ms", "5")]);
    let decision = decided(&mut world, &text);
    let id = world.ids().get("events.a").cloned();
    world.state.intend_to_set("events.a", id.as_ref(), &decision.configs[0].set);
    let without = one("events.a", "partitions: 2, replication: 3");
    assert!(decided(&mut world.clone(), &without).is_empty());
    // The config was set, and then the run was killed.
    world.topics.get_mut("events.a").unwrap().1.insert("retention.ms".into(), "1000".into());
    assert_eq!(decided(&mut world, &without).configs[0].unset.len(), 1);
}

/// A world with one created topic that is no longer defined, and the document without it.
fn left_over() -> (World, &'static str) {
    let mut world = World::default();
    let decision = decided(&mut world, &one("events.a", ORDERS));
    world.carry_out(&decision);
    world.end_offsets = ends(5);
    (world, "version: 1\ntopics: []")
}

fn ends(last: u64) -> BTreeMap<String, BTreeMap<PartitionId, u64>> {
    let ends = [(PartitionId(0), 9), (PartitionId(1), last)].into();
    BTreeMap::from([("events.a".to_owned(), ends)])
}

fn refusals(decision: &TopicChanges) -> Vec<Option<PruneRefusal>> {
    decision.prune.iter().map(|prune| prune.refusal.clone()).collect()
}

#[test]
fn a_topic_is_deleted_only_when_it_has_been_quiet_for_long_enough() {
    let (mut world, none) = left_over();
    let too_soon = |quiet| [Some(PruneRefusal::TooSoon { quiet, after: 100 })];
    assert_eq!(refusals(&world.decide(none, &prune_after(100)).unwrap()), too_soon(0));
    world.now = 99;
    assert_eq!(refusals(&world.decide(none, &prune_after(100)).unwrap()), too_soon(99));
    world.now = 100;
    assert_eq!(refusals(&decided(&mut world, none)), [Some(PruneRefusal::NotAsked)]);
    let mut written = world.clone();
    let decision = world.decide(none, &prune_after(100)).unwrap();
    assert_eq!(refusals(&decision), [None]);
    world.carry_out(&decision);
    assert_eq!((world.topics.len(), world.state.topics.len()), (0, 0));

    // A record was written in that time: the quiet time starts again.
    written.end_offsets = ends(6);
    let decision = written.decide(none, &prune_after(100)).unwrap();
    assert_eq!(refusals(&decision), [Some(PruneRefusal::Traffic)]);
    assert_eq!(refusals(&written.decide(none, &prune_after(100)).unwrap()), too_soon(0));
}

#[test]
fn a_topic_that_does_not_tell_where_it_ends_is_kept() {
    let (mut world, none) = left_over();
    world.end_offsets.clear();
    let decision = world.decide(none, &prune_after(0)).unwrap();
    assert_eq!(refusals(&decision), [Some(PruneRefusal::OffsetsUnknown)]);
}

#[test]
fn no_more_is_deleted_than_allowed_and_nothing_that_is_defined_again() {
    let mut world = World::default();
    let text = "version: 1\ndefaults: {partitions: 1, replication: 1}\ntopics: [{name: logs.a}, {name: logs.b}]";
    let decision = decided(&mut world, text);
    world.carry_out(&decision);
    let end = || BTreeMap::from([(PartitionId(0), 0)]);
    world.end_offsets = ["logs.a", "logs.b"].map(|name| (name.to_owned(), end())).into();
    let none = "version: 1\ntopics: []";
    decided(&mut world, none);
    let decision = world.decide(none, &prune_after(0)).unwrap();
    assert_eq!(refusals(&decision), [None, Some(PruneRefusal::TooMany { most: 1 })]);
    assert!(decided(&mut world, text).is_empty());
    assert!(world.state.topics.values().all(|topic: &TopicState| topic.absent.is_none()));
}
