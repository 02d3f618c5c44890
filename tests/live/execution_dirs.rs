//! Executed plans with log dirs. Each replica ends in its planned dir. A replica that stays on its broker is copied to
//! its other dir at the throttle's rate.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json as value};
use testbed::{Cluster, Mode, until};

use crate::binary::{Run, SOLE, json, topicmappr};
use crate::execution::{Configs, FAST, SLOW, throttles};
use crate::log_dirs::{LISTS, STAY, TOPIC, capture, log_dir, named_dirs_are_reached, with_volumes};
use crate::plan::{Partition, brokers, partition};
use crate::traffic::{SOON, Traffic};

/// The size in bytes: a throttle's initial burst covers less than half of it.
const SIZE: usize = 10_000_000;

struct Situation {
    cluster: Cluster,
    folder: tempfile::TempDir,
    before: BTreeMap<Partition, Vec<i32>>,
}

fn two_dirs_each(mode: Mode) -> Situation {
    let builder = Cluster::builder().mode(mode).brokers(5).log_dirs(2);
    let cluster = builder.small_fetches().start().unwrap();
    let traffic = Traffic::of(&cluster);
    let lists = LISTS.map(|list| list.to_vec()).to_vec();
    traffic.create(&BTreeMap::from([(TOPIC.to_owned(), lists)]));
    traffic.write(
        &(0..6).map(|p| ((TOPIC.to_owned(), p), if p == 0 { SIZE } else { 400_000 })).collect(),
    );
    let before = traffic.seen().into_iter().map(|(of, seen)| (of, seen.replicas)).collect();
    Situation { cluster, folder: tempfile::tempdir().unwrap(), before }
}

impl Situation {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn captured(&self) -> Value {
        let to = self.at("now.json");
        capture(&self.cluster, &to);
        json(&to)
    }

    fn args(&self, plan: &Path, throttle: &str) -> Vec<String> {
        let bootstrap = self.cluster.bootstrap();
        let own = ["execute", plan.to_str().unwrap(), "--bootstrap-server", &bootstrap, "--yes"];
        own.iter().chain(&["--throttle", throttle, SOLE]).map(|arg| (*arg).to_owned()).collect()
    }

    fn throttles(&self) -> Configs {
        throttles(&self.cluster, &self.before)
    }

    /// Drains brokers 1004 and 1005. The plan names the volumes with the most room.
    fn planned(&self) -> PathBuf {
        capture(&self.cluster, &self.at("captured.json"));
        with_volumes(&self.at("captured.json"), &self.at("volumes.json"));
        let (snapshot, plan) = (self.at("volumes.json"), self.at("plan.json"));
        let source = ["rebuild", "--snapshot", snapshot.to_str().unwrap()];
        let asked = ["--topics", TOPIC, "--brokers", STAY, "--out-file", plan.to_str().unwrap()];
        topicmappr(source.iter().chain(&asked)).with(0);
        plan
    }

    /// A plan that evens the volumes of the broker that leads the first partition. All that it holds lies on one volume, and
    /// only the other one has room for the large replica.
    fn evened(&self) -> (PathBuf, i32, String) {
        let mut now = self.captured();
        let broker = brokers(partition(&now, TOPIC, 0), "replicas")[0];
        let here = log_dir(&now, 0, broker);
        let held = |log_dir: &str| -> u64 {
            let all = now["topics"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|t| t["partitions"].as_array().unwrap());
            all.filter_map(|partition| {
                let at = brokers(partition, "replicas").iter().position(|id| *id == broker)?;
                let size = || {
                    partition["replica_size_bytes"][at]
                        .as_u64()
                        .or(partition["size_bytes"].as_u64())
                };
                (partition["log_dirs"][at] == log_dir).then(size).flatten()
            })
            .sum()
        };
        let mut other = String::new();
        let mut log_dirs = Vec::new();
        for path in self.cluster.log_dirs(broker) {
            let path = path.to_str().unwrap().to_owned();
            let total = if path == here { 2 * SIZE as u64 } else { 20 * SIZE as u64 };
            log_dirs.push(
                value!({"path": path, "total_bytes": total, "free_bytes": total - held(&path)}),
            );
            if path != here {
                other = path;
            }
        }
        for of in now["brokers"].as_array_mut().unwrap() {
            let is_evened = of["id"] == broker;
            of["log_dirs"] = if is_evened { value!(log_dirs) } else { value!([]) };
            of["storage_total_bytes"] = (22 * SIZE).into();
            of["storage_free_bytes"] = (11 * SIZE).into();
        }
        let (snapshot, plan) = (self.at("uneven.json"), self.at("even.json"));
        fs::write(&snapshot, now.to_string()).unwrap();
        let source = ["rebalance", "--snapshot", snapshot.to_str().unwrap(), "--topics", TOPIC];
        let asked = ["--brokers", STAY, "--balance", "disks", "--out-file", plan.to_str().unwrap()];
        topicmappr(source.iter().chain(&asked)).with(0);
        let planned = json(&plan);
        let large =
            planned["plan"]["moves"].as_array().unwrap().iter().find(|c| c["partition"] == 0);
        assert!(large.unwrap()["disk_bytes"].as_u64().unwrap() > SIZE as u64, "{planned:#}");
        (plan, broker, other)
    }
}

fn replicas_come_to_lie_where_the_plan_says(mode: Mode) {
    let situation = two_dirs_each(mode);
    let before = situation.throttles();
    let plan = situation.planned();
    topicmappr(situation.args(&plan, FAST)).with(0);
    let (planned, after) = (json(&plan), situation.captured());
    named_dirs_are_reached(&planned, &after);
    assert_eq!(situation.throttles(), before);

    // A broker copies between its dirs at the requested low rate, and reports this only here.
    let (plan, broker, dir) = situation.evened();
    let child = Run::start(situation.args(&plan, SLOW));
    let paced = until("a rate of copies within the broker", SOON, || {
        let now = situation.throttles();
        let of_broker = now[&broker.to_string()].clone();
        of_broker.get("replica.alter.log.dirs.io.max.bytes.per.second").cloned()
    });
    assert_eq!(paced.unwrap(), "400000");
    assert_ne!(log_dir(&situation.captured(), 0, broker), dir, "it was copied without a pace");
    let done = child.end().with(0);
    let moves = json(&plan)["plan"]["moves"].as_array().unwrap().len();
    assert!(done.stdout.contains(&format!("{moves} of {moves} done")), "{}", done.stdout);
    assert_eq!(log_dir(&situation.captured(), 0, broker), dir);
    assert_eq!(situation.throttles(), before, "{}", done.stderr);
}

#[test]
#[ignore = "live"]
fn replicas_come_to_lie_where_the_plan_says_with_kraft() {
    replicas_come_to_lie_where_the_plan_says(Mode::KRaft);
}

mod soak {
    use super::*;

    #[test]
    #[ignore = "live"]
    fn replicas_come_to_lie_where_the_plan_says_with_zookeeper() {
        replicas_come_to_lie_where_the_plan_says(Mode::ZooKeeper);
    }
}
