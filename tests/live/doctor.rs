//! doctor reports faults within seconds even if brokers do not answer, together with the next command.

use std::time::{Duration, Instant};

use serde_json::Value;
use testbed::{Cluster, Mode};

use crate::admin::set;
use crate::binary::{Ended, topicmappr};
use crate::odd_states;
use crate::throttles::is_as_its_schema_says;
use crate::traffic::Traffic;

/// The design's bound is 5 s, but the test machine has two busy cores.
const SOON: Duration = Duration::from_secs(10);

fn doctor(bootstrap: &str, more: &[&str]) -> Ended {
    let began = Instant::now();
    // The brokers share the disk of the test machine.
    let storage = ["--broker-storage", "1001=1GB,1002=1GB,1003=1GB"];
    let storage = if more.contains(&storage[0]) { &[][..] } else { &storage };
    let asked = ["doctor", "--bootstrap-server", bootstrap];
    let ended = topicmappr(asked.iter().chain(storage).chain(more));
    assert!(began.elapsed() < SOON, "{:?}\n{}", began.elapsed(), ended.stdout);
    ended
}

fn found(bootstrap: &str) -> Value {
    let said = doctor(bootstrap, &["--output", "json"]).with(5);
    let found = serde_json::from_str(&said.stdout).unwrap();
    is_as_its_schema_says(&found, "doctor");
    found
}

fn finding<'v>(found: &'v Value, code: &str) -> &'v Value {
    let all = found["findings"].as_array().unwrap();
    let one = all.iter().find(|finding| finding["code"] == code);
    one.unwrap_or_else(|| panic!("no {code} in {found:#}"))
}

/// `lonely` was only on the dead 1004, `steady` partly, and `moving` is in flight.
fn a_sick_cluster_is_told_as_it_is(mode: Mode) {
    let cluster = odd_states::cluster(mode);
    let found = found(&cluster.bootstrap());
    let offline = finding(&found, "offline");
    assert_eq!(offline["partitions"][0]["topic"], "lonely");
    assert_eq!(offline["brokers"], serde_json::json!([1004]));
    assert_eq!(finding(&found, "moving")["partitions"][0]["topic"], "moving");
    let gone = if mode == Mode::KRaft { "fenced" } else { "lost" };
    let gone = finding(&found, gone);
    assert_eq!(gone["brokers"], serde_json::json!([1004]));
    assert!(gone["command"].as_str().unwrap().starts_with("rebuild "), "{gone}");
    assert_eq!(found["quorum"].is_object(), mode == Mode::KRaft, "{found:#}");
    let said = doctor(&cluster.bootstrap(), &[]).with(5).stdout;
    assert!(said.contains("CRITICAL"), "{said}");
    let unfolded = said.replace("\\\n", "");
    let run = unfolded.lines().filter(|line| line.contains("run: "));
    assert!(
        run.clone().count() > 0 && run.clone().all(|l| l.contains("--bootstrap-server")),
        "{said}"
    );
    let wide = unfolded.lines().filter(|line| !line.contains("run: ")).find(|line| line.len() > 80);
    assert_eq!(wide, None, "{said}");
}

#[test]
#[ignore = "live"]
fn a_sick_cluster_is_told_as_it_is_with_zookeeper() {
    a_sick_cluster_is_told_as_it_is(Mode::ZooKeeper);
}

#[test]
#[ignore = "live"]
fn a_sick_cluster_is_told_as_it_is_with_kraft() {
    a_sick_cluster_is_told_as_it_is(Mode::KRaft);
}

/// From a healthy cluster to a forgotten throttle, then a broker that hangs, and finally a broker to be unregistered.
#[test]
#[ignore = "live"]
fn a_broker_that_hangs_costs_its_own_facts_and_one_that_is_gone_can_be_forgotten() {
    let cluster = Cluster::builder().mode(Mode::KRaft).brokers(4).start().unwrap();
    // Kafka places its own topic on running brokers.
    cluster.stop_broker(1004).unwrap();
    let traffic = Traffic::of(&cluster);
    let lists = vec![vec![1001, 1002, 1003], vec![1002, 1003, 1001]];
    traffic.create(&[("events".to_owned(), lists)].into());
    traffic.commit_offsets("events");
    cluster.start_broker(1004).unwrap();
    let bootstrap = cluster.bootstrap();
    let all = "1001=1GB,1002=1GB,1003=1GB,1004=1GB";
    let well = doctor(&bootstrap, &["--broker-storage", all]).with(0);
    assert!(well.stdout.contains("All is well."), "{}", well.stdout);

    set(&cluster, "brokers", "1002", "leader.replication.throttled.rate=777");
    let stray = finding(&found(&bootstrap), "stray-throttle").clone();
    assert_eq!(stray["command"], "throttle clear --strays --dry-run");

    let unregister = |id: &str, flag: &str| {
        topicmappr(["broker", "unregister", id, flag, "--bootstrap-server", &bootstrap])
    };
    unregister("1004", "--yes").with(1).complaining_of("it is live");
    unregister("1001", "--yes").with(1).complaining_of("it is live");
    cluster.stop_broker(1003).unwrap();
    traffic.without(1003);
    unregister("1003", "--yes").with(1).complaining_of("of __consumer_offsets, events");
    cluster.stop_broker(1004).unwrap();
    traffic.seen();
    let empty = finding(&found(&bootstrap), "fenced-empty").clone();
    assert_eq!(empty["command"], "broker unregister 1004 --dry-run");
    unregister("1004", "--dry-run").with(5);
    unregister("1004", "--yes").with(0);
    unregister("1004", "--yes").with(2).complaining_of("not registered");
    let left = found(&bootstrap);
    let codes = left["findings"].as_array().unwrap().iter().map(|finding| &finding["code"]);
    assert!(!codes.clone().any(|code| code == "fenced-empty"), "{left:#}");
}

#[test]
#[ignore = "live"]
fn a_registration_in_zookeeper_ends_by_itself() {
    let bootstrap = odd_states::cluster(Mode::ZooKeeper).bootstrap();
    let args = ["broker", "unregister", "1004", "--yes", "--bootstrap-server", &bootstrap];
    topicmappr(args).with(2).complaining_of("nothing to unregister");
}
