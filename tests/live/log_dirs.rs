//! Steps and log dirs. Brokers with two log dirs are drained one after the other. The leaders stay until the new
//! replicas are in sync, and Kafka's own tool puts each replica into the planned dir.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use testbed::{Cluster, Mode};

use crate::binary::{json, topicmappr};
use crate::lost_broker::carry_out;
use crate::plan::{Partition, brokers, partition, targets};
use crate::traffic::Traffic;

pub(crate) const TOPIC: &str = "events";
/// Brokers 1001 and 1004 are in rack a, 1002 and 1005 in b, 1003 in c.
pub(crate) const LISTS: [[i32; 3]; 6] = [
    [1004, 1002, 1003],
    [1005, 1003, 1001],
    [1004, 1005, 1003],
    [1003, 1004, 1002],
    [1004, 1003, 1005],
    [1002, 1003, 1004],
];
pub(crate) const STAY: &str = "1001,1002,1003";

/// Gives each broker two volumes of different size, the second with the most room. On one machine all log dirs are on
/// one disk, and Kafka itself would distribute the replicas in turn.
pub(crate) fn with_volumes(captured: &Path, edited: &Path) {
    let mut snapshot = json(captured);
    for broker in snapshot["brokers"].as_array_mut().unwrap() {
        let dirs = broker["log_dirs"].as_array_mut().unwrap();
        assert_eq!(dirs.len(), 2);
        dirs.sort_by_key(|dir| dir["path"].as_str().unwrap().to_owned());
        for (dir, (total, free)) in dirs.iter_mut().zip([(20_u64, 5_u64), (40, 30)]) {
            dir["total_bytes"] = (total * 1_000_000_000).into();
            dir["free_bytes"] = (free * 1_000_000_000).into();
        }
        broker["storage_total_bytes"] = 60_000_000_000_u64.into();
        broker["storage_free_bytes"] = 35_000_000_000_u64.into();
    }
    fs::write(edited, snapshot.to_string()).unwrap();
}

pub(crate) fn capture(cluster: &Cluster, to: &Path) {
    let file = to.to_str().unwrap();
    topicmappr(["snapshot", "--bootstrap-server", &cluster.bootstrap(), "--out-file", file])
        .with(0);
}

/// The log dir of a broker's replica in a snapshot.
pub(crate) fn log_dir(snapshot: &Value, number: i32, broker: i32) -> String {
    let found = partition(snapshot, TOPIC, number);
    let at = brokers(found, "replicas").iter().position(|id| *id == broker).unwrap();
    found["log_dirs"][at].as_str().unwrap().to_owned()
}

/// Every replica is in its planned log dir. There are at least six.
pub(crate) fn named_dirs_are_reached(plan: &Value, after: &Value) {
    let mut landed = 0;
    for change in plan["plan"]["moves"].as_array().unwrap() {
        let number = i32::try_from(change["partition"].as_i64().unwrap()).unwrap();
        let dirs = change["log_dirs"].as_array().unwrap();
        for (broker, dir) in brokers(change, "to").into_iter().zip(dirs) {
            if dir != "any" {
                assert_eq!(&log_dir(after, number, broker), dir.as_str().unwrap());
                landed += 1;
            }
        }
    }
    assert!(landed >= 6, "{landed} replicas were given a log dir");
}

/// Carries a step out, and inspects the result.
fn step(traffic: &Traffic, cluster: &Cluster, plan: &Path, step: usize, map: &Path) {
    let number = step.to_string();
    let shown = topicmappr(["plan", "show", plan.to_str().unwrap(), "--step", &number]).with(0);
    fs::write(map, shown.stdout).unwrap();
    let wanted: BTreeMap<Partition, Vec<i32>> = targets(&json(map));
    assert!(!wanted.is_empty());
    let before = traffic.seen();
    carry_out(cluster, map);
    traffic.settle();
    let after = traffic.seen();
    for (partition, replicas) in &wanted {
        let led = before[partition].leader;
        assert_eq!(&after[partition].replicas, replicas, "{partition:?} after step {step}");
        let stays = replicas.contains(&led);
        assert!(!stays || after[partition].leader == led, "{partition:?}: its leader stays");
    }
}

#[test]
#[ignore = "live"]
fn steps_empty_brokers_in_turn_and_put_replicas_into_the_log_dirs_named() {
    let cluster = Cluster::builder().mode(Mode::KRaft).brokers(5).log_dirs(2).start().unwrap();
    let traffic = Traffic::of(&cluster);
    let lists = LISTS.map(|list| list.to_vec()).to_vec();
    traffic.create(&BTreeMap::from([(TOPIC.to_owned(), lists)]));
    traffic.write(&(0..6).map(|number| ((TOPIC.to_owned(), number), 400_000)).collect());

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    capture(&cluster, &at("captured.json"));
    with_volumes(&at("captured.json"), &at("volumes.json"));
    let (snapshot, plan) = (at("volumes.json"), at("plan.json"));
    let source = ["--snapshot", snapshot.to_str().unwrap()];
    let asked = ["--topics", TOPIC, "--brokers", STAY, "--chunk-step-size", "1"];
    let more = ["--phased-reassignment", "--out-file", plan.to_str().unwrap()];
    topicmappr([["rebuild"].as_slice(), &source, &asked, &more].concat()).with(0);
    topicmappr([["plan", "check", plan.to_str().unwrap()].as_slice(), &source].concat()).with(0);

    let planned = json(&plan);
    let steps = planned["plan"]["steps"].as_array().unwrap().len();
    assert!(steps >= 3, "{planned:#}");
    for number in 0..steps {
        step(&traffic, &cluster, &plan, number, &at("step.json"));
    }

    capture(&cluster, &at("after.json"));
    let after = json(&at("after.json"));
    named_dirs_are_reached(&planned, &after);
    let left: Vec<i32> = (0..6)
        .flat_map(|number| brokers(partition(&after, TOPIC, number), "replicas"))
        .filter(|id| *id > 1003)
        .collect();
    assert_eq!(left, [0; 0], "the brokers are empty");
}
