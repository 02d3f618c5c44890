//! One test for each convention, and for each of its failures.

use super::*;
use crate::facts::{EnvVar, Name, Owner};

fn pod(name: &str) -> PodFacts {
    let owner = Owner { kind: "StatefulSet".into(), name: "kafka-events".into() };
    PodFacts { name: Name::new("kafka", name), owner: Some(owner), ..PodFacts::default() }
}

fn keys(pairs: &[(&str, &str)]) -> Keys {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn env(pairs: &[(&str, &str)]) -> Vec<EnvVar> {
    let text = |value: &str| EnvValue::Text(value.to_owned());
    pairs.iter().map(|(name, value)| EnvVar { name: (*name).into(), value: text(value) }).collect()
}

fn set(annotations: &[(&str, &str)]) -> StatefulSetFacts {
    StatefulSetFacts { annotations: keys(annotations), ..StatefulSetFacts::default() }
}

fn order(rules: &str) -> Order {
    let rules = rules.split(',').map(|rule| rule.parse().unwrap()).collect();
    Order { rules, base: 0 }
}

/// The id by the default order.
fn id(pod: &PodFacts) -> u32 {
    broker_id(pod, None, None, &Order::default()).unwrap().id.0
}

fn refused(pod: &PodFacts) -> String {
    broker_id(pod, None, None, &Order::default()).unwrap_err().to_string()
}

#[test]
fn an_annotation_or_label_that_ends_in_broker_id_outranks_all_else() {
    let annotated = keys(&[("kafka.example.com/broker-id", "7"), ("x/not-a-broker-id", "8")]);
    let variables = env(&[("KAFKA_BROKER_ID", "9")]);
    let mut pod = PodFacts { annotations: annotated, env: variables, ..pod("kafka-0") };
    assert_eq!(id(&pod), 7);
    pod.annotations.clear();
    pod.labels = keys(&[("broker-id", "6")]);
    assert_eq!(id(&pod), 6);
}

#[test]
fn two_annotations_that_differ_are_a_contradiction_and_equal_ones_are_not() {
    let mut pod =
        PodFacts { annotations: keys(&[("a/broker-id", "1"), ("b/broker-id", "1")]), ..pod("k-0") };
    assert_eq!(id(&pod), 1);
    pod.annotations.insert("c/broker-id".into(), "2".into());
    assert_eq!(
        refused(&pod),
        "annotation a/broker-id and annotation c/broker-id tell different ids"
    );
}

#[test]
fn the_variables_of_the_usual_images_tell_the_id() {
    for name in ID_VARIABLES {
        let pod = PodFacts { env: env(&[("PATH", "/"), (name, "1003")]), ..pod("kafka-0") };
        assert_eq!(id(&pod), 1003, "{name}");
    }
}

#[test]
fn variables_that_tell_no_id_are_refused_rather_than_passed_over() {
    let generated = PodFacts { env: env(&[("KAFKA_CFG_BROKER_ID", "-1")]), ..pod("kafka-0") };
    assert!(
        refused(&generated).starts_with(r#"variable KAFKA_CFG_BROKER_ID is "-1", which is no"#)
    );
    let value = EnvValue::Elsewhere("ConfigMap".into());
    let elsewhere = vec![EnvVar { name: "KAFKA_NODE_ID".into(), value }];
    let elsewhere = PodFacts { env: elsewhere, ..pod("kafka-0") };
    assert_eq!(
        refused(&elsewhere),
        "variable KAFKA_NODE_ID is set from a ConfigMap, which is not read here"
    );
    let two = env(&[("KAFKA_BROKER_ID", "1"), ("KAFKA_NODE_ID", "2")]);
    let two = PodFacts { env: two, ..pod("kafka-0") };
    assert!(refused(&two).ends_with("tell different ids"));
}

#[test]
fn strimzi_numbers_nodes_through_and_takes_no_base() {
    let labels = keys(&[
        ("strimzi.io/cluster", "my"),
        ("strimzi.io/pool-name", "pool-b"),
        ("strimzi.io/broker-role", "true"),
    ]);
    let owner = Some(Owner { kind: "StrimziPodSet".into(), name: "my-pool-b".into() });
    let pod = PodFacts { labels, owner, ..pod("my-pool-b-12") };
    let found = broker_id(&pod, None, None, &Order { base: 1000, ..Order::default() }).unwrap();
    assert_eq!((found.id.0, found.by), (12, IdentitySource::Strimzi));
}

#[test]
fn an_ordinal_is_the_pod_index_else_the_end_of_the_name() {
    assert_eq!(id(&pod("kafka-events-3")), 3);
    let labels = keys(&[(POD_INDEX, "4")]);
    assert_eq!(id(&PodFacts { labels, ..pod("kafka-events-3") }), 4);
    let owner = Some(Owner { kind: "ReplicaSet".into(), name: "kafka-7d9f".into() });
    let chance = PodFacts { owner, ..pod("kafka-7d9f-24579") };
    assert!(refused(&chance).starts_with("none of annotation, label, strimzi, env, ordinal"));
}

#[test]
fn the_base_is_the_first_of_pod_stateful_set_container_and_flag() {
    let order = Order { base: 5000, ..Order::default() };
    let found = |pod: &PodFacts, set: Option<&StatefulSetFacts>| {
        broker_id(pod, set, None, &order).unwrap().id.0
    };
    let mut pod = pod("kafka-events-3");
    assert_eq!(found(&pod, None), 5003);
    pod.env = env(&[(BASE_VARIABLE, "4000")]);
    assert_eq!(found(&pod, None), 4003);
    let labelled = StatefulSetFacts { labels: keys(&[(BASE_KEY, "3000")]), ..set(&[]) };
    assert_eq!(found(&pod, Some(&labelled)), 3003);
    assert_eq!(found(&pod, Some(&set(&[("x.io/broker-id-base", "2500")]))), 2503);
    pod.labels = keys(&[("broker-id-base", "2000")]);
    assert_eq!(found(&pod, Some(&labelled)), 2003);
    pod.annotations = keys(&[("kafka.example.com/broker-id-base", "1000")]);
    assert_eq!(found(&pod, Some(&labelled)), 1003);
}

#[test]
fn a_base_that_is_no_number_or_too_large_is_refused() {
    let wrong = set(&[("x/broker-id-base", "one")]);
    let error = broker_id(&pod("k-1"), Some(&wrong), None, &Order::default()).unwrap_err();
    assert!(error.to_string().starts_with("x/broker-id-base of the StatefulSet is \"one\""));
    let large = Order { base: 2_147_483_647, ..Order::default() };
    let error = broker_id(&pod("k-1"), None, None, &large).unwrap_err();
    assert_eq!(error, IdentityError::TooLarge { ordinal: 1, base: 2_147_483_647 });
}

#[test]
fn a_node_label_tells_the_id_of_whoever_runs_there() {
    let labels = keys(&[("example.com/broker-id", "1009"), ("seat", "17")]);
    let node = NodeFacts { labels, ..NodeFacts::default() };
    let found =
        |rules: &str| broker_id(&pod("k-1"), None, Some(&node), &order(rules)).unwrap().id.0;
    assert_eq!(found("node-label"), 1009);
    assert_eq!(found("node-label:seat,ordinal"), 17);
    assert_eq!(found("ordinal,node-label:seat"), 1);
    // The pod is not scheduled yet, so its broker is unknown.
    let error = broker_id(&pod("k-1"), None, None, &order("node-label:seat")).unwrap_err();
    assert_eq!(error.to_string(), "none of node-label:seat tells its id");
}

#[test]
fn the_order_is_the_operators() {
    let variables = env(&[("KAFKA_BROKER_ID", "9"), ("MY_ID", "8")]);
    let pod = PodFacts { annotations: keys(&[("n", "7")]), env: variables, ..pod("kafka-0") };
    let found = |rules: &str| broker_id(&pod, None, None, &order(rules)).unwrap().id.0;
    assert_eq!(found("annotation:n,env"), 7);
    assert_eq!(found("env,annotation:n"), 9);
    assert_eq!(found("env:MY_ID"), 8);
    for wrong in ["", "name", "ordinal:3", "label:"] {
        assert!(wrong.parse::<Rule>().is_err(), "{wrong:?}");
    }
}
