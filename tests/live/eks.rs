//! The example of an EKS cluster: the checks of AWS's and HashiCorp's tools, and the chart's pods on nodes with its labels, taints and
//! disks. AWS itself takes no part.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use testbed::{Kubernetes, cfn_lint, hcl, helm};

use crate::binary::{Run, command};

const ZONES: [&str; 3] = ["eu-1a", "eu-1b", "eu-1c"];
/// The disk of an instance type, in bytes (Amazon EC2, "Instance store volumes").
const DISKS: [(&str, u64); 2] =
    [("i4i.2xlarge", 1_875_000_000_000), ("i4i.4xlarge", 3_750_000_000_000)];

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn text(name: &str) -> String {
    fs::read_to_string(deploy().join("eks").join(name)).unwrap()
}

/// The groups of nodes for brokers.
#[derive(Debug, PartialEq, Eq)]
struct Brokers {
    /// The label `pool` of each group, and its instance type.
    pools: BTreeMap<String, String>,
    taint: Value,
}

impl Brokers {
    fn of_cloudformation() -> Self {
        let template: Value = serde_saphyr::from_str(&text("cluster.yaml")).unwrap();
        let group = &template["Resources"]["Fn::ForEach::Maps"][2]["Fn::ForEach::Zones"][2];
        let properties = &group["${Map}Nodes${Zone}"]["Properties"];
        assert!(properties["Labels"]["pool"].to_string().contains("Pool"), "{properties}");
        let taint = &properties["Taints"][0];
        let maps = template["Mappings"]["Maps"].as_object().unwrap();
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            pools: maps.values().map(|map| (word(&map["Pool"]), word(&map["Type"]))).collect(),
            taint: json!({"key": taint["Key"], "value": taint["Value"], "effect": taint["Effect"]}),
        }
    }

    fn of_opentofu() -> Self {
        let module = hcl::checked(&deploy().join("eks/main.tf")).unwrap();
        let group = &module["resource"]["aws_eks_node_group"]["brokers"];
        assert_eq!(group["labels"], "{ pool = each.value.map }");
        assert_eq!(group["instance_types"], "[local.maps[each.value.map]]");
        let maps = module["locals"]["maps"].clone();
        Self { pools: serde_json::from_value(maps).unwrap(), taint: group["taint"].clone() }
    }

    /// Adds a node for each pool and zone, with its disk.
    fn join(&self, kubernetes: &Kubernetes) {
        for (pool, instance_type) in &self.pools {
            let bytes = DISKS.iter().find(|(name, _)| name == instance_type).unwrap().1;
            for zone in ZONES {
                let node = format!("{pool}-{zone}");
                let labels =
                    [("pool", &**pool), ("node.kubernetes.io/instance-type", &**instance_type)];
                kubernetes.node(&node, zone, &labels).unwrap();
                let mut taint = self.taint.clone();
                assert_eq!(taint["effect"], "NO_SCHEDULE", "EKS's word for it");
                taint["effect"] = json!("NoSchedule");
                tainted(kubernetes, &node, &taint);
                // Less what a file system of its own takes.
                let volume = volume(&node, "local", &(bytes / 100 * 99).to_string());
                let on =
                    json!({"key": "kubernetes.io/hostname", "operator": "In", "values": [node]});
                kubernetes.apply(&placed(volume, on)).unwrap();
            }
        }
    }
}

fn tainted(kubernetes: &Kubernetes, node: &str, taint: &Value) {
    let (node, patch) = (node.to_owned(), Patch::Merge(json!({"spec": {"taints": [taint]}})));
    let patched = kubernetes.run("a taint", |client| async move {
        Api::<Node>::all(client).patch(&node, &PatchParams::default(), &patch).await?;
        Ok(())
    });
    patched.unwrap();
}

fn volume(name: &str, class: &str, size: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": {
        "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": class,
        "local": {"path": "/mnt/k8s-disks/0"},
    }})
}

fn placed(mut volume: Value, on: Value) -> String {
    volume["spec"]["nodeAffinity"] =
        json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [on]}]}});
    volume.to_string()
}

/// A spoilt copy of a file.
fn spoilt(folder: &Path, name: &str, from: &str, to: &str) -> PathBuf {
    let path = folder.join(name);
    let text = text(name);
    assert!(text.contains(from), "{name}: {from}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    path
}

#[test]
#[ignore = "live"]
fn both_descriptions_are_checked_and_describe_the_same_nodes() {
    cfn_lint::check(&deploy().join("eks/cluster.yaml")).unwrap();
    assert_eq!(Brokers::of_cloudformation(), Brokers::of_opentofu());
    let folder = tempfile::tempdir().unwrap();
    for (from, to, why) in [
        ("Effect: NO_SCHEDULE", "Effect: NoSchedule", "is not one of"),
        ("Ref: BrokersInEachZone", "Ref: Brokers", "E1020"),
        ("KubernetesGroups:", "Groups:", "E3002"),
    ] {
        let path = spoilt(folder.path(), "cluster.yaml", from, to);
        let refused = cfn_lint::check(&path).unwrap_err().to_string();
        assert!(refused.contains(why), "{to}: {refused}");
    }
    for (from, to, why) in [
        ("local.broker_groups", "local.groups", "there is no local.groups"),
        ("aws_iam_role.node.arn", "aws_iam_role.nodes.arn", "there is no aws_iam_role.nodes"),
        (
            "data.aws_partition.current",
            "data.aws_partition.our",
            "there is no data.aws_partition.our",
        ),
        ("  default = \"kafka\"", "  default=\"kafka\"", "is not formatted"),
        ("variable \"name\" {", "variable \"name\"", "Invalid block definition"),
    ] {
        let path = spoilt(folder.path(), "main.tf", from, to);
        let refused = hcl::checked(&path).unwrap_err().to_string();
        assert!(refused.contains(why), "{to}: {refused}");
    }
}

/// The node of each pod, by name.
fn bound(pods: &[Pod]) -> BTreeMap<String, String> {
    let node = |pod: &Pod| pod.spec.as_ref()?.node_name.clone();
    pods.iter().filter_map(|pod| Some((pod.name_any(), node(pod)?))).collect()
}

#[test]
#[ignore = "live"]
fn the_scheduler_puts_every_pod_of_the_chart_where_the_example_means_it() {
    let kubernetes = Kubernetes::start().unwrap();
    kubernetes.service_account("kafka", "stranger").unwrap();
    // This API server forbids privileged pods; that of EKS does not.
    let storage = text("storage.yaml").replace("{privileged: true}", "{}");
    kubernetes.apply(&storage).unwrap();
    Brokers::of_cloudformation().join(&kubernetes);
    for zone in ZONES {
        let node = format!("controllers-{zone}");
        kubernetes.node(&node, zone, &[("pool", "controllers")]).unwrap();
        let on = json!({"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]});
        for (name, size) in [(node, "20Gi"), (format!("keep-{zone}"), "1Gi")] {
            kubernetes.apply(&placed(volume(&name, "gp3", size), on.clone())).unwrap();
        }
    }
    let values = deploy().join("eks/values.yaml");
    helm::lint(&deploy().join("helm/topicmappr"), &[&values]).unwrap();
    let chart = helm::template(&deploy().join("helm/topicmappr"), &[&values]).unwrap();
    kubernetes.apply(&chart).unwrap();
    let servers = "app.kubernetes.io/component in (broker, controller)";
    let nodes = kubernetes.pods("a node for each server", "kafka", servers, |pods| {
        (bound(pods).len() == 9).then(|| bound(pods))
    });
    let nodes = nodes.unwrap();
    for (pod, node) in &nodes {
        let set = pod.rsplit_once('-').unwrap().0.trim_start_matches("kafka-");
        assert!(node.starts_with(set), "{nodes:?}");
    }
    assert_eq!(nodes.values().collect::<BTreeSet<_>>().len(), 9, "one on a node: {nodes:?}");
    let provisioners = kubernetes.pods(
        "a provisioner for each disk",
        "kube-system",
        "app=local-volumes",
        |pods| (bound(pods).len() == 6).then(|| bound(pods)),
    );
    let on: BTreeSet<String> = provisioners.unwrap().into_values().collect();
    assert!(on.iter().all(|node| !node.starts_with("controllers")), "{on:?}");
    planners_may_plan(&kubernetes);
}

/// A user of the group that the stack's access entry names.
fn planners_may_plan(kubernetes: &Kubernetes) {
    let admin = fs::read_to_string(kubernetes.kubeconfig()).unwrap();
    let mut config: Value = serde_saphyr::from_str(&admin).unwrap();
    let user = &mut config["users"][0]["user"];
    user["as"] = json!("an-iam-role");
    user["as-groups"] = json!(["topicmappr-planners"]);
    let path = kubernetes.path().join("planner.kubeconfig");
    fs::write(&path, config.to_string()).unwrap();
    let resolve = || {
        let mut command = command();
        command.args(["maps", "resolve", "--maps", "configmap:kafka/topic-maps"]);
        command.args(["--namespace", "kafka", "--kubeconfig"]).arg(&path);
        Run::of(command).end()
    };
    resolve().with(3).complaining_of("an-iam-role may not");
    kubernetes.apply(&text("planners.yaml")).unwrap();
    let allowed = || {
        let ended = resolve();
        (ended.code != Some(3)).then_some(ended)
    };
    let told = testbed::until("the planners' rights", crate::traffic::SOON, allowed).unwrap();
    for broker in ["1000", "1002", "2000", "2002", "eu-1a", "eu-1c"] {
        assert!(told.stdout.contains(broker), "{broker}: {told:?}");
    }
}
