//! A broker is drained while topics are still created. Replicas that come to it are named, and swept.

use std::path::Path;

use testbed::{Cluster, Mode, until};

use crate::binary::{Ended, SOLE, topicmappr};
use crate::execution::throttles;
use crate::traffic::{SOON, Traffic};

/// The drained broker.
const DRAINED: i32 = 1001;

struct Situation {
    cluster: Cluster,
    folder: tempfile::TempDir,
}

impl Situation {
    /// Four brokers, of which three hold a topic.
    fn new() -> Self {
        let builder = Cluster::builder().mode(Mode::KRaft).brokers(4).small_fetches();
        let cluster = builder.start().unwrap();
        let traffic = Traffic::of(&cluster);
        traffic.create(&[("events".to_owned(), vec![vec![1001, 1002, 1003]; 4])].into());
        traffic.write(&(0..4).map(|p| (("events".to_owned(), p), 200_000)).collect());
        Self { cluster, folder: tempfile::tempdir().unwrap() }
    }

    fn plan(&self) {
        let (bootstrap, plan) = (self.cluster.bootstrap(), self.folder.path().join("plan.json"));
        let drained = DRAINED.to_string();
        let words = ["scale", "--topics", "events.*", "--brokers", "-2", "--drain", &drained];
        let storage = "1001=1GB,1002=1GB,1003=1GB,1004=1GB";
        let more = ["--bootstrap-server", &bootstrap, "--broker-storage", storage];
        let out = ["--out-file", plan.to_str().unwrap(), "--ignore-warns"];
        let said = topicmappr(words.iter().chain(&more).chain(&out)).with(0);
        assert!(said.stdout.contains("--sweep"), "{}", said.stdout);
    }

    fn execute(&self, more: &[&str]) -> Ended {
        let (bootstrap, plan) = (self.cluster.bootstrap(), self.folder.path().join("plan.json"));
        let own = ["execute", plan.to_str().unwrap(), "--bootstrap-server", &bootstrap, "--yes"];
        topicmappr(own.iter().chain(&["--throttle", "200MB/s", SOLE]).chain(more))
    }

    /// The topics of which the drained broker has replicas, as all brokers report. Leaves out Kafka's own.
    fn held(&self) -> Vec<String> {
        let seen = Traffic::of(&self.cluster).seen().into_iter();
        let users = seen.filter(|((topic, _), _)| !topic.starts_with("__"));
        let held = users.filter(|(_, seen)| seen.replicas.contains(&DRAINED));
        let mut held: Vec<String> = held.map(|((topic, _), _)| topic).collect();
        held.dedup();
        held
    }

    fn has(&self, name: &str) -> bool {
        Path::new(&self.folder.path().join(name)).exists()
    }
}

fn what_is_created_meanwhile_is_swept() {
    let situation = Situation::new();
    situation.plan();
    // Of the plan's topics, and of another one.
    let traffic = Traffic::of(&situation.cluster);
    let late = [("events-late".to_owned(), vec![vec![1002, 1001, 1003], vec![1001, 1003, 1004]])];
    traffic.create(&late.into());
    traffic.create(&[("other".to_owned(), vec![vec![1001, 1002, 1003]])].into());
    let lists = traffic.seen().into_iter().map(|(of, seen)| (of, seen.replicas)).collect();
    let before = throttles(&situation.cluster, &lists);

    let ended = situation.execute(&[]).with(6);
    assert!(ended.stdout.contains("1001 still holds 2 partitions"), "{}", ended.stdout);
    assert!(ended.stderr.contains("--resume --sweep"), "{}", ended.stderr);
    assert_eq!(situation.held(), ["events-late", "other"]);

    let rehearsed = situation.execute(&["--resume", "--sweep", "--dry-run"]).with(5);
    assert!(rehearsed.stderr.contains("Sweeping: 2 partitions"), "{}", rehearsed.stderr);
    assert!(!situation.has("plan.sweep.json"));

    situation.execute(&["--resume", "--sweep"]).with(0);
    assert!(situation.has("plan.sweep.json.journal"));
    let only_the_other = || (situation.held() == ["other"]).then_some(());
    until("the drained broker to be empty", SOON, only_the_other).unwrap();
    assert_eq!(throttles(&situation.cluster, &lists), before);
    // A second run moves nothing, and needs no other plan.
    situation.execute(&["--resume", "--sweep"]).with(0);
    assert!(!situation.has("plan.sweep-2.json"));
}

/// Five servers start too slowly next to the other tests of CI.
mod soak {
    #[test]
    #[ignore = "live"]
    fn what_is_created_on_a_broker_while_it_is_drained_is_swept() {
        super::what_is_created_meanwhile_is_swept();
    }
}
