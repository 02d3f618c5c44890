//! The daemon creates the canary's topic, keeps it in place, and hides it from all views. It reports what the canary
//! measures for each broker.

use std::collections::BTreeMap;

use serde_json::Value;
use testbed::relay::Cap;
use testbed::{Cluster, Mode, until};

use crate::binary::{Ended, json, topicmappr};
use crate::daemon::Daemon;
use crate::traffic::{OFFSETS, SOON, Traffic};

const TOPIC: &str = "__mappr_canary";
/// Of the topic of clients, 1001 and 1002 hold 4 MB each.
const STORAGE: [&str; 2] = ["--broker-storage", "1001=4.5MB,1002=9GB,1003=9GB"];
const TOPIC_OF_CLIENTS: &str = "events";
const FLAGS: [&str; 5] = ["--metrics", "none", "--interval", "2", "--canary"];

fn start(cluster: &Cluster) -> Daemon {
    Daemon::start(&cluster.bootstrap(), cluster.path(), &FLAGS)
}

/// For each broker, the partition that it alone holds and leads.
fn in_place(cluster: &Cluster) -> BTreeMap<i32, i32> {
    let seen = Traffic::of(cluster).seen();
    let of_canary = seen.into_iter().filter(|((topic, _), _)| topic == TOPIC);
    let alone = of_canary.filter(|(_, seen)| seen.replicas == [seen.leader]);
    alone.map(|((_, partition), seen)| (seen.leader, partition)).collect()
}

#[track_caller]
fn await_place(cluster: &Cluster, daemon: &Daemon, brokers: &[i32]) -> BTreeMap<i32, i32> {
    let found = until("a partition on each broker", SOON, || {
        let found = in_place(cluster);
        brokers.iter().all(|id| found.contains_key(id)).then_some(found)
    });
    found.unwrap_or_else(|why| panic!("{why}: {:?}\n{}", in_place(cluster), daemon.said()))
}

/// The canary's reading for a broker.
fn heard(state: &Value, broker: i32) -> Option<Value> {
    let brokers = state["brokers"].as_array()?;
    let found = brokers.iter().find(|one| one["id"] == broker)?;
    found.get("canary").cloned()
}

#[track_caller]
fn await_voices(daemon: &Daemon, brokers: &[i32]) {
    until("messages that come back from each broker", SOON, || {
        let state = daemon.state();
        brokers.iter().all(|id| heard(&state, *id).is_some()).then_some(())
    })
    .unwrap_or_else(|why| panic!("{why}\n{:#}\n{}", daemon.state(), daemon.said()));
}

fn move_to(cluster: &Cluster, partition: i32, replicas: &[i32]) {
    let map = serde_json::json!({"version": 1,
        "partitions": [{"topic": TOPIC, "partition": partition, "replicas": replicas}]});
    let file = cluster.path().join("canary.json");
    std::fs::write(&file, map.to_string()).unwrap();
    let file = file.display().to_string();
    cluster.tool("reassign", ["--execute", "--reassignment-json-file", &file]).unwrap();
}

fn the_canary_is_kept_in_place_and_hidden_from_everybody_else(mode: Mode) {
    let builder = Cluster::builder().mode(mode).brokers(3).mortal([1003]).network(Cap::default());
    let cluster = builder.start().unwrap();
    let traffic = Traffic::of(&cluster);
    traffic.create(&[(TOPIC_OF_CLIENTS.to_owned(), vec![vec![1001, 1002]; 4])].into());
    traffic.write(&(0..4).map(|p| ((TOPIC_OF_CLIENTS.to_owned(), p), 1_000_000)).collect());
    cluster.stop_broker(1003).unwrap();
    Traffic::of(&cluster).without(1003);
    let daemon = start(&cluster);
    let first = await_place(&cluster, &daemon, &[1001, 1002]);
    assert_eq!(first.len(), 2, "one for each live broker: {first:?}");
    cluster.start_broker(1003).unwrap();
    let all = await_place(&cluster, &daemon, &[1001, 1002, 1003]);
    assert!(first.iter().all(|(id, of)| all.get(id) == Some(of)), "{first:?} {all:?}");
    await_voices(&daemon, &[1001, 1002, 1003]);
    let metrics = daemon.ask("GET", "/metrics");
    assert!(
        metrics.contains("autothrottle_canary_end_to_end_seconds{broker=\"1003\"}"),
        "{metrics}"
    );

    move_to(&cluster, all[&1001], &[1002, 1003]);
    let back = || {
        let begun = daemon.said().contains("step=Move(");
        (begun && in_place(&cluster) == all).then_some(())
    };
    until("what was moved is back", SOON, back)
        .unwrap_or_else(|why| panic!("{why}: {:?}\n{}", in_place(&cluster), daemon.said()));

    let file = cluster.path().join("snapshot.json");
    let (bootstrap, path) = (cluster.bootstrap(), file.display().to_string());
    topicmappr(["snapshot", "--bootstrap-server", &bootstrap, "--out-file", &path]).with(0);
    let captured = json(&file);
    let names: Vec<&Value> =
        captured["topics"].as_array().unwrap().iter().map(|topic| &topic["name"]).collect();
    // librdkafka has requested a group's coordinator.
    assert!(names.iter().all(|name| [TOPIC_OF_CLIENTS, OFFSETS].contains(&name.as_str().unwrap())));
    assert!(names.iter().any(|name| *name == TOPIC_OF_CLIENTS), "{names:?}");

    // A partition without another replica raises no alarm. It waits for its broker.
    cluster.kill_broker(1003).unwrap();
    until("silence of the dead", SOON, || {
        let state = daemon.state();
        let silent = heard(&state, 1003).is_none() && heard(&state, 1001).is_some();
        silent.then_some(())
    })
    .unwrap_or_else(|why| panic!("{why}\n{:#}\n{}", daemon.state(), daemon.said()));
    let doctor = topicmappr(["doctor", "--bootstrap-server", &cluster.bootstrap()]);
    let told = format!("{}{}", doctor.stdout, doctor.stderr);
    assert!(told.contains("1003") && !told.contains(TOPIC), "{told}");
    cluster.start_broker(1003).unwrap();
    await_voices(&daemon, &[1003]);
    assert_eq!(in_place(&cluster), all);
    // A broker that has just started is slow.
    let would_begin = || keep_looks(&cluster, &daemon.url()).stderr.contains("would begin");
    until("fast answers", SOON, || would_begin().then_some(()))
        .unwrap_or_else(|why| panic!("{why}\n{:#}\n{}", daemon.state(), daemon.said()));
    assert_eq!(daemon.leave().0, Some(143));
    keep_waits_while_clients_are_slow(&cluster);
}

/// Looks whether `keep` would begin a plan for a disk that is nine tenths full.
fn keep_looks(cluster: &Cluster, url: &str) -> Ended {
    let (policy, notes) = (cluster.path().join("keep.yaml"), cluster.path().join("keep.json"));
    let text = "version: 1\nthrottle: 1MB/s\npolicies:\n  fullDisk: {mode: act, for: 0s}\n";
    std::fs::write(&policy, text).unwrap();
    let (policy, notes) = (policy.display().to_string(), notes.display().to_string());
    let bootstrap = cluster.bootstrap();
    let source = ["keep", "--dry-run", "--bootstrap-server", &bootstrap, "--policy", &policy];
    let own = ["--notes", &notes, "--canary", url];
    topicmappr(source.iter().chain(&own).chain(&STORAGE)).with(5)
}

/// By a canary for which every answer is late, and without a canary.
fn keep_waits_while_clients_are_slow(cluster: &Cluster) {
    let strict = [&FLAGS[..], &["--max-canary", "1ms"]].concat();
    let daemon = Daemon::start(&cluster.bootstrap(), cluster.path(), &strict);
    let slow = || (heard(&daemon.state(), 1001)?["slow"] == true).then_some(());
    until("a late answer", SOON, slow)
        .unwrap_or_else(|why| panic!("{why}\n{:#}\n{}", daemon.state(), daemon.said()));
    let url = daemon.url();
    keep_looks(cluster, &url).complaining_of("are slow, by the canary");
    daemon.kill();
    keep_looks(cluster, &url).complaining_of("it is not known whether clients are slow");
}

#[test]
#[ignore = "live"]
fn the_canary_is_kept_in_place_and_hidden_from_everybody_else_with_kraft() {
    the_canary_is_kept_in_place_and_hidden_from_everybody_else(Mode::KRaft);
}

/// Tests that take minutes.
mod soak {
    use super::*;

    #[test]
    #[ignore = "live"]
    fn the_canary_is_kept_in_place_and_hidden_from_everybody_else_with_zookeeper() {
        the_canary_is_kept_in_place_and_hidden_from_everybody_else(Mode::ZooKeeper);
    }
}
