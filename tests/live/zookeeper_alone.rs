//! `--zookeeper` alone, with every broker down: ZooKeeper is the only source.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;
use testbed::{Cluster, Mode};

use crate::binary::{Ended, json, topicmappr};
use crate::plan::{brokers, find_broker, find_topic, partition};
use crate::traffic::Traffic;
use crate::znodes;

/// Two dead brokers, a requested move and a topic to delete that no controller has seen, and stored metrics, plain and
/// compressed.
static DEAD: LazyLock<Cluster> = LazyLock::new(|| {
    let cluster = Cluster::builder()
        .mode(Mode::ZooKeeper)
        .brokers(3)
        .mortal(1001..=1003)
        .chroot("/some/kafka")
        .start()
        .unwrap();
    let topic = |name: &str, lists: &[[i32; 2]]| {
        (name.to_owned(), lists.iter().map(|list| list.to_vec()).collect())
    };
    Traffic::of(&cluster).create(&BTreeMap::from([
        topic("steady", &[[1001, 1002], [1002, 1003]]),
        topic("moving", &[[1001, 1002]]),
        topic("doomed", &[[1003, 1001]]),
    ]));
    cluster.kill_brokers(&cluster.brokers()).unwrap();
    let zookeeper = cluster.zookeeper();
    let put = |path: &str, data: &[u8]| znodes::create(&zookeeper, path, data);
    let asked =
        br#"{"version":1,"partitions":[{"topic":"moving","partition":0,"replicas":[1003,1002]}]}"#;
    put("/some/kafka/admin/reassign_partitions", asked);
    put("/some/kafka/admin/delete_topics/doomed", b"");
    let sizes = br#"{"steady":{"0":{"Size":1000},"1":{"Size":2000}}}"#;
    let free = br#"{"1001":{"StorageFree":70000},"1002":{"StorageFree":80000.0}}"#;
    put("/plain/partitionmeta", sizes);
    put("/plain/brokermetrics", free);
    put("/packed/partitionmeta", &znodes::gzip(sizes));
    put("/packed/brokermetrics", &znodes::gzip(free));
    cluster
});

/// A snapshot from ZooKeeper alone.
fn snapshot(more: &[&str]) -> (Value, Ended) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snapshot.json");
    let zookeeper = DEAD.zookeeper();
    let args = ["snapshot", "--zookeeper", &zookeeper, "--out-file", file.to_str().unwrap()];
    let ended = topicmappr(args.iter().chain(more)).with(0);
    (json(&file), ended)
}

#[test]
#[ignore = "live"]
fn topics_are_known_and_no_broker_is_live() {
    let (snapshot, _) = snapshot(&[]);
    assert_eq!(brokers(partition(&snapshot, "steady", 0), "replicas"), [1001, 1002]);
    assert_eq!(brokers(partition(&snapshot, "steady", 1), "replicas"), [1002, 1003]);
    for id in DEAD.brokers() {
        let live = find_broker(&snapshot, id).map(|broker| broker["live"] != false);
        assert_ne!(live, Some(true), "{id}");
    }
}

#[test]
#[ignore = "live"]
fn a_move_asked_for_counts_as_its_target() {
    let (snapshot, _) = snapshot(&[]);
    let moving = partition(&snapshot, "moving", 0);
    assert_eq!(brokers(moving, "replicas"), [1003, 1002]);
    assert_eq!(brokers(moving, "adding"), [1003]);
    assert_eq!(brokers(moving, "removing"), [1001]);
}

#[test]
#[ignore = "live"]
fn a_topic_pending_deletion_is_left_out_and_named() {
    let (snapshot, ended) = snapshot(&[]);
    assert!(find_topic(&snapshot, "doomed").is_none());
    ended.complaining_of("doomed");
}

#[test]
#[ignore = "live"]
fn stored_metrics_are_read_plain_and_packed() {
    for prefix in ["plain", "packed"] {
        let (snapshot, _) = snapshot(&["--zk-metrics-prefix", prefix]);
        assert_eq!(partition(&snapshot, "steady", 0)["size_bytes"], 1000, "{prefix}");
        assert_eq!(partition(&snapshot, "steady", 1)["size_bytes"], 2000, "{prefix}");
        assert_eq!(partition(&snapshot, "moving", 0).get("size_bytes"), None, "{prefix}");
    }
}

#[test]
#[ignore = "live"]
fn with_no_live_broker_there_is_no_plan() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let (zookeeper, file_arg) = (DEAD.zookeeper(), file.to_str().unwrap());
    let scope = ["--topics", "steady", "--brokers", "1001..1003", "--ignore-warns"];
    let args = ["rebuild", "--zookeeper", &zookeeper, "--out-file", file_arg];
    topicmappr(args.iter().chain(&scope)).with(1).complaining_of("steady-0");
    assert!(!file.exists());
}
