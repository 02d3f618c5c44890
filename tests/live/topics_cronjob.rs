//! The shipped CronJob: its own command line, with its own service account, against a real API and a real Kafka.

use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use testbed::{Cluster, Kubernetes, Mode, until};

use crate::binary::{Ended, Run, command};
use crate::topics::{MAPS, alter, config, documents, judge};
use crate::traffic::{SOON, Traffic};

pub(crate) const MANIFEST: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/manifests/topics.yaml");
const OF_DEPLOYMENTS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/manifests/topics-deployments.yaml");

/// The objects of the manifest.
fn objects() -> Vec<Value> {
    serde_saphyr::from_multiple(&fs::read_to_string(MANIFEST).unwrap()).unwrap()
}

/// The arguments of the CronJob's container.
fn args() -> Vec<String> {
    let objects = objects();
    let job = objects.iter().find(|object| object["kind"] == "CronJob").unwrap();
    let container = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["env"][0]["name"], "TOPICMAPPR_BOOTSTRAP_SERVER");
    let args = container["args"].as_array().unwrap().iter();
    args.map(|arg| arg.as_str().unwrap().to_owned()).collect()
}

/// A ConfigMap of one key.
pub(crate) fn config_map(name: &str, labels: Value, key: &str, text: &str) -> String {
    let metadata = json!({"name": name, "namespace": "kafka", "labels": labels});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {key: text}})
        .to_string()
}

fn run(bootstrap: &str, account: &Path, more: &[&str]) -> Ended {
    let mut command = command();
    command.args(args()).args(more).env("TOPICMAPPR_BOOTSTRAP_SERVER", bootstrap);
    command.env("TOPICMAPPR_KUBECONFIG", account).env("TOPICMAPPR_NAMESPACE", "kafka");
    Run::of(command).end()
}

/// A Kubernetes with everything that the CronJob needs, and the kubeconfig of its account.
fn furnished() -> (Kubernetes, PathBuf) {
    let kubernetes = Kubernetes::start().unwrap();
    let account = kubernetes.service_account("kafka", "topicmappr-topics").unwrap();
    kubernetes.apply(&fs::read_to_string(MANIFEST).unwrap()).unwrap();
    kubernetes.apply(&config_map("topic-maps", json!({}), "maps.yaml", MAPS)).unwrap();
    for (name, text) in ["events", "logs"].iter().zip(documents()) {
        let labels = json!({"app": "topics"});
        kubernetes.apply(&config_map(name, labels, "topics.yaml", &text)).unwrap();
    }
    (kubernetes, account)
}

#[test]
#[ignore = "live"]
fn the_cronjob_makes_fifty_topics_as_its_own_service_account_and_then_nothing() {
    let (kubernetes, account) = furnished();
    assert!(!args().iter().any(|arg| arg.contains("prune")), "the CronJob deletes nothing");
    // Another account has none of the rights. The error names them, and the run never connects to Kafka.
    let stranger = kubernetes.service_account("kafka", "stranger").unwrap();
    run("127.0.0.1:1", &stranger, &[]).with(3).complaining_of("list configmaps");
    for mode in [Mode::KRaft, Mode::ZooKeeper] {
        let cluster = Cluster::builder().mode(mode).brokers(6).racks(["a", "b", "c"]).start();
        keeps_as_defined(&cluster.unwrap(), &account);
        // The stored state is about one cluster, and the next test uses another.
        let forgotten = kubernetes.run("the state to go", |client| async move {
            let api: Api<ConfigMap> = Api::namespaced(client, "kafka");
            Ok(api.delete("topicmappr-state", &DeleteParams::default()).await.map(drop)?)
        });
        forgotten.unwrap();
    }
}

fn keeps_as_defined(cluster: &Cluster, account: &Path) {
    let bootstrap = cluster.bootstrap();
    let run = |more: &[&str]| run(&bootstrap, account, more);
    let traffic = Traffic::of(cluster);
    traffic.seen();
    run(&[]).with(0);
    traffic.settle();
    judge(cluster, &traffic.seen());
    let nothing_to_do = || {
        let again = run(&["--output", "json"]).with(0);
        let again: Value = serde_json::from_str(&again.stdout).unwrap();
        assert_eq!((&again["requests_sent"], &again["as_defined"]), (&json!(0), &json!(50)));
    };
    nothing_to_do();
    // A read-only user detects drift by hand, and the next run corrects it.
    alter(cluster, "events-03", &["--add-config", "retention.ms=5"]);
    let drift = || (run(&["--dry-run"]).code == Some(5)).then_some(());
    until("the drift", SOON, drift).unwrap();
    run(&[]).with(0);
    until("the mended config", SOON, || {
        config(cluster, "events-03").contains("retention.ms=604800000").then_some(())
    })
    .unwrap();
    nothing_to_do();
}

const BILLING: &str = "version: 1\ntopics:\n  - {name: events.invoices, replication: 2, \
                       partitions: {replicasOf: deployment/shop/billing, atMost: 8}}\n";

/// As `kubectl scale` does.
fn scale(kubernetes: &Kubernetes, replicas: u32) {
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    let scaled = kubernetes.run("the Deployment to scale", |client| async move {
        let api = Api::<Deployment>::namespaced(client, "shop");
        Ok(api.patch_scale("billing", &PatchParams::default(), &patch).await.map(drop)?)
    });
    scaled.unwrap();
}

#[test]
#[ignore = "live"]
fn a_topics_partitions_follow_a_deployment_that_grows_and_ignore_one_that_shrinks() {
    let kubernetes = Kubernetes::start().unwrap();
    let account = kubernetes.service_account("kafka", "topicmappr-topics").unwrap();
    kubernetes.service_account("shop", "billing").unwrap();
    kubernetes.apply(&fs::read_to_string(MANIFEST).unwrap()).unwrap();
    kubernetes.apply(&config_map("topic-maps", json!({}), "maps.yaml", MAPS)).unwrap();
    let labels = json!({"app": "topics"});
    kubernetes.apply(&config_map("shop", labels, "topics.yaml", BILLING)).unwrap();
    let cluster = Cluster::builder().brokers(6).racks(["a", "b", "c"]).start().unwrap();
    let bootstrap = cluster.bootstrap();
    let run = |more: &[&str]| run(&bootstrap, &account, more);
    run(&[]).with(3).complaining_of("may not get deployments.apps/scale shop/billing");
    kubernetes.apply(&fs::read_to_string(OF_DEPLOYMENTS).unwrap()).unwrap();
    let missing = || {
        let ended = run(&["--dry-run"]);
        (ended.code == Some(5)).then_some(ended)
    };
    let missing = until("the right", SOON, missing).unwrap();
    assert!(
        missing.stdout.contains("deployment/shop/billing, which does not exist"),
        "{missing:?}"
    );

    let template = json!({"metadata": {"labels": {"app": "billing"}},
        "spec": {"containers": [{"name": "billing", "image": "billing"}]}});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "billing", "namespace": "shop"}, "spec": {
            "replicas": 0, "selector": {"matchLabels": {"app": "billing"}}, "template": template}});
    kubernetes.apply(&deployment.to_string()).unwrap();
    assert!(run(&[]).with(6).stdout.contains("deployment/shop/billing, which has none"));
    let traffic = Traffic::of(&cluster);
    let partitions_now =
        || traffic.seen().keys().filter(|(topic, _)| topic == "events.invoices").count();
    assert_eq!(partitions_now(), 0);
    // Replicas, partitions, and whether the run has nothing to do.
    for (replicas, partitions, idle) in
        [(3, 3, false), (3, 3, true), (5, 5, false), (1, 5, true), (0, 5, true), (100, 8, false)]
    {
        scale(&kubernetes, replicas);
        let ended = run(&["--output", "json"]).with(0);
        let view: Value = serde_json::from_str(&ended.stdout).unwrap();
        let changed = view["requests_sent"] != 0;
        assert_eq!(changed, !idle, "{replicas} replicas: {view}");
        let grown = || (partitions_now() == partitions).then_some(());
        until(format!("{partitions} partitions for {replicas} replicas"), SOON, grown).unwrap();
    }
    let gone = kubernetes.run("the Deployment to go", |client| async move {
        let api = Api::<Deployment>::namespaced(client, "shop");
        Ok(api.delete("billing", &DeleteParams::default()).await.map(drop)?)
    });
    gone.unwrap();
    assert!(run(&[]).with(6).stdout.contains("which does not exist"));
    assert_eq!(partitions_now(), 8);
}
