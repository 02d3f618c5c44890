//! Executed plans. The cluster ends as planned and the throttles are restored, even if the executor is killed on the
//! way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ConfigSource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use serde_json::{Value, json as value};
use testbed::{Access, Cluster, Mode, until};
use tokio::runtime::Runtime;

use crate::admin::{in_flight, set};
use crate::binary::{Ended, Run, SOLE, json, topicmappr};
use crate::facts::entries_of_a_list_come_and_go;
use crate::plan::{Partition, targets};
use crate::producer::Producer;
use crate::traffic::{SOON, Traffic};

/// The broker that is lost for good.
const LOST: i32 = 1003;
/// The brokers share the disk of the test machine.
const STORAGE: [&str; 2] = ["--broker-storage", "1001=1GB,1002=1GB,1004=1GB,1005=1GB,1006=1GB"];
/// Slow enough for half a minute after the burst of the first seconds.
pub(crate) const SLOW: &str = "400KB/s";
/// So slow that a move outlives the start of another tool.
const SLOWEST: &str = "100KB/s";
pub(crate) const FAST: &str = "200MB/s";
/// The common parts of the throttle's config names.
const PACES: [&str; 2] = [".replication.throttled.", "replica.alter.log.dirs.io.max"];

/// A cluster with a dead broker, and a plan that replaces it.
struct Situation {
    cluster: Cluster,
    folder: tempfile::TempDir,
    before: BTreeMap<Partition, Vec<i32>>,
    configs: Configs,
}

/// Throttled rates and replicas, by broker or topic.
pub(crate) type Configs = BTreeMap<String, BTreeMap<String, String>>;

/// Six brokers and 18 partitions of 5 MB. The operator has set throttles.
fn lost_broker(mode: Mode) -> Situation {
    let builder = Cluster::builder().mode(mode).brokers(6).mortal([LOST]).small_fetches();
    let cluster = builder.start().unwrap();
    let traffic = Traffic::of(&cluster);
    let lists: [&[i32]; 3] = [&[1001, 1002, 1003], &[1003, 1004, 1005], &[1002, 1006, 1004]];
    let partitions: Vec<Vec<i32>> = (0..6).map(|p| lists[p % 3].to_vec()).collect();
    let names = ["events.a", "events.b", "orders"];
    traffic.create(&names.map(|name| (name.to_owned(), partitions.clone())).into());
    traffic.create(&[("acks".to_owned(), vec![vec![1003, 1001, 1002]])].into());
    let sizes = names.iter().flat_map(|name| (0..6).map(|p| ((name.to_string(), p), 5_000_000)));
    traffic.write(&sizes.collect());
    let rate = "leader.replication.throttled.rate=123456789";
    set(&cluster, "brokers", "1001", rate);
    set(&cluster, "topics", "events.a", "follower.replication.throttled.replicas=[77:1001,0:1002]");
    let before = traffic.seen().into_iter().map(|(of, seen)| (of, seen.replicas)).collect();
    let configs = throttles(&cluster, &before);
    let folder = tempfile::tempdir().unwrap();
    Situation { cluster, folder, before, configs }
}

/// The throttle configs on running brokers and all topics, as librdkafka reads them.
pub(crate) fn throttles(cluster: &Cluster, partitions: &BTreeMap<Partition, Vec<i32>>) -> Configs {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", cluster.client(&Access::Plaintext).bootstrap);
    let connect = || -> AdminClient<DefaultClientContext> { config.create().unwrap() };
    let mut admin = connect();
    let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(20)));
    let topics: BTreeSet<&str> = partitions.keys().map(|(topic, _)| topic.as_str()).collect();
    let topics = topics.into_iter().map(|name| (name.to_owned(), ResourceSpecifier::Topic(name)));
    let brokers = cluster.running().into_keys();
    let brokers = brokers.map(|id| (id.to_string(), ResourceSpecifier::Broker(id)));
    let runtime = Runtime::new().unwrap();
    let mut found = Configs::new();
    for (name, resource) in topics.chain(brokers) {
        // A broker whose card is full of its copies answers late. A client that connected before the broker was back does not
        // learn of it for minutes, so another one asks again.
        let ask = || {
            let told = runtime.block_on(admin.describe_configs([&resource], &options));
            told.inspect_err(|_| admin = connect()).ok()
        };
        let told = until(format!("the configs of {name}"), SOON, ask).unwrap();
        let told = told.into_iter().next().unwrap().unwrap();
        let own = [ConfigSource::DynamicTopic, ConfigSource::DynamicBroker];
        let of_throttle = told.entries.into_iter().filter(|entry| {
            own.contains(&entry.source) && PACES.iter().any(|paces| entry.name.contains(paces))
        });
        let set = of_throttle.map(|entry| (entry.name, entry.value.unwrap_or_default()));
        found.insert(name, set.collect());
    }
    found
}

impl Situation {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn lose_and_plan(&self) {
        let traffic = Traffic::of(&self.cluster);
        traffic.lose(LOST);
        let (bootstrap, plan) = (self.cluster.bootstrap(), self.at("plan.json"));
        let scope = ["--topics", "events.*,orders,acks", "--brokers", "-2"];
        let to = ["--out-file", plan.to_str().unwrap()];
        let source = ["rebuild", "--bootstrap-server", &bootstrap];
        topicmappr(source.iter().chain(&scope).chain(&to).chain(&STORAGE)).with(0);
    }

    fn args(&self, command: &str, more: &[&str]) -> Vec<String> {
        let (bootstrap, plan) = (self.cluster.bootstrap(), self.at("plan.json"));
        let own = [command, plan.to_str().unwrap(), "--bootstrap-server", &bootstrap, "--yes"];
        own.iter().chain(more).map(|arg| (*arg).to_owned()).collect()
    }

    fn execute(&self, more: &[&str]) -> Ended {
        topicmappr(self.args("execute", more))
    }

    fn start(&self, more: &[&str]) -> Run {
        Run::start(self.args("execute", more))
    }

    fn journal(&self) -> String {
        std::fs::read_to_string(self.at("plan.json.journal")).unwrap_or_default()
    }

    /// Waits until the journal contains this word.
    fn await_journal(&self, word: &str) {
        until(format!("{word} in the journal"), SOON, || {
            self.journal().contains(word).then_some(())
        })
        .unwrap();
    }

    /// Waits until this number of runs have resumed. Each has then claimed the cluster and read it.
    fn await_resumed(&self, times: usize) {
        until(format!("{times} times resumed in the journal"), SOON, || {
            (self.journal().matches("\"resumed\"").count() >= times).then_some(())
        })
        .unwrap();
    }

    /// Every partition has the planned replicas and leader, and throttles are restored.
    fn is_as_planned(&self, said: &str) {
        let plan = targets(&json(&self.at("plan.json")));
        assert!(!plan.is_empty());
        let traffic = Traffic::of(&self.cluster);
        let planned = until("new replicas in sync", SOON, || {
            let seen = traffic.seen();
            let in_sync = |of: &Partition| seen[of].isr.len() == seen[of].replicas.len();
            plan.keys().all(in_sync).then_some(seen)
        });
        for (partition, seen) in planned.unwrap() {
            // Consumers may have created their offsets topic since.
            let Some(before) = self.before.get(&partition) else { continue };
            let wanted = plan.get(&partition).unwrap_or(before);
            assert_eq!(&seen.replicas, wanted, "{partition:?}\n{said}");
            if plan.contains_key(&partition) && wanted[0] != before[0] {
                assert_eq!(seen.leader, wanted[0], "{partition:?}\n{said}");
            }
        }
        self.throttles_are_as_before(said);
    }

    fn throttles_are_as_before(&self, said: &str) {
        let of_others = |mut all: Configs| {
            all.remove(&LOST.to_string());
            all
        };
        let now = of_others(throttles(&self.cluster, &self.before));
        assert_eq!(now, of_others(self.configs.clone()), "\n{said}");
    }

    /// An operator cancels one move with Kafka's own tool. The journal records it as left out, and it does not begin
    /// again.
    fn leaves_what_another_tool_cancels(&self, (topic, partition): &Partition) {
        let client = concat!(env!("CARGO_MANIFEST_DIR"), "/live/Facts.java");
        let (bootstrap, cancel) = (self.cluster.bootstrap(), format!("cancel:{topic}:{partition}"));
        let told = self.cluster.bare_tool(client, [bootstrap.as_str(), &cancel]).unwrap();
        assert_eq!(told.trim(), format!("{cancel} = accepted"));
        until("what another tool has cancelled in the journal", SOON, || {
            let written = self.journal().contains("\"cancelled_by_others\"");
            let running = in_flight(&self.cluster);
            let runs = running.contains(&(topic.clone(), *partition));
            assert!(!runs, "it is in flight again: {running:?}\n{}", self.journal());
            written.then_some(())
        })
        .unwrap();
    }

    /// A rehearsal names the moves in flight, their original lists, and the configs that were set. It changes nothing.
    fn a_cancel_is_rehearsed(&self) {
        let written = self.journal();
        let rehearsed =
            topicmappr(self.args("cancel", &["--dry-run", "--output", "json", SOLE])).with(5);
        let told: Value = serde_json::from_str(rehearsed.stdout.lines().next().unwrap()).unwrap();
        let cancelled = told["cancelled"].as_array().unwrap();
        assert!(!cancelled.is_empty(), "{told:#}");
        let of = |(topic, partition): &Partition| value!({"topic": topic, "partition": partition});
        for one in cancelled {
            let known = self.before.iter().find(|(known, _)| one["partition"] == of(known));
            let (_, before) = known.unwrap_or_else(|| panic!("{told:#}"));
            assert_eq!(one["replicas"], value!(before), "{told:#}");
            assert_eq!(one["given_up"], value!([1001]), "{told:#}");
        }
        let mut put_back = told["put_back"].as_array().unwrap().iter();
        let own = put_back.any(|one| one["before"] == "77:1001,0:1002");
        assert!(own, "what the operator has set is not named: {told:#}");
        assert_eq!(self.journal(), written, "a rehearsal writes nothing");
        assert!(self.rates() > 0, "a rehearsal changes nothing");
    }

    /// A signal ends it: it says how to take over, and the rates stay.
    fn leaves(&self, run: Run, signal: &str) {
        run.signal(signal);
        let left = run.end().with(143);
        assert!(left.stderr.contains("--resume"), "it says how to take over:\n{}", left.stderr);
        assert!(self.rates() > 0, "whoever leaves leaves the rates:\n{}", left.stderr);
    }

    fn rates(&self) -> usize {
        let now = throttles(&self.cluster, &self.before);
        let is_ours = |value: &String| ["400000", "100000"].contains(&value.as_str());
        let ours = |set: &BTreeMap<String, String>| set.values().any(is_ours);
        now.values().filter(|set| ours(set)).count()
    }
}

fn a_plan_is_carried_out_under_writes(mode: Mode) {
    let situation = lost_broker(mode);
    let producer = Producer::start(&situation.cluster, "acks");
    situation.lose_and_plan();
    let rehearsed = situation.execute(&["--throttle", FAST, "--dry-run", SOLE]).with(5);
    assert!(rehearsed.stderr.contains("to copy"), "{}", rehearsed.stderr);
    assert_eq!(situation.journal(), "", "a rehearsal writes nothing");
    let done = situation.execute(&["--throttle", FAST, SOLE]).with(0);
    producer.has_lost_nothing();
    situation.is_as_planned(&done.stderr);
    assert!(done.stdout.contains("Done: the cluster is as the plan says."), "{}", done.stdout);

    situation.execute(&["--throttle", FAST, SOLE]).with(2).complaining_of("--resume");
    situation.execute(&["--throttle", FAST, "--resume", SOLE]).with(0);
    situation.is_as_planned("resumed when all was done");
    entries_of_a_list_come_and_go(&situation.cluster, "acks");
}

#[test]
#[ignore = "live"]
fn a_plan_is_carried_out_under_writes_with_zookeeper() {
    a_plan_is_carried_out_under_writes(Mode::ZooKeeper);
}

#[test]
#[ignore = "live"]
fn a_plan_is_carried_out_under_writes_with_kraft() {
    a_plan_is_carried_out_under_writes(Mode::KRaft);
}

/// Killed at the ledger's first line, at the submission of moves, and during the moves. Then asked to stop.
fn a_killed_execution_is_resumed(mode: Mode) {
    let situation = lost_broker(mode);
    situation.lose_and_plan();
    let slow = ["--throttle", SLOW];
    let resumed = ["--throttle", SLOW, "--resume"];
    let child = situation.start(&slow);
    until("a ledger", SOON, || holds_something(situation.folder.path()).then_some(())).unwrap();
    child.kill();
    let child = situation.start(&resumed);
    situation.await_journal("\"submitted\"");
    child.kill();
    assert!(situation.rates() > 0, "the throttle outlives the process");
    let child = situation.start(&resumed);
    situation.await_resumed(2);
    std::thread::sleep(Duration::from_secs(5));
    child.kill();

    let child = situation.start(&resumed);
    situation.await_resumed(3);
    // It watches writes for four seconds, sets lists, and waits three seconds for the brokers to read them.
    std::thread::sleep(Duration::from_secs(15));
    let second = situation.execute(&resumed).with(7);
    assert!(second.stderr.contains("held by process"), "{}", second.stderr);
    situation.leaves(child, "-TERM");
    let child = situation.start(&resumed);
    situation.await_resumed(4);
    situation.leaves(child, "-HUP");

    let done = situation.execute(&["--throttle", FAST, "--resume"]).with(0);
    situation.is_as_planned(&format!("{}\n{}", done.stderr, situation.journal()));
}

fn holds_something(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut ledgers = files.filter(|path| path.extension().is_some_and(|end| end == "ledger"));
    ledgers.any(|path| std::fs::read_to_string(path).unwrap().contains("\"held\""))
}

#[test]
#[ignore = "live"]
fn a_killed_execution_is_resumed_with_kraft() {
    a_killed_execution_is_resumed(Mode::KRaft);
}

/// Moves in flight return to their original lists in the old order. Completed moves stay.
fn a_cancelled_execution_leaves_nothing_in_flight(mode: Mode) {
    let situation = lost_broker(mode);
    // No broker is lost, because Kafka does not put a dead broker back into a list.
    let (bootstrap, plan) = (situation.cluster.bootstrap(), situation.at("plan.json"));
    let scope = ["--topics", "events.*,orders", "--broker", "1004", "--with", "1001"];
    let to = ["--out-file", plan.to_str().unwrap()];
    let source = ["replace", "--bootstrap-server", &bootstrap];
    topicmappr(source.iter().chain(&scope).chain(&to).chain(&STORAGE)).with(0);
    let plan = targets(&json(&plan));
    let traffic = Traffic::of(&situation.cluster);
    let child = situation.start(&["--throttle", SLOWEST, SOLE]);
    // The journal has a move before the cluster does.
    let moving = until("a move in flight", SOON, || {
        let seen = traffic.seen();
        let added = |of: &&Partition| {
            seen[*of].replicas.contains(&1001) && !situation.before[*of].contains(&1001)
        };
        plan.keys().find(added).cloned()
    });
    let moving = moving.unwrap();
    situation.leaves_what_another_tool_cancels(&moving);
    until("the next move in flight", SOON, || {
        let planned = |of: &Partition| plan.contains_key(of) && *of != moving;
        in_flight(&situation.cluster).iter().any(planned).then_some(())
    })
    .unwrap();
    child.signal("-INT");
    child.end().with(130);
    situation.a_cancel_is_rehearsed();
    let cancelled = topicmappr(situation.args("cancel", &[SOLE])).with(0);
    let mut back = 0;
    for (partition, seen) in traffic.seen() {
        let Some(before) = situation.before.get(&partition) else { continue };
        let after = plan.get(&partition).unwrap_or(before);
        if partition == moving {
            // Kafka does not keep the order when it cancels, and no tool restores it after another tool's cancel.
            assert!(before.iter().all(|id| seen.replicas.contains(id)), "{:?}", seen.replicas);
            continue;
        }
        assert!([before, after].contains(&&seen.replicas), "{partition:?}: {:?}", seen.replicas);
        back += usize::from(before != after && &seen.replicas == before);
    }
    assert!(back > 0, "everything had arrived:\n{}", cancelled.stderr);
    situation.throttles_are_as_before(&cancelled.stderr);
    assert_eq!(in_flight(&situation.cluster), BTreeSet::new());
    let again = topicmappr(situation.args("cancel", &["--dry-run", SOLE])).with(0);
    assert!(again.stderr.contains("Nothing to cancel"), "{}", again.stderr);
}

#[test]
#[ignore = "live"]
fn a_cancelled_execution_leaves_nothing_in_flight_with_zookeeper() {
    a_cancelled_execution_leaves_nothing_in_flight(Mode::ZooKeeper);
}

#[test]
#[ignore = "live"]
fn a_cancelled_execution_leaves_nothing_in_flight_with_kraft() {
    a_cancelled_execution_leaves_nothing_in_flight(Mode::KRaft);
}

mod soak {
    use super::*;

    #[test]
    #[ignore = "live"]
    fn a_killed_execution_is_resumed_with_zookeeper() {
        a_killed_execution_is_resumed(Mode::ZooKeeper);
    }
}
