//! Topic definitions on real Kafka in both modes. Topics are created as defined, drift is corrected, and other topics
//! stay untouched. Runs are killed, and two runs happen at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use testbed::{Access, Cluster, Mechanism, Mode, Security, User, until};

use crate::binary::{Ended, Run, SOLE, json, topicmappr};
use crate::plan::{Partition, targets};
use crate::traffic::{SOON, Seen, Traffic};

/// 50 topics in two maps. Each map's brokers are in three racks.
pub(crate) const MAPS: &str = "version: 1\nmaps:\n  map1: {topics: \"events.*\", brokers: [1001..1003]}\n  \
                               map2: {topics: \"logs.*\", brokers: [1004..1006]}\n";

/// The definitions, as two documents: 25 topics of 1 to 3 partitions and two replicas, and 25 of three.
pub(crate) fn documents() -> [String; 2] {
    let document = |prefix: &str, replication: usize, more: &str| {
        let mut text = format!(
            "version: 1\ndefaults: {{replication: {replication}, config: {{retention.ms: 604800000}}}}\ntopics:\n"
        );
        for n in 0..25 {
            text += &format!("  - {{name: {prefix}-{n:02}, partitions: {}{more}}}\n", 1 + n % 3);
        }
        text
    };
    [
        document("events", 2, ", owner: team-events"),
        document("logs", 3, ", config: {min.insync.replicas: 2, min.cleanable.dirty.ratio: 0.50}"),
    ]
}

/// What the two documents define: partitions and replication factor.
fn defined() -> BTreeMap<String, (usize, usize)> {
    let topics = |prefix: &'static str, replication: usize| {
        (0..25).map(move |n| (format!("{prefix}-{n:02}"), (1 + n % 3, replication)))
    };
    topics("events", 2).chain(topics("logs", 3)).collect()
}

/// Topics without a definition: one in a map, one in none, and one with configs.
fn foreign() -> BTreeMap<String, Vec<Vec<i32>>> {
    [
        ("events.of-others", vec![vec![1001, 1004], vec![1006, 1005]]),
        ("payments", vec![vec![1001, 1002, 1003]]),
        ("logs.archive", vec![vec![1004]]),
    ]
    .map(|(name, lists)| (name.to_owned(), lists))
    .into()
}

/// The difference between the highest and the lowest count among these brokers.
fn spread(counts: &BTreeMap<i32, usize>, brokers: impl Iterator<Item = i32>) -> usize {
    let counts: Vec<usize> = brokers.map(|id| counts.get(&id).copied().unwrap_or(0)).collect();
    counts.iter().max().unwrap() - counts.iter().min().unwrap()
}

/// Every topic matches its definition, uses as many racks as replicas, and is spread evenly over its map.
pub(crate) fn judge(cluster: &Cluster, seen: &BTreeMap<Partition, Seen>) {
    let (mut replicas, mut leaders) = (BTreeMap::new(), BTreeMap::new());
    for (topic, (partitions, replication)) in defined() {
        let found: Vec<&Seen> =
            seen.iter().filter(|((name, _), _)| *name == topic).map(|(_, seen)| seen).collect();
        assert_eq!(found.len(), partitions, "{topic}");
        for partition in found {
            let list = &partition.replicas;
            let brokers = if topic.starts_with("events") { 1001..=1003 } else { 1004..=1006 };
            assert!(list.iter().all(|id| brokers.contains(id)), "{topic}: {list:?}");
            let racks: BTreeSet<_> = list.iter().map(|id| cluster.rack(*id).unwrap()).collect();
            assert_eq!((list.len(), racks.len()), (replication, replication), "{topic}: {list:?}");
            *leaders.entry(list[0]).or_insert(0) += 1;
            list.iter().for_each(|id| *replicas.entry(*id).or_insert(0) += 1);
        }
    }
    for brokers in [1001..=1003, 1004..=1006] {
        assert!(spread(&replicas, brokers.clone()) <= 1, "replicas: {replicas:?}");
        assert!(spread(&leaders, brokers) <= 1, "leaders: {leaders:?}");
    }
}

/// A folder with maps and definitions, and the commands that run in it.
struct Desk<'a> {
    cluster: &'a Cluster,
    folder: tempfile::TempDir,
}

impl<'a> Desk<'a> {
    fn of(cluster: &'a Cluster) -> Self {
        let desk = Self { cluster, folder: tempfile::tempdir().unwrap() };
        fs::create_dir(desk.at("topics")).unwrap();
        desk.write("maps.yaml", MAPS);
        for (name, text) in ["events", "logs"].iter().zip(documents()) {
            desk.write(&format!("topics/{name}.yaml"), &text);
        }
        desk
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }

    fn args(&self, command: &str, more: &[&str]) -> Vec<String> {
        let fixed = ["topics", command, "--bootstrap-server"].map(str::to_owned);
        let maps = ["--maps".to_owned(), self.text("maps.yaml")];
        let files = ["--file".to_owned(), self.text("topics")];
        let mut args: Vec<String> =
            fixed.into_iter().chain([self.cluster.bootstrap()]).chain(maps).chain(files).collect();
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        args
    }

    fn run(&self, command: &str, more: &[&str]) -> Ended {
        topicmappr(self.args(command, more))
    }

    fn json(&self, command: &str, more: &[&str], code: i32) -> Value {
        let ended = self.run(command, &[&["--output", "json"], more].concat()).with(code);
        serde_json::from_str(&ended.stdout).unwrap_or_else(|why| panic!("{why}: {}", ended.stdout))
    }

    /// When the state was last written.
    fn written(&self) -> Option<SystemTime> {
        fs::metadata(self.at("topics.state")).and_then(|state| state.modified()).ok()
    }

    fn owned(&self) -> BTreeSet<String> {
        let state: Value =
            serde_json::from_slice(&fs::read(self.at("topics.state")).unwrap()).unwrap();
        let topics = state["topics"].as_array().unwrap().iter();
        let owned = topics.filter(|topic| topic["owned"] == true);
        owned.map(|topic| topic["name"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) fn config(cluster: &Cluster, topic: &str) -> String {
    cluster.tool("configs", ["--describe", "--topic", topic]).unwrap()
}

pub(crate) fn alter(cluster: &Cluster, topic: &str, how: &[&str]) {
    let about = ["--alter", "--topic", topic];
    cluster.tool("configs", about.iter().chain(how)).unwrap();
}

/// A user that may read everything and change nothing.
fn reader(cluster: &Cluster) -> [String; 4] {
    for resource in [&["--topic", "*"][..], &["--cluster"]] {
        let add = ["--add", "--allow-principal", "User:reader"];
        let describe = ["--operation", "Describe", "--operation", "DescribeConfigs"];
        cluster.tool("acls", add.iter().chain(&describe).chain(resource)).unwrap();
    }
    let client = cluster.client(&Access::Sasl(Mechanism::ScramSha512, User::READER));
    let file = cluster.path().join("reader.properties");
    fs::write(&file, client.librdkafka()).unwrap();
    let bootstrap = client.bootstrap.clone();
    ["--bootstrap-server".into(), bootstrap, "--kafka-config".into(), file.display().to_string()]
}

fn topics_become_as_defined_and_stay_so(mode: Mode) {
    let builder = Cluster::builder().mode(mode).brokers(6).racks(["a", "b", "c"]);
    let cluster = builder.security(Security::Authorized).start().unwrap();
    let (traffic, desk) = (Traffic::of(&cluster), Desk::of(&cluster));
    traffic.create(&foreign());
    alter(&cluster, "events.of-others", &["--add-config", "retention.ms=1234567"]);

    let before = desk.json("diff", &[], 5);
    assert_eq!(before["create"].as_array().unwrap().len(), 50);
    let first = desk.json("apply", &[], 0);
    assert!(first["requests_sent"].as_u64().unwrap() > 0);
    assert_eq!(desk.owned().len(), 50);
    traffic.settle();
    judge(&cluster, &traffic.seen());
    assert!(config(&cluster, "logs-00").contains("min.insync.replicas=2"));

    // There is nothing to do. Our own count shows no change request, and this user has no right to change anything.
    desk.run("diff", &[]).with(0);
    let again = desk.json("apply", &[], 0);
    assert_eq!(
        (again["requests_sent"].as_u64(), again["as_defined"].as_u64()),
        (Some(0), Some(50))
    );
    let mut args = desk.args("apply", &[]);
    let at = args.iter().position(|arg| arg == "--bootstrap-server").unwrap();
    args.splice(at..at + 2, reader(&cluster));
    topicmappr(&args).with(0);

    // Drift by hand is detected and then corrected. Configs without a definition stay.
    alter(&cluster, "events-03", &["--add-config", "retention.ms=5,segment.ms=777777"]);
    alter(&cluster, "logs-03", &["--delete-config", "min.cleanable.dirty.ratio"]);
    until("the drift", SOON, || {
        let drift = desk.json("diff", &[], 5);
        (drift["configure"].as_array().unwrap().len() == 2).then_some(())
    })
    .unwrap();
    desk.write(
        "topics/logs.yaml",
        &documents()[1].replace("logs-06, partitions: 1", "logs-06, partitions: 4"),
    );
    let mended = desk.json("apply", &[], 0);
    assert_eq!(mended["grow"][0]["topic"], "logs-06");
    until("the mended configs", SOON, || {
        let (events, logs) = (config(&cluster, "events-03"), config(&cluster, "logs-03"));
        let right = events.contains("retention.ms=604800000")
            && events.contains("segment.ms=777777")
            && logs.contains("min.cleanable.dirty.ratio=0.5");
        right.then_some(())
    })
    .unwrap();
    desk.run("diff", &[]).with(0);

    // One impossible topic and one deleted topic do not stop the others.
    cluster.tool("topics", ["--delete", "--topic", "events-01"]).unwrap();
    let events = documents()[0].replace("events-05, partitions: 3", "events-05, partitions: 2");
    desk.write("topics/events.yaml", &(events + "  - {name: events-new, partitions: 1}\n"));
    until("the deletion", SOON, || {
        (!traffic.seen().keys().any(|(name, _)| name == "events-01")).then_some(())
    })
    .unwrap();
    let partly = desk.json("apply", &[], 6);
    let not_done: Vec<&str> = partly["not_done"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["topic"].as_str().unwrap())
        .collect();
    assert_eq!(not_done, ["events-01", "events-05"], "{partly:#}");
    assert!(desk.owned().contains("events-new"));
    desk.write("topics/events.yaml", &documents()[0]);
    desk.run("apply", &["--recreate"]).with(0);
    traffic.settle();

    // Topics without a definition are unchanged.
    let seen = traffic.seen();
    for (topic, lists) in foreign() {
        for (partition, list) in (0..).zip(lists) {
            assert_eq!(seen[&(topic.clone(), partition)].replicas, list, "{topic}");
        }
    }
    let others = config(&cluster, "events.of-others");
    assert!(others.contains("retention.ms=1234567") && !others.contains("604800000"), "{others}");
    prune(&desk, &traffic);
}

/// Topics that the tool created and whose definition was removed are deleted, one for each run, if they were idle.
/// Without the definitions, it deletes nothing.
fn prune(desk: &Desk<'_>, traffic: &Traffic<'_>) {
    let exists = |name: &str| traffic.seen().keys().any(|(topic, _)| topic == name);
    // events-new was defined once, and is not defined now.
    desk.run("apply", &["--prune", "--prune-after", "7d"]).with(0);
    assert!(exists("events-new"));
    traffic.write(&BTreeMap::from([(("events-new".to_owned(), 0), 1_000)]));
    desk.run("apply", &["--prune", "--prune-after", "0s"]).with(0);
    assert!(exists("events-new"), "it has been written to");
    fs::remove_file(desk.at("topics/logs.yaml")).unwrap();
    desk.run("apply", &["--prune", "--prune-after", "0s"])
        .with(1)
        .complaining_of("fewer documents");
    assert!(exists("events-new") && exists("logs-00"));
    desk.write(
        "topics/logs.yaml",
        &documents()[1].replace("logs-06, partitions: 1", "logs-06, partitions: 4"),
    );
    desk.run("apply", &[]).with(0);
    assert!(exists("events-new"), "nothing is deleted without --prune");
    desk.run("apply", &["--prune", "--prune-after", "0s"]).with(0);
    until("the pruned topic to go", SOON, || (!exists("events-new")).then_some(())).unwrap();
    assert!(exists("payments") && exists("logs.archive"));
    desk.run("diff", &[]).with(0);
}

#[test]
#[ignore = "live"]
fn topics_of_a_zookeeper_cluster_become_as_defined_and_stay_so() {
    topics_become_as_defined_and_stay_so(Mode::ZooKeeper);
}

#[test]
#[ignore = "live"]
fn topics_of_a_kraft_cluster_become_as_defined_and_stay_so() {
    topics_become_as_defined_and_stay_so(Mode::KRaft);
}

/// A run that is killed at any moment neither loses nor duplicates a topic. Two runs at once happen one after the
/// other.
#[test]
#[ignore = "live"]
fn a_killed_run_is_answered_by_running_again_and_two_at_once_are_harmless() {
    let cluster = Cluster::builder().brokers(6).racks(["a", "b", "c"]).start().unwrap();
    let (traffic, desk) = (Traffic::of(&cluster), Desk::of(&cluster));
    traffic.seen();
    // Killed before and after its first write. The cluster still carries out the accepted requests, and the next run
    // does not see that yet.
    for wait in [20, 60, 120] {
        let run = Run::start(desk.args("apply", &[]));
        std::thread::sleep(Duration::from_millis(wait));
        run.kill();
    }
    let (before, mut run) = (desk.written(), Run::start(desk.args("apply", &[])));
    // Or the killed runs have done everything, and it does nothing.
    let acts = || (desk.written() > before || !run.is_up()).then_some(());
    until("what it is about to do", SOON, acts).unwrap();
    run.kill();
    let both =
        [Run::start(desk.args("apply", &[])), Run::start(desk.args("apply", &[]))].map(Run::end);
    for ended in &both {
        assert!(matches!(ended.code, Some(0 | 7)), "{ended:?}");
        if ended.code == Some(7) {
            assert!(ended.stderr.contains("another run holds"), "{}", ended.stderr);
        }
    }
    assert!(both.iter().any(|ended| ended.code == Some(0)), "{both:?}");
    let last = desk.json("apply", &[], 0);
    assert_eq!(last["requests_sent"], 0);
    traffic.settle();
    judge(&cluster, &traffic.seen());
    assert_eq!(desk.owned(), defined().into_keys().collect(), "what the killed runs made is owned");
    holder_is_named(&desk);
    what_has_to_move_becomes_a_plan(&desk, &traffic);
}

fn holder_is_named(desk: &Desk<'_>) {
    let lock = desk.at("topics.state.lock");
    let held = fs::OpenOptions::new().write(true).open(&lock).unwrap();
    held.lock().unwrap();
    fs::write(&lock, "process 1 on another-host\n").unwrap();
    desk.run("apply", &[]).with(7).complaining_of("process 1 on another-host");
    assert!(Path::new(&lock).exists());
}

/// A changed replication factor and a changed map become a plan, which keeps its guarantees and is executed like any
/// other.
fn what_has_to_move_becomes_a_plan(desk: &Desk<'_>, traffic: &Traffic<'_>) {
    let cluster = desk.cluster.bootstrap();
    let of_cluster = |args: &[&str]| topicmappr([args, &["--bootstrap-server", &cluster]].concat());
    let plan = desk.text("plan.json");
    // Nothing moves yet. The file says so, so that no operator mistakes an older file for this run's.
    desk.run("apply", &["--out-file", &plan]).with(0);
    assert_eq!(json(Path::new(&plan))["partitions"], serde_json::json!([]));

    traffic.create(&[("events-stray".to_owned(), vec![vec![1004, 1005, 1006]; 2])].into());
    let events = documents()[0].replace("replication: 2", "replication: 3");
    desk.write("topics/events.yaml", &(events + "  - {name: events-stray, partitions: 3}\n"));
    let before = traffic.seen();
    let told = desk.json("apply", &["--out-file", &plan], 0);
    assert_eq!(told["move"].as_array().unwrap().len(), 26, "{told:#}");
    let now = traffic.seen();
    let grown = ("events-stray".to_owned(), 2);
    assert!(
        now.contains_key(&grown)
            && before.iter().all(|(of, seen)| now[of].replicas == seen.replicas)
    );

    // The new partition has settled, and only the cluster that a plan was made from explains it.
    traffic.settle();
    desk.run("apply", &["--out-file", &plan]).with(0);
    let planned = targets(&json(Path::new(&plan)));
    assert!(planned.keys().all(|(topic, _)| topic.starts_with("events-")), "{planned:?}");
    of_cluster(&["plan", "check", &plan]).with(0);
    of_cluster(&["plan", "explain", &plan, "--partition", "events-stray-0"]).with(0);
    of_cluster(&["execute", &plan, "--throttle", "100MB/s", "--yes", SOLE]).with(0);
    traffic.settle();
    for ((topic, partition), seen) in
        traffic.seen().iter().filter(|(of, _)| of.0.starts_with("events-"))
    {
        let here = seen.replicas.iter().all(|id| (1001..=1003).contains(id));
        assert!(here && seen.replicas.len() == 3, "{topic}-{partition}: {:?}", seen.replicas);
    }
    desk.run("diff", &[]).with(0);
    let left = of_cluster(&["throttle", "show"]).with(0).stdout;
    assert!(left.contains("no throttle is set"), "{left}");
}
