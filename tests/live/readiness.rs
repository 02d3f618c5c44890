//! Probes of brokers in common situations: they start, lag, get replicas, are asked for the wrong id, lose their
//! controller, and recover their logs. An operator also forces readiness.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::thread;

use jiff::{SignedDuration, Timestamp};
use testbed::{Cluster, Mode, lone_port, until};

use crate::admin::set;
use crate::binary::{Ended, Run, topicmappr};
use crate::traffic::{SOON, Traffic};

/// On both sides: a starting broker may fetch before it has read its own list.
const LISTS: [&str; 2] = [
    "leader.replication.throttled.replicas=[0:1001,0:1002]",
    "follower.replication.throttled.replicas=0:1003",
];
const RATES: [&str; 2] =
    ["leader.replication.throttled.rate", "follower.replication.throttled.rate"];

/// A cluster, and the probes of its brokers.
struct Scene<'a> {
    cluster: &'a Cluster,
    traffic: Traffic<'a>,
    folder: tempfile::TempDir,
    addresses: BTreeMap<i32, String>,
}

impl Scene<'_> {
    /// Probes the broker at its own address.
    fn ready(&self, id: i32, more: &[&str]) -> Ended {
        self.ask("ready", &self.addresses[&id], id, more)
    }

    fn live(&self, id: i32, more: &[&str]) -> Ended {
        self.ask("live", &self.addresses[&id], id, more)
    }

    fn ask(&self, what: &str, address: &str, id: i32, more: &[&str]) -> Ended {
        let id = id.to_string();
        let args = ["broker", what, "--bootstrap-server", address, "--broker-id", &id];
        topicmappr(args.iter().chain(more))
    }

    fn cache(&self, id: i32) -> String {
        self.folder.path().join(format!("ready-{id}.json")).display().to_string()
    }

    /// A file that forces a broker's readiness for this number of seconds.
    fn forced(&self, seconds: i64) -> PathBuf {
        let until = Timestamp::now() + SignedDuration::from_secs(seconds);
        let path = self.folder.path().join(format!("forced-{seconds}.yaml"));
        fs::write(&path, format!("broker.1003: {until} the disk is slow\n")).unwrap();
        path
    }
}

#[track_caller]
fn says(ended: Ended, code: i32, words: &str) {
    let ended = ended.with(code);
    assert!(ended.stdout.contains(words), "{words:?} is not in {:?}", ended.stdout);
    assert_eq!(ended.stdout.lines().count(), 1, "one sentence: {:?}", ended.stdout);
}

fn a_bad_day(mode: Mode) {
    let cluster = Cluster::builder().mode(mode).brokers(3).processes().start().unwrap();
    let traffic = Traffic::of(&cluster);
    let replicas = [vec![1001, 1002, 1003], vec![1002, 1003, 1001]];
    let topics = [("busy".to_owned(), replicas.to_vec()), ("alone".to_owned(), vec![vec![1001]])];
    traffic.create(&topics.into());
    let addresses = cluster.running();
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene { cluster: &cluster, traffic, folder, addresses };
    says(scene.ready(1001, &[]), 0, "ready: it is in sync in all ");
    says(scene.live(1001, &[]), 0, "answers");
    says(scene.ask("ready", &scene.addresses[&1001], 1002, &[]), 1, "another broker answers");
    says(scene.ask("ready", "127.0.0.1:1", 1001, &[]), 1, "not ready: ");
    says(scene.live(1001, &["--starting", "--process", "no such process"]), 0, "answers");
    over_http(&scene);
    the_quorum(&scene);
    being_added_to(&scene);
    lagging_and_forced(&scene);
    if mode == Mode::KRaft {
        cut_from_the_controller(&scene);
    }
    all_down_at_once(&scene);
}

/// The process next to the broker, which probes once per period.
fn over_http(scene: &Scene<'_>) {
    let at = format!("127.0.0.1:{}", lone_port().unwrap());
    let (own, listen) = (&scene.addresses[&1001], at.as_str());
    let args = ["broker", "ready", "--bootstrap-server", own, "--broker-id", "1001"];
    let run = Run::start(args.iter().chain(&["--listen", listen, "--every", "1s"]));
    let get = |path: &str| -> std::io::Result<String> {
        let mut socket = TcpStream::connect(&at)?;
        socket.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let ready = || get("/ready").ok().filter(|answer| answer.contains(" 200 "));
    let ready = until("a probe over HTTP", SOON, ready).unwrap();
    assert!(ready.contains("ready: it is in sync in all "), "{ready}");
    assert!(get("/live").unwrap().contains("answers"));
    run.kill();
}

/// The only controller is the active one. The only ZooKeeper server is standalone.
fn the_quorum(scene: &Scene<'_>) {
    let at = scene.cluster.quorum();
    let ask = |id: &str| match scene.cluster.mode() {
        Mode::KRaft => topicmappr([
            "broker",
            "ready",
            "--role",
            "controller",
            "--bootstrap-server",
            &at,
            "--broker-id",
            id,
        ]),
        Mode::ZooKeeper => {
            topicmappr(["broker", "ready", "--role", "zookeeper", "--zookeeper", &at])
        }
    };
    match scene.cluster.mode() {
        Mode::KRaft => {
            says(ask("9000"), 0, "ready: it is the active controller");
            says(ask("1001"), 1, "not ready: it has no vote");
        }
        Mode::ZooKeeper => says(ask(""), 0, "ready: it is standalone"),
    }
}

/// A replica that a move is still adding does not count.
fn being_added_to(scene: &Scene<'_>) {
    scene.traffic.write(&[(("alone".to_owned(), 0), 4_000_000)].into());
    let plan = scene.folder.path().join("move.json");
    let moves =
        r#"{"version":1,"partitions":[{"topic":"alone","partition":0,"replicas":[1001,1002]}]}"#;
    fs::write(&plan, moves).unwrap();
    let file = plan.to_str().unwrap();
    let args = ["--execute", "--reassignment-json-file", file, "--throttle", "1000"];
    scene.cluster.tool("reassign", args).unwrap();
    let adding = || {
        let ended = scene.ready(1002, &[]);
        ended.stdout.contains("being added").then_some(ended)
    };
    let ended = until("a replica that is being added", SOON, adding).unwrap();
    says(ended, 0, "partitions that it hosts; 1 still being added do not count");
    scene.cluster.tool("reassign", ["--cancel", "--reassignment-json-file", file]).unwrap();
    scene.traffic.settle();
}

fn lagging_and_forced(scene: &Scene<'_>) {
    let (cluster, traffic) = (scene.cluster, &scene.traffic);
    cluster.stop_broker(1003).unwrap();
    says(scene.ready(1003, &[]), 1, "not ready: ");
    says(scene.live(1003, &[]), 1, "not live: ");
    traffic.write(&[(("busy".to_owned(), 0), 2_000_000)].into());
    LISTS.iter().for_each(|list| set(cluster, "topics", "busy", list));
    let every_broker = ["--alter", "--entity-type", "brokers", "--entity-default"];
    let slow = RATES.map(|rate| format!("{rate}=1000")).join(",");
    let args = every_broker.iter().copied().chain(["--add-config", &slow]);
    cluster.tool("configs", args).unwrap();
    // During its start, first no broker answers, and then it lags.
    let sentences = thread::scope(|scope| {
        let starting = scope.spawn(|| cluster.start_broker(1003).unwrap());
        let mut sentences = Vec::new();
        while !starting.is_finished() {
            let ended = scene.ready(1003, &[]).with(1);
            sentences.push(ended.stdout);
        }
        sentences
    });
    assert!(!sentences.is_empty(), "it has started before anybody asked");
    let cache = scene.cache(1003);
    let lagging = || scene.ready(1003, &[]).stdout.ends_with(": busy-0\n").then_some(());
    until("a broker that lags in one partition", SOON, lagging).unwrap();
    says(scene.ready(1003, &["--max-lag-partitions", "1"]), 0, "and 1 may lag");
    let forced = scene.forced(3600).display().to_string();
    let args = ["--forced", &forced, "--cache-file", &cache];
    let ended = scene.ready(1003, &args).complaining_of("ready by force");
    says(ended, 0, "the disk is slow; in truth: it is not in sync in 1 of ");
    says(
        scene.ready(1003, &["--cached", "--cache-file", &cache]),
        0,
        "ready by force, broker 1003 until",
    );
    let expired = scene.forced(-1).display().to_string();
    says(scene.ready(1003, &["--forced", &expired]), 1, "no longer forced, broker 1003");
    let both = RATES.join(",");
    let args = every_broker.iter().copied().chain(["--delete-config", &both]);
    cluster.tool("configs", args).unwrap();
    traffic.settle();
    says(scene.ready(1003, &["--cache-file", &cache]), 0, "ready: it is in sync");
}

/// The controller's last answer is valid for a while.
fn cut_from_the_controller(scene: &Scene<'_>) {
    let cache = scene.cache(1001);
    let remembering = ["--cache-file", cache.as_str()];
    says(scene.ready(1001, &remembering), 0, "ready: it is in sync");
    scene.cluster.pause_quorum().unwrap();
    let away = scene.ready(1001, &remembering);
    let forgetful = scene.ready(1001, &[]);
    let later = ["--max-age", "0s"].into_iter().chain(remembering).collect::<Vec<_>>();
    thread::sleep(std::time::Duration::from_millis(1100));
    let old = scene.ready(1001, &later);
    let cached = scene.ready(1001, &["--cached", "--cache-file", &cache]);
    scene.cluster.resume_quorum().unwrap();
    says(away, 0, "ready: the controller does not answer");
    says(forgetful, 1, "nothing is known from before");
    says(old, 1, "more than 0 s");
    says(cached, 1, "not ready: the controller does not answer");
    let again =
        || scene.ready(1001, &remembering).stdout.starts_with("ready: it is in sync").then_some(());
    until("the controller's word", SOON, again).unwrap();
    scene.traffic.settle();
}

/// Each broker is alive during its recovery, and ready only at the end.
fn all_down_at_once(scene: &Scene<'_>) {
    let cluster = scene.cluster;
    cluster.kill_brokers(&[1001, 1002, 1003]).unwrap();
    let process = cluster.path().join("broker-1001/server.log").display().to_string();
    let starting = ["--starting", "--process", process.as_str()];
    says(scene.live(1001, &starting), 1, "no process has");
    thread::scope(|scope| {
        let all: Vec<_> = [1001, 1002, 1003]
            .map(|id| scope.spawn(move || cluster.start_broker(id).unwrap()))
            .into_iter()
            .collect();
        until("the process of a broker", SOON, || {
            scene.live(1001, &starting).code.filter(|c| *c == 0)
        })
        .unwrap();
        // Three periods of a liveness probe before its port is open. All of them pass.
        let mut closed = 0;
        while !all.iter().all(thread::ScopedJoinHandle::is_finished) {
            let ended = scene.live(1001, &starting).with(0);
            closed += usize::from(ended.stdout.contains("starts; "));
        }
        assert!(closed >= 3, "only {closed} probes of a broker that recovers its logs");
    });
    for id in [1001, 1002, 1003] {
        let ready = || scene.ready(id, &[]).code.filter(|code| *code == 0);
        until("a broker that is ready again", SOON, ready).unwrap();
    }
}

#[test]
#[ignore = "live"]
fn probes_tell_the_truth_on_a_bad_day_with_zookeeper() {
    a_bad_day(Mode::ZooKeeper);
}

#[test]
#[ignore = "live"]
fn probes_tell_the_truth_on_a_bad_day_with_kraft() {
    a_bad_day(Mode::KRaft);
}
