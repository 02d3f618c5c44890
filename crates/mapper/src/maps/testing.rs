//! Helpers for tests of maps: values to compare, and random maps.

use super::{Allowance, Map, MapName, MapPlace, MapSet, MapTopics, REST, Resolved, Target};
use crate::ids::{BrokerId, PartitionId};
use crate::scope::TopicPattern;
use crate::snapshot::{Broker, Partition, Parts, Snapshot, Topic};
use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// The maps of a valid document.
pub(super) fn maps(text: &str) -> MapSet {
    MapSet::parse("test.yaml", text).unwrap_or_else(|error| panic!("{error}"))
}

/// The error of an invalid document.
pub(super) fn refusal(text: &str) -> String {
    match MapSet::parse("test.yaml", text) {
        Ok(maps) => panic!("accepted:\n{maps}"),
        Err(error) => error.to_string(),
    }
}

/// The maps without their places, to compare maps from different formats.
pub(super) fn unplaced(maps: &MapSet) -> Vec<Map> {
    let place = MapPlace::start_of("");
    maps.maps().iter().map(|map| Map { place: place.clone(), ..map.clone() }).collect()
}

pub(super) fn any_map() -> impl Strategy<Value = Map> {
    let allow = btree_set(proptest::sample::select(Allowance::ALL.to_vec()), 0..3);
    let replication = proptest::option::of(1_u32..10);
    ("[a-z_][a-z0-9_.-]{0,8}", any_pattern(), any_target(), replication, allow).prop_map(
        |(name, pattern, target, replication, allow)| Map {
            topics: if name == REST {
                MapTopics::Rest
            } else {
                MapTopics::Matching(TopicPattern::new(&pattern).unwrap())
            },
            name: MapName::new(&name).unwrap(),
            target,
            replication,
            allow,
            place: MapPlace::start_of(""),
        },
    )
}

/// Patterns with characters that have a meaning in lines or in YAML: `=>`, `#`, `,`, a backslash. Other tests cover quotes.
fn any_pattern() -> impl Strategy<Value = String> {
    let atoms =
        ["events", ".*", r"\.", "=>", "#", ", ", ": ", "a|b", "[0-9]", "(x)", r"\\", "é", " "];
    proptest::collection::vec(proptest::sample::select(atoms.to_vec()), 0..5)
        .prop_map(|atoms| atoms.concat())
}

fn any_target() -> impl Strategy<Value = Target> {
    let labels = btree_map("x[a-z./-]{0,5}", "[a-z0-9_-]{0,4}", 1..4);
    prop_oneof![
        btree_set((0_u32..40).prop_map(BrokerId), 1..12).prop_map(Target::Ids),
        (1_u32..9, "[a-z][a-z0-9.]{0,9}")
            .prop_map(|(count, instance_type)| { Target::InstanceType { count, instance_type } }),
        ("[a-z-]{1,9}", "[a-z0-9.]{1,9}")
            .prop_map(|(namespace, name)| Target::StatefulSet { namespace, name }),
        ("[a-z-]{1,9}", "[a-z0-9.]{1,9}")
            .prop_map(|(namespace, name)| Target::KafkaNodePool { namespace, name }),
        (labels, proptest::option::of(1_u32..9))
            .prop_map(|(labels, count)| Target::NodeLabels { labels, count }),
        Just(Target::All),
        (1_u32..9, proptest::option::of(btree_set((0_u32..40).prop_map(BrokerId), 1..12)))
            .prop_map(|(count, of)| Target::NumberOf { count, of }),
    ]
}

/// A cluster of live brokers (id, instance type or `""`) and one-partition topics (name, replicas).
pub(super) fn snapshot(brokers: &[(u32, &str)], topics: &[(&str, &[u32])]) -> Snapshot {
    let broker = |(id, instance_type): &(u32, &str)| Broker {
        instance_type: (!instance_type.is_empty()).then(|| (*instance_type).to_owned()),
        ..Broker::new(BrokerId(*id))
    };
    let topic = |(name, replicas): &(&str, &[u32])| Topic {
        name: (*name).to_owned(),
        partitions: vec![Partition::new(PartitionId(0), replicas.iter().copied().map(BrokerId))],
        ..Topic::default()
    };
    Snapshot::new(Parts {
        brokers: brokers.iter().map(broker).collect(),
        topics: topics.iter().map(topic).collect(),
        ..Parts::default()
    })
    .unwrap()
}

pub(super) fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The findings in the operator's words.
pub(super) fn said(resolved: &Resolved) -> Vec<String> {
    resolved.findings.iter().map(ToString::to_string).collect()
}
