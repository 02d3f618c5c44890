//! The maps and snapshots that users start from, resolved with each other.

use super::testing::{maps, names, said, snapshot};
use super::{Group, MapFacts, MapSet, MapSeverity, Resolved, resolve};
use crate::assign::assign;
use crate::assignment::TopicSelection;
use crate::ids::BrokerId;
use crate::snapshot::Snapshot;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

macro_rules! fixture {
    ($name:literal) => {
        Snapshot::from_json(include_bytes!(concat!("../../fixtures/", $name)))
            .unwrap_or_else(|error| panic!("{}: {error}", $name))
    };
}

macro_rules! written {
    ($name:literal) => {
        MapSet::parse($name, include_str!(concat!("../../maps/", $name)))
            .unwrap_or_else(|error| panic!("{error}"))
    };
}

fn ids(resolved: &Resolved, map: usize) -> Vec<u32> {
    resolved.maps[map].brokers.iter().map(|member| member.id.0).collect()
}

#[test]
fn every_fixture_is_a_snapshot() {
    let read = [
        fixture!("failed-log-dir.json"),
        fixture!("fenced-broker.json"),
        fixture!("lost-broker.json"),
        fixture!("map-drift.json"),
        fixture!("mixed-sizes.json"),
        fixture!("new-broker.json"),
        fixture!("no-leader.json"),
        fixture!("no-racks.json"),
        fixture!("no-space.json"),
        fixture!("reassigning.json"),
        fixture!("scale-up.json"),
        fixture!("three-racks.json"),
        fixture!("two-copies.json"),
        fixture!("unmapped.json"),
        fixture!("whole-rack-lost.json"),
        fixture!("whole.json"),
    ];
    for snapshot in read {
        assert!(snapshot.brokers().len() >= 5 && !snapshot.topics().is_empty());
    }
}

#[test]
fn the_lost_broker_is_all_that_tells_the_two_large_fixtures_apart() {
    let (whole, lost) = (fixture!("whole.json"), fixture!("lost-broker.json"));
    let layout = |snapshot: &Snapshot| -> Vec<_> {
        let partitions = snapshot.topics().iter().flat_map(|topic| &topic.partitions);
        partitions.map(|partition| partition.replicas.clone()).collect()
    };
    assert_eq!(layout(&whole), layout(&lost));
    assert_eq!(layout(&lost).len(), 200);
    let gone = whole.brokers().iter().filter(|broker| !lost.is_live(broker.id));
    assert_eq!(gone.map(|broker| broker.id.0).collect::<Vec<_>>(), [1003]);
}

#[test]
fn the_production_maps_fit_the_whole_cluster_in_every_form() {
    let cluster = fixture!("whole.json");
    for maps in [
        written!("production.yaml"),
        written!("by-instance-type.yaml"),
        written!("lines.maps"),
        written!("with-rest.yaml"),
    ] {
        let resolved = resolve(&maps, &MapFacts::of(&cluster));
        assert_eq!(resolved.findings, []);
        assert_eq!(ids(&resolved, 0), [1001, 1002, 1003, 1004, 1005, 1006]);
        assert_eq!(ids(&resolved, 1), [1007, 1008, 1009]);
        assert_eq!(resolved.unmapped, []);
        assert_eq!(resolved.drift(&cluster), []);
        let assigned = assign(&cluster, resolved.assignments().unwrap()).unwrap();
        assert!(assigned.iter().all(Option::is_some));
    }
}

#[test]
fn a_lost_broker_stays_in_its_map_and_counts_as_lost() {
    let cluster = fixture!("lost-broker.json");
    let resolved = resolve(&written!("production.yaml"), &MapFacts::of(&cluster));
    assert_eq!(said(&resolved), [""; 0]);
    let resolved = resolve(&written!("by-instance-type.yaml"), &MapFacts::of(&cluster));
    assert_eq!(
        said(&resolved),
        ["map map1 asks for 6 brokers and has 5 live ones: broker 1003 lost"]
    );
    assert_eq!(resolved.findings[0].severity(), MapSeverity::Notice);
    let lost = &resolved.maps[0].brokers[2];
    assert_eq!((lost.id, lost.live, lost.rack.as_deref()), (BrokerId(1003), false, Some("eu-1c")));
    assert!(resolved.assignments().is_ok());
}

#[test]
fn a_group_that_only_kubernetes_knows_is_refused_until_it_is_told() {
    let cluster = fixture!("whole.json");
    let maps = written!("kubernetes.yaml");
    let mut known = MapFacts::of(&cluster);
    let refused = resolve(&maps, &known).assignments().unwrap_err();
    let first =
        "map map1 needs the Kubernetes API to find its brokers: statefulSet kafka/kafka-events; ";
    assert!(refused.to_string().starts_with(first), "{refused}");
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    for (group, members) in [
        (
            Group::StatefulSet { namespace: "kafka".to_owned(), name: "kafka-events".to_owned() },
            1001..=1005,
        ),
        (Group::NodeLabels([label("pool", "large"), label("disk", "ssd")].into()), 1007..=1009),
        (Group::NodeLabels([label("pool", "small")].into()), 1006..=1006),
    ] {
        let members = members.map(|id| (BrokerId(id), None)).collect();
        known.groups.insert(group, members);
    }
    let resolved = resolve(&maps, &known);
    assert_eq!(said(&resolved), [""; 0]);
    assert_eq!(ids(&resolved, 1), [1007, 1008, 1009]);
    assert_eq!(resolved.maps[0].brokers[0].rack.as_deref(), Some("eu-1a"));
}

#[test]
fn without_a_cluster_topics_are_unknown_and_racks_come_from_the_group() {
    let maps = maps("m: \"x\" => statefulSet ns/kafka");
    let group = maps.maps()[0].target.group().unwrap();
    let members = BTreeMap::from([(BrokerId(1), Some("eu-1a".to_owned()))]);
    let known = MapFacts { groups: [(group, members)].into(), ..MapFacts::default() };
    let resolved = resolve(&maps, &known);
    assert_eq!(resolved.findings, []);
    assert_eq!(resolved.maps[0].topics, None);
    assert_eq!(resolved.maps[0].brokers[0].rack.as_deref(), Some("eu-1a"));
}

#[test]
fn replicas_off_their_map_are_counted_for_each_broker() {
    let cluster = fixture!("map-drift.json");
    let resolved = resolve(&written!("production.yaml"), &MapFacts::of(&cluster));
    let drift = resolved.drift(&cluster);
    let seen: Vec<(&str, usize)> = drift.iter().map(|d| (d.topic.as_str(), d.replicas())).collect();
    assert_eq!(seen, [("events.raw", 2), ("check_runs", 1)]);
    assert_eq!(drift[0].off, [(BrokerId(1007), 1), (BrokerId(1008), 1)].into());
}

#[test]
fn topics_that_no_map_takes_are_listed_with_what_they_lost() {
    let cluster = fixture!("unmapped.json");
    let resolved = resolve(&written!("production.yaml"), &MapFacts::of(&cluster));
    let unmapped: Vec<(&str, usize)> =
        resolved.unmapped.iter().map(|u| (u.topic.as_str(), u.lost_replicas)).collect();
    assert_eq!(unmapped, [("billing.archive", 0), ("billing.invoices", 2)]);
    assert_eq!(resolved.internal, ["__consumer_offsets".to_owned()].into());
    let last = resolved.assignments().unwrap().last().unwrap();
    assert_eq!((&last.topics, last.brokers.len()), (&TopicSelection::Internal, 9));
}

#[test]
fn the_rest_takes_what_the_others_leave_wherever_it_is_written() {
    let cluster =
        snapshot(&[(1, ""), (2, "")], &[("a", &[1]), ("b", &[2]), ("__consumer_offsets", &[1])]);
    let maps = maps("rest: => all\nm: \"a\" => [1]");
    let resolved = resolve(&maps, &MapFacts::of(&cluster));
    assert_eq!(resolved.findings, []);
    assert_eq!(resolved.maps[0].topics, Some(names(&["__consumer_offsets", "b"])));
    let assignments = resolved.assignments().unwrap();
    assert_eq!(assignments.last().unwrap().topics, TopicSelection::Rest);
    assert_eq!(assign(&cluster, assignments).unwrap(), [Some(1), Some(0), Some(1)]);
}

#[test]
fn a_map_may_name_an_internal_topic() {
    let cluster = snapshot(&[(1, ""), (2, "")], &[("__consumer_offsets", &[1])]);
    let maps = maps("m: \"__.*\" => [1,2]");
    let resolved = resolve(&maps, &MapFacts::of(&cluster));
    assert_eq!(resolved.internal, BTreeSet::new());
    assert_eq!(assign(&cluster, resolved.assignments().unwrap()).unwrap(), [Some(0)]);
}

/// Kafka's flag says that it is not internal.
#[test]
fn a_topic_of_ours_counts_as_internal() {
    let mut parts =
        snapshot(&[(1, ""), (2, "")], &[("__mappr_state", &[1]), ("a", &[2])]).into_parts();
    parts.topics.iter_mut().for_each(|topic| topic.internal = Some(false));
    let cluster = Snapshot::new(parts).unwrap();
    let maps = maps("m: \"a\" => [1,2]");
    let resolved = resolve(&maps, &MapFacts::of(&cluster));
    assert_eq!(resolved.findings, []);
    assert_eq!(resolved.internal, ["__mappr_state".to_owned()].into());
    assert_eq!(assign(&cluster, resolved.assignments().unwrap()).unwrap(), [Some(1), Some(0)]);
}

#[test]
fn overlapping_maps_are_errors_that_name_both() {
    let cluster = snapshot(&[(1, ""), (2, "")], &[("a1", &[1]), ("a2", &[2]), ("b", &[2])]);
    let maps = maps("x: \"a.*\" => [1]\ny: \"a1|b\" => [1,2]");
    let resolved = resolve(&maps, &MapFacts::of(&cluster));
    assert_eq!(
        said(&resolved),
        ["maps x and y both take topic a1", "maps x and y both have broker 1"]
    );
    assert_eq!(resolved.assignments().unwrap_err().findings.len(), 2);
    assert_eq!(resolved.problems_of(&resolved.maps[1].name).count(), 2);
}

#[test]
fn brokers_are_shared_only_if_both_maps_say_so() {
    let cluster = snapshot(&[(1, "")], &[("a", &[1]), ("b", &[1])]);
    let one = maps("x: \"a\" => [1], allow=[shared-brokers]\ny: \"b\" => [1]");
    assert!(resolve(&one, &MapFacts::of(&cluster)).assignments().is_err());
    let both =
        maps("x: \"a\" => [1], allow=[shared-brokers]\ny: \"b\" => [1], allow=[shared-brokers]");
    assert!(resolve(&both, &MapFacts::of(&cluster)).assignments().is_ok());
}

#[test]
fn a_map_without_topics_is_an_error_unless_it_may_or_they_are_defined() {
    let cluster = snapshot(&[(1, "")], &[("my-events", &[1])]);
    let mut known = MapFacts::of(&cluster);
    let strict = maps("m: \"events\" => [1]");
    assert_eq!(
        said(&resolve(&strict, &known)),
        [
            "map m takes no topic: the pattern \"events\" matches no topic by its whole name (it matches a part of 1 \
          topic, \"my-events\" the first: write \".*\" before or after it to take them)"
        ]
    );
    let lenient = maps("m: \"events\" => [1], allow=[no-topics]");
    assert!(assign(&cluster, resolve(&lenient, &known).assignments().unwrap()).is_ok());
    known.defined_topics.insert("events".to_owned());
    let resolved = resolve(&strict, &known);
    assert!(assign(&cluster, resolved.assignments().unwrap()).is_ok());
    assert_eq!(resolved.maps[0].topics, Some(names(&["events"])));
}

#[test]
fn a_map_may_wait_for_its_first_topic_unless_a_typing_error_is_likely() {
    let cluster = snapshot(&[(1, "")], &[("__consumer_offsets", &[1]), ("my-logs", &[1])]);
    let waiting = |text: &str| {
        let maps = maps(text);
        let mut resolved = resolve(&maps, &MapFacts::of(&cluster));
        let waiting = resolved.let_maps_wait(&maps).len();
        (waiting, said(&resolved).len())
    };
    assert_eq!(waiting("a: \"events\" => [1]"), (1, 0));
    assert_eq!(waiting("a: \"logs\" => [1]"), (0, 1), "a part of my-logs");
    assert_eq!(waiting("a: \"events\" => [1]\nrest: => [1]"), (0, 1), "the rest takes my-logs");
    assert_eq!(waiting("a: \"events\" => [1]\nb: \"my-logs\" => [1]\nrest: => [1]").0, 1);
    assert_eq!(waiting("a: \"events\" => [1,7]"), (1, 1), "other findings stay");
}

#[test]
fn an_id_is_known_if_it_is_registered_or_holds_a_replica() {
    let cluster = snapshot(&[(1, "")], &[("a", &[1, 3])]);
    let maps = maps("m: \"a\" => [1..5]");
    assert_eq!(
        said(&resolve(&maps, &MapFacts::of(&cluster))),
        ["map m lists brokers 2,4,5, neither registered nor in any replica list"]
    );
}

proptest! {
    /// Neither the order of brokers and topics in a file nor the order of the maps changes which brokers a map gets.
    #[test]
    fn the_order_of_the_input_changes_nothing(
        order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle(),
        held in proptest::collection::vec(1_u32..9, 12),
        turned in any::<bool>(),
    ) {
        let brokers: Vec<(u32, &str)> = (1..9).map(|id| (id, "big")).collect();
        let topics: Vec<(String, [u32; 1])> =
            (0..12).map(|i| (format!("{}{i}", ["a", "b"][i % 2]), [held[i]])).collect();
        let listed = |order: &[usize]| {
            let topics: Vec<(&str, &[u32])> =
                order.iter().map(|i| (topics[*i].0.as_str(), &topics[*i].1[..])).collect();
            let mut brokers = brokers.clone();
            brokers.rotate_left(order[0] % 8);
            snapshot(&brokers, &topics)
        };
        let straight = listed(&(0..12).collect::<Vec<_>>());
        let shuffled = listed(&order);
        let lines = ["x: \"a.*\" => 3x big", "y: \"b.*\" => 3x big"];
        let written = maps(&lines.join("\n"));
        let other = if turned { maps(&[lines[1], lines[0]].join("\n")) } else { written.clone() };
        let first = resolve(&written, &MapFacts::of(&straight));
        let second = resolve(&other, &MapFacts::of(&shuffled));
        for map in &first.maps {
            prop_assert!(second.maps.contains(map));
        }
    }
}
