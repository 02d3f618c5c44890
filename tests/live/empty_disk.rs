//! A broker returns under its id with an empty disk, and only it had the last records.
//!
//! Broker 1002 is down and behind. 1001, the only one in sync, dies and its disk is replaced. The pod of 1001 runs in a
//! real Kubernetes, with the account of `deploy/manifests/broker-init.yaml`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use testbed::{Cluster, Kubernetes, Mode, User, lone_port, until};

use crate::bad_input;
use crate::binary::{Ended, Run, topicmappr};
use crate::traffic::{SOON, Traffic};

const RECORDS: i64 = 50;
const RECORD: usize = 10_000;
const LOST: i32 = 1001;
const BEHIND: i32 = 1002;

/// One StatefulSet of three brokers, one in each zone, and the account of `broker init`.
struct Pods {
    kubernetes: Kubernetes,
    account: PathBuf,
    /// The zone of broker 1001.
    zone: &'static str,
}

const NODES: [(&str, &str); 3] = [("node-a", "eu-1a"), ("node-b", "eu-1b"), ("node-c", "eu-1c")];

static PODS: LazyLock<Pods> = LazyLock::new(|| {
    let kubernetes = Kubernetes::start().unwrap();
    for (node, zone) in NODES {
        kubernetes.node(node, zone, &[]).unwrap();
    }
    kubernetes.apply("{apiVersion: v1, kind: Namespace, metadata: {name: kafka}}").unwrap();
    kubernetes.apply(BROKERS).unwrap();
    kubernetes.apply(include_str!("../../deploy/manifests/broker-init.yaml")).unwrap();
    let pods = kubernetes.ready_pods("kafka", "app=kafka-events", 3).unwrap();
    let node = pods[0].spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap();
    let zone = NODES.iter().find(|(name, _)| *name == node).unwrap().1;
    let account = kubernetes.service_account("kafka", "kafka-broker").unwrap();
    Pods { kubernetes, account, zone }
});

const BROKERS: &str = r#"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: kafka-events, namespace: kafka, annotations: {example.org/broker-id-base: "1001"}}
spec:
  serviceName: kafka-events
  podManagementPolicy: Parallel
  replicas: 3
  selector: {matchLabels: {app: kafka-events}}
  template:
    metadata: {labels: {app: kafka-events}}
    spec:
      serviceAccountName: kafka-broker
      containers: [{name: kafka, image: kafka}]
      nodeSelector: {kubernetes.io/os: linux}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: topology.kubernetes.io/zone
          whenUnsatisfiable: DoNotSchedule
          labelSelector: {matchLabels: {app: kafka-events}}
"#;

fn cluster(mode: Mode, log_dirs: u16) -> Cluster {
    Cluster::builder().mode(mode).brokers(3).log_dirs(log_dirs).mortal([LOST]).start().unwrap()
}

/// Runs the init container of broker 1001.
fn init(cluster: &Cluster, more: &[&str]) -> Ended {
    init_of("kafka-events-0", &cluster.log_dirs(LOST), &cluster.bootstrap(), more)
}

fn init_of(pod: &str, dirs: &[PathBuf], bootstrap: &str, more: &[&str]) -> Ended {
    let dirs: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    let (dirs, pod) = (dirs.join(","), format!("kafka/{pod}"));
    let account = PODS.account.display().to_string();
    let mut args = vec!["broker", "init", "--pod", &pod, "--log-dirs", &dirs];
    args.extend(["--bootstrap-server", bootstrap, "--kubeconfig", &account]);
    args.extend(more);
    if !more.contains(&"--timeout") {
        args.extend(["--timeout", "60s"]);
    }
    topicmappr(args)
}

/// Fills the partitions of a topic, lets 1002 fall behind, and kills 1001.
fn set_the_trap(cluster: &Cluster, topic: &str, partitions: usize) {
    let traffic = Traffic::of(cluster);
    let replicas = vec![vec![LOST, BEHIND]; partitions];
    traffic.create(&[(topic.to_owned(), replicas)].into());
    let each = |index| ((topic.to_owned(), index as i32), RECORDS as usize * RECORD);
    traffic.write(&(0..partitions).map(each).collect::<BTreeMap<_, _>>());
    cluster.stop_broker(BEHIND).unwrap();
    traffic.without(BEHIND);
    cluster.kill_broker(LOST).unwrap();
    traffic.without(LOST);
}

/// Starts both, the one with the empty disk first, and counts the remaining records of each partition.
fn left_over(cluster: &Cluster, topic: &str, partitions: i32) -> Vec<i64> {
    for id in [LOST, BEHIND] {
        if !cluster.running().contains_key(&id) {
            cluster.start_broker(id).unwrap();
        }
    }
    let traffic = Traffic::of(cluster);
    traffic.settle();
    (0..partitions).map(|partition| traffic.records(topic, partition)).collect()
}

/// Does exactly what the refusal says.
fn follow(cluster: &Cluster, refusal: &Ended) {
    assert!(refusal.stderr.contains("start the others: 1002"), "{}", refusal.stderr);
    cluster.start_broker(BEHIND).unwrap();
    let commands = refusal.stderr.lines().filter_map(|line| {
        line.trim().strip_prefix("kafka-leader-election --bootstrap-server HOST:PORT ")
    });
    let mut followed = 0;
    for command in commands {
        cluster.tool("leader-election", command.split(' ')).unwrap();
        followed += 1;
    }
    assert!(followed > 0, "{}", refusal.stderr);
}

fn a_replaced_disk(mode: Mode) {
    let cluster = cluster(mode, 1);
    set_the_trap(&cluster, "unguarded", 1);
    cluster.wipe_broker(LOST).unwrap();
    assert_eq!(left_over(&cluster, "unguarded", 1), [0], "the trap is none any more");

    set_the_trap(&cluster, "guarded", 1);
    cluster.wipe_broker(LOST).unwrap();
    let refusal = init(&cluster, &[]).with(1).complaining_of("guarded-0");
    assert_eq!(refusal.stdout, "");
    let accepted = init(&cluster, &["--accept-data-loss"]).with(0).complaining_of("guarded-0");
    follow(&cluster, &refusal);
    // Until brokers agree, the command says that it waits. While replicas catch up, they disagree again and again.
    Traffic::of(&cluster).settle_but(LOST);
    let allowed = init(&cluster, &[]).with(0);
    assert_eq!(
        allowed.stdout,
        format!("broker.id=1001\nnode.id=1001\nbroker.rack={}\n", PODS.zone)
    );
    assert_eq!((allowed.stderr.as_str(), accepted.stdout), ("", allowed.stdout.clone()));
    assert_eq!(left_over(&cluster, "guarded", 1), [RECORDS]);
}

#[test]
#[ignore = "live"]
fn a_replaced_disk_erases_the_last_copy_unless_broker_init_is_asked_with_zookeeper() {
    a_replaced_disk(Mode::ZooKeeper);
}

#[test]
#[ignore = "live"]
fn a_replaced_disk_erases_the_last_copy_unless_broker_init_is_asked_with_kraft() {
    a_replaced_disk(Mode::KRaft);
}

/// The partitions of a topic in the log dir that is about to be replaced.
fn lying_in(dir: &Path, topic: &str) -> Vec<i32> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let prefix = format!("{topic}-");
    let mut found: Vec<i32> =
        entries.filter_map(|name| name.to_str()?.strip_prefix(&prefix)?.parse().ok()).collect();
    found.sort_unstable();
    found
}

/// Kafka spreads a topic's partitions over the log dirs of a broker.
const SPREAD: i32 = 2;

/// Replaces the second disk of 1001. Returns the partitions that were on it.
fn replace_second_disk(cluster: &Cluster, topic: &str) -> Vec<i32> {
    let second = cluster.log_dirs(LOST).remove(1);
    let replaced = lying_in(&second, topic);
    assert!(!replaced.is_empty() && replaced.len() < SPREAD as usize, "{replaced:?}");
    fs::remove_dir_all(&second).unwrap();
    replaced
}

fn one_of_two_disks(mode: Mode) {
    let cluster = cluster(mode, 2);
    set_the_trap(&cluster, "unguarded", SPREAD as usize);
    let replaced = replace_second_disk(&cluster, "unguarded");
    let left = left_over(&cluster, "unguarded", SPREAD);
    let kept = |partition| if replaced.contains(&partition) { 0 } else { RECORDS };
    assert_eq!(left, (0..SPREAD).map(kept).collect::<Vec<_>>(), "{replaced:?} were on the disk");

    set_the_trap(&cluster, "guarded", SPREAD as usize);
    let replaced = replace_second_disk(&cluster, "guarded");
    let refusal = init(&cluster, &[]).with(1);
    for partition in 0..SPREAD {
        let named = refusal.stderr.contains(&format!("guarded-{partition}:"));
        assert_eq!(named, replaced.contains(&partition), "{}", refusal.stderr);
    }
    follow(&cluster, &refusal);
    init(&cluster, &[]).with(0);
    assert_eq!(left_over(&cluster, "guarded", SPREAD), [RECORDS; SPREAD as usize]);
}

#[test]
#[ignore = "live"]
fn one_of_two_replaced_disks_erases_what_lay_on_it_unless_broker_init_is_asked_with_kraft() {
    one_of_two_disks(Mode::KRaft);
}

fn hidden_topics_are_not_taken_for_none(mode: Mode) {
    let cluster = bad_input::cluster(mode);
    let empty = tempfile::tempdir().unwrap();
    let ask = |user: User| {
        let client = cluster.client(&bad_input::scram(user));
        let properties = bad_input::file(cluster, &client.librdkafka());
        let dirs = [empty.path().to_owned()];
        init_of("kafka-events-1", &dirs, &client.bootstrap, &["--kafka-config", &properties])
    };
    ask(User::READER).with(0);
    ask(User::LIMITED).with(3).complaining_of("--operation Describe --topic '*'");
}

#[test]
#[ignore = "live"]
fn hidden_topics_are_not_taken_for_none_with_zookeeper() {
    hidden_topics_are_not_taken_for_none(Mode::ZooKeeper);
}

#[test]
#[ignore = "live"]
fn hidden_topics_are_not_taken_for_none_with_kraft() {
    hidden_topics_are_not_taken_for_none(Mode::KRaft);
}

#[test]
#[ignore = "live"]
fn kafka_is_waited_for_and_a_new_cluster_is_not() {
    let empty = [PathBuf::from("/nonexistent/data")];
    let nobody = "127.0.0.1:1";
    init_of("kafka-events-2", &empty, nobody, &["--timeout", "2s"])
        .with(3)
        .complaining_of("waiting (0 s): Kafka cannot be asked")
        .complaining_of("no answer to act on in");
    let new =
        init_of("kafka-events-2", &empty, nobody, &["--bootstrap-new-cluster", "--format=env"]);
    assert!(new.with(0).stdout.starts_with("KAFKA_BROKER_ID=1003\nKAFKA_NODE_ID=1003\n"));
    let folder = tempfile::tempdir().unwrap();
    let in_use = folder.path().join("since");
    let new = ["--bootstrap-new-cluster", "--in-use-file", in_use.to_str().unwrap()];
    init_of("kafka-events-2", &empty, nobody, &new).with(0);
    fs::write(&in_use, "2026-11-20T07:00:00Z").unwrap();
    let new = [new.as_slice(), &["--timeout", "1s"]].concat();
    init_of("kafka-events-2", &empty, nobody, &new).with(3).complaining_of("waiting (0 s)");
}

#[test]
#[ignore = "live"]
fn a_cluster_is_in_use_as_soon_as_a_broker_hosts_a_partition() {
    let cluster = cluster(Mode::KRaft, 1);
    let note =
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: kafka-in-use, namespace: kafka}}";
    PODS.kubernetes.apply(note).unwrap();
    let note = || {
        let found = PODS.kubernetes.run("the note", |client| async move {
            let api: Api<ConfigMap> = Api::namespaced(client, "kafka");
            Ok(api.get("kafka-in-use").await?.data)
        });
        found.unwrap().and_then(|data| data.get("since").cloned())
    };
    let (own, account) = (&cluster.running()[&LOST], PODS.account.display().to_string());
    let listen = format!("127.0.0.1:{}", lone_port().unwrap());
    let args = ["broker", "ready", "--pod", "kafka/kafka-events-0", "--kubeconfig", &account];
    let more = ["--bootstrap-server", own, "--listen", &listen, "--every", "1s"];
    let run =
        Run::start(args.iter().chain(&more).chain(&["--in-use-configmap", "kafka/kafka-in-use"]));
    let ready = || {
        let mut socket = TcpStream::connect(&listen).ok()?;
        socket.write_all(b"GET /ready HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).ok()?;
        answer.contains("hosts no partition").then_some(())
    };
    until("a probe of an empty broker", SOON, ready).unwrap();
    assert_eq!(note(), None, "the cluster is new");
    Traffic::of(&cluster).create(&[("first".to_owned(), vec![vec![LOST]])].into());
    until("the note", SOON, note).unwrap();
    run.kill();
}

#[test]
#[ignore = "live"]
fn the_disk_of_another_broker_is_refused() {
    let disk = tempfile::tempdir().unwrap();
    fs::create_dir(disk.path().join("events-0")).unwrap();
    fs::write(disk.path().join("meta.properties"), "version=1\nnode.id=1003\ncluster.id=x\n")
        .unwrap();
    let dirs = [disk.path().to_owned()];
    init_of("kafka-events-1", &dirs, "127.0.0.1:1", &[]).with(2).complaining_of(
        "meta.properties says broker 1003, and pod kafka/kafka-events-1 is broker 1002",
    );
    // With its own disk it needs no other broker, so a whole cluster can start at once.
    init_of("kafka-events-2", &dirs, "127.0.0.1:1", &[]).with(0);
}

#[test]
#[ignore = "live"]
fn a_missing_right_names_verb_and_resource() {
    let stranger = PODS.kubernetes.service_account("kafka", "stranger").unwrap();
    let stranger = stranger.display().to_string();
    let dirs = ["--log-dirs", "/nonexistent", "--bootstrap-new-cluster"];
    let args = ["broker", "init", "--pod", "kafka/kafka-events-0", "--kubeconfig", &stranger];
    topicmappr(args.iter().chain(&dirs)).with(3).complaining_of(
        "system:serviceaccount:kafka:stranger may not get pods kafka/kafka-events-0",
    );
}

/// Starts a broker with the config lines that `broker init` wrote for it.
fn a_broker_reads_its_lines(mode: Mode) {
    let nothing = [PathBuf::from("/nonexistent/data")];
    let wrote =
        init_of("kafka-events-0", &nothing, "127.0.0.1:1", &["--bootstrap-new-cluster"]).with(0);
    let lines = wrote.stdout.lines().map(|line| line.split_once('=').unwrap());
    let described = Cluster::builder().mode(mode).brokers(1).racks(["another"]);
    let described = lines.fold(described, |all, (key, value)| all.property(key, value));
    let cluster = described.start().unwrap();
    let brokers = cluster.tool("broker-api-versions", [""; 0]).unwrap();
    assert!(brokers.contains(&format!("(id: 1001 rack: {}", PODS.zone)), "{brokers}");
}

#[test]
#[ignore = "live"]
fn a_broker_reads_its_lines_with_zookeeper() {
    a_broker_reads_its_lines(Mode::ZooKeeper);
}

#[test]
#[ignore = "live"]
fn a_broker_reads_its_lines_with_kraft() {
    a_broker_reads_its_lines(Mode::KRaft);
}

mod soak {
    use super::*;

    #[test]
    #[ignore = "live"]
    fn one_of_two_replaced_disks_erases_what_lay_on_it_unless_broker_init_is_asked_with_zookeeper()
    {
        one_of_two_disks(Mode::ZooKeeper);
    }
}
