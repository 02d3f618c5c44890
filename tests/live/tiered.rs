//! Tiered topics (KIP-405) on real Kafka 4.3, with the remote storage of Kafka's own tests. Log dirs report local bytes
//! only. A new replica copies the leader's local log. If followers start at the last tiered offset (KIP-1023), it copies
//! only what is not in remote storage yet, unless the leader still has offset 0 on its disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use testbed::{Cluster, until};

use crate::binary::{Ended, SOLE, json, topicmappr};
use crate::log_dirs::capture;
use crate::plan::partition;
use crate::traffic::{SOON, Traffic};

const MIB: usize = 1 << 20;

/// The topic whose oldest segments are only in remote storage.
const OLD: &str = "old";
/// The topic whose leader still has every record on its disk.
const YOUNG: &str = "young";

/// Three brokers. Both topics are on 1001, which leads, and 1002.
struct Scene {
    cluster: Cluster,
    folder: tempfile::TempDir,
}

impl Scene {
    /// The old topic has `bytes`. About `kept` of them stay on disks, in segments of this size.
    fn of(bytes: usize, kept: usize, segment: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let builder = Cluster::builder().brokers(3).small_fetches().tiered(folder.path()).unwrap();
        let scene = Self { cluster: builder.start().unwrap(), folder };
        let traffic = Traffic::of(&scene.cluster);
        for (topic, kept, bytes) in [(OLD, kept, bytes), (YOUNG, 1 << 30, 3 * MIB)] {
            let (kept, segment) = (kept.to_string(), segment.to_string());
            let configs = [
                ("remote.storage.enable", "true"),
                ("local.retention.bytes", kept.as_str()),
                ("segment.bytes", segment.as_str()),
            ];
            traffic.create_with(
                &BTreeMap::from([(topic.to_owned(), vec![vec![1001, 1002]])]),
                &configs,
            );
            traffic.write_in(&[((topic.to_owned(), 0), bytes)].into(), 10_000, 10_000);
        }
        let mut last = Vec::new();
        until("old segments only in remote storage", SOON, || {
            std::thread::sleep(Duration::from_secs(2));
            let now = [1001, 1002].map(|broker| scene.on_disk(broker, OLD)).to_vec();
            let settled = now == last && now.iter().all(|held| *held < (kept + 2 * segment) as u64);
            last = now;
            settled.then_some(())
        })
        .unwrap();
        scene
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn on_disk(&self, broker: i32, topic: &str) -> u64 {
        let dirs = self.cluster.log_dirs(broker).into_iter();
        dirs.map(|dir| logs(&dir.join(format!("{topic}-0")))).sum()
    }

    /// The bytes of a topic in remote storage.
    fn in_remote(&self, topic: &str) -> u64 {
        let all =
            fs::read_dir(self.at("kafka-tiered-storage")).unwrap().map(|one| one.unwrap().path());
        let name = |folder: &PathBuf| folder.file_name().unwrap().to_str().unwrap().to_owned();
        all.filter(|folder| name(folder).starts_with(&format!("{topic}-0-")))
            .map(|f| logs(&f))
            .sum()
    }

    /// From now on, new replicas start at the last tiered offset.
    fn start_late(&self) {
        let add = "follower.fetch.last.tiered.offset.enable=true";
        let on = ["--alter", "--entity-type", "brokers", "--entity-default", "--add-config", add];
        self.cluster.tool("configs", on).unwrap();
    }

    fn run(&self, args: &[&str]) -> Ended {
        let bootstrap = self.cluster.bootstrap();
        topicmappr(args.iter().chain(&["--bootstrap-server", &bootstrap])).with(0)
    }

    /// Plans to move both followers, and returns the bytes that the plan copies, by topic.
    fn plan(&self, topics: &str, from: &str, to: &str) -> (PathBuf, BTreeMap<String, u64>) {
        let plan = self.at(&format!("plan-{to}.json"));
        let asked = ["replace", "--topics", topics, "--broker", from, "--with", to];
        let out = ["--ignore-warns", "--out-file", plan.to_str().unwrap()];
        self.run(&[&asked[..], &out].concat());
        let told = json(&plan);
        let moves = told["plan"]["moves"].as_array().unwrap().iter();
        let bytes = |one: &serde_json::Value| one["bytes"].as_u64().unwrap();
        let all =
            moves.map(|one| (one["topic"].as_str().unwrap().to_owned(), bytes(one))).collect();
        (plan, all)
    }

    fn execute(&self, plan: &Path, throttle: &str) -> Ended {
        let args = ["execute", plan.to_str().unwrap(), "--yes", "--throttle", throttle, SOLE];
        self.run(&[&args[..], &["--output", "json"]].concat())
    }

    /// Moves both followers. The new replicas have the bytes that the plan names.
    fn moves_as_planned(&self, from: i32, to: i32) -> BTreeMap<String, u64> {
        let (plan, said) = self.plan(&format!("{OLD},{YOUNG}"), &from.to_string(), &to.to_string());
        self.execute(&plan, "none");
        for (topic, bytes) in &said {
            is_near(*bytes, self.on_disk(to, topic), &format!("{topic} on {to}"));
        }
        said
    }
}

/// The bytes of the segments in a folder.
fn logs(folder: &Path) -> u64 {
    let Ok(files) = fs::read_dir(folder) else { return 0 };
    let logs =
        files.filter_map(Result::ok).filter(|f| f.path().extension().is_some_and(|e| e == "log"));
    logs.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}

/// Within 10 %.
fn is_near(said: u64, found: u64, what: &str) {
    eprintln!("{what}: said {said}, found {found}");
    assert!(found.abs_diff(said) * 10 <= found, "{what}: said {said}, found {found}");
}

#[test]
#[ignore = "live"]
fn a_new_replica_of_a_tiered_topic_copies_what_the_plan_says() {
    let scene = Scene::of(8 * MIB, 3 * MIB, MIB);
    capture(&scene.cluster, &scene.at("before.json"));
    let before = json(&scene.at("before.json"));
    let told = |key: &str| partition(&before, OLD, 0)[key].as_u64();
    let (local, remote) = (scene.on_disk(1001, OLD), scene.in_remote(OLD));
    assert_eq!((told("size_bytes"), told("copied_bytes")), (Some(local), None));
    // Segments are in remote storage before they leave the disk, and the last one is only on disks.
    let only = 8 * MIB as u64 - local;
    assert!(remote > only, "{remote} in remote storage, {local} on the disk");
    is_near(told("remote_bytes").unwrap(), only, "only in remote storage");

    let whole = scene.moves_as_planned(1002, 1003);
    assert_eq!(whole[OLD], local);
    scene.start_late();
    let late = scene.moves_as_planned(1003, 1002);
    assert!(late[OLD] * 2 < whole[OLD], "{late:?} {whole:?}");
    assert_eq!(late[YOUNG], whole[YOUNG], "its leader still has offset 0");

    // The new replica has little to serve consumers with. An operator learns of it before the replica leads.
    let asked = ["leaders", "--topics", OLD, "--evacuate", "1001", "--bootstrap-server"];
    let warned = topicmappr(asked.iter().copied().chain([scene.cluster.bootstrap().as_str()]));
    warned.with(4).complaining_of("shallow-leaders");
}

mod soak {
    use super::*;
    use std::time::Instant;

    /// Under a throttle, with and without the last tiered offset.
    #[test]
    #[ignore = "live"]
    fn a_tiered_topic_moves_in_the_time_that_was_said() {
        let scene = Scene::of(44 * MIB, 24 * MIB, 8 * MIB);
        for (from, to) in [("1002", "1003"), ("1003", "1002")] {
            let (plan, bytes) = scene.plan(OLD, from, to);
            let rate = format!("{}KB/s", bytes[OLD] / 120_000);
            let began = Instant::now();
            let ended = scene.execute(&plan, &rate);
            let took = began.elapsed().as_secs_f64();
            let preview: serde_json::Value =
                serde_json::from_str(ended.stdout.lines().next().unwrap()).unwrap();
            let said = preview["seconds"].as_f64().unwrap();
            eprintln!("{} bytes at {rate}: said {said} s, took {took:.0} s", bytes[OLD]);
            assert!((took / said - 1.0).abs() <= 0.15, "said {said} s, took {took} s");
            scene.start_late();
        }
    }
}
