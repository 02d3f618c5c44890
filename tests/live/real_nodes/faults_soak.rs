//! What a kubelet must not do to Kafka, and what must come back by itself. The chart is installed by Helm itself.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::Api;
use kube::api::{Patch, PatchParams};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::{Value, json};
use testbed::{Nodes, helm, until};

use super::ZONES;
use super::release::{BROKERS, Release, last_words};
use crate::producer::Producer;
use crate::traffic::SOON;

const FIRST_PORT: u16 = 31_000;
/// Much more than the chart's liveness probe forgives: six failures, ten seconds apart.
const LONG_ENOUGH: Duration = Duration::from_secs(100);
/// A program by its name, and one of its arguments.
type Program = (&'static str, &'static str);
/// The server.
pub(super) const KAFKA: Program = ("java", "kafka.Kafka");
/// The container that answers readiness probes.
const PROBES: Program = ("topicmappr", "ready");
const VALUES: &str = "{topics: {schedule: '0 0 31 2 *'}, autothrottle: {interval: '5'}}";

/// The processes of a program with this argument in a pod, as its node numbers them.
pub(super) fn processes(nodes: &Nodes, pod: &Pod, (program, argument): Program) -> Vec<String> {
    let spec = pod.spec.as_ref().unwrap();
    let name = pod.metadata.name.as_ref().unwrap();
    let script = format!(
        "for at in $(pgrep -x {program}); do \
         grep -qzx '{argument}' /proc/$at/cmdline && grep -qzx 'HOSTNAME={name}' /proc/$at/environ && echo $at; done; true"
    );
    let mut shell = nodes.on_node(spec.node_name.as_ref().unwrap(), "sh").unwrap();
    let out = shell.args(["-c", &script]).output().unwrap();
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Sends a signal to a program in a pod, once it runs.
fn signal(release: &Release, pod: &str, program: Program, name: &str) {
    let of = &release.brokers()[pod];
    let found = until(format!("{program:?} in {pod}"), SOON, || {
        Some(processes(release.nodes(), of, program)).filter(|all| !all.is_empty())
    });
    let node = of.spec.as_ref().unwrap().node_name.as_ref().unwrap();
    let mut kill = release.nodes().on_node(node, "kill").unwrap();
    assert!(kill.arg(name).args(found.unwrap()).status().unwrap().success());
}

/// How often each container was started again.
fn restarts(release: &Release, pod: &str) -> BTreeMap<String, i32> {
    let containers = containers(release, pod).into_iter();
    containers.map(|container| (container.name, container.restart_count)).collect()
}

fn containers(release: &Release, pod: &str) -> Vec<ContainerStatus> {
    let status = release.brokers()[pod].status.clone().unwrap();
    status.container_statuses.unwrap_or_default()
}

fn is_ready(release: &Release, pod: &str) -> bool {
    let status = release.brokers()[pod].status.clone().unwrap();
    let conditions = status.conditions.unwrap_or_default();
    conditions.iter().any(|it| it.type_ == "Ready" && it.status == "True")
}

fn becomes(release: &Release, pod: &str, ready: bool) {
    let began = Instant::now();
    let seen = until(format!("{pod} ready: {ready}"), SOON, || {
        (is_ready(release, pod) == ready).then_some(())
    });
    seen.unwrap_or_else(|why| panic!("{why}\n{}", last_words(release.nodes())));
    println!("== {pod} ready: {ready} after {:.0} s", began.elapsed().as_secs_f64());
}

/// Kafka keeps running, and its pod only says that it is not known to be in sync.
fn probes_are_starved_and_killed(release: &Release) {
    let pod = "kafka-events-0";
    let before = restarts(release, pod);
    signal(release, pod, PROBES, "-STOP");
    let began = Instant::now();
    becomes(release, pod, false);
    thread::sleep(LONG_ENOUGH.saturating_sub(began.elapsed()));
    assert_eq!(restarts(release, pod)["kafka"], before["kafka"], "killed for its probes");
    signal(release, pod, PROBES, "-CONT");
    becomes(release, pod, true);
    for killed in 1..=3 {
        signal(release, pod, PROBES, "-KILL");
        let again =
            || (restarts(release, pod)["probes"] >= before["probes"] + killed).then_some(());
        until("the probes again", SOON, again).unwrap();
    }
    becomes(release, pod, true);
    assert_eq!(restarts(release, pod)["kafka"], before["kafka"]);
}

/// A broker that was killed recovers its logs before it opens its port. It is stopped before that, as if it took that long.
fn a_recovery_takes_long(release: &Release) {
    let pod = "kafka-events-1";
    let before = restarts(release, pod)["kafka"];
    signal(release, pod, KAFKA, "-KILL");
    let again = || (restarts(release, pod)["kafka"] == before + 1).then_some(());
    until("Kafka again", SOON, again).unwrap();
    signal(release, pod, KAFKA, "-STOP");
    thread::sleep(LONG_ENOUGH);
    let now = containers(release, pod).into_iter().find(|container| container.name == "kafka");
    let now = now.unwrap();
    assert_eq!(now.started, Some(false), "its port is not open yet: {now:?}");
    assert_eq!(now.restart_count, before + 1, "killed in its recovery");
    signal(release, pod, KAFKA, "-CONT");
    becomes(release, pod, true);
    assert_eq!(restarts(release, pod)["kafka"], before + 1);
    let log = release.nodes().logs("kafka", pod, "kafka").unwrap();
    assert!(log.contains("no clean shutdown file was found"), "a recovery: {log}");
}

fn annotated(release: &Release, pod: &str, value: Value) {
    let (name, patch) =
        (pod.to_owned(), json!({"metadata": {"annotations": {"force-ready": value}}}));
    let patched = release.nodes().kubernetes().run("an annotation", |client| async move {
        let pods = Api::<Pod>::namespaced(client, "kafka");
        pods.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    });
    patched.unwrap();
}

/// docs/runbook/break-the-glass.md: a pod that does not become ready, and a throttle without an owner.
fn the_glass_is_broken(release: &Release) {
    let pod = "kafka-logs-2";
    signal(release, pod, KAFKA, "-STOP");
    becomes(release, pod, false);
    annotated(release, pod, json!("2036-11-20T20:00:00Z a test"));
    becomes(release, pod, true);
    let said = release.nodes().logs("kafka", pod, "probes").unwrap();
    assert!(said.contains("ready by force"), "{said}");
    annotated(release, pod, Value::Null);
    becomes(release, pod, false);
    signal(release, pod, KAFKA, "-CONT");
    becomes(release, pod, true);
    a_throttle_without_an_owner_is_cleared(release);
}

fn a_throttle_without_an_owner_is_cleared(release: &Release) {
    let config = "/opt/kafka/bin/kafka-configs.sh --bootstrap-server kafka-bootstrap.kafka.svc:9092 \
                  --command-config /etc/kafka-client/client.properties --entity-type brokers --entity-name 1001 \
                  --alter --add-config follower.replication.throttled.rate=1000";
    assert!(release.kafka_tool("stray", config).succeeded);
    let account = "topicmappr-execute";
    let shown = release.run("throttle-show", account, &["throttle", "show"]);
    assert!(shown.succeeded && shown.printed.contains("1001"), "{}", shown.printed);
    let clear = ["throttle", "clear", "--strays"];
    let rehearsed = release.run("clear-dry", account, &[&clear[..], &["--dry-run"]].concat());
    assert!(!rehearsed.succeeded && rehearsed.printed.contains("1001"), "{}", rehearsed.printed);
    let cleared = release.run("clear", account, &[&clear[..], &["--yes"]].concat());
    assert!(cleared.succeeded, "{}", cleared.printed);
    let again = release.run("clear-again", account, &[&clear[..], &["--dry-run"]].concat());
    assert!(again.succeeded, "{}", again.printed);
}

/// The end of each partition's log.
fn ends(config: &ClientConfig) -> BTreeMap<(String, i32), i64> {
    let consumer: BaseConsumer = config.create().unwrap();
    let metadata = consumer.fetch_metadata(None, SOON).unwrap();
    let topics = metadata.topics().iter().filter(|topic| topic.name().contains("events"));
    let all = topics.flat_map(|topic| {
        topic.partitions().iter().map(|partition| (topic.name().to_owned(), partition.id()))
    });
    all.map(|of| {
        let (_, high) = consumer.fetch_watermarks(&of.0, of.1, SOON).unwrap();
        (of, high)
    })
    .collect()
}

/// All brokers and controllers die at once, with their nodes. The page cache of this machine survives, which that of a real one
/// does not.
fn all_nodes_lose_power(release: &Release) {
    let outside = brokers_of_events(release);
    let before = ends(&outside);
    assert!(before.values().any(|end| *end > 100), "{before:?}");
    let started: BTreeMap<String, i32> = release
        .brokers()
        .into_keys()
        .map(|pod| (pod.clone(), restarts(release, &pod)["kafka"]))
        .collect();
    let began = Instant::now();
    for (node, _) in ZONES {
        release.nodes().crash(node).unwrap();
    }
    for (node, _) in ZONES {
        release.nodes().start_node(node).unwrap();
    }
    println!("== all nodes on again in {:.0} s", began.elapsed().as_secs_f64());
    // Until the kubelets have looked, the API shows the pods as they were.
    let again = |(pod, before): (&String, &i32)| {
        containers(release, pod).iter().any(|it| it.name == "kafka" && it.restart_count > *before)
    };
    let seen = || started.iter().all(again).then_some(());
    until("Kafka in all pods again", SOON * 2, seen)
        .unwrap_or_else(|why| panic!("{why}\n{}", last_words(release.nodes())));
    release.is_ready(9);
    println!("== all ready after a power cut in {:.0} s", began.elapsed().as_secs_f64());
    assert_eq!(ends(&outside), before, "nothing is lost");
}

/// From outside, by the ports of the first map's brokers.
fn brokers_of_events(release: &Release) -> ClientConfig {
    let mut config = release.outside(FIRST_PORT);
    let all = config.get("bootstrap.servers").unwrap().to_owned();
    let own: Vec<&str> = all.split(',').take(3).collect();
    config.set("bootstrap.servers", own.join(","));
    config
}

#[test]
#[ignore = "live"]
fn a_release_of_helm_outlives_its_probes_a_recovery_and_a_power_cut_of_all_nodes() {
    helm::command().unwrap();
    let release = Release::prepare(&ZONES);
    let began = Instant::now();
    release.helm("install", VALUES);
    release.is_ready(9);
    println!("== installed by Helm in {:.0} s", began.elapsed().as_secs_f64());
    assert_eq!(release.nodes().ready_pods("kafka", BROKERS, 6).unwrap().len(), 6);
    release.run_now("topicmappr-topics");
    println!("== first topics after {:.0} s", began.elapsed().as_secs_f64());
    let producer = Producer::with(brokers_of_events(&release), "events.orders");
    probes_are_starved_and_killed(&release);
    a_recovery_takes_long(&release);
    the_glass_is_broken(&release);
    println!("== 99 % acknowledged within {:?}", producer.has_lost_nothing());
    all_nodes_lose_power(&release);
    let ran = release.run("doctor", "topicmappr-planning", &["doctor", "--namespace", "kafka"]);
    assert!(ran.succeeded, "{}", ran.printed);
    release.helm("upgrade", VALUES);
    release.is_ready(9);
    assert!(super::in_use(release.nodes()).is_some(), "an upgrade keeps the note");
}
