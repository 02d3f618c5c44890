//! Clusters in an unusual state: a running move, a partition without a leader, a fenced broker.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;
use testbed::{Cluster, Mode};

use crate::binary::{json, topicmappr};
use crate::plan::{brokers, find_broker, partition, targets};
use crate::traffic::Traffic;

/// The broker that is dead in every test here.
const LOST: i32 = 1004;

static ZOOKEEPER: LazyLock<Cluster> = LazyLock::new(|| odd(Mode::ZooKeeper));
static KRAFT: LazyLock<Cluster> = LazyLock::new(|| odd(Mode::KRaft));

/// The shared cluster of a mode.
pub(crate) fn cluster(mode: Mode) -> &'static Cluster {
    match mode {
        Mode::ZooKeeper => &ZOOKEEPER,
        Mode::KRaft => &KRAFT,
    }
}

/// `moving` moves from 1001 to 1003 during all tests. `lonely` was only on 1004, and `steady` partly. 1004 is dead.
fn odd(mode: Mode) -> Cluster {
    let builder = Cluster::builder().mode(mode).brokers(4).mortal([LOST]).small_fetches();
    let cluster = builder.start().unwrap();
    let traffic = Traffic::of(&cluster);
    let topic = |name: &str, lists: &[&[i32]]| {
        (name.to_owned(), lists.iter().map(|list| list.to_vec()).collect())
    };
    traffic.create(&BTreeMap::from([
        topic("moving", &[&[1001, 1002]]),
        topic("lonely", &[&[1004]]),
        topic("steady", &[&[1004, 1002], &[1002, 1003]]),
        topic("far", &[&[1001, 1002]]),
    ]));
    let bytes = |name: &str, bytes: usize| ((name.to_owned(), 0), bytes);
    traffic.write(&BTreeMap::from([
        bytes("moving", 20_000_000),
        bytes("lonely", 10_000),
        bytes("steady", 10_000),
    ]));
    let file = cluster.path().join("move.json");
    let asked =
        r#"{"version":1,"partitions":[{"topic":"moving","partition":0,"replicas":[1003,1002]}]}"#;
    std::fs::write(&file, asked).unwrap();
    // At this rate it takes an hour.
    let pace = ["--throttle", "5000"];
    let args = ["--reassignment-json-file", file.to_str().unwrap(), "--execute"];
    cluster.tool("reassign", args.iter().chain(&pace)).unwrap();
    cluster.kill_broker(LOST).unwrap();
    traffic.without(LOST);
    cluster
}

fn snapshot(mode: Mode) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snapshot.json");
    let bootstrap = cluster(mode).bootstrap();
    topicmappr([
        "snapshot",
        "--bootstrap-server",
        &bootstrap,
        "--out-file",
        file.to_str().unwrap(),
    ])
    .with(0);
    json(&file)
}

fn a_running_move_counts_as_its_target(mode: Mode) {
    let snapshot = snapshot(mode);
    let moving = partition(&snapshot, "moving", 0);
    assert_eq!(brokers(moving, "replicas"), [1003, 1002], "{moving:#}");
    assert_eq!(brokers(moving, "adding"), [1003], "{moving:#}");
    assert_eq!(brokers(moving, "removing"), [1001], "{moving:#}");
}

fn a_partition_without_a_live_leader_is_left_out(mode: Mode) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let bootstrap = cluster(mode).bootstrap();
    let mut args = vec!["rebuild", "--bootstrap-server", &bootstrap, "--topics", "lonely|steady"];
    args.extend(["--brokers", "-2", "--out-file", file.to_str().unwrap()]);
    topicmappr(&args).with(4).complaining_of("lonely");
    assert!(!file.exists(), "a warning must keep the plan from being written");

    args.push("--ignore-warns=leaderless");
    topicmappr(&args).with(0);
    let plan = targets(&json(&file));
    let moved: Vec<&str> = plan.keys().map(|(topic, _)| topic.as_str()).collect();
    assert_eq!(moved, ["steady"]);
    assert!(!plan[&("steady".to_owned(), 0)].contains(&LOST), "{plan:?}");
}

/// The seat of `steady` on the dead broker goes to the broker of its rack. No other seat moves.
fn the_lost_seat_moves(source: [&str; 2], command: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let to = ["--topics", "steady", "--out-file", file.to_str().unwrap()];
    topicmappr(command.iter().chain(&source).chain(&to)).with(0);
    let plan = targets(&json(&file));
    assert_eq!(plan.keys().collect::<Vec<_>>(), [&("steady".to_owned(), 0)]);
    let target = &plan[&("steady".to_owned(), 0)];
    assert_eq!(target.len(), 2, "{target:?}");
    assert!(target.contains(&1002) && !target.contains(&LOST), "{target:?}");
}

#[test]
#[ignore = "live"]
fn a_lost_broker_is_replaced_by_a_named_one() {
    for mode in [Mode::ZooKeeper, Mode::KRaft] {
        let bootstrap = cluster(mode).bootstrap();
        let command = ["replace", "--broker", "1004", "--with", "1001"];
        the_lost_seat_moves(["--bootstrap-server", &bootstrap], &command);
    }
}

/// ZooKeeper has no sizes, so the plan counts seats.
#[test]
#[ignore = "live"]
fn a_plan_is_made_from_zookeeper_alone() {
    let zookeeper = cluster(Mode::ZooKeeper).zookeeper();
    the_lost_seat_moves(["--zookeeper", &zookeeper], &["rebuild", "--brokers", "-2"]);
}

#[test]
#[ignore = "live"]
fn a_map_is_resolved_to_the_topics_of_a_cluster() {
    for mode in [Mode::ZooKeeper, Mode::KRaft] {
        let bootstrap = cluster(mode).bootstrap();
        let map = r#"some: "steady|far" => [1001..1003]"#;
        let source = ["maps", "resolve", "--bootstrap-server", &bootstrap];
        let ended = topicmappr(source.iter().chain(&["--map", map, "--output", "json"])).with(0);
        let resolved: Value = serde_json::from_str(&ended.stdout).unwrap();
        let map = &resolved["maps"][0];
        assert_eq!(map["name"], "some");
        assert_eq!(map["topics"], serde_json::json!(["far", "steady"]));
        let expected = [(1001, "a"), (1002, "b"), (1003, "c")];
        let expected = expected.map(|(id, rack)| serde_json::json!({"id": id, "rack": rack}));
        assert_eq!(map["brokers"], serde_json::json!(expected));
    }
}

#[test]
#[ignore = "live"]
fn a_running_move_counts_as_its_target_with_zookeeper() {
    a_running_move_counts_as_its_target(Mode::ZooKeeper);
}

#[test]
#[ignore = "live"]
fn a_running_move_counts_as_its_target_with_kraft() {
    a_running_move_counts_as_its_target(Mode::KRaft);
}

/// A reassignment through the Admin API leaves no `/admin/reassign_partitions`. It is in the topic's own znode.
#[test]
#[ignore = "live"]
fn a_running_move_counts_as_its_target_for_zookeeper_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snapshot.json");
    let zookeeper = cluster(Mode::ZooKeeper).zookeeper();
    topicmappr(["snapshot", "--zookeeper", &zookeeper, "--out-file", file.to_str().unwrap()])
        .with(0);
    let snapshot = json(&file);
    let moving = partition(&snapshot, "moving", 0);
    assert_eq!(brokers(moving, "replicas"), [1003, 1002], "{moving:#}");
    assert_eq!(brokers(moving, "adding"), [1003], "{moving:#}");
}

#[test]
#[ignore = "live"]
fn a_partition_without_a_live_leader_is_left_out_with_zookeeper() {
    a_partition_without_a_live_leader_is_left_out(Mode::ZooKeeper);
}

#[test]
#[ignore = "live"]
fn a_partition_without_a_live_leader_is_left_out_with_kraft() {
    a_partition_without_a_live_leader_is_left_out(Mode::KRaft);
}

#[test]
#[ignore = "live"]
fn a_dead_broker_is_not_live_with_zookeeper() {
    let snapshot = snapshot(Mode::ZooKeeper);
    let live = find_broker(&snapshot, LOST).map(|broker| broker["live"] != false);
    assert_ne!(live, Some(true), "{snapshot:#}");
}

#[test]
#[ignore = "live"]
fn a_fenced_broker_is_listed_as_lost_with_its_rack() {
    let snapshot = snapshot(Mode::KRaft);
    let broker = find_broker(&snapshot, LOST).unwrap_or_else(|| panic!("{snapshot:#}"));
    assert_eq!(broker["live"], false);
    assert_eq!(broker["rack"], "a");
}
