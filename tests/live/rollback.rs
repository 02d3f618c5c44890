//! Plans rolled back from any point. Every partition is where it was, throttles are restored, and the producers'
//! records are there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use testbed::{Cluster, Mode, until};

use crate::admin::{in_flight, set};
use crate::binary::{Ended, Run, SOLE, json, topicmappr};
use crate::execution::{Configs, throttles};
use crate::plan::{Partition, targets};
use crate::producer::Producer;
use crate::traffic::{SOON, Traffic};

const SLOW: [&str; 5] = ["--throttle", "400KB/s", "--max-moves", "2", SOLE];
const FAST: [&str; 3] = ["--throttle", "200MB/s", SOLE];
const STORAGE: [&str; 2] = ["--broker-storage", "1001=1GB,1002=1GB,1003=1GB,1004=1GB"];

/// Everything on 1001 moves to 1004, in the same rack. The operator has set throttles.
struct Situation {
    cluster: Cluster,
    folder: tempfile::TempDir,
    before: BTreeMap<Partition, Vec<i32>>,
    configs: Configs,
}

fn a_replacement(mode: Mode) -> Situation {
    let builder = Cluster::builder().mode(mode).brokers(4).small_fetches();
    let cluster = builder.start().unwrap();
    let traffic = Traffic::of(&cluster);
    let lists: [&[i32]; 2] = [&[1001, 1002, 1003], &[1002, 1003, 1001]];
    let partitions: Vec<Vec<i32>> = (0..10).map(|p| lists[p % 2].to_vec()).collect();
    traffic.create(&[("events".to_owned(), partitions)].into());
    traffic.create(&[("acks".to_owned(), vec![vec![1001, 1002, 1003]])].into());
    traffic.write(&(0..10).map(|p| (("events".to_owned(), p), 1_000_000)).collect());
    set(&cluster, "brokers", "1001", "leader.replication.throttled.rate=123456789");
    let before = traffic.seen().into_iter().map(|(of, seen)| (of, seen.replicas)).collect();
    let configs = throttles(&cluster, &before);
    let folder = tempfile::tempdir().unwrap();
    Situation { cluster, folder, before, configs }
}

impl Situation {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The number of partitions that move.
    fn plan(&self) -> usize {
        let (bootstrap, plan) = (self.cluster.bootstrap(), self.at("plan.json"));
        topicmappr([
            "replace",
            "--bootstrap-server",
            &bootstrap,
            "--topics",
            "events,acks",
            "--broker",
            "1001",
            "--with",
            "1004",
            STORAGE[0],
            STORAGE[1],
            "--out-file",
            plan.to_str().unwrap(),
        ])
        .with(0);
        targets(&json(&plan)).len()
    }

    fn args(&self, command: &str, journal: &Path, more: &[&str]) -> Vec<String> {
        let (bootstrap, plan) = (self.cluster.bootstrap(), self.at("plan.json"));
        let own = [command, plan.to_str().unwrap(), "--bootstrap-server", &bootstrap, "--yes"];
        let named = ["--journal", journal.to_str().unwrap()];
        // A rollback does not consider how full the disk of this machine is.
        let storage: &[&str] = if command == "rollback" { &STORAGE } else { &[] };
        own.iter().chain(&named).chain(storage).chain(more).map(|arg| (*arg).to_owned()).collect()
    }

    fn run(&self, command: &str, journal: &Path, more: &[&str]) -> Ended {
        topicmappr(self.args(command, journal, more))
    }

    /// Every replica list is exactly as before, and so is every throttle.
    fn is_as_before(&self, said: &str) {
        let now = until("every replica in sync", SOON, || {
            let seen = Traffic::of(&self.cluster).seen();
            let whole = seen.values().all(|one| one.isr.len() == one.replicas.len());
            whole.then_some(seen)
        });
        for (partition, seen) in now.unwrap() {
            // Consumers may have created their offsets topic since.
            let Some(before) = self.before.get(&partition) else { continue };
            assert_eq!(&seen.replicas, before, "{partition:?}\n{said}");
        }
        assert_eq!(throttles(&self.cluster, &self.before), self.configs, "\n{said}");
        assert!(in_flight(&self.cluster).is_empty());
    }
}

/// Stopped at several percentages of completed moves, and then rolled back: three times, and once from the end.
fn a_plan_is_taken_back(mode: Mode) {
    let situation = a_replacement(mode);
    let producer = Producer::start(&situation.cluster, "acks");
    let moves = situation.plan();
    assert!(moves >= 10);
    for percent in [10, 50, 90, 100] {
        let journal = situation.at(&format!("{percent}.journal"));
        if percent == 100 {
            situation.run("execute", &journal, &FAST).with(0);
        } else {
            let run = Run::start(situation.args("execute", &journal, &SLOW));
            let reached = || (completed(&journal) * 100 >= moves * percent).then_some(());
            until(format!("{percent} % of the moves"), SOON * 3, reached).unwrap();
            run.signal("-INT");
            run.end();
        }
        let dry = [&FAST[..], &["--dry-run"]].concat();
        let rehearsed = situation.run("rollback", &journal, &dry).with(5);
        assert!(rehearsed.stderr.contains("to move back"), "{}", rehearsed.stderr);
        let back = situation.run("rollback", &journal, &FAST).with(0);
        situation.is_as_before(&format!("{percent} %\n{}\n{}", back.stdout, back.stderr));
        // It is over: resuming it, or a second rollback, changes nothing.
        let again = [&FAST[..], &["--resume"]].concat();
        situation.run("rollback", &journal, &again).with(0);
        situation.run("rollback", &journal, &FAST).with(0);
    }
    producer.has_lost_nothing();
}

/// The number of completed moves in the journal.
fn completed(journal: &Path) -> usize {
    let text = std::fs::read_to_string(journal).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    let lines = lines.filter(|line: &serde_json::Value| line["entry"] == "completed");
    lines.map(|line| line["moves"].as_array().map_or(0, Vec::len)).sum()
}

#[test]
#[ignore = "live"]
fn a_plan_is_taken_back_from_anywhere_with_kraft() {
    a_plan_is_taken_back(Mode::KRaft);
}

mod soak {
    use super::*;

    #[test]
    #[ignore = "live"]
    fn a_plan_is_taken_back_from_anywhere_with_zookeeper() {
        a_plan_is_taken_back(Mode::ZooKeeper);
    }
}
