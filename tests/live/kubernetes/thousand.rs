//! A thousand nodes with one broker each: a few paged calls.

use std::time::Instant;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use testbed::{Kubernetes, kubernetes::Failure};

use super::run;

const COUNT: usize = 1_000;

/// Nodes without a kubelet, and pods that are created as ready.
async fn fill(client: Client) -> Result<(), Failure> {
    let nodes: Api<Node> = Api::all(client.clone());
    let pods: Api<Pod> = Api::namespaced(client, "kafka");
    let how = PostParams::default();
    let one = async |index: usize| -> Result<(), Failure> {
        let (name, zone) = (format!("node-{index}"), format!("zone-{}", index % 3));
        let labels = json!({"topology.kubernetes.io/zone": zone, "pool": "all", "kubernetes.io/hostname": name});
        let node = json!({"metadata": {"name": name, "labels": labels}});
        nodes.create(&how, &serde_json::from_value(node)?).await?;
        let (pod_name, ready) =
            (format!("kafka-{index}"), json!({"type": "Ready", "status": "True"}));
        let pod = json!({
            "metadata": {"name": pod_name},
            "spec": {"nodeName": name, "containers": [{"name": "kafka", "image": "kafka"}]},
        });
        pods.create(&how, &serde_json::from_value(pod)?).await?;
        let status = json!({"status": {"phase": "Running", "conditions": [ready]}});
        pods.patch_status(&pod_name, &PatchParams::default(), &Patch::Merge(status)).await?;
        Ok(())
    };
    stream::iter(0..COUNT).map(one).buffer_unordered(16).try_collect().await
}

#[test]
#[ignore = "live"]
fn a_thousand_brokers_resolve_in_few_calls() {
    let kubernetes = Kubernetes::start().unwrap();
    let kubeconfig = kubernetes.service_account("kafka", super::ACCOUNT).unwrap();
    kubernetes.apply(super::RIGHTS).unwrap();
    kubernetes.run("a thousand nodes and pods", fill).unwrap();

    let line = r#"map1: ".*" => nodeLabels pool=all"#;
    let args =
        ["maps", "resolve", "--map", line, "--output", "json", "-v", "--broker-id-base", "1000"];
    let started = Instant::now();
    let ended = run(&kubeconfig, &args).with(0);
    let took = started.elapsed();

    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    let brokers = found["maps"][0]["brokers"].as_array().unwrap();
    assert_eq!(brokers.len(), COUNT);
    assert_eq!(brokers[999], json!({"id": 1999, "rack": "zone-0"}));
    assert_eq!(found["maps"][0]["problems"], json!([]));
    // Two pages of pods, two of nodes, one of those that are cordoned, one of StatefulSets.
    assert!(ended.stderr.contains("calls=6 "), "{}", ended.stderr);
    eprintln!("1,000 nodes and pods resolved in {took:?}");
}
