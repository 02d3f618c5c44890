//! The Helm chart, by Helm's own code: it lints, its values are checked, the plain manifests are what it renders, and the real
//! API server takes every object.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::Api;
use serde_json::Value;
use testbed::{Kubernetes, helm};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn chart() -> PathBuf {
    deploy().join("helm/topicmappr")
}

fn example(name: &str) -> PathBuf {
    chart().join("examples").join(name)
}

/// What the chart renders, by the name of its template.
fn rendered(values: &[&Path]) -> BTreeMap<String, String> {
    let text = helm::template(&chart(), values).unwrap();
    let documents = text.split("---\n# Source: topicmappr/templates/").skip(1);
    let split = |document: &str| {
        let (name, body) = document.split_once('\n').unwrap();
        (name.to_owned(), body.trim_matches('\n').to_owned() + "\n")
    };
    documents.map(split).collect()
}

/// The manifests as they are shipped: everything, with the brokers of one example and the ensemble of the other.
fn shipped() -> BTreeMap<String, String> {
    let mut all = rendered(&[&example("brokers.yaml")]);
    let mut zookeeper = rendered(&[&example("zookeeper.yaml")]);
    all.extend(zookeeper.remove_entry("zookeeper.yaml"));
    all
}

#[test]
#[ignore = "live"]
fn the_chart_lints_and_refuses_values_that_it_does_not_know() {
    helm::lint(&chart(), &[]).unwrap();
    for name in ["brokers.yaml", "zookeeper.yaml"] {
        helm::lint(&chart(), &[&example(name)]).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let values = folder.path().join("values.yaml");
    for wrong in [
        "topics: {shedule: '@daily'}",
        "kafka: {bootstrapServers: kafka}",
        "brokers: {sets: [{name: kafka-events, replicas: 3}]}",
        "autothrottle: {flags: {Min_Rate: 10}}",
    ] {
        fs::write(&values, wrong).unwrap();
        let refused = helm::template(&chart(), &[&values]).unwrap_err().to_string();
        assert!(refused.contains("values don't meet the specifications"), "{wrong}: {refused}");
    }
}

#[test]
#[ignore = "live"]
fn the_plain_manifests_are_what_the_chart_renders() {
    let folder = deploy().join("manifests");
    let rendered = shipped();
    if std::env::var_os("BLESS").is_some() {
        for (name, text) in &rendered {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    assert!(rendered.len() >= 9, "{:?}", rendered.keys());
    for (name, text) in rendered {
        let found = fs::read_to_string(folder.join(&name)).unwrap();
        assert_eq!(found, text, "{name}: BLESS=1 writes it anew");
    }
}

/// Applied twice: what the API server makes of an object may not contradict the manifest.
#[test]
#[ignore = "live"]
fn a_real_api_takes_every_object_and_the_brokers_are_as_safe_as_they_are_meant_to_be() {
    let kubernetes = Kubernetes::start().unwrap();
    kubernetes.service_account("kafka", "anybody").unwrap();
    let mut texts: Vec<String> = shipped().into_values().collect();
    // With the daemon beside each broker.
    texts.extend(rendered(&[&example("zookeeper.yaml")]).remove("brokers.yaml"));
    for text in texts {
        kubernetes.apply(&text).unwrap();
        kubernetes.apply(&text).unwrap();
    }
    let sets: Vec<Value> = kubernetes
        .run("the StatefulSets", |client| async move {
            let sets = Api::<StatefulSet>::namespaced(client, "kafka");
            let found = sets.list(&Default::default()).await?;
            Ok(found.items.iter().map(|set| serde_json::to_value(set).unwrap()).collect())
        })
        .unwrap();
    let names: Vec<&Value> = sets.iter().map(|set| &set["metadata"]["name"]).collect();
    assert_eq!(names, ["kafka", "kafka-events", "kafka-logs", "zookeeper"]);
    for set in &sets {
        let spec = &set["spec"];
        assert_eq!(spec["updateStrategy"]["type"], "OnDelete");
        assert_eq!(spec["podManagementPolicy"], "Parallel");
        let pod = &spec["template"]["spec"];
        assert!(pod["affinity"]["podAntiAffinity"].is_object(), "{pod:#}");
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            assert!(pod["containers"][0][probe].is_object(), "{probe} of {pod:#}");
        }
    }
    assert_eq!(sets[1]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"], 600);
}
