//! A broker dies at night, and nobody gets up: its replicas go to others by themselves, with a throttle, and once.

use std::fs;

use serde_json::Value;
use testbed::Cluster;

use crate::binary::{Ended, json, topicmappr};
use crate::traffic::Traffic;

#[test]
#[ignore = "live"]
fn a_broker_that_is_lost_for_long_is_given_up_once() {
    // As many racks as replicas, and each with another broker: anything else is left to people.
    let cluster = Cluster::builder().brokers(4).racks(["a", "b", "a", "b"]);
    // Kafka makes the second at the first claim, with its broker lost: of two copies it puts none there.
    let factors = ["offsets.topic", "transaction.state.log"];
    let two = factors.map(|of| format!("{of}.replication.factor"));
    let cluster = two.iter().fold(cluster, |cluster, key| cluster.property(key, "2"));
    let cluster = cluster.start().unwrap();
    let traffic = Traffic::of(&cluster);
    let replicas = vec![vec![1001, 1002], vec![1004, 1003]];
    traffic.create(&[("events".to_owned(), replicas)].into());
    traffic.write(&(0..2).map(|p| (("events".to_owned(), p), 500_000)).collect());
    let folder = tempfile::tempdir().unwrap();
    let (notes, work) = (folder.path().join("notes.json"), folder.path().join("work"));
    fs::create_dir(&work).unwrap();
    let bootstrap = cluster.bootstrap();
    let heal = |more: &[&str]| -> Ended {
        let args = ["heal", "--bootstrap-server", &bootstrap, "--throttle", "50MB/s"];
        // All brokers share one disk, which may be nearly full.
        let storage = ["--broker-storage", "1001=9GB,1002=9GB,1003=9GB,1004=9GB"];
        let files = ["--notes", notes.to_str().unwrap(), "--work-dir", work.to_str().unwrap()];
        topicmappr(args.iter().chain(&files).chain(&storage).chain(more))
    };
    heal(&["--max-bytes", "1GB"]).with(0).complaining_of("No broker is lost");

    cluster.kill_broker(1003).unwrap();
    traffic.without(1003);
    heal(&["--max-bytes", "1GB"]).with(0).complaining_of("it is given 1800 s to come back");
    let noted: Value = json(&notes);
    assert!(noted["lost_since_seconds"]["1003"].is_u64(), "{noted}");
    heal(&["--max-bytes", "1kB", "--lost-for", "0s"]).with(5).complaining_of("more than 1");
    heal(&["--max-bytes", "1GB", "--lost-for", "0s", "--dry-run"]).with(5);
    let seen = traffic.seen();
    assert!(seen.values().any(|one| one.replicas.contains(&1003)), "a rehearsal moves nothing");

    heal(&["--max-bytes", "1GB", "--lost-for", "0s"]).with(0).complaining_of("is given up");
    traffic.settle();
    let left = traffic.seen();
    assert!(left.values().all(|one| !one.replicas.contains(&1003)), "{left:?}");
    let files = fs::read_dir(&work).unwrap().map(|entry| entry.unwrap().file_name());
    let files: Vec<String> = files.map(|name| name.to_string_lossy().into_owned()).collect();
    assert!(files.iter().all(|name| name.ends_with(".ledger")), "the next begins anew: {files:?}");

    // Another one in the same night is for people.
    cluster.start_broker(1003).unwrap();
    cluster.kill_broker(1002).unwrap();
    traffic.without(1002);
    heal(&["--max-bytes", "1GB", "--lost-for", "0s"])
        .with(5)
        .complaining_of("the last heal was begun");
}
