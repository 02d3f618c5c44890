//! Brokers on Kubernetes: the real API with simulated nodes, and the real Kafka brokers that belong to the pods.

pub(crate) mod keep;
mod machines;
mod node_died;
mod rights;
mod roll;
mod roll_quorum;
mod same_id;
mod same_id_races;
mod strimzi;
mod thousand;

pub(crate) use rights::without;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testbed::Kubernetes;

use crate::binary::{Ended, topicmappr};

/// The shipped rights of planning commands, with the namespace `kafka` and the account.
const RIGHTS: &str = include_str!("../../../deploy/manifests/planning.yaml");
const ACCOUNT: &str = "topicmappr-planning";

/// The racks of the testbed's Kafka, and the zones: broker 1001 is in a, 1002 in b, ...
const ZONES: [&str; 3] = ["a", "b", "c"];

/// Gives the Lease of rolls, executions and heals to a holder that leaves it alone for ten minutes; an empty name frees it.
fn lease(kubernetes: &Kubernetes, holder: &str) {
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "topicmappr-execute", "namespace": "kafka"},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 600,
                 "renewTime": format!("{:.6}", jiff::Timestamp::now())},
    });
    kubernetes.apply(&lease.to_string()).unwrap();
}

/// A node with a local disk. Brokers whose claims are bound to it cannot run on another node.
struct Machine {
    node: String,
    zone: &'static str,
    instance_type: &'static str,
    pool: &'static str,
    /// The claim of its volume.
    claim: String,
    broker_id: Option<i32>,
}

impl Machine {
    /// Adds the node and its volume.
    fn join(&self, kubernetes: &Kubernetes) {
        let id = self.broker_id.map(|id| id.to_string()).unwrap_or_default();
        let mut labels =
            vec![("node.kubernetes.io/instance-type", self.instance_type), ("pool", self.pool)];
        if self.broker_id.is_some() {
            labels.push(("kafka.example.com/broker-id", &id));
        }
        kubernetes.node(&self.node, self.zone, &labels).unwrap();
        let volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": format!("disk-of-{}", self.node)},
            "spec": {
                "capacity": {"storage": "100Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "local",
                "persistentVolumeReclaimPolicy": "Retain", "local": {"path": "/data"},
                "claimRef": {"namespace": "kafka", "name": self.claim},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                    {"key": "kubernetes.io/hostname", "operator": "In", "values": [self.node]}]}]}},
            },
        });
        kubernetes.apply(&volume.to_string()).unwrap();
    }
}

/// Nine machines in three zones: six for events, three larger ones for logs, whose labels have their brokers' ids.
fn nine_machines() -> Vec<Machine> {
    let machine = |index: usize| {
        let (pool, instance_type, ordinal) = match index {
            0..6 => ("events", "i3.4xlarge", index),
            _ => ("logs", "i3.8xlarge", index - 6),
        };
        Machine {
            node: format!("node-{}", index + 1),
            zone: ZONES[index % 3],
            instance_type,
            pool,
            claim: format!("data-kafka-{pool}-{ordinal}"),
            broker_id: (pool == "logs").then_some(1001 + index as i32),
        }
    };
    (0..9).map(machine).collect()
}

/// A StatefulSet of brokers, each with a claim.
fn stateful_set(pool: &str, replicas: usize) -> Value {
    let name = format!("kafka-{pool}");
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": "kafka", "annotations": {"kafka.example.com/broker-id-base": "1001"}},
        "spec": {
            "serviceName": name, "podManagementPolicy": "Parallel", "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [{"name": "kafka", "image": "kafka",
                                    "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
                    "nodeSelector": {"pool": pool},
                },
            },
            "volumeClaimTemplates": [{
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "local",
                         "resources": {"requests": {"storage": "100Gi"}}},
            }],
        },
    })
}

/// Creates nodes, StatefulSets, maps and rights. Returns the account's kubeconfig.
fn furnish(kubernetes: &Kubernetes) -> PathBuf {
    let kubeconfig = kubernetes.service_account("kafka", ACCOUNT).unwrap();
    kubernetes.apply(RIGHTS).unwrap();
    nine_machines().iter().for_each(|machine| machine.join(kubernetes));
    let maps = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "topic-maps", "namespace": "kafka"},
        "data": {
            "events.yaml": "version: 1\nmaps:\n  map1: {topics: \"events.*\", brokers: {statefulSet: kafka/kafka-events}}\n",
            "logs": "map2: \"logs.*\" => nodeLabels pool=logs\n",
        },
    });
    for object in [stateful_set("events", 6), stateful_set("logs", 3), maps] {
        kubernetes.apply(&object.to_string()).unwrap();
    }
    kubernetes.ready_pods("kafka", "app=kafka-events", 6).unwrap();
    kubernetes.ready_pods("kafka", "app=kafka-logs", 3).unwrap();
    kubeconfig
}

/// Runs the binary with this kubeconfig. The labels of the logs' machines have their brokers' ids.
fn run(kubeconfig: &Path, args: &[&str]) -> Ended {
    let kubeconfig = kubeconfig.to_str().unwrap();
    let flags = ["--kubeconfig", kubeconfig, "--namespace", "kafka"];
    let identity = ["--identity", "node-label,ordinal"];
    topicmappr(args.iter().copied().chain(flags).chain(identity))
}
