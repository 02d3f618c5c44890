//! A node's label gives the capacity of its broker's network. The daemon reads it with the shipped rights, and reads it
//! again when brokers join or leave.

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use testbed::kubernetes::Component;
use testbed::{Cluster, Kubernetes, Mode, until};

use crate::daemon::Daemon;
use crate::traffic::SOON;

const RIGHTS: &str = include_str!("../../../deploy/manifests/autothrottle-nodes.yaml");
const KEY: &str = "example.com/net-mb";
/// Brokers, their nodes, and the nodes' labels.
const MACHINES: [(i32, &str, Option<&str>); 3] = [
    (1001, "node-a", Some("500-250")),
    (1002, "node-b", Some("i3.4xlarge")),
    (1003, "node-c", None),
];

fn furnish(kubernetes: &Kubernetes) {
    kubernetes.apply(RIGHTS).unwrap();
    for (id, node, label) in MACHINES {
        let label: Vec<(&str, &str)> = label.map(|text| (KEY, text)).into_iter().collect();
        kubernetes.node(node, "a", &label).unwrap();
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("broker-on-{node}"), "namespace": "kafka", "labels": {"app": "kafka"},
                         "annotations": {"kafka.example.com/broker-id": id.to_string()}},
            "spec": {"nodeName": node, "containers": [{"name": "kafka", "image": "kafka"}]},
        });
        kubernetes.apply(&pod.to_string()).unwrap();
    }
}

/// The capacity of a broker's network that the daemon uses: sending, receiving.
fn capacity(daemon: &Daemon, id: i32) -> [Value; 2] {
    let state = daemon.state();
    let broker = state["brokers"].as_array().unwrap().iter().find(|broker| broker["id"] == id);
    let of = |key: &str| broker.map_or(Value::Null, |broker| broker[key].clone());
    [of("capacity_out_bytes_per_second"), of("capacity_in_bytes_per_second")]
}

#[track_caller]
fn await_capacity(daemon: &Daemon, id: i32, ports: [u64; 2]) {
    let known = || (capacity(daemon, id) == ports.map(Value::from)).then_some(());
    until(format!("{ports:?} of broker {id}"), SOON, known)
        .unwrap_or_else(|why| panic!("{why}: {:?}\n{}", capacity(daemon, id), daemon.said()));
}

/// A broker that is back before the others miss it has not been away.
fn comes_and_goes(cluster: &Cluster, daemon: &Daemon, id: i32) {
    cluster.kill_broker(id).unwrap();
    let is_live = |broker: &Value| broker["id"] == id && broker["live"] == true;
    let missed = || !daemon.state()["brokers"].as_array().unwrap().iter().any(is_live);
    until("the daemon to miss the broker", SOON, || missed().then_some(()))
        .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
    cluster.start_broker(id).unwrap();
}

#[test]
#[ignore = "live"]
fn nodes_tell_the_daemon_what_networks_can_carry() {
    let kubernetes = Kubernetes::start().unwrap();
    let kubeconfig = kubernetes.service_account("kafka", "autothrottle").unwrap();
    furnish(&kubernetes);
    let cluster =
        Cluster::builder().mode(Mode::KRaft).brokers(3).mortal([1001, 1003]).start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let place = ["--kubeconfig", kubeconfig.to_str().unwrap(), "--namespace", "kafka"];
    let own =
        ["--pod-labels", "app=kafka", "--cap-label", KEY, "--cap-map", r#"{"i3.4xlarge":1250}"#];
    let rest = ["--metrics", "none", "--interval", "2"];
    let flags = [&place[..], &own, &rest].concat();
    let daemon = Daemon::start(&cluster.bootstrap(), folder.path(), &flags);
    await_capacity(&daemon, 1001, [500_000_000, 250_000_000]);
    await_capacity(&daemon, 1002, [1_250_000_000, 1_250_000_000]);
    assert_eq!(capacity(&daemon, 1003), [Value::Null, Value::Null]);
    assert!(daemon.said().contains("its node says nothing under --cap-label"), "{}", daemon.said());

    // Another machine has an annotation instead.
    let told = Patch::Merge(json!({"metadata": {"annotations": {KEY: "700"}}}));
    let patched = kubernetes.run("an annotation", |client| async move {
        Api::<Node>::all(client).patch("node-c", &PatchParams::default(), &told).await?;
        Ok(())
    });
    patched.unwrap();
    comes_and_goes(&cluster, &daemon, 1003);
    await_capacity(&daemon, 1003, [700_000_000, 700_000_000]);

    kubernetes.stop(Component::ApiServer);
    comes_and_goes(&cluster, &daemon, 1001);
    let said = || daemon.said().contains("cannot read network capacities from nodes").then_some(());
    until("a word of it", SOON, said).unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
    await_capacity(&daemon, 1001, [500_000_000, 250_000_000]);
    assert_eq!(daemon.leave().0, Some(143));
}
