//! Strimzi's own kinds: a map names a pool of its brokers, pods say their ids, and a roll is left to its operator.
//!
//! The test does what the operator does: it creates the pods of each StrimziPodSet.

use std::fs;

use kube::Api;
use kube::api::DynamicObject;
use kube::core::GroupVersionKind;
use kube::discovery::pinned_kind;
use serde_json::{Value, json};
use testbed::{Cluster, Kubernetes, until};

use super::ZONES;
use crate::binary::{Ended, topicmappr};
use crate::traffic::SOON;

/// The rights of those who roll.
const ROLL: &str = include_str!("../../../deploy/manifests/roll.yaml");
const PLANNING: &str = include_str!("../../../deploy/manifests/planning.yaml");
const MAPS: &str = "version: 1\nmaps:\n  events: {topics: \"events.*\", brokers: {kafkaNodePool: kafka/big}}\n  \
                    logs: {topics: \"logs.*\", brokers: {kafkaNodePool: kafka/small}}\n";

/// The rack of a broker, as the testbed's Kafka has it.
fn zone(id: i32) -> &'static str {
    ZONES[usize::try_from((id - 1001).rem_euclid(3)).unwrap()]
}

/// A pool with its set of pods, as the operator of a cluster `my` makes them.
fn pool(kubernetes: &Kubernetes, name: &str, role: &str, ids: &[i32]) {
    let labels = json!({"strimzi.io/cluster": "my"});
    let pool = json!({
        "apiVersion": "kafka.strimzi.io/v1beta2", "kind": "KafkaNodePool",
        "metadata": {"name": name, "namespace": "kafka", "labels": labels},
        "spec": {"replicas": ids.len(), "roles": [role], "storage": {"type": "jbod", "volumes": [
            {"id": 0, "type": "persistent-claim", "size": "100Gi", "deleteClaim": false}]}},
    });
    kubernetes.apply(&pool.to_string()).unwrap();
    let set = format!("my-{name}");
    let pod = |id: &i32| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {
                "name": format!("{set}-{id}"), "namespace": "kafka", "labels": {
                    "strimzi.io/cluster": "my", "strimzi.io/kind": "Kafka", "strimzi.io/pool-name": name,
                    "strimzi.io/broker-role": (role == "broker").to_string(),
                }},
            "spec": {"nodeSelector": {"topology.kubernetes.io/zone": zone(*id)},
                     "containers": [{"name": "kafka", "image": "kafka"}]},
        })
    };
    let pods: Vec<Value> = ids.iter().map(pod).collect();
    let object = json!({
        "apiVersion": "core.strimzi.io/v1beta2", "kind": "StrimziPodSet",
        "metadata": {"name": set, "namespace": "kafka", "labels": labels},
        "spec": {"selector": {"matchLabels": {"strimzi.io/pool-name": name}}, "pods": pods},
    });
    kubernetes.apply(&object.to_string()).unwrap();
    let owner = uid(kubernetes, &set);
    for mut pod in pods {
        pod["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "core.strimzi.io/v1beta2", "kind": "StrimziPodSet", "name": set,
            "uid": owner, "controller": true, "blockOwnerDeletion": false}]);
        kubernetes.apply(&pod.to_string()).unwrap();
    }
}

fn uid(kubernetes: &Kubernetes, set: &str) -> String {
    let set = set.to_owned();
    let found = kubernetes.run("the StrimziPodSet", |client| async move {
        let kind = GroupVersionKind::gvk("core.strimzi.io", "v1beta2", "StrimziPodSet");
        let (kind, _) = pinned_kind(&client, &kind).await?;
        let api = Api::<DynamicObject>::namespaced_with(client, "kafka", &kind);
        Ok(api.get(&set).await?.metadata.uid.unwrap())
    });
    found.unwrap()
}

#[test]
#[ignore = "live"]
fn maps_name_pools_of_strimzi_and_its_operator_alone_restarts_their_pods() {
    let kubernetes = Kubernetes::start().unwrap();
    kubernetes.add_strimzi().unwrap();
    let planner = kubernetes.service_account("kafka", "topicmappr-planning").unwrap();
    let roller = kubernetes.service_account("kafka", "topicmappr-roll").unwrap();
    kubernetes.apply(PLANNING).unwrap();
    kubernetes.apply(ROLL).unwrap();
    for zone in ZONES {
        kubernetes.node(&format!("node-{zone}"), zone, &[]).unwrap();
    }
    pool(&kubernetes, "big", "broker", &[1001, 1002, 1003]);
    pool(&kubernetes, "small", "broker", &[1004, 1005, 1006]);
    pool(&kubernetes, "controllers", "controller", &[7, 8, 9]);
    kubernetes.ready_pods("kafka", "strimzi.io/cluster=my", 9).unwrap();
    let at = |name: &str| kubernetes.path().join(name).display().to_string();
    fs::write(at("maps.yaml"), MAPS).unwrap();
    let run = |kubeconfig: &std::path::Path, args: &[&str]| -> Ended {
        let flags = ["--namespace", "kafka", "--kubeconfig", kubeconfig.to_str().unwrap()];
        topicmappr([args, &flags].concat())
    };
    let maps = at("maps.yaml");
    let resolved = run(&planner, &["maps", "resolve", "--maps", &maps, "--output=json"]).with(0);
    let brokers = |ids: [i32; 3]| -> Value {
        ids.iter().map(|id| json!({"id": id, "rack": zone(*id)})).collect()
    };
    let resolved: Value = serde_json::from_str(&resolved.stdout).unwrap();
    assert_eq!(resolved["maps"][0]["brokers"], brokers([1001, 1002, 1003]), "{resolved}");
    assert_eq!(resolved["maps"][1]["brokers"], brokers([1004, 1005, 1006]), "{resolved}");

    // A snapshot knows the pools, so that a later plan needs no Kubernetes.
    let cluster = Cluster::builder().brokers(6).racks(ZONES).start().unwrap();
    let bootstrap = cluster.bootstrap();
    cluster
        .tool(
            "topics",
            ["--create", "--topic", "events.a", "--partitions", "6", "--replication-factor", "3"],
        )
        .unwrap();
    cluster
        .tool(
            "topics",
            ["--create", "--topic", "logs.a", "--partitions", "3", "--replication-factor", "2"],
        )
        .unwrap();
    let live = ["rebuild", "--maps", &maps, "--bootstrap-server", &bootstrap];
    let out = ["--out-file", &at("live.json"), "--save-snapshot", &at("snapshot.json")];
    // A broker may not know the new topics yet.
    let planned = || (run(&planner, &[&live[..], &out].concat()).code == Some(0)).then_some(());
    until("a plan", SOON, planned).unwrap();
    let (saved, later) = (at("snapshot.json"), at("later.json"));
    topicmappr(["rebuild", "--maps", &maps, "--snapshot", &saved, "--out-file", &later]).with(0);
    let [live, later] =
        ["live.json", "later.json"].map(|name| crate::binary::json(at(name).as_ref()));
    assert_eq!(live["partitions"], later["partitions"]);

    let roll = ["roll", "--all", "--bootstrap-server", &bootstrap, "--dry-run"];
    run(&roller, &[&roll[..], &["--maps", &maps]].concat())
        .with(1)
        .complaining_of("map events names the KafkaNodePool kafka/big: only Strimzi's operator");
    for target in ["kafka/my-big", "kafka/big"] {
        run(&roller, &[&roll[..], &[target]].concat())
            .with(1)
            .complaining_of(
                "kafka/my-big is a StrimziPodSet: only Strimzi's operator restarts its pods",
            )
            .complaining_of(
                "kubectl annotate strimzipodset my-big strimzi.io/manual-rolling-update=true",
            );
    }
    run(&roller, &["roll", "kafka/other", "--bootstrap-server", &bootstrap, "--dry-run"])
        .with(2)
        .complaining_of("there is no statefulsets.apps kafka/other");
}
