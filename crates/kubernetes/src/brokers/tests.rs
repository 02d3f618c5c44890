//! One test for each kind of group, and for each finding.

mod laws;

use super::*;
use crate::facts::Owner;
use crate::testing::{add_set, keys, nine, pod, resolved, said, set_group};

fn ids(brokers: &Brokers, group: &Group) -> Vec<u32> {
    brokers.groups[group].keys().map(|id| id.0).collect()
}

#[test]
fn a_stateful_set_is_its_pods_with_the_zones_of_their_nodes() {
    let group = set_group("events");
    let brokers = resolved(&nine(), std::slice::from_ref(&group));
    assert_eq!(ids(&brokers, &group), [1001, 1002, 1003, 1004, 1005, 1006]);
    let racks: Vec<Option<&str>> =
        brokers.groups[&group].values().map(|rack| rack.as_deref()).take(4).collect();
    assert_eq!(racks, [Some("eu-1a"), Some("eu-1b"), Some("eu-1c"), Some("eu-1a")]);
    assert_eq!(said(&brokers), [""; 0]);
    assert_eq!(brokers.pods[0].volume_bytes, Some(1 << 40));
    assert_eq!(brokers.pods.len(), 6, "pods of other sets are no business of the map");
}

#[test]
fn nodes_are_chosen_by_type_label_or_group_whatever_the_provider_calls_it() {
    let by_type = Group::InstanceType("i3.8xlarge".into());
    let by_zone = Group::NodeLabels(keys(&[("topology.kubernetes.io/zone", "eu-1a")]));
    let by_group = Group::NodeLabels(keys(&[(NODE_GROUP, "logs")]));
    let groups = [by_type.clone(), by_zone.clone(), by_group.clone()];
    let brokers = resolved(&nine(), &groups);
    assert_eq!(ids(&brokers, &by_type), [2000, 2001, 2002]);
    assert_eq!(ids(&brokers, &by_group), [2000, 2001, 2002]);
    assert_eq!(ids(&brokers, &by_zone), [1001, 1004, 2000]);
}

#[test]
fn old_and_own_label_names_are_known() {
    let mut inventory = nine();
    let node = inventory.nodes.get_mut("events-node-0").unwrap();
    node.labels = keys(&[("failure-domain.beta.kubernetes.io/zone", "old"), ("room", "7")]);
    let rack = |rules: &Rules| {
        let groups = BTreeSet::from([set_group("events")]);
        brokers(&inventory, rules, &groups).pods[0].rack.clone()
    };
    assert_eq!(rack(&Rules::default()).as_deref(), Some("old"));
    let own = Rules { racks: vec!["room".into()], ..Rules::default() };
    assert_eq!(rack(&own).as_deref(), Some("7"));
}

#[test]
fn an_unscheduled_pod_belongs_where_its_selector_sends_it() {
    let mut inventory = nine();
    let lost = pod(&mut inventory, "events-2");
    (lost.node, lost.ready, lost.phase) = (None, false, Phase::Pending);
    lost.reason = Some("0/9 nodes are available.".into());
    lost.node_selector = keys(&[("node.kubernetes.io/instance-type", "i3.4xlarge")]);
    let group = Group::InstanceType("i3.4xlarge".into());
    let brokers = resolved(&inventory, std::slice::from_ref(&group));
    assert!(brokers.groups[&group].contains_key(&BrokerId(1003)));
    assert_eq!(
        said(&brokers),
        ["pod kafka/events-2 (broker 1003) has no node: 0/9 nodes are available"]
    );
}

#[test]
fn each_trouble_of_a_pod_is_said_as_it_is() {
    type Change = fn(&mut PodFacts);
    let cases: [(Change, &str, &str); 4] = [
        (|pod| pod.terminating = true, "pod-terminating", "is terminating"),
        (|pod| pod.phase = Phase::Ended, "pod-ended", "has ended"),
        (
            |pod| (pod.phase, pod.reason) = (Phase::Pending, Some("ImagePullBackOff".into())),
            "pod-pending",
            "has not started: ImagePullBackOff",
        ),
        (|pod| pod.ready = false, "pod-not-ready", "is not ready"),
    ];
    for (change, code, words) in cases {
        let mut inventory = nine();
        change(pod(&mut inventory, "events-0"));
        let brokers = resolved(&inventory, &[set_group("events")]);
        assert_eq!(said(&brokers), [format!("pod kafka/events-0 (broker 1001) {words}")]);
        let (finding, groups) = &brokers.findings[0];
        assert_eq!(finding.code(), code);
        assert_eq!(*groups, BTreeSet::from([set_group("events")]));
    }
}

#[test]
fn a_lost_node_is_named_with_its_pods() {
    let mut inventory = nine();
    pod(&mut inventory, "logs-1").ready = false;
    inventory.nodes.get_mut("logs-node-1").unwrap().health =
        Health::Silent { since: Some("2026-11-20T07:00:00Z".into()) };
    pod(&mut inventory, "logs-2").ready = false;
    inventory.nodes.remove("logs-node-2");
    let brokers = resolved(&inventory, &[set_group("logs")]);
    assert_eq!(
        said(&brokers)[2..],
        [
            "node logs-node-1 has been silent since 2026-11-20T07:00:00Z; on it: kafka/logs-1",
            "node logs-node-2 does not exist any more; on it: kafka/logs-2",
        ]
    );
}

#[test]
fn two_brokers_on_one_node_are_named() {
    let mut inventory = nine();
    pod(&mut inventory, "events-3").node = Some("events-node-0".into());
    let brokers = resolved(&inventory, &[set_group("events")]);
    assert_eq!(
        said(&brokers),
        ["node events-node-0 runs 2 brokers: kafka/events-0, kafka/events-3"]
    );
}

#[test]
fn two_pods_that_claim_one_id_are_an_error_and_no_broker_has_both() {
    let mut inventory = nine();
    add_set(&mut inventory, "copy", 1001, 1, "i3.4xlarge");
    let brokers = resolved(&inventory, &[set_group("events"), set_group("copy")]);
    assert_eq!(said(&brokers), ["broker 1001 is claimed by 2 pods: kafka/copy-0, kafka/events-0"]);
    assert_eq!(brokers.findings[0].0.severity(), mapper::maps::MapSeverity::Error);
    assert_eq!(brokers.findings[0].1.len(), 2);
    assert_eq!(brokers.pod_of(BrokerId(1001)), None);
    // A StatefulSet that no map names claims no id.
    assert_eq!(said(&resolved(&inventory, &[set_group("events")])), [""; 0]);
}

#[test]
fn a_pod_of_unknown_id_is_named_and_no_member() {
    let mut inventory = nine();
    pod(&mut inventory, "logs-0").labels = keys(&[("broker-id", "first")]);
    let group = set_group("logs");
    let brokers = resolved(&inventory, std::slice::from_ref(&group));
    assert_eq!(ids(&brokers, &group), [2001, 2002]);
    assert!(said(&brokers)[0].starts_with("pod kafka/logs-0 is a broker of unknown id: label"));
}

#[test]
fn sets_and_pods_that_do_not_exist_are_named() {
    let mut inventory = nine();
    inventory.pods.retain(|pod| pod.name.name != "logs-1");
    let brokers = resolved(&inventory, &[set_group("logs"), set_group("none")]);
    assert_eq!(
        said(&brokers),
        [
            "there is no StatefulSet kafka/none",
            "StatefulSet kafka/logs should have 3 pods and lacks logs-1",
        ]
    );
    assert_eq!(brokers.findings[0].1, BTreeSet::from([set_group("none")]));
}

#[test]
fn a_node_without_a_zone_is_named() {
    let mut inventory = nine();
    inventory.nodes.get_mut("logs-node-0").unwrap().labels.clear();
    let brokers = resolved(&inventory, &[set_group("logs")]);
    let expected = "node logs-node-0 of pod kafka/logs-0 has no label that tells its zone";
    assert_eq!(said(&brokers), [expected]);
}

#[test]
fn pods_that_cannot_be_brokers_are_none() {
    let mut inventory = nine();
    for (kind, name) in [("ReplicaSet", "exporter-5d8f-22222"), ("Job", "topics-28")] {
        let mut other = inventory.pods[0].clone();
        other.name = Name::new("kafka", name);
        other.owner = Some(Owner { kind: kind.into(), name: name.into() });
        inventory.pods.push(other);
    }
    let mut controller = inventory.pods[0].clone();
    controller.name = Name::new("kafka", "my-controllers-12");
    controller.owner = Some(Owner { kind: "StrimziPodSet".into(), name: "my".into() });
    controller.labels = keys(&[("strimzi.io/cluster", "my"), (STRIMZI_BROKER, "false")]);
    inventory.pods.push(controller);
    let group = Group::InstanceType("i3.4xlarge".into());
    let brokers = resolved(&inventory, std::slice::from_ref(&group));
    assert_eq!(ids(&brokers, &group), [1001, 1002, 1003, 1004, 1005, 1006]);
    assert_eq!(brokers.pods.len(), 6);
    // Pods chosen by their labels count as brokers, but these have no id.
    let rules = Rules { pods_are_chosen: true, ..Rules::default() };
    let chosen = super::brokers(&inventory, &rules, &BTreeSet::from([group]));
    assert_eq!(chosen.pods.len(), 8);
}
