//! The first execution in a cluster creates the topic for executors' claims: as late as possible, on brokers that stay,
//! and with a message. If that fails, no move begins.

use std::collections::BTreeMap;
use std::fs;

use testbed::{Access, Cluster, Mechanism, Mode, Security, User, until};

use crate::binary::{Ended, Run, topicmappr};
use crate::execution::throttles;
use crate::plan::Partition;
use crate::traffic::{SOON, Traffic};

const FAST: &str = "200MB/s";

fn moved() -> Partition {
    ("events".to_owned(), 0)
}

/// A plan that drains broker 1001, the only one with data.
struct Scene {
    cluster: Cluster,
    folder: tempfile::TempDir,
}

impl Scene {
    fn of(cluster: Cluster) -> Self {
        let traffic = Traffic::of(&cluster);
        traffic.create(&[("events".to_owned(), vec![vec![1001]])].into());
        traffic.write(&[(moved(), 200_000)].into());
        let scene = Self { cluster, folder: tempfile::tempdir().unwrap() };
        let (plan, bootstrap) = (scene.at("plan.json"), scene.cluster.bootstrap());
        let words = ["scale", "--topics", "events", "--brokers", "-2", "--drain", "1001"];
        let storage = "1001=1GB,1002=1GB,1003=1GB";
        let source = ["--bootstrap-server", &bootstrap, "--broker-storage", storage];
        let to = ["--out-file", &plan, "--ignore-warns"];
        topicmappr(words.iter().chain(&source).chain(&to)).with(0);
        scene
    }

    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// A command on the plan, with its own files next to it.
    fn run(&self, command: &str, more: &[&str]) -> Ended {
        let bootstrap = self.cluster.bootstrap();
        self.run_at(&["--bootstrap-server", &bootstrap], command, more)
    }

    fn run_at(&self, source: &[&str], command: &str, more: &[&str]) -> Ended {
        let (plan, ledger) = (self.at("plan.json"), self.at("ledger"));
        let own = [command, &plan, "--state-file", &ledger];
        topicmappr(own.iter().chain(source).chain(more))
    }

    fn replicas(&self) -> Vec<i32> {
        Traffic::of(&self.cluster).seen()[&moved()].replicas.clone()
    }

    /// The brokers of the state topic; `None` if it does not exist.
    fn state(&self) -> Option<Vec<i32>> {
        let seen = Traffic::of(&self.cluster).seen();
        let found = seen.get(&(statelog::TOPIC.to_owned(), 0));
        found.map(|seen| seen.replicas.clone())
    }

    /// Exit code 3 before any move begins, with the flag that the operator can use instead.
    fn refuses(&self, refused: Ended, why: &str) {
        refused.with(3).complaining_of(why).complaining_of("--sole-executor");
        assert_eq!(self.replicas(), [1001]);
        let journal = fs::read_to_string(self.at("plan.json.journal")).unwrap_or_default();
        assert_eq!(journal, "", "nothing is begun");
        let configs = throttles(&self.cluster, &[].into());
        assert!(configs.values().all(BTreeMap::is_empty), "{configs:?}");
    }
}

fn the_first_execution_makes_the_topic_and_nothing_else_does(mode: Mode) {
    let scene = Scene::of(Cluster::builder().mode(mode).brokers(3).start().unwrap());
    let execute = ["--throttle", FAST];
    let with = |more: &[&'static str]| [&execute[..], more].concat();
    scene.run("execute", &with(&["--dry-run"])).with(5);
    scene.run("execute", &with(&["--dry-run", "--resume"])).with(5);
    scene.run("execute", &execute).with(2);
    scene.run("status", &[]);
    scene.run("cancel", &["--dry-run"]);
    scene.run("rollback", &with(&["--dry-run"]));
    assert_eq!(scene.state(), None, "looks and refusals make nothing");

    // No machine has begun it, and that is known without the topic.
    let done = scene.run("execute", &with(&["--resume", "--yes"])).with(0);
    let said: Vec<&str> =
        done.stderr.lines().filter(|line| line.contains(statelog::TOPIC)).collect();
    let [made] = said[..] else { panic!("one line tells of it: {}", done.stderr) };
    assert!(made.contains("made the topic"), "{made}");
    assert!(made.contains("--sole-executor"), "{made}");
    assert_ne!(scene.replicas(), [1001]);
    // A replica on the drained broker would keep that broker from being empty.
    assert_eq!(scene.state(), Some(vec![1002, 1003]));
    let described = scene.cluster.tool("topics", ["--describe", "--topic", statelog::TOPIC]);
    assert!(described.unwrap().contains("cleanup.policy=compact"));

    // It is created once, and is in no plan that was not asked for it.
    let again = scene.run("execute", &with(&["--resume", "--yes"])).with(0);
    assert!(!again.stderr.contains("made the topic"), "{}", again.stderr);
    let exported =
        topicmappr(["topics", "export", "--bootstrap-server", &scene.cluster.bootstrap()]);
    let exported = exported.with(0);
    assert!(exported.stdout.contains("name: events"), "{}", exported.stdout);
    assert!(!exported.stdout.contains(statelog::TOPIC), "{}", exported.stdout);
}

#[test]
#[ignore = "live"]
fn the_first_execution_makes_the_topic_and_nothing_else_does_with_kraft() {
    the_first_execution_makes_the_topic_and_nothing_else_does(Mode::KRaft);
}

/// Kafka creates its transactions topic with a replica on each of four brokers, and there are three.
#[test]
#[ignore = "live"]
fn without_transactions_nothing_is_begun() {
    let builder = Cluster::builder().mode(Mode::ZooKeeper).brokers(3);
    let factor = "transaction.state.log.replication.factor";
    let scene = Scene::of(builder.property(factor, "4").start().unwrap());
    let execute = ["--throttle", FAST, "--yes"];
    scene.refuses(scene.run("execute", &execute), "transactions");
    scene.run("execute", &[&execute[..], &["--sole-executor"]].concat()).with(0);
    assert_ne!(scene.replicas(), [1001]);
}

impl Scene {
    /// Adds rights of the reader, or removes them.
    fn rights(&self, change: &[&str], operations: &[&str], resource: &[&str]) {
        let who = ["--allow-principal", "User:reader"];
        let named = operations.iter().flat_map(|operation| ["--operation", operation]);
        let args = change.iter().copied().chain(who).chain(named);
        self.cluster.tool("acls", args.chain(resource.iter().copied())).unwrap();
    }

    /// The topic `slow` moves from 1001 to 1003, one partition at a time, and the reader loses rights during the move.
    fn rights_are_lost_midway(&self, source: &[&str]) {
        let traffic = Traffic::of(&self.cluster);
        traffic.create(&[("slow".to_owned(), vec![vec![1001]; 2])].into());
        let size = |partition| (("slow".to_owned(), partition), 6_000_000);
        traffic.write(&[size(0), size(1)].into());
        let (plan, ledger, bootstrap) =
            (self.at("slow.json"), self.at("ledger"), self.cluster.bootstrap());
        let words = ["rebuild", "--topics", "slow", "--brokers", "1003", "--ignore-warns"];
        let storage = ["--broker-storage", "1001=1GB,1002=1GB,1003=1GB"];
        let to = ["--bootstrap-server", &bootstrap, "--out-file", &plan];
        topicmappr(words.iter().chain(&storage).chain(&to)).with(0);
        let execute = |throttle: &'static str| {
            let own = ["execute", &plan, "--state-file", &ledger, "--yes", "--resume"];
            let how = ["--throttle", throttle, "--max-moves", "1"];
            let words = own.iter().chain(source).chain(&how).map(|word| (*word).to_owned());
            words.collect::<Vec<String>>()
        };
        let set = || throttles(&self.cluster, &[(("slow".to_owned(), 0), Vec::new())].into());
        let lists = || set()["slow"].values().any(|list| list.starts_with('0'));
        let run = Run::start(execute("300KB/s"));
        until("a move in flight", SOON, || {
            let seen = traffic.seen();
            let first = seen.get(&("slow".to_owned(), 0))?;
            first.replicas.contains(&1003).then_some(())
        })
        .unwrap();
        self.rights(&["--remove", "--force"], &["Describe"], &["--topic", "*"]);
        let ended = run.end().with(3).complaining_of("slow").complaining_of("Describe on Topic");
        assert!(ended.stderr.contains("--resume"), "{}", ended.stderr);
        assert!(lists(), "what is set stays set");
        let kept = fs::read_to_string(&ledger).unwrap();
        let last = kept.lines().rfind(|line| line.contains("\"slow\"")).unwrap();
        assert!(last.contains("\"held\""), "the ledger gives nothing up: {kept}");

        self.rights(&["--add"], &["Describe"], &["--topic", "*"]);
        self.rights(&["--remove", "--force"], &["Alter"], &["--cluster"]);
        let denied = topicmappr(execute(FAST)).with(3).complaining_of("Alter on Cluster");
        let configs = set();
        assert!(configs.values().all(BTreeMap::is_empty), "{configs:?}\n{}", denied.stderr);
        let seen = traffic.seen();
        assert_eq!(seen[&("slow".to_owned(), 1)].replicas, [1001], "it was never begun");

        self.rights(&["--add"], &["Alter"], &["--cluster"]);
        topicmappr(execute(FAST)).with(0);
        assert!(!lists(), "an operator has set nothing here");
    }
}

/// The other rights of executors are those on the page of rights. An error names a missing right, even one lost during
/// the run.
#[test]
#[ignore = "live"]
fn whoever_may_not_make_the_topic_begins_nothing() {
    let builder = Cluster::builder().brokers(3).security(Security::Authorized).small_fetches();
    let scene = Scene::of(builder.start().unwrap());
    let grant =
        |operations: &[&str], resource: &[&str]| scene.rights(&["--add"], operations, resource);
    grant(&["Describe", "Alter", "AlterConfigs", "DescribeConfigs"], &["--cluster"]);
    grant(&["Describe", "AlterConfigs", "DescribeConfigs"], &["--topic", "*"]);
    let client = scene.cluster.client(&Access::Sasl(Mechanism::ScramSha512, User::READER));
    fs::write(scene.at("client.properties"), client.librdkafka()).unwrap();
    let config = scene.at("client.properties");
    let source = ["--bootstrap-server", &client.bootstrap, "--kafka-config", &config];
    let execute = |more: &[&str]| {
        let words = [&["--throttle", FAST, "--yes"], more].concat();
        scene.run_at(&source, "execute", &words)
    };
    // The rights above reach brokers one after the other.
    let refused = until("all other rights", SOON, || {
        let ended = execute(&[]);
        ended.stderr.contains("creating the topic").then_some(ended)
    });
    scene.refuses(refused.unwrap(), "Create, Describe");
    assert_eq!(scene.state(), None);

    let state = ["--topic", statelog::TOPIC];
    grant(&["Create", "Describe", "DescribeConfigs", "Read", "Write"], &state);
    grant(&["Describe", "Write"], &["--transactional-id", "mappr-executor"]);
    let done = until("the rights of the page", SOON, || {
        let ended = execute(&["--resume"]);
        (ended.code == Some(0)).then_some(ended)
    });
    done.unwrap();
    assert_ne!(scene.replicas(), [1001]);
    assert_eq!(scene.state(), Some(vec![1002, 1003]));
    scene.rights_are_lost_midway(&source);
}

mod soak {
    use super::*;

    #[test]
    #[ignore = "live"]
    fn the_first_execution_makes_the_topic_and_nothing_else_does_with_zookeeper() {
        the_first_execution_makes_the_topic_and_nothing_else_does(Mode::ZooKeeper);
    }
}
