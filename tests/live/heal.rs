//! A broker dies at night. heal moves its replicas to other brokers without an operator, with a throttle, and only
//! once.

use std::fs;

use serde_json::Value;
use testbed::{Cluster, until};

use crate::binary::{Ended, Run, command, json, topicmappr};
use crate::traffic::{SOON, Traffic};

#[test]
#[ignore = "live"]
fn a_broker_that_is_lost_for_long_is_given_up_once() {
    // With as many racks as replicas, each with another broker. heal leaves any other case to operators.
    let cluster = Cluster::builder().brokers(4).mortal([1002, 1003]).racks(["a", "b", "a", "b"]);
    // Kafka creates the second topic at the first claim, with a broker lost. With two replicas, it puts none there.
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
    let args = |rate: &str, more: &[&str]| -> Vec<String> {
        let args = ["heal", "--bootstrap-server", &bootstrap, "--throttle", rate];
        // All brokers share one disk, which may be nearly full.
        let storage = ["--broker-storage", "1001=9GB,1002=9GB,1003=9GB,1004=9GB"];
        let files = ["--notes", notes.to_str().unwrap(), "--work-dir", work.to_str().unwrap()];
        args.iter().chain(&files).chain(&storage).chain(more).map(|arg| (*arg).to_owned()).collect()
    };
    let heal = |more: &[&str]| -> Ended { topicmappr(args("50MB/s", more)) };
    heal(&["--max-bytes", "1GB"]).with(0).complaining_of("No broker is lost");

    cluster.kill_broker(1003).unwrap();
    traffic.without(1003);
    heal(&["--max-bytes", "1GB"]).with(0).complaining_of("it is given 1800 s to come back");
    let noted: Value = json(&notes);
    assert!(noted["lost_since_seconds"]["1003"].is_u64(), "{noted}");
    // With a short --lost-for, a busy machine would spend more time between two looks than counts.
    let given_up = || {
        heal(&["--max-bytes", "1kB", "--lost-for", "20s"]).with(5).complaining_of("more than 1");
        let rehearsed = heal(&["--max-bytes", "1GB", "--lost-for", "20s", "--dry-run"]).with(5);
        rehearsed.stderr.contains("is given up").then_some(())
    };
    until("the broker to be lost for long", SOON, given_up).unwrap();
    let seen = traffic.seen();
    assert!(seen.values().any(|one| one.replicas.contains(&1003)), "a rehearsal moves nothing");

    heal(&["--max-bytes", "1GB", "--lost-for", "20s"]).with(0).complaining_of("is given up");
    traffic.settle();
    let left = traffic.seen();
    assert!(left.values().all(|one| !one.replicas.contains(&1003)), "{left:?}");
    let begins_anew = || {
        let files = fs::read_dir(&work).unwrap().map(|entry| entry.unwrap().file_name());
        let files: Vec<String> = files.map(|name| name.to_string_lossy().into_owned()).collect();
        assert!(files.iter().all(|name| name.ends_with(".ledger")), "{files:?}");
    };
    begins_anew();

    // heal leaves a second loss in the same night to operators.
    cluster.start_broker(1003).unwrap();
    traffic.create(&[("more".to_owned(), vec![vec![1001, 1002]; 6])].into());
    traffic.write(&(0..6).map(|p| (("more".to_owned(), p), 500_000)).collect());
    cluster.kill_broker(1002).unwrap();
    traffic.without(1002);
    heal(&["--max-bytes", "1GB", "--lost-for", "20s"])
        .with(5)
        .complaining_of("the last heal was begun");

    // One whose broker comes back midway is cancelled, not stuck for good.
    let again = ["--max-bytes", "1GB", "--lost-for", "20s", "--every", "0s"];
    // The topic of claims has three replicas, and there are two racks: until that is ignored, no heal begins, and none is noted.
    let warned = until("all else to be well", SOON, || {
        let ended = heal(&again);
        (ended.code == Some(4)).then_some(ended)
    });
    warned.unwrap().complaining_of("few-racks");
    let noted = json(&notes);
    assert_ne!(noted["healed_at_seconds"], noted["looked_at_seconds"], "{noted}");
    let mut one_by_one = command();
    one_by_one.args(args("50KB/s", &again)).env("TOPICMAPPR_MAX_MOVES", "1");
    one_by_one.env("TOPICMAPPR_IGNORE_WARNS", "few-racks");
    let mut run = Run::of(one_by_one);
    let journal = work.join("heal.json.journal");
    let submitted = || fs::read_to_string(&journal).is_ok_and(|text| text.contains("submitted"));
    let begun = || (!run.is_up() || submitted()).then_some(());
    until("the first move", SOON, begun).unwrap();
    assert!(run.is_up(), "{:?}", run.end());
    run.kill();
    cluster.start_broker(1002).unwrap();
    heal(&again).with(0).complaining_of("broker 1002 is back: the heal is cancelled");
    begins_anew();
    traffic.settle();
    heal(&again).with(0).complaining_of("No broker is lost");
}
