//! The main task: a broker is lost for good, a plan replaces it, and Kafka's own tool carries out the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use testbed::{Cluster, Error, Mode, until};

use crate::admin::in_flight;
use crate::binary::{json, topicmappr};
use crate::plan::{Partition, targets};
use crate::traffic::{OFFSETS, SOON, Seen, Traffic};

/// 40 topics over three racks: `events.*` for one map, the rest for the other.
fn topics() -> BTreeMap<String, Vec<Vec<i32>>> {
    // Brokers 1001 and 1004 are in rack a, 1002 and 1005 in b, 1003 and 1006 in c.
    const THREE: [&[i32]; 4] =
        [&[1001, 1002, 1003], &[1005, 1006, 1001], &[1003, 1004, 1005], &[1002, 1006, 1004]];
    const TWO: [&[i32]; 3] = [&[1006, 1001], &[1004, 1005], &[1002, 1003]];
    let lists = |n: usize| if n % 4 == 3 { &TWO[..] } else { &THREE[..] };
    let name = |n: usize| if n < 30 { format!("events.{n:02}") } else { format!("orders_{n:02}") };
    let list = move |n: usize, p: usize| lists(n)[(n + p) % lists(n).len()].to_vec();
    let partitions = |n: usize| (0..2 + n % 3).map(move |p| list(n, p)).collect();
    (0..40).map(|n| (name(n), partitions(n))).collect()
}

/// 4 to 400 KB. It only matters that the sizes differ.
fn sizes(topics: &BTreeMap<String, Vec<Vec<i32>>>) -> BTreeMap<Partition, usize> {
    let all =
        topics.iter().flat_map(|(name, parts)| (0..parts.len()).map(|p| (name.clone(), p as i32)));
    all.enumerate().map(|(i, partition)| (partition, 4_000 + 36_000 * (i % 12))).collect()
}

/// Maps over these brokers.
fn maps(brokers: &[i32]) -> String {
    format!(
        "version: 1\nmaps:\n  map1: {{topics: \"events.*\", brokers: {brokers:?}}}\n  rest: {{brokers: all}}\n"
    )
}

/// The broker that is lost for good: the only one with a JVM of its own.
const LOST: i32 = 1003;

/// A plan as bytes, and the command's output.
struct Made {
    plan: Vec<u8>,
    said: String,
}

fn rebuild(source: [&str; 2], scope: &[&str], plan: &Path, save: Option<&Path>) -> Made {
    let mut args = vec!["rebuild", source[0], source[1], "--out-file", plan.to_str().unwrap()];
    args.extend(scope);
    args.extend(save.into_iter().flat_map(|path| ["--save-snapshot", path.to_str().unwrap()]));
    let said = topicmappr(args).with(0).stdout;
    Made { plan: fs::read(plan).unwrap(), said }
}

fn racks(cluster: &Cluster, replicas: &[i32]) -> BTreeSet<String> {
    let rack = |id: &i32| cluster.rack(*id).unwrap().unwrap().to_owned();
    replicas.iter().map(rack).collect()
}

/// Only the partitions of the lost broker change, each in one seat, and no rack is lost.
fn judge(
    cluster: &Cluster,
    before: &BTreeMap<Partition, Seen>,
    plan: &BTreeMap<Partition, Vec<i32>>,
    said: &str,
) {
    let hit: BTreeSet<&Partition> = before
        .iter()
        .filter(|(_, seen)| seen.replicas.contains(&LOST))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(plan.keys().collect::<BTreeSet<_>>(), hit, "\n{said}");
    assert!(hit.iter().any(|(topic, _)| topic == OFFSETS), "the internal topic is hit, too");
    for (partition, target) in plan {
        let old = &before[partition].replicas;
        assert_eq!(target.len(), old.len(), "{partition:?}");
        let (old_set, new_set) = (BTreeSet::from_iter(old), BTreeSet::from_iter(target));
        let left: Vec<&&i32> = old_set.difference(&new_set).collect();
        assert_eq!(left, [&&LOST], "{partition:?}: {old:?} -> {target:?}");
        assert_eq!(racks(cluster, target).len(), racks(cluster, old).len(), "{partition:?}");
    }
}

/// Kafka's own tool executes the plan, and reports every partition as complete.
pub(crate) fn carry_out(cluster: &Cluster, plan: &Path) {
    let file = plan.to_str().unwrap();
    let started =
        cluster.tool("reassign", ["--reassignment-json-file", file, "--execute"]).unwrap();
    assert!(started.contains("Successfully started partition reassignment"), "{started}");
    until("end of all moves", SOON, || in_flight(cluster).is_empty().then_some(())).unwrap();
    until("end of the reassignment", SOON, || {
        let said = cluster.tool("reassign", ["--reassignment-json-file", file, "--verify"]);
        let said = said.unwrap_or_else(|why: Error| panic!("{why}"));
        let lines = said.lines().filter(|line| line.starts_with("Reassignment of partition"));
        let open = lines.clone().filter(|line| !line.contains("is completed")).count();
        (lines.count() > 0 && open == 0).then_some(())
    })
    .unwrap();
}

/// Kafka's own tool elects the preferred leaders of the partitions that the plan names.
fn elect(cluster: &Cluster, traffic: &Traffic, plan: &Path) {
    let asked = ["--election-type", "preferred", "--path-to-json-file", plan.to_str().unwrap()];
    cluster.tool("leader-election", asked).unwrap();
    let wanted = targets(&json(plan));
    until("the preferred leaders", SOON, || {
        let seen = traffic.seen();
        let led = |(partition, replicas): (&Partition, &Vec<i32>)| {
            seen.get(partition).is_some_and(|seen| seen.leader == replicas[0])
        };
        wanted.iter().all(led).then_some(())
    })
    .unwrap();
}

fn a_lost_broker_is_replaced(mode: Mode) {
    let cluster = Cluster::builder()
        .mode(mode)
        .brokers(6)
        .processes_of([LOST])
        .racks(["a", "b", "c"])
        // So many that each broker holds some: the loss affects the internal topic, too.
        .property("offsets.topic.num.partitions", "12")
        .start()
        .unwrap();
    let traffic = Traffic::of(&cluster);
    let topics = topics();
    traffic.create(&topics);
    traffic.write(&sizes(&topics));
    traffic.commit_offsets("events.00");

    let before = traffic.seen();
    traffic.lose(LOST);

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("maps.yaml"), maps(&cluster.brokers())).unwrap();
    let (map_file, saved, bootstrap) = (at("maps.yaml"), at("saved.json"), cluster.bootstrap());
    let scope = ["--maps", map_file.to_str().unwrap()];
    let live = rebuild(["--bootstrap-server", &bootstrap], &scope, &at("live.json"), Some(&saved));
    let source = ["--snapshot", saved.to_str().unwrap()];
    let offline = rebuild(source, &scope, &at("offline.json"), None);
    assert!(live.plan == offline.plan, "a plan made live and one made from its snapshot differ");

    // Without maps: the same brokers are lost, and the same guarantees hold.
    let by_flags = ["--topics", ".*", "--brokers", "-2"];
    let flags = rebuild(source, &by_flags, &at("flags.json"), None);
    judge(&cluster, &before, &targets(&json(&at("flags.json"))), &flags.said);

    let plan = targets(&json(&at("live.json")));
    judge(&cluster, &before, &plan, &live.said);
    carry_out(&cluster, &at("live.json"));
    traffic.settle();
    elect(&cluster, &traffic, &at("live.json"));

    let after = traffic.seen();
    for (partition, seen) in &after {
        assert!(!seen.replicas.contains(&LOST), "{partition:?} is still on {LOST}");
        let wanted = plan.get(partition).unwrap_or(&before[partition].replicas);
        assert_eq!(&seen.replicas, wanted, "{partition:?}");
    }
    assert_eq!(after.len(), before.len());

    // ZooKeeper has forgotten the broker, and a map must not name an unknown one.
    let alive: Vec<i32> = cluster.brokers().into_iter().filter(|id| *id != LOST).collect();
    fs::write(at("maps.yaml"), maps(&alive)).unwrap();
    for (name, scope) in [("again.json", &scope[..]), ("flags-again.json", &by_flags)] {
        rebuild(["--bootstrap-server", &bootstrap], scope, &at(name), None);
        assert_eq!(targets(&json(&at(name))), BTreeMap::new(), "planning again plans nothing");
    }
}

#[test]
#[ignore = "live"]
fn a_lost_broker_of_a_zookeeper_cluster_is_replaced() {
    a_lost_broker_is_replaced(Mode::ZooKeeper);
}

#[test]
#[ignore = "live"]
fn a_lost_broker_of_a_kraft_cluster_is_replaced() {
    a_lost_broker_is_replaced(Mode::KRaft);
}
