//! Throttles that other tools left behind during a running move: the command distinguishes them, and removes only the
//! strays.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use testbed::{Cluster, Mode, until};

use crate::admin::{in_flight, set};
use crate::binary::{Ended, topicmappr};
use crate::execution::throttles;
use crate::traffic::{SOON, Traffic};

const RATE: &str = "follower.replication.throttled.rate";
const LIST: &str = "follower.replication.throttled.replicas";

/// `moving` moves from 1001 to 1003 during the test. On `idle` and on 1004 there are forgotten throttles.
fn left_over(mode: Mode) -> Cluster {
    let cluster = Cluster::builder().mode(mode).brokers(4).mortal([1003]).start().unwrap();
    let traffic = Traffic::of(&cluster);
    let lists = |lists: &[i32]| vec![lists.to_vec()];
    let topics = [("moving", [1001, 1002]), ("idle", [1001, 1002])];
    traffic.create(&topics.map(|(name, ids)| (name.to_owned(), lists(&ids))).into());
    traffic.write(&BTreeMap::from([(("moving".to_owned(), 0), 20_000_000)]));
    set(&cluster, "topics", "idle", &format!("{LIST}=[0:1002]"));
    set(&cluster, "brokers", "1004", &format!("{RATE}=777"));
    let file = cluster.path().join("move.json");
    let moves =
        r#"{"version":1,"partitions":[{"topic":"moving","partition":0,"replicas":[1003,1002]}]}"#;
    std::fs::write(&file, moves).unwrap();
    // At this rate it takes half an hour.
    let file = file.to_str().unwrap();
    let args = ["--reassignment-json-file", file, "--execute", "--throttle", "10000"];
    cluster.tool("reassign", args).unwrap();
    cluster
}

fn throttle(cluster: &Cluster, args: &[&str]) -> Ended {
    let bootstrap = cluster.bootstrap();
    let to = ["--bootstrap-server", &bootstrap];
    topicmappr(["throttle"].iter().chain(args).chain(&to))
}

fn shown(cluster: &Cluster) -> Value {
    let told = throttle(cluster, &["show", "--output", "json"]).with(0);
    let shown = serde_json::from_str(&told.stdout).unwrap();
    is_as_its_schema_says(&shown, "throttles");
    shown
}

/// Checks the output against the published schema.
pub(crate) fn is_as_its_schema_says(document: &Value, name: &str) {
    let path = format!("{}/../docs/schema/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let problems: Vec<String> = schema.iter_errors(document).map(|e| e.to_string()).collect();
    assert!(problems.is_empty(), "{problems:#?}\n{document:#}");
}

/// One config, by its resource and name.
fn one<'v>(shown: &'v Value, place: (&str, Value), key: &str) -> &'v Value {
    let all = shown["throttles"].as_array().unwrap();
    let found = all.iter().find(|one| one[place.0] == place.1 && one["key"] == key);
    found.unwrap_or_else(|| panic!("no {key} of {place:?} in {shown:#}"))
}

fn what_is_left_over_is_cleared_beside_a_move(mode: Mode) {
    let cluster = left_over(mode);
    let told = shown(&cluster);
    let idle = one(&told, ("topic", "idle".into()), LIST);
    assert_eq!((&idle["stray"], &idle["owner"]), (&true.into(), &"unknown".into()));
    assert_eq!(one(&told, ("broker", 1004.into()), RATE)["stray"], true);
    let target = one(&told, ("broker", 1003.into()), RATE);
    assert_eq!((&target["stray"], &target["in_flight"]), (&false.into(), &1.into()));
    assert_eq!(one(&told, ("topic", "moving".into()), LIST)["in_flight"], 1);

    throttle(&cluster, &["clear", "--strays"]).with(2).complaining_of("nobody has agreed");
    let before = throttles(&cluster, &partitions());
    let rehearsed = throttle(&cluster, &["clear", "--strays", "--dry-run"]).with(5);
    assert!(rehearsed.stderr.contains("follower.replication.throttled.rate=777"), "{rehearsed:?}");
    assert_eq!(throttles(&cluster, &partitions()), before, "a rehearsal changes nothing");
    let cleared = throttle(&cluster, &["clear", "--strays", "--yes"]).with(0);
    assert!(cleared.stdout.contains("Cleared: 2 configs"), "{}", cleared.stdout);
    let mut wanted = before;
    wanted.get_mut("idle").unwrap().clear();
    wanted.get_mut("1004").unwrap().clear();
    assert_eq!(throttles(&cluster, &partitions()), wanted, "the move keeps its own");
    assert_eq!(in_flight(&cluster), BTreeSet::from([("moving".to_owned(), 0)]));
    throttle(&cluster, &["clear", "--strays", "--dry-run"]).with(0);

    // For a dead broker, only its own facts are missing. Throttles for copies that wait for it are not strays.
    cluster.kill_broker(1003).unwrap();
    // If it was the controller, moves are unknown until there is another one.
    let told = until("another controller", SOON, || {
        (throttle(&cluster, &["show"]).code == Some(0)).then(|| shown(&cluster))
    })
    .unwrap();
    assert_eq!(one(&told, ("topic", "moving".into()), LIST)["stray"], false);
    let untold = told["untold"].as_array().unwrap();
    assert!(untold.iter().any(|one| one["what"] == "throttles of broker 1003"), "{untold:?}");
}

fn partitions() -> BTreeMap<(String, i32), Vec<i32>> {
    ["idle", "moving"].map(|name| ((name.to_owned(), 0), Vec::new())).into()
}

#[test]
#[ignore = "live"]
fn what_is_left_over_is_cleared_beside_a_move_with_zookeeper() {
    what_is_left_over_is_cleared_beside_a_move(Mode::ZooKeeper);
}

#[test]
#[ignore = "live"]
fn what_is_left_over_is_cleared_beside_a_move_with_kraft() {
    what_is_left_over_is_cleared_beside_a_move(Mode::KRaft);
}
