//! A node dies under a broker whose pod is bound to its disk. One command frees the pod with its own account, and gives
//! it another disk. The broker starts empty under its id, with a throttle, and leads again what it led. Events report
//! the loss, and an operator's forced readiness.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use testbed::{Brokers, Cluster, Kubernetes, PodSet, lone_port, until};

use super::same_id_races::{Moments, PAIR, race};
use super::{Machine, ZONES, lease, stateful_set};
use crate::binary::{Ended, Run, command, topicmappr};
use crate::producer::Producer;
use crate::traffic::{SOON, Traffic};

const RIGHTS: &str = include_str!("../../../deploy/manifests/same-id.yaml");
const KEEPS: &str = include_str!("../../../deploy/manifests/keep.yaml");
const PLANS: &str = include_str!("../../../deploy/manifests/kafkaplan.yaml");
const BROKERS: &str = include_str!("../../../deploy/manifests/broker-init.yaml");
pub(super) const LOST: i32 = 1003;
pub(super) const KEPT: &str = "kept";
const BYTES: usize = 3_000_000;
/// The Lease in the shipped rights, which executions use, too.
const LEASE: &str = "kafka/topicmappr-execute";

pub(super) fn machine(node: &str, index: usize) -> Machine {
    Machine {
        node: node.to_owned(),
        zone: ZONES[index],
        instance_type: "i3.4xlarge",
        pool: "events",
        claim: format!("data-kafka-events-{index}"),
        broker_id: None,
    }
}

pub(super) struct Scene {
    pub(super) kubernetes: Arc<Kubernetes>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) brokers: Brokers,
    kubeconfig: PathBuf,
}

impl Scene {
    pub(super) fn start() -> Self {
        let kubernetes = Arc::new(Kubernetes::start().unwrap());
        let kubeconfig = kubernetes.service_account("kafka", "topicmappr-same-id").unwrap();
        kubernetes.apply(RIGHTS).unwrap();
        (0..3).for_each(|index| machine(&format!("node-{index}"), index).join(&kubernetes));
        kubernetes.apply(&stateful_set("events", 3).to_string()).unwrap();
        kubernetes.ready_pods("kafka", "app=kafka-events", 3).unwrap();
        let cluster =
            Arc::new(Cluster::builder().brokers(3).mortal([1003]).racks(ZONES).start().unwrap());
        let pods = PodSet { namespace: "kafka".into(), name: "kafka-events".into(), base: 1001 };
        let brokers = Brokers::join(&kubernetes, &cluster, [pods]).unwrap();
        Self { kubernetes, cluster, brokers, kubeconfig }
    }

    /// Creates topics on the lost broker.
    pub(super) fn furnish(&self) {
        let traffic = Traffic::of(&self.cluster);
        let kept = (KEPT.to_owned(), vec![vec![LOST, 1001, 1002]]);
        traffic.create(&[kept, (PAIR.to_owned(), vec![vec![LOST, 1002]])].into());
        traffic.write(&[((KEPT.to_owned(), 0), BYTES)].into());
    }

    pub(super) fn args(&self, more: &[&str]) -> Vec<String> {
        let bootstrap = self.cluster.bootstrap();
        let ledger = self.cluster.path().join("ledger").display().to_string();
        let kubeconfig = self.kubeconfig.display().to_string();
        let args = ["replace", "--broker", "1003", "--same-id", "--bootstrap-server", &bootstrap];
        let places = ["--kubeconfig", &kubeconfig, "--namespace", "kafka", "--state-file", &ledger];
        let lease = ["--lease", LEASE, "--lost-for", "1s"];
        args.iter().chain(&places).chain(&lease).chain(more).map(|arg| (*arg).to_owned()).collect()
    }

    fn replace(&self, more: &[&str]) -> Ended {
        topicmappr(self.args(more))
    }

    /// Waits for an Event with this reason about an object of this kind and name, and returns its note.
    fn event(&self, reason: &'static str, kind: &'static str, name: &'static str) -> String {
        let told = || {
            let found = self.kubernetes.run("the Events", move |client| async move {
                let events = Api::<Event>::namespaced(client, "kafka");
                Ok(events.list(&Default::default()).await?.items)
            });
            let is_it = |event: &Event| {
                let about = event.regarding.clone().unwrap_or_default();
                let named = (about.kind.as_deref(), about.name.as_deref());
                let whole = about.uid.is_some_and(|uid| !uid.is_empty());
                event.reason.as_deref() == Some(reason)
                    && named == (Some(kind), Some(name))
                    && whole
            };
            found.unwrap().into_iter().find(is_it).and_then(|event| event.note)
        };
        until(format!("the Event {reason}"), SOON, told).unwrap()
    }

    fn annotate(&self, pod: &'static str, value: Option<&'static str>) {
        let annotated = self.kubernetes.run("an annotation", move |client| async move {
            let pods = Api::<Pod>::namespaced(client, "kafka");
            let patch = json!({"metadata": {"annotations": {"force-ready": value}}});
            Ok(pods.patch(pod, &PatchParams::default(), &Patch::Merge(&patch)).await.map(drop)?)
        });
        annotated.unwrap();
    }
}

/// Runs `keep` as its Deployment does, for one look: with two brokers left there is no plan, and an Event reports that.
fn keep_tells_of_the_loss(scene: &Scene) {
    let account = scene.kubernetes.service_account("kafka", "topicmappr-keep").unwrap();
    scene.kubernetes.apply(PLANS).unwrap();
    scene.kubernetes.apply(KEEPS).unwrap();
    let objects: Vec<Value> = serde_saphyr::from_multiple(KEEPS).unwrap();
    let policy = objects.iter().find_map(|object| object["data"]["policy.yaml"].as_str()).unwrap();
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let args: Vec<String> = serde_json::from_value(container["args"].clone()).unwrap();
    let work = scene.cluster.path().join("keep");
    let policy_file = work.join("policy.yaml");
    fs::create_dir_all(&work).unwrap();
    fs::write(&policy_file, policy).unwrap();
    let here = |arg: String| match arg.split_once('=') {
        Some(("--work-dir", _)) => Some(format!("--work-dir={}", work.display())),
        Some(("--policy", _)) => Some(format!("--policy={}", policy_file.display())),
        // One look, which serves no metrics. This cluster has no maps.
        Some(("--every" | "--listen" | "--maps", _)) => None,
        _ => Some(arg),
    };
    let mut keep = command();
    keep.args(args.into_iter().filter_map(here));
    // The brokers share the disk of the test machine, which may be nearly full.
    keep.args(["--broker-storage", "1001=9GB,1002=9GB,1003=9GB"]);
    keep.env("TOPICMAPPR_BOOTSTRAP_SERVER", scene.cluster.bootstrap());
    keep.env("TOPICMAPPR_KUBECONFIG", account);
    Run::of(keep).end().with(5).complaining_of("lost-broker 1003: not now");
    let note = scene.event("PlanHeld", "ConfigMap", "topicmappr-keep");
    assert!(note.contains("lost-broker 1003: not now"), "{note}");
}

/// An operator forces the dead broker's pod to count as ready, and then undoes that.
fn force_is_told_at_the_pod(scene: &Scene) {
    const POD: &str = "kafka-events-2";
    let account = scene.kubernetes.service_account("kafka", "kafka-broker").unwrap();
    scene.kubernetes.apply(BROKERS).unwrap();
    scene.annotate(POD, Some("2100-01-01T00:00:00Z its node died"));
    let own = scene.cluster.bootstrap().split(',').nth(2).unwrap().to_owned();
    let listen = format!("127.0.0.1:{}", lone_port().unwrap());
    let mut probes = command();
    probes.args(["broker", "ready", "--bootstrap-server", &own, "--listen", &listen, "--every=1s"]);
    probes.env("POD_NAME", POD).env("POD_NAMESPACE", "kafka").env("TOPICMAPPR_KUBECONFIG", account);
    let probes = Run::of(probes);
    let note = scene.event("ReadyByForce", "Pod", POD);
    assert!(note.contains("its node died") && note.contains("in truth: "), "{note}");
    scene.annotate(POD, None);
    scene.event("ReadyByForceOver", "Pod", POD);
    probes.kill();
}

/// Broker and machine return while the operator decides on the answer. Then the broker also returns as the only in-sync
/// replica of a partition.
fn who_came_back_is_left_alone(scene: &Arc<Scene>) {
    let (answer, comes_back) = (Duration::from_secs(12), Duration::ZERO);
    for alone in [false, true] {
        let ended = race(scene, Moments { answer, comes_back, alone });
        assert_eq!((ended.code, ended.deleted), (Some(1), [false; 3]), "{alone}");
    }
}

/// A silence that is too short, and another program that acts on the cluster: exit codes 1 and 7, and nothing is done.
fn whatever_is_not_certain_keeps_the_pod(scene: &Scene) {
    let mut args = scene.args(&["--throttle", "none", "--yes"]);
    let place = args.iter().position(|arg| arg == "--lost-for").unwrap() + 1;
    args[place] = "1h".to_owned();
    let refused = topicmappr(args).with(1);
    assert!(refused.stderr.contains("counts as lost after 3600 s"), "{}", refused.stderr);

    lease(&scene.kubernetes, "an execution");
    let held = scene.replace(&["--throttle", "none", "--yes"]).with(7);
    assert!(held.stderr.contains("an execution"), "{}", held.stderr);
    lease(&scene.kubernetes, "");
}

#[test]
#[ignore = "live"]
fn the_pod_of_a_dead_node_is_freed_and_its_broker_comes_back_on_another_disk() {
    let scene = Arc::new(Scene::start());
    let traffic = Traffic::of(&scene.cluster);
    scene.furnish();
    who_came_back_is_left_alone(&scene);
    let starts = scene.brokers.lives().unwrap()[&LOST].starts;
    traffic.create(&[("busy".to_owned(), vec![vec![1001, 1002, LOST]])].into());
    let producer = Producer::start(&scene.cluster, "busy");

    scene.kubernetes.node_down("node-2").unwrap();
    let dead = || scene.brokers.lives().unwrap()[&LOST].pod.is_none().then_some(());
    until("the broker's death", SOON, dead).unwrap();
    traffic.without(LOST);
    let lost = || {
        let ended = scene.replace(&["--throttle", "2MB/s", "--dry-run"]);
        (ended.code == Some(5) && ended.stdout.contains("kubectl delete")).then_some(ended)
    };
    let plan = until("a node that Kubernetes counts as lost", SOON, lost).unwrap();
    for command in ["delete node node-2", "delete pvc data-kafka-events-2"] {
        assert!(plan.stdout.contains(command), "{command}:\n{}", plan.stdout);
    }
    let starved = scene.replace(&["--throttle", "1kB/s", "--dry-run"]).with(2);
    let starved = starved.complaining_of("per second for new data alone");
    assert!(starved.stderr.contains("would never catch up"), "{}", starved.stderr);
    assert_eq!(scene.brokers.lives().unwrap()[&LOST].starts, starts, "nothing is freed so far");
    whatever_is_not_certain_keeps_the_pod(&scene);

    keep_tells_of_the_loss(&scene);
    force_is_told_at_the_pod(&scene);

    machine("node-2b", 2).join(&scene.kubernetes);
    let ended = Run::start(scene.args(&["--throttle", "2MB/s", "--yes"])).end().with(0);
    assert!(ended.stdout.contains("is in sync everywhere"), "{}", ended.stdout);
    let life = scene.brokers.lives().unwrap()[&LOST].clone();
    assert_eq!((life.starts, life.emptied), (starts + 1, 1), "{}", ended.stderr);
    traffic.settle();
    assert_eq!(traffic.seen()[&(KEPT.to_owned(), 0)].leader, LOST);
    scene.replace(&["--throttle", "none", "--dry-run"]).with(0);
    producer.has_lost_nothing();
}
