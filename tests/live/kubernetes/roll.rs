//! A StatefulSet of brokers gets a new template while clients write. A run restarts its pods one by one; it is killed
//! midway, and another run continues. No run restarts pods while replicas move, or after a pod that does not come back.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::{Brokers, Cluster, Kubernetes, Life, Mode, PodSet, until};

use super::ZONES;
use crate::admin::set;
use crate::binary::{Ended, Run, topicmappr};
use crate::producer::Producer;
use crate::runbook::{live_lines, words};
use crate::traffic::{SOON, Traffic};

pub(super) const RIGHTS: &str = include_str!("../../../deploy/manifests/roll.yaml");
/// The shipped Lease for rolls, executions and heals.
pub(super) const LEASE: &str = "kafka/topicmappr-execute";
const RIGHTS_OF_EXECUTORS: &str = include_str!("../../../deploy/manifests/execute.yaml");
pub(super) const WRITES: &str = "writes";

/// The differences between two templates of the pods.
pub(super) struct Template<'a> {
    pub(super) strategy: &'a str,
    pub(super) annotations: &'a [(&'a str, &'a str)],
}

/// A StatefulSet with this name and this base of ids, and its PodDisruptionBudget.
pub(super) fn stateful_set(
    name: &str,
    base: i32,
    replicas: usize,
    template: &Template<'_>,
) -> String {
    // The broker in a pod ends before its pod, as with a kubelet.
    let mut annotations = json!({"testbed/stop-delay": "4s"});
    for (key, value) in template.annotations {
        annotations[*key] = json!(value);
    }
    let set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": "kafka", "annotations": {"example.org/broker-id-base": base.to_string()}},
        "spec": {
            "serviceName": name, "podManagementPolicy": "Parallel", "replicas": replicas,
            "updateStrategy": {"type": template.strategy},
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": annotations},
                "spec": {
                    "terminationGracePeriodSeconds": 600, "containers": [{"name": "kafka", "image": "kafka"}],
                    // Each pod returns to its own node, whose disk belongs to the broker.
                    "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                        {"labelSelector": {"matchLabels": {"app": name}}, "topologyKey": "kubernetes.io/hostname"}]}},
                },
            },
        },
    });
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name, "namespace": "kafka"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": name}}},
    });
    format!("{set}\n---\n{budget}")
}

/// Brokers in the pods of one StatefulSet.
struct Scene {
    kubernetes: Arc<Kubernetes>,
    cluster: Arc<Cluster>,
    brokers: Brokers,
    kubeconfig: PathBuf,
    count: usize,
}

impl Scene {
    fn of(mode: Mode, count: usize) -> Self {
        let kubernetes = Arc::new(Kubernetes::start().unwrap());
        let racks = || ZONES.iter().cycle().take(count).copied();
        for (index, zone) in racks().enumerate() {
            kubernetes.node(&format!("node-{index}"), zone, &[]).unwrap();
        }
        let kubeconfig = kubernetes.service_account("kafka", "topicmappr-roll").unwrap();
        kubernetes.apply(RIGHTS).unwrap();
        let first = Template { strategy: "RollingUpdate", annotations: &[] };
        kubernetes.apply(&stateful_set("kafka", 1001, count, &first)).unwrap();
        kubernetes.ready_pods("kafka", "app=kafka", count).unwrap();
        let brokers = u16::try_from(count).unwrap();
        let cluster = Cluster::builder().mode(mode).brokers(brokers).racks(racks());
        // Only the roll stops brokers, and cleanly. None may be missed because the machine stands still for some seconds.
        let cluster = cluster.property("broker.session.timeout.ms", "30000");
        let cluster = Arc::new(cluster.start().unwrap());
        let pods = PodSet { namespace: "kafka".into(), name: "kafka".into(), base: 1001 };
        let brokers = Brokers::join(&kubernetes, &cluster, [pods]).unwrap();
        Self { kubernetes, cluster, brokers, kubeconfig, count }
    }

    fn template(&self, annotations: &[(&str, &str)]) {
        let template = Template { strategy: "OnDelete", annotations };
        self.kubernetes.apply(&stateful_set("kafka", 1001, self.count, &template)).unwrap();
    }

    /// How many pods may be away for the PodDisruptionBudget.
    fn budget(&self, pods: usize) {
        let budget = json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "kafka", "namespace": "kafka"},
            "spec": {"maxUnavailable": pods, "selector": {"matchLabels": {"app": "kafka"}}},
        });
        self.kubernetes.apply(&budget.to_string()).unwrap();
    }

    fn args(&self, more: &[&str]) -> Vec<String> {
        // As in the runbook, without its second StatefulSet.
        let lines = live_lines("upgrade.md");
        let line = lines.iter().rfind(|line| line.contains(" roll ")).unwrap();
        let line = line.replace("kafka/kafka-events kafka/kafka-logs", "kafka/kafka");
        let mut args = words(&line.replace("kafka-0:9092", &self.cluster.bootstrap()));
        let kubeconfig = self.kubeconfig.to_str().unwrap();
        let own = ["--kubeconfig", kubeconfig, "--settle", "20s", "--yes"];
        args.extend(own.iter().chain(more).map(|arg| (*arg).to_owned()));
        args
    }

    fn roll(&self, more: &[&str]) -> Ended {
        topicmappr(self.args(more))
    }

    /// Without the Lease, the shipped account cannot take one, so no pod is restarted.
    fn without_its_lease(&self) {
        let args = self.args(&[]);
        let at = args.iter().position(|arg| arg == "--lease").unwrap();
        assert_eq!(args[at + 1], LEASE, "as the runbook has it");
        let refused = topicmappr([&args[..at], &args[at + 2..]].concat()).with(3);
        refused.complaining_of(&format!("--lease {LEASE}"));
        assert_eq!(self.starts(), vec![0; self.count]);
    }

    /// Another pod executes a plan, with the shipped rights.
    fn executes(&self) -> Ended {
        let (bootstrap, plan) = (self.cluster.bootstrap(), self.cluster.path().join("others.json"));
        let plan = plan.to_str().unwrap();
        let account = self.kubernetes.service_account("kafka", "topicmappr-execute").unwrap();
        self.kubernetes.apply(RIGHTS_OF_EXECUTORS).unwrap();
        let execute = ["execute", plan, "--bootstrap-server", &bootstrap, "--throttle", "50MB/s"];
        let claim = ["--yes", "--kubeconfig", account.to_str().unwrap(), "--lease", LEASE];
        topicmappr(execute.iter().chain(&claim))
    }

    /// Its plan.
    fn plans(&self) {
        Traffic::of(&self.cluster).create(&[("planned".to_owned(), vec![vec![1001, 1002]])].into());
        let (bootstrap, plan) = (self.cluster.bootstrap(), self.cluster.path().join("others.json"));
        let rebuild = ["rebuild", "--bootstrap-server", &bootstrap, "--topics", "planned"];
        let to = ["--brokers", "1002,1003", "--placement", "count", "--ignore-warns", "--out-file"];
        topicmappr(rebuild.iter().chain(&to).chain(&[plan.to_str().unwrap()])).with(0);
    }

    fn starts(&self) -> Vec<u32> {
        self.brokers.lives().unwrap().values().map(|life| life.starts).collect()
    }

    /// The pods that a rehearsal should list. The KRaft controller is not a broker here.
    fn in_order(&self) -> Vec<String> {
        let controller = match self.cluster.mode() {
            Mode::KRaft => None,
            Mode::ZooKeeper => {
                let told = self.cluster.tool("zookeeper-shell", ["get", "/controller"]).unwrap();
                let json = told.lines().find(|line| line.starts_with('{')).unwrap();
                serde_json::from_str::<Value>(json).unwrap()["brokerid"].as_u64()
            }
        };
        let mut order: Vec<(bool, &str, u64)> = (0..self.count)
            .map(|index| (1001 + index as u64, ZONES[index % 3]))
            .map(|(id, zone)| (controller == Some(id), zone, id))
            .collect();
        order.sort_unstable();
        let line = |(_, zone, id): &(bool, &str, u64)| {
            format!("kafka/kafka-{}  broker {id}, rack {zone}", id - 1001)
        };
        order.iter().map(line).collect()
    }

    /// The Lease of the killed holder makes the next run wait for some seconds.
    fn roll_when_free(&self, more: &[&str]) -> Ended {
        let free = || Some(self.roll(more)).filter(|ended| ended.code != Some(7));
        until("the lease of the roll that was killed", SOON, free).unwrap()
    }
}

/// Watches the in-sync replicas of a partition all the time.
pub(super) struct Watch {
    fewest: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watch {
    pub(super) fn of(cluster: &Arc<Cluster>) -> Self {
        let fewest = Arc::new(AtomicUsize::new(usize::MAX));
        let stop = Arc::new(AtomicBool::new(false));
        let (least, over, cluster) = (Arc::clone(&fewest), Arc::clone(&stop), Arc::clone(cluster));
        let thread = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                if let Some(count) = Traffic::of(&cluster).in_sync(WRITES, 0) {
                    least.fetch_min(count, Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(100));
            }
        });
        Self { fewest, stop, thread: Some(thread) }
    }

    pub(super) fn fewest(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        self.fewest.load(Ordering::Relaxed)
    }
}

fn prepare(scene: &Scene) {
    let replicas = |first: i32| (0..3).map(|n| 1001 + (first + n) % scene.count as i32).collect();
    let spread = (0..scene.count as i32).map(replicas).collect::<Vec<_>>();
    let topics = [(WRITES.to_owned(), vec![replicas(0)]), ("others".to_owned(), spread)];
    Traffic::of(&scene.cluster).create(&topics.into());
    for topic in [WRITES, "others"] {
        set(&scene.cluster, "topics", topic, "min.insync.replicas=2");
    }
}

/// Restarts all pods, with one kill in between. The brokers that are down at each moment show the order.
fn killed_and_resumed(scene: &Scene) {
    scene.template(&[("example.org/version", "2")]);
    // The StatefulSet's controller takes a moment to create the new revision.
    let plan = || {
        let ended = scene.roll(&["--dry-run"]);
        let all = format!("{} pods to restart, in this order", scene.count);
        let whole = ended.stdout.lines().count() == scene.count + 1;
        (whole && ended.stdout.starts_with(&all)).then_some(ended)
    };
    let planned = until("the new revision of the pods", SOON, plan).unwrap().with(5);
    let listed: Vec<&str> = planned.stdout.lines().skip(1).map(str::trim).collect();
    assert_eq!(listed, scene.in_order(), "rack by rack, and the controller last");
    assert_eq!(scene.starts(), vec![0; scene.count], "a rehearsal restarts nothing");
    // A tenth of so few brokers is one.
    let batched = scene.roll(&["--dry-run", "--max-parallel", "auto"]).with(5);
    let said = format!("to restart in about {0} batches (at least {0}), in this", scene.count);
    assert!(batched.stdout.contains(&said), "{said}: {}", batched.stdout);

    scene.without_its_lease();
    let run = Run::start(scene.args(&[]));
    let down = || {
        let lives = scene.brokers.lives().unwrap();
        lives.values().any(|life: &Life| life.pod.is_none() || life.starts > 0).then_some(())
    };
    until("a broker that is being restarted", SOON, down).unwrap();
    run.kill();
    let ended = scene.roll_when_free(&[]).with(0);
    assert!(ended.stdout.contains("all are up to date, ready and in sync"), "{}", ended.stdout);
    assert_eq!(scene.starts(), vec![1; scene.count], "each once\n{}", ended.stderr);
    let again = scene.roll(&[]).with(0);
    assert!(again.stdout.contains("Nothing to restart"), "{}", again.stdout);
}

/// Another tool moves replicas.
fn stopped_by_a_move(scene: &Scene) {
    scene.template(&[("example.org/version", "3")]);
    let traffic = Traffic::of(&scene.cluster);
    traffic.create(&[("moved".to_owned(), vec![vec![1001, 1002]])].into());
    traffic.write(&[(("moved".to_owned(), 0), 4_000_000)].into());
    let file = scene.cluster.path().join("move.json");
    let plan =
        r#"{"version":1,"partitions":[{"topic":"moved","partition":0,"replicas":[1001,1003]}]}"#;
    fs::write(&file, plan).unwrap();
    let file = file.to_str().unwrap();
    let execute = ["--execute", "--reassignment-json-file", file, "--throttle", "1000"];
    scene.cluster.tool("reassign", execute).unwrap();
    let ended = scene.roll(&[]).with(7);
    assert!(ended.stdout.contains("replicas are being reassigned: moved-0"), "{}", ended.stdout);
    assert_eq!(scene.starts(), vec![1; scene.count]);
    scene.cluster.tool("reassign", ["--cancel", "--reassignment-json-file", file]).unwrap();
    traffic.settle();
}

/// A pod with the new template never becomes ready.
fn stopped_by_a_pod(scene: &Scene) {
    scene.template(&[("example.org/version", "4"), ("testbed/unready", "its config is wrong")]);
    let order = scene.in_order();
    let pod = order[0].split(' ').next().unwrap();
    scene.plans();
    let roll = Run::start(scene.args(&["--allow-unavailable", "--pod-timeout", "40s"]));
    let down = || {
        let lives = scene.brokers.lives().unwrap();
        lives.values().any(|life: &Life| life.pod.is_none() || life.starts > 1).then_some(())
    };
    until("a broker that is being restarted", SOON, down).unwrap();
    // The account of another pod, with the shipped rights.
    let kept_out = scene.executes().with(7).complaining_of(&format!("lease {LEASE}"));
    kept_out.complaining_of(&format!("process {}", roll.id()));
    let seen = Traffic::of(&scene.cluster).seen();
    assert_eq!(seen[&("planned".to_owned(), 0)].replicas, [1001, 1002]);
    let ended = roll.end().with(6);
    let said = format!("pod {pod} is not ready");
    assert!(ended.stdout.contains(&said), "{said}: {}", ended.stdout);
    assert!(ended.stderr.contains("topicmappr roll kafka/kafka"), "what goes on: {}", ended.stderr);
    // The broker in the new pod takes some time to start.
    let one_more = || scene.starts().iter().sum::<u32>() as usize == scene.count + 1;
    until("the start of the restarted broker", SOON, || one_more().then_some(())).unwrap();
    thread::sleep(Duration::from_secs(3));
    assert!(one_more(), "one more, and no other: {:?}", scene.starts());
}

fn brokers_are_restarted_under_writes(mode: Mode, count: usize) {
    let scene = Scene::of(mode, count);
    prepare(&scene);
    let refused = scene.roll(&[]).with(1).complaining_of("updateStrategy RollingUpdate");
    assert!(refused.stderr.contains("kubectl patch statefulset kafka"), "{}", refused.stderr);
    let (producer, watch) = (Producer::start(&scene.cluster, WRITES), Watch::of(&scene.cluster));
    killed_and_resumed(&scene);
    stopped_by_a_move(&scene);
    Traffic::of(&scene.cluster).create(&[("single".to_owned(), vec![vec![1002]])].into());
    let unavailable = scene.roll(&[]).with(1);
    assert!(unavailable.stderr.contains("cannot stay available"), "{}", unavailable.stderr);
    stopped_by_a_pod(&scene);
    assert!(watch.fewest() >= 2, "under its min ISR");
    producer.has_lost_nothing();
}

#[test]
#[ignore = "live"]
fn brokers_are_restarted_under_writes_and_nothing_is_lost_with_kraft() {
    brokers_are_restarted_under_writes(Mode::KRaft, 3);
}

/// Brokers of a batch start at the same time, on the cores of the producer. This much of its p99 comes from that.
const NOISE: Duration = Duration::from_millis(50);

/// Restarts all pods while a producer writes to the topic, for at least this time. Returns the output, the producer's
/// p99, and how long the roll took.
fn rolled(scene: &Scene, topic: &str, at_least: Duration, more: &[&str]) -> (Ended, [Duration; 2]) {
    scene.template(&[("example.org/version", topic)]);
    scene.budget(3);
    let plan = || {
        let ended = scene.roll(&[&["--dry-run"], more].concat());
        ended.stdout.starts_with(&format!("{} pods to", scene.count)).then_some(ended)
    };
    let planned = until("the new revision of the pods", SOON, plan).unwrap().with(5);
    eprintln!("{}", planned.stdout);
    // The pods of the roll before may be younger than --settle. Then a batch takes no second pod.
    thread::sleep(Duration::from_secs(20));
    let (producer, watch) = (Producer::prompt(&scene.cluster, topic), Watch::of(&scene.cluster));
    let began = Instant::now();
    let ended = scene.roll(more).with(0);
    let took = began.elapsed();
    eprintln!("{}{}", ended.stderr, ended.stdout);
    thread::sleep(at_least.saturating_sub(took));
    assert!(watch.fewest() >= 2, "under its min ISR");
    (ended, [producer.has_lost_nothing(), took])
}

/// Nine brokers in three racks: one by one, then a rack at a time.
fn a_rack_at_a_time(mode: Mode) {
    let scene = Scene::of(mode, 9);
    prepare(&scene);
    let (_, [alone, took]) = rolled(&scene, WRITES, Duration::ZERO, &[]);
    assert_eq!(scene.starts(), vec![1; 9]);
    // Another topic, with a partition on the same brokers. Both producers write for the same time: otherwise the shorter
    // roll would have a larger share of its records during restarts.
    let (ended, [together, batched]) = rolled(&scene, "others", took, &["--max-parallel", "3"]);
    assert_eq!(scene.starts(), vec![2; 9]);
    let restarts = |line: &&str| line.starts_with("restarting ");
    let line = ended.stderr.lines().rfind(restarts).unwrap();
    let last = line.split(", batch ").nth(1).and_then(|rest| rest.split(')').next()).unwrap();
    let batches: usize = last.parse().unwrap();
    eprintln!(
        "one by one {took:?}, p99 {alone:?}; in {batches} batches {batched:?}, p99 {together:?}"
    );
    assert!(batches <= 4, "{}", ended.stderr);
    let said = format!("9 pods restarted in {batches} batches (at least ");
    assert!(ended.stdout.contains(&said), "{said}: {}", ended.stdout);
    assert!(batched < took, "{batched:?}, and one by one {took:?}");
    assert!(together <= alone * 2 + NOISE, "p99 {together:?}, and one by one {alone:?}");
}

mod soak {
    use super::{Mode, a_rack_at_a_time, brokers_are_restarted_under_writes};

    #[test]
    #[ignore = "soak"]
    fn nine_brokers_are_restarted_a_rack_at_a_time_with_kraft() {
        a_rack_at_a_time(Mode::KRaft);
    }

    #[test]
    #[ignore = "soak"]
    fn six_brokers_are_restarted_under_writes_and_nothing_is_lost_with_kraft() {
        brokers_are_restarted_under_writes(Mode::KRaft, 6);
    }

    #[test]
    #[ignore = "soak"]
    fn six_brokers_are_restarted_under_writes_and_nothing_is_lost_with_zookeeper() {
        brokers_are_restarted_under_writes(Mode::ZooKeeper, 6);
    }
}
