//! The CronJob as it is shipped: its own command line, as its own service account, against a real API and a real Kafka.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use testbed::{Cluster, Kubernetes};

use crate::binary::{Ended, command};
use crate::topics::{MAPS, documents, judge};
use crate::traffic::Traffic;

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/manifests/topics.yaml");

/// The objects of the manifest.
fn objects() -> Vec<Value> {
    serde_saphyr::from_multiple(&fs::read_to_string(MANIFEST).unwrap()).unwrap()
}

/// What the CronJob's container is told.
fn args() -> Vec<String> {
    let objects = objects();
    let job = objects.iter().find(|object| object["kind"] == "CronJob").unwrap();
    let container = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["env"][0]["name"], "TOPICMAPPR_BOOTSTRAP_SERVER");
    let args = container["args"].as_array().unwrap().iter();
    args.map(|arg| arg.as_str().unwrap().to_owned()).collect()
}

fn config_map(name: &str, labels: Value, key: &str, text: &str) -> String {
    let metadata = json!({"name": name, "namespace": "kafka", "labels": labels});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {key: text}})
        .to_string()
}

fn run(cluster: &Cluster, account: &Path, more: &[&str]) -> Ended {
    let mut command = command();
    command.args(args()).args(more).env("TOPICMAPPR_BOOTSTRAP_SERVER", cluster.bootstrap());
    command.env("TOPICMAPPR_KUBECONFIG", account).env("TOPICMAPPR_NAMESPACE", "kafka");
    Ended::of(command.output().unwrap())
}

#[test]
#[ignore = "live"]
fn the_cronjob_makes_fifty_topics_as_its_own_service_account_and_then_nothing() {
    let kubernetes = Kubernetes::start().unwrap();
    let cluster = Cluster::builder().brokers(6).racks(["a", "b", "c"]).start().unwrap();
    let traffic = Traffic::of(&cluster);
    traffic.seen();
    let account = kubernetes.service_account("kafka", "topicmappr-topics").unwrap();
    kubernetes.apply(&fs::read_to_string(MANIFEST).unwrap()).unwrap();
    kubernetes.apply(&config_map("topic-maps", json!({}), "maps.yaml", MAPS)).unwrap();
    for (name, text) in ["events", "logs"].iter().zip(documents()) {
        let labels = json!({"app": "topics"});
        kubernetes.apply(&config_map(name, labels, "topics.yaml", &text)).unwrap();
    }
    assert!(!args().iter().any(|arg| arg.contains("prune")), "the CronJob deletes nothing");
    run(&cluster, &account, &[]).with(0);
    traffic.settle();
    judge(&cluster, &traffic.seen());
    let again = run(&cluster, &account, &["--output", "json"]).with(0);
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!((&again["requests_sent"], &again["as_defined"]), (&json!(0), &json!(50)));
    // Another account has none of the rights: the message names verb and resource.
    let stranger = kubernetes.service_account("kafka", "stranger").unwrap();
    run(&cluster, &stranger, &[]).with(3).complaining_of("list configmaps");
}
