//! Days of an operator, in the order in which they come, under a producer outside of the cluster.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, EvictParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::{Value, json};
use testbed::{Image, Version, until};

use super::release::{CONTROLLERS, Release, fill};
use crate::plan::Partition;
use crate::producer::Producer;
use crate::traffic::SOON;

/// A broker each. The zone of the last two is the same.
const NODES: [(&str, &str); 4] = [("a", "eu-1a"), ("b", "eu-1b"), ("c", "eu-1c"), ("d", "eu-1c")];
/// A node that hosts a broker and a controller waits for both.
const LONG: Duration = Duration::from_secs(900);
const FIRST_PORT: u16 = 31_000;
const BULK: usize = 60_000_000;
/// The claim of keep's volume.
const KEEP: &str = "topicmappr-keep";

/// What `helm upgrade` changes from day to day.
struct Values {
    brokers: u32,
    image: Version,
    fetchers: u32,
    heals: bool,
}

impl Values {
    fn text(&self) -> String {
        let document = "version: 1\nmaps: {events: {topics: \"events.*\", brokers: {statefulSet: kafka/kafka-events}}}";
        let topics = "version: 1\ndefaults: {partitions: 6, replication: 3}\n\
                      topics: [{name: events.orders}, {name: events.bulk}]";
        let set = json!({
            "name": "kafka-events", "replicas": self.brokers, "idBase": 1000, "disk": "10Gi", "heap": "192m",
            "nodePortBase": FIRST_PORT,
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}},
        });
        json!({
            "maps": {"document": document},
            "topics": {"schedule": "0 0 31 2 *", "definitions": {"first-topics": topics}},
            "autothrottle": {"interval": "5"},
            "keep": {"enabled": true, "every": "20s", "policy": self.policy()},
            "certificates": {"enabled": true, "warnBefore": "1d"},
            "brokers": {
                "image": format!("apache/kafka:{}", self.image), "sets": [set],
                "autothrottleTokenSecret": "autothrottle-token",
                "properties": {"num.replica.fetchers": self.fetchers.to_string()},
            },
        })
        .to_string()
    }

    fn policy(&self) -> String {
        let mode = if self.heals { "act" } else { "propose" };
        format!(
            "version: 1\nthrottle: 20MB/s\npolicies:\n  lostBroker: {{mode: {mode}, for: 3m}}\n"
        )
    }
}

/// Asks all the time for the replicas in sync.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeMap<Partition, usize>>,
}

impl Watch {
    fn start(config: ClientConfig) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let consumer: BaseConsumer = config.create().unwrap();
            let mut least = BTreeMap::new();
            while !flag.load(Ordering::Relaxed) {
                // The broker that is asked may just be restarting.
                if let Ok(metadata) = consumer.fetch_metadata(None, Duration::from_secs(5)) {
                    for topic in metadata.topics() {
                        for partition in topic.partitions() {
                            let of = (topic.name().to_owned(), partition.id());
                            let seen = least.entry(of).or_insert(usize::MAX);
                            *seen = partition.isr().len().min(*seen);
                        }
                    }
                }
                thread::sleep(Duration::from_millis(250));
            }
            least
        });
        Self { stop, thread }
    }

    /// The least number of replicas in sync that was seen, by partition.
    fn end(self) -> BTreeMap<Partition, usize> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// The manifest of a page's section.
fn manifest(page: &str, section: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    let text = fs::read_to_string(path).unwrap();
    let rest = text.split_once(section).unwrap().1.split_once("```yaml\n").unwrap().1;
    rest.split_once("```").unwrap().0.to_owned()
}

fn topicmappr_outside(release: &Release, args: &[&str]) {
    let program = std::env::var_os("MAPPR_TOPICMAPPR").expect("cargo xtask test names it");
    let mut command = release.nodes().resolving(program).unwrap();
    let properties = release.path().join("client.properties");
    let text = release.client().replace("/etc/kafka-client", &release.path().display().to_string());
    fs::write(&properties, text).unwrap();
    command.args(args).arg("--kafka-config").arg(properties);
    command.args(["--bootstrap-server", "kafka-bootstrap.kafka.svc:9092", "--kubeconfig"]);
    let ran = command.arg(release.nodes().kubeconfig()).output().unwrap();
    let said = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(ran.status.success(), "{args:?}: {}\n{}", said[0], said[1]);
    println!("== {}\n{}{}", args.join(" "), said[0], said[1]);
}

/// One line of values, and a plan that is carried out in a pod, at the pace of the daemon next to a broker.
fn a_broker_is_added(release: &Release, values: &Values) {
    release.apply(&values.text());
    release.is_ready(7);
    let plan = release.path().join("plan.json");
    let out = plan.display().to_string();
    let maps = ["--maps", "configmap:kafka/topic-maps", "--out-file", &out];
    topicmappr_outside(
        release,
        &[&["rebalance", "--balance", "topics,storage", "--storage-headroom", "1%"][..], &maps]
            .concat(),
    );
    let text = fs::read_to_string(&plan).unwrap();
    let moves = serde_json::from_str::<Value>(&text).unwrap();
    assert!(!moves["partitions"].as_array().unwrap().is_empty(), "{moves}");
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "plan", "namespace": "kafka"},
        "data": {"plan.json": text},
    });
    release.nodes().kubernetes().apply(&config.to_string()).unwrap();
    let job = manifest("execute.md", "### Run it in a pod");
    it_is_given_up_at_first(release, &job);
    let ran = release.job("execute-plan", &job);
    assert!(ran.succeeded, "{}", ran.printed);
    assert!(ran.printed.contains("set by autothrottle"), "{}", ran.printed);
}

/// docs/runbook/break-the-glass.md: the Job goes in the middle of its moves, and a pod without its journal cancels what it began.
fn it_is_given_up_at_first(release: &Release, job: &str) {
    let pace = "--throttle=auto, --autothrottle=http://kafka-sidecars:8080, --autothrottle-token-file=/token/token";
    assert!(job.contains(pace), "{job}");
    let slow = job.replace(pace, "--throttle=500kB/s").replace("execute-plan", "execute-slowly");
    let consumer: BaseConsumer = release.outside(FIRST_PORT).create().unwrap();
    let in_flight = || {
        let metadata = consumer.fetch_metadata(None, SOON).unwrap();
        let all = metadata.topics().iter().flat_map(|topic| topic.partitions());
        all.filter(|partition| partition.replicas().len() > 3).count()
    };
    let kubernetes = release.nodes().kubernetes();
    kubernetes.apply(&slow).unwrap();
    until("a move in flight", LONG, || (in_flight() > 0).then_some(())).unwrap();
    let deleted = kubernetes.run("the Job to go", |client| async move {
        let jobs = Api::<Job>::namespaced(client, "kafka");
        jobs.delete("execute-slowly", &DeleteParams::foreground()).await?;
        Ok(())
    });
    deleted.unwrap();
    let pods = "batch.kubernetes.io/job-name=execute-slowly";
    kubernetes
        .pods("the end of its pod", "kafka", pods, |all| all.is_empty().then_some(()))
        .unwrap();
    println!("== given up with {} moves in flight", in_flight());
    assert!(in_flight() > 0, "the moves were too fast");
    let account = "topicmappr-execute";
    let args = ["cancel", "/plan/plan.json", "--lease", "kafka/topicmappr-execute", "--yes"];
    let cancelled =
        release.run("cancel", account, &[&args[..], &["--journal", "/work/plan.journal"]].concat());
    assert!(cancelled.succeeded && in_flight() == 0, "{}", cancelled.printed);
    let strays = release.run("strays", account, &["throttle", "clear", "--strays", "--dry-run"]);
    assert!(strays.succeeded, "{}", strays.printed);
}

/// Another image and other configs, by restarts of controllers, then of brokers; then the version of the metadata.
fn kafka_is_upgraded(release: &Release, values: &Values) {
    release.apply(&values.text());
    for set in ["kafka-controller", "kafka-events"] {
        let [target, name] = [format!("kafka/{set}"), format!("roll-{set}")];
        let how = ["--lease", "kafka/topicmappr-execute", "--settle", "35s", "--yes"];
        let args = [&["roll", &target][..], &how].concat();
        let ran = release.run(&name, "topicmappr-roll", &args);
        assert!(ran.succeeded, "{}", ran.printed);
    }
    for pod in release.brokers().values() {
        let image = pod.spec.as_ref().unwrap().containers[0].image.clone().unwrap();
        assert_eq!(image, format!("apache/kafka:{}", values.image));
    }
    let ran = release.kafka_tool(
        "features",
        "f() { /opt/kafka/bin/kafka-features.sh --bootstrap-server kafka-bootstrap.kafka.svc:9092 \
         --command-config /etc/kafka-client/client.properties \"$@\"; }\n\
         f upgrade --release-version 4.3\nf describe",
    );
    assert!(ran.succeeded && ran.printed.contains("FinalizedVersionLevel: 4.3"), "{}", ran.printed);
}

fn certificates_are_renewed(release: &Release) {
    release.renew_certificate();
    let args = ["certs", "reload", "--expect", "/etc/kafka-tls/tls.crt", "--yes"];
    let ran = release.run("certs-reload", "topicmappr-certificates", &args);
    assert!(ran.succeeded, "{}", ran.printed);
    release.run_now("topicmappr-certificates");
}

/// What `kubectl drain` does: it cordons the node, and evicts each pod again and again until it is gone.
fn drain(release: &Release, node: &str) {
    let kubernetes = release.nodes().kubernetes();
    let began = Instant::now();
    unschedulable(release, node, true);
    let gone = until(format!("drain of {node}"), LONG, || {
        let on = format!("spec.nodeName={node}");
        let left = kubernetes.run("evictions", |client| async move {
            let all = Api::<Pod>::all(client.clone());
            let pods = all.list(&ListParams::default().fields(&on)).await?.items;
            let ended = |pod: &Pod| {
                let phase = pod.status.as_ref().and_then(|status| status.phase.clone());
                ["Succeeded", "Failed"].contains(&&*phase.unwrap_or_default())
            };
            let daemon = |pod: &Pod| pod.owner_references().iter().any(|it| it.kind == "DaemonSet");
            let left: Vec<Pod> =
                pods.into_iter().filter(|pod| !daemon(pod) && !ended(pod)).collect();
            for pod in left.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
                let namespace = pod.namespace().unwrap_or_default();
                let pods = Api::<Pod>::namespaced(client.clone(), &namespace);
                // A budget refuses with 429 until it allows one.
                let _ = pods.evict(&pod.name_any(), &EvictParams::default()).await;
            }
            Ok(left.len())
        });
        thread::sleep(Duration::from_secs(2));
        (left.unwrap() == 0).then_some(())
    });
    gone.unwrap_or_else(|why| panic!("{why}\n{}", super::release::last_words(release.nodes())));
    println!("== drained {node} in {:.0} s", began.elapsed().as_secs_f64());
    unschedulable(release, node, false);
}

fn unschedulable(release: &Release, node: &str, yes: bool) {
    let (name, patch) = (node.to_owned(), Patch::Merge(json!({"spec": {"unschedulable": yes}})));
    let patched = release.nodes().kubernetes().run("cordon", |client| async move {
        Api::<Node>::all(client).patch(&name, &PatchParams::default(), &patch).await?;
        Ok(())
    });
    patched.unwrap();
}

/// A machine dies with its disk, and the cloud deletes its Node. Its broker comes back elsewhere by the runbook's command.
fn a_machine_dies(release: &Release) {
    let nodes = release.nodes();
    let pod = &release.brokers()["kafka-events-3"];
    let node = pod.spec.as_ref().unwrap().node_name.clone().unwrap();
    nodes.crash(&node).unwrap();
    nodes.await_lost(&node).unwrap();
    let name = node.clone();
    let deleted = nodes.kubernetes().run("the machine's Node to go", |client| async move {
        Api::<Node>::all(client).delete(&name, &DeleteParams::default()).await?;
        Ok(())
    });
    deleted.unwrap();
    let args = ["replace", "--broker", "1003", "--same-id", "--throttle", "20MB/s"];
    let more = ["--namespace", "kafka", "--lease", "kafka/topicmappr-execute", "--yes"];
    let ran = release.run("same-id", "topicmappr-same-id", &[&args[..], &more].concat());
    assert!(ran.succeeded, "{}", ran.printed);
    disks_of_the_machine(release, &node);
    release.is_ready(7);
}

/// Controllers of the machine get new disks, too. So does keep, whose claim the next upgrade makes again, once it is gone: its
/// notes are elsewhere.
fn disks_of_the_machine(release: &Release, node: &str) {
    // The volumes of a node have its name and a number.
    let volumes = format!("{node}-");
    let freed = release.nodes().kubernetes().run("claims to go", |client| async move {
        let pods = Api::<Pod>::namespaced(client.clone(), "kafka");
        let claims = Api::<PersistentVolumeClaim>::namespaced(client, "kafka");
        let lost = |claim: PersistentVolumeClaim| {
            let bound = claim.spec.and_then(|spec| spec.volume_name);
            bound.is_some_and(|volume| volume.starts_with(&volumes))
        };
        for pod in pods.list(&ListParams::default().labels(CONTROLLERS)).await?.items {
            let name = pod.name_any();
            let claim = format!("data-{name}");
            if lost(claims.get(&claim).await?) {
                claims.delete(&claim, &DeleteParams::default()).await?;
                pods.delete(&name, &DeleteParams::default().grace_period(0)).await?;
            }
        }
        if lost(claims.get(KEEP).await?) {
            claims.delete(KEEP, &DeleteParams::default()).await?;
        }
        Ok(())
    });
    freed.unwrap();
    // Until the pod of the machine is gone, a claim that was deleted still counts as there, and an upgrade makes no other.
    let is_gone = || {
        let found = release.nodes().kubernetes().run("keep's claim", |client| async move {
            Ok(Api::<PersistentVolumeClaim>::namespaced(client, "kafka").get_opt(KEEP).await?)
        });
        let stays = |claim: PersistentVolumeClaim| claim.metadata.deletion_timestamp.is_none();
        found.unwrap().is_none_or(stays).then_some(())
    };
    until("keep's lost claim to go", LONG, is_gone).unwrap();
}

/// The StatefulSet shrinks by a broker that has replicas. keep waits, then gives the broker up by itself. Its registration
/// stays until an operator removes it.
fn a_broker_is_given_up(release: &Release, values: &Values) {
    let outside = release.outside(FIRST_PORT);
    let holds = |id: i32| {
        let consumer: BaseConsumer = outside.create().unwrap();
        let metadata = consumer.fetch_metadata(None, SOON).unwrap();
        let all = metadata.topics().iter().flat_map(|topic| topic.partitions());
        all.filter(|partition| partition.replicas().contains(&id)).count()
    };
    let before = holds(1003);
    assert!(before > 0, "nothing to give up");
    release.apply(&values.text());
    let given_up = until("the end of the plan", LONG, || {
        thread::sleep(Duration::from_secs(5));
        (holds(1003) == 0).then_some(())
    });
    given_up.unwrap_or_else(|why| panic!("{why}\n{}", super::release::last_words(release.nodes())));
    println!("== given up: {before} replicas of broker 1003");
    release.is_ready(6);
    let args = ["broker", "unregister", "1003", "--yes"];
    let ran = release.run("unregister", "topicmappr-execute", &args);
    assert!(ran.succeeded, "{}", ran.printed);
}

#[test]
#[ignore = "live"]
fn a_cluster_is_scaled_upgraded_renewed_drained_and_repaired_and_nothing_is_lost() {
    let release = Release::prepare(&NODES);
    release.nodes().load(&Image::kafka(Version::V4_1)).unwrap();
    release.secret("autothrottle-token", json!({"token": "a1b2c3d4e5f6a1b2c3d4e5f6"}));
    let mut values = Values { brokers: 3, image: Version::V4_1, fetchers: 1, heals: false };
    let began = Instant::now();
    let done = |what: &str| println!("== {what} after {:.0} s", began.elapsed().as_secs_f64());
    release.apply(&values.text());
    release.is_ready(6);
    release.run_now("topicmappr-topics");
    let outside = release.outside(FIRST_PORT);
    fill(&outside, "events.bulk", 6, BULK);
    let producer = Producer::with(outside.clone(), "events.orders");
    let watch = Watch::start(outside);
    done("started");

    values.brokers = 4;
    a_broker_is_added(&release, &values);
    done("scaled");
    values = Values { image: Version::V4_3, fetchers: 2, ..values };
    kafka_is_upgraded(&release, &values);
    done("upgraded");
    certificates_are_renewed(&release);
    done("renewed");
    for (node, _) in NODES {
        drain(&release, node);
    }
    release.is_ready(7);
    done("drained");
    a_machine_dies(&release);
    done("repaired");
    values = Values { brokers: 3, heals: true, ..values };
    a_broker_is_given_up(&release, &values);
    done("healed");

    let ran = release.run("doctor", "topicmappr-planning", &["doctor", "--namespace", "kafka"]);
    assert!(ran.succeeded, "{}", ran.printed);
    println!("99 % acknowledged within {:?}", producer.has_lost_nothing());
    let short: Vec<(Partition, usize)> =
        watch.end().into_iter().filter(|(_, in_sync)| *in_sync < 2).collect();
    assert!(short.is_empty(), "below min.insync.replicas: {short:?}");
}
