//! A node dies under a broker. One command finds out whether the broker comes back under its id, and then what to do
//! with its pod. Or another broker has joined in its place, and then the command says how to move the replicas there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod};
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use testbed::{Cluster, Kubernetes, Mode};

use super::{Machine, furnish, run};
use crate::binary::json as file;
use crate::lost_broker::carry_out;
use crate::plan::{Partition, find_broker, targets};
use crate::topics_cronjob::config_map;
use crate::traffic::{OFFSETS, Traffic};

/// Broker 1010 is the standby: it starts when its node joins.
const STANDBY: i32 = 1010;

/// The racks of brokers 1001 to 1010. The last is the standby in the rack of 1009.
const RACKS: [&str; 10] = ["a", "b", "c", "a", "b", "c", "a", "b", "c", "c"];

/// Topics of both maps, spread over all nine brokers. Replicas outside their map move first.
fn topics() -> BTreeMap<String, Vec<Vec<i32>>> {
    let list = |first: i32| -> Vec<i32> { (0..3).map(|n| 1001 + (first + n) % 9).collect() };
    let partitions = |topic: i32| (0..4).map(|p| list(topic + 2 * p)).collect();
    let name = |n: i32| if n < 8 { format!("events.{n}") } else { format!("logs_{n}") };
    (0..12).map(|n| (name(n), partitions(n))).collect()
}

/// The cluster's administrator runs a command that the binary prints.
fn carry_out_command(kubernetes: &Kubernetes, command: &str) {
    let words: Vec<&str> = command.split(' ').collect();
    let (kind, name) = match &words[..] {
        ["kubectl", "delete", kind @ "node", name] => (*kind, (*name).to_owned()),
        ["kubectl", "delete", kind, name, "--namespace", "kafka", ..] => {
            (*kind, (*name).to_owned())
        }
        other => panic!("what is {other:?}?"),
    };
    let kind = kind.to_owned();
    let deleted = kubernetes.run(command, move |client| async move {
        let how = DeleteParams::default();
        match kind.as_str() {
            "node" => Api::<Node>::all(client).delete(&name, &how).await.map(drop)?,
            "pvc" => {
                let api = Api::<PersistentVolumeClaim>::namespaced(client, "kafka");
                api.delete(&name, &how).await.map(drop)?;
            }
            "pod" => Api::<Pod>::namespaced(client, "kafka").delete(&name, &how).await.map(drop)?,
            other => return Err(format!("what is a {other}?").into()),
        }
        Ok(())
    });
    deleted.unwrap_or_else(|why| panic!("{command}: {why}"));
}

/// The scene: nine brokers on nine nodes, and one standby.
struct Scene<'a> {
    kubernetes: &'a Kubernetes,
    cluster: &'a Cluster,
    traffic: Traffic<'a>,
    kubeconfig: &'a Path,
    folder: tempfile::TempDir,
}

impl Scene<'_> {
    /// Runs `rebuild --maps configmap:...`. Returns its report, and its plan if it wrote one.
    fn rebuild(&self, name: &str, code: i32) -> (Value, Option<Value>) {
        let (bootstrap, plan) = (self.cluster.bootstrap(), self.folder.path().join(name));
        let args = [
            "rebuild",
            "--maps",
            "configmap:kafka/topic-maps",
            "--bootstrap-server",
            &bootstrap,
            "--output",
            "json",
            "--out-file",
            plan.to_str().unwrap(),
            "--save-snapshot",
            &format!("{}.snapshot", plan.display()),
        ];
        let said = run(self.kubeconfig, &args).with(code).stdout;
        let report = serde_json::from_str(&said).unwrap_or_else(|why| panic!("{why}\n{said}"));
        (report, plan.exists().then(|| file(&plan)))
    }

    /// Kafka's own tool carries out the plan. A second plan is then empty.
    fn carry_out(&self, name: &str) {
        carry_out(self.cluster, &self.folder.path().join(name));
        self.traffic.settle();
        let (_, again) = self.rebuild("again.json", 0);
        assert_eq!(targets(&again.unwrap()), BTreeMap::new(), "planning again plans nothing");
    }

    /// The replicas of every partition, by topic and number.
    fn replicas(&self) -> BTreeMap<Partition, BTreeSet<i32>> {
        let seen = self.traffic.seen().into_iter();
        seen.map(|(name, seen)| (name, seen.replicas.into_iter().collect())).collect()
    }
}

/// The same brokers as those of the StatefulSets, selected by the type of their machines.
const BY_TYPE: &str = "map1: \"events.*\" => 6x i3.4xlarge\nmap2: \"logs.*\" => 3x i3.8xlarge\n";

#[test]
#[ignore = "live"]
fn a_node_dies_and_its_broker_comes_back_or_another_takes_its_place_with_kraft() {
    a_node_dies(Mode::KRaft, None);
}

fn a_node_dies(mode: Mode, maps: Option<&str>) {
    let kubernetes = Kubernetes::start().unwrap();
    let kubeconfig = furnish(&kubernetes);
    if let Some(maps) = maps {
        kubernetes.apply(&config_map("topic-maps", json!({}), "maps", maps)).unwrap();
    }
    let cluster = Cluster::builder()
        .mode(mode)
        .brokers(10)
        .mortal([1003, 1009])
        .racks(RACKS)
        .start()
        .unwrap();
    cluster.stop_broker(STANDBY).unwrap();
    let scene = Scene {
        kubernetes: &kubernetes,
        cluster: &cluster,
        traffic: Traffic::of(&cluster),
        kubeconfig: &kubeconfig,
        folder: tempfile::tempdir().unwrap(),
    };
    scene.traffic.create(&topics());

    // Moves the topics to the brokers of their maps.
    let (_, plan) = scene.rebuild("first.json", 0);
    assert!(!targets(&plan.unwrap()).is_empty());
    scene.carry_out("first.json");
    // The internal topic may use the brokers of all maps.
    for ((topic, _), replicas) in scene.replicas().iter().filter(|((topic, _), _)| topic != OFFSETS)
    {
        let map = if topic.starts_with("events") { 1001..=1006 } else { 1007..=1009 };
        assert!(replicas.iter().all(|id| map.contains(id)), "{topic}: {replicas:?}");
    }
    the_snapshot_needs_no_kubernetes(&scene);
    the_broker_comes_back(&scene);
    another_takes_its_place(&scene);
}

/// The saved snapshot contains the brokers' nodes, so the same plan needs no Kubernetes.
fn the_snapshot_needs_no_kubernetes(scene: &Scene<'_>) {
    let at = |name: &str| scene.folder.path().join(name);
    let maps = [
        r#"map1: "events.*" => statefulSet kafka/kafka-events"#,
        r#"map2: "logs.*" => nodeLabels pool=logs"#,
    ];
    let (snapshot, offline) = (at("first.json.snapshot"), at("offline.json"));
    let args =
        ["rebuild", "--snapshot", snapshot.to_str().unwrap(), "--map", maps[0], "--map", maps[1]];
    let out = ["--out-file", offline.to_str().unwrap()];
    crate::binary::topicmappr(args.into_iter().chain(out)).with(0);
    assert_eq!(fs::read(offline).unwrap(), fs::read(at("first.json")).unwrap());
}

/// Case (a): the pod is bound to its node and its disk.
fn the_broker_comes_back(scene: &Scene<'_>) {
    scene.cluster.kill_broker(1003).unwrap();
    scene.traffic.without(1003);
    scene.kubernetes.node_down("node-3").unwrap();

    let (report, plan) = scene.rebuild("returning.json", 4);
    assert_eq!(plan, None, "no plan is written");
    assert_eq!(codes(&report), ["will-return"], "{report:#}");
    let lost = &report["lost"][0];
    assert_eq!(
        (&lost["broker"], &lost["case"], &lost["disks"]),
        (&json!(1003), &json!("returns"), &json!("empty"))
    );
    assert_eq!(lost["pod"], "kafka/kafka-events-2");
    let pins: Vec<&str> = texts(&lost["pinned_by"]);
    assert!(
        pins[0].starts_with("the pod is bound to node node-3, which has been silent since"),
        "{pins:?}"
    );
    assert!(
        pins[1].contains("needs a node with kubernetes.io/hostname in [node-3]; none is alive"),
        "{pins:?}"
    );

    let resolved = run(
        scene.kubeconfig,
        &["maps", "resolve", "--maps", "configmap:kafka/topic-maps", "--output=json"],
    );
    let resolved: Value = serde_json::from_str(&resolved.with(0).stdout).unwrap();
    let map1 = &resolved["maps"][0];
    assert_eq!(map1["brokers"].as_array().unwrap().len(), 6, "a lost broker stays in its map");
    let problems = map1["problems"].as_array().unwrap().iter();
    let problems: Vec<&str> = problems.map(|problem| problem["code"].as_str().unwrap()).collect();
    assert_eq!(problems, ["pod-not-ready", "node-lost"]);

    let replacement = Machine {
        node: "node-3b".into(),
        zone: "c",
        instance_type: "i3.4xlarge",
        pool: "events",
        claim: "data-kafka-events-2".into(),
        broker_id: None,
    };
    replacement.join(scene.kubernetes);
    let commands = texts(&lost["commands"]);
    assert_eq!(commands.len(), 3, "{commands:?}");
    commands.iter().for_each(|command| carry_out_command(scene.kubernetes, command));
    scene.kubernetes.ready_pods("kafka", "app=kafka-events", 6).unwrap();
    // Its pod runs with an empty disk, under its id.
    scene.cluster.wipe_broker(1003).unwrap();
    scene.cluster.start_broker(1003).unwrap();
    scene.traffic.settle();
    let (report, plan) = scene.rebuild("returned.json", 0);
    assert_eq!(targets(&plan.unwrap()), BTreeMap::new(), "{report:#}");
}

/// Case (b): the id belongs to the node, and the replacing node has another id.
fn another_takes_its_place(scene: &Scene<'_>) {
    let before = scene.replicas();
    scene.cluster.kill_broker(1009).unwrap();
    scene.traffic.without(1009);
    scene.kubernetes.node_down("node-9").unwrap();
    // Two brokers cannot hold three replicas, so there is no plan. The recommended action is the same.
    let (report, plan) = scene.rebuild("still-there.json", 1);
    assert_eq!(plan, None);
    let lost = &report["error"]["evidence"]["lost_brokers"][0];
    assert_eq!((&lost["broker"], &lost["case"]), (&json!(1009), &json!("returns")), "{report:#}");

    let newcomer = Machine {
        node: "node-10".into(),
        zone: "c",
        instance_type: "i3.8xlarge",
        pool: "logs",
        claim: "data-kafka-logs-2".into(),
        broker_id: Some(STANDBY),
    };
    newcomer.join(scene.kubernetes);
    let commands = texts(&lost["commands"]);
    commands.iter().for_each(|command| carry_out_command(scene.kubernetes, command));
    scene.kubernetes.ready_pods("kafka", "app=kafka-logs", 3).unwrap();
    scene.cluster.start_broker(STANDBY).unwrap();

    let (report, plan) = scene.rebuild("replacing.json", 0);
    let lost = &report["lost"][0];
    assert_eq!((&lost["broker"], &lost["case"]), (&json!(1009), &json!("gone")), "{report:#}");
    let joined =
        json!([{"broker": STANDBY, "pod": "kafka/kafka-logs-2", "node": "node-10", "rack": "c"}]);
    assert_eq!(lost["joined"], joined);
    let plan = targets(&plan.unwrap());
    let hit: BTreeSet<&Partition> = before
        .iter()
        .filter(|(_, replicas)| replicas.contains(&1009))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(plan.keys().collect::<BTreeSet<_>>(), hit);
    for (partition, replicas) in plan.iter().filter(|((topic, _), _)| topic != OFFSETS) {
        assert!(replicas.contains(&STANDBY), "{partition:?}: {replicas:?}");
    }
    scene.carry_out("replacing.json");
    let saved = file(&scene.folder.path().join("again.json.snapshot"));
    assert_eq!(find_broker(&saved, STANDBY).unwrap()["instance_type"], "i3.8xlarge");
}

fn codes(report: &Value) -> Vec<String> {
    let warnings = report["warnings"].as_array().unwrap().iter();
    warnings.map(|warning| warning["code"].as_str().unwrap().to_owned()).collect()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

mod soak {
    use super::*;

    #[test]
    #[ignore = "live"]
    fn a_node_dies_and_its_broker_comes_back_or_another_takes_its_place_with_zookeeper() {
        a_node_dies(Mode::ZooKeeper, Some(BY_TYPE));
    }
}
