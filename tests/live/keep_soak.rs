//! A night of a cluster that keeps itself: a broker is lost, comes back empty-handed, joins, is cordoned, and its topics' map
//! changes. `keep` is killed all the time, and producers notice nothing. It is `cargo xtask test soak`.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testbed::{Cluster, until};

use crate::binary::{Run, command, json, topicmappr};
use crate::execution::throttles;
use crate::producer::Producer;
use crate::traffic::Traffic;

const KILLS: usize = 30;
const OFTEN: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(420);
const LOST: i32 = 1005;
const NEW: i32 = 1006;
const CORDONED: i32 = 1004;
/// All brokers share one disk, which may be nearly full.
const STORAGE: &str = "1001=9GB,1002=9GB,1003=9GB,1004=9GB,1005=9GB,1006=9GB";
const POLICY: &str = "version: 1
throttle: 300KB/s
policies:
  lostBroker: {mode: act, for: 10s, rest: 0s}
  leavingBroker: {mode: act}
  drift: {mode: propose, for: 0s}
  newBroker: {mode: propose, for: 0s, rest: 0s}
";

/// A cluster, and the files of its `keep`.
struct Night<'c> {
    cluster: &'c Cluster,
    traffic: Traffic<'c>,
    folder: tempfile::TempDir,
}

impl Night<'_> {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let new = self.at("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.at(name)).unwrap();
    }

    /// Says which brokers the topics belong to.
    fn map(&self, brokers: &str) {
        let map = format!("{{topics: \".*\", brokers: [{brokers}]}}");
        self.write("maps.yaml", &format!("version: 1\nmaps:\n  all: {map}\n"));
    }

    fn words(&self) -> Vec<String> {
        let file = |name: &str| self.at(name).to_str().unwrap().to_owned();
        let bootstrap = self.cluster.bootstrap();
        let files = ["policy.yaml", "notes.json", "work", "maps.yaml"].map(file);
        let [policy, notes, work, maps] = files;
        let words = ["keep", "--bootstrap-server", &bootstrap, "--policy", &policy];
        let more = ["--notes", &notes, "--work-dir", &work, "--maps", &maps, "--every=1s"];
        let all = words.iter().chain(&more).chain(&["--broker-storage", STORAGE]);
        all.map(|word| (*word).to_owned()).collect()
    }

    /// Starts `keep` and kills it, each time at another point of a look or of a plan. Returns how often.
    fn kills(&self, stop: &AtomicBool, kills: &AtomicUsize) {
        for turn in 0_u64.. {
            let mut keep = command();
            keep.args(self.words());
            let mut run = Run::logging(keep, &self.at("log"));
            let dies = Instant::now() + lives(turn);
            while Instant::now() < dies && !stop.load(Ordering::SeqCst) {
                assert!(run.is_up(), "keep ended by itself:\n{}", self.log());
                thread::sleep(OFTEN);
            }
            run.kill();
            if stop.load(Ordering::SeqCst) {
                return;
            }
            kills.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.at("log")).unwrap_or_default()
    }

    /// How many replicas a broker has.
    fn held(&self, broker: i32) -> usize {
        let all = self.traffic.seen();
        all.values().filter(|seen| seen.replicas.contains(&broker)).count()
    }

    #[track_caller]
    fn comes(&self, what: &str, so: impl Fn() -> bool) {
        let seen = until(what, LONG, || so().then_some(()));
        seen.unwrap_or_else(|why| panic!("{why}\n{}", self.log()));
    }

    /// The id of the plan that waits for an approval for this need.
    fn waiting(&self, need: &str) -> Option<String> {
        let noted = self.at("notes.json").exists().then(|| json(&self.at("notes.json")))?;
        let proposal = noted["proposals"].as_array()?.iter().find(|it| it["need"] == need)?;
        let waits = proposal["state"] == "for-approval";
        waits.then(|| proposal["plan"]["plan_id"].as_str().map(str::to_owned))?
    }

    /// Answers to a plan. Right now it may be another one.
    fn says(&self, word: &str, plan: &str) {
        let notes = self.at("notes.json");
        let said = topicmappr(["plans", word, plan, "--notes", notes.to_str().unwrap()]);
        assert!(matches!(said.code, Some(0 | 2)), "{}", said.stderr);
    }

    fn cordon(&self, broker: i32) {
        let dirs = self.cluster.log_dirs(broker);
        let dirs: Vec<_> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        let id = broker.to_string();
        let config = format!("cordoned.log.dirs=[{}]", dirs.join(","));
        let on = ["--alter", "--entity-type", "brokers", "--entity-name", &id];
        let args: Vec<&str> = on.into_iter().chain(["--add-config", &config]).collect();
        self.cluster.tool("configs", args).unwrap();
    }
}

/// How long each `keep` lives. A run that goes on with a plan first waits for half a minute: its last holder may not be dead.
fn lives(turn: u64) -> Duration {
    Duration::from_millis(match turn % 4 {
        3 => 35_000 + 2_300 * (turn * 5 % 13),
        _ => 300 + 700 * (turn * 7 % 17),
    })
}

/// The fewest replicas in sync of any partition, at any look until the end.
fn fewest_in_sync(cluster: &Cluster, stop: &AtomicBool) -> usize {
    let traffic = Traffic::of(cluster);
    let mut fewest = usize::MAX;
    while !stop.load(Ordering::SeqCst) {
        let least = traffic.any_view().and_then(|all| all.into_iter().map(|it| it.isr.len()).min());
        fewest = least.map_or(fewest, |least| least.min(fewest));
        thread::sleep(OFTEN);
    }
    fewest
}

#[test]
#[ignore = "live"]
fn a_cluster_keeps_itself_though_keep_is_killed_thirty_times() {
    let cluster = Cluster::builder().brokers(6).mortal([LOST, NEW]);
    let cluster = cluster.racks(["a", "b", "c", "a", "b", "c"]);
    let cluster = cluster.property("min.insync.replicas", "2").start().unwrap();
    cluster.kill_broker(NEW).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("work")).unwrap();
    let night = Night { cluster: &cluster, traffic: Traffic::of(&cluster), folder };
    // Each list has the racks a, b and c.
    let lists = [[1001, 1002, 1003], [1004, 1005, 1003], [1003, 1001, 1005], [1002, 1004, 1003]];
    let events = lists.iter().cycle().take(24).map(|list| list.to_vec()).collect();
    let clients = vec![vec![1005, 1001, 1003]];
    night.traffic.create(&[("clients".to_owned(), clients), ("events".to_owned(), events)].into());
    night.traffic.write(&(0..24).map(|p| (("events".to_owned(), p), 400_000)).collect());
    let replicas = night.traffic.seen().into_iter().map(|(of, seen)| (of, seen.replicas));
    let replicas = replicas.collect();
    let before = throttles(&cluster, &replicas);
    night.write("policy.yaml", POLICY);
    night.map("1001..1006");

    let producer = Producer::start(&cluster, "clients");
    let (stop, kills) = (AtomicBool::new(false), AtomicUsize::new(0));
    let fewest = thread::scope(|threads| {
        let watch = threads.spawn(|| fewest_in_sync(&cluster, &stop));
        threads.spawn(|| night.kills(&stop, &kills));
        let ends = Ends(&stop);
        a_night_passes(&night);
        night.comes("thirty kills", || kills.load(Ordering::SeqCst) >= KILLS);
        drop(ends);
        watch.join().unwrap()
    });
    let within = producer.has_lost_nothing();
    night.traffic.settle();
    let after = throttles(&cluster, &replicas);
    for (name, configs) in &before {
        assert_eq!(after.get(name), Some(configs), "{name}");
    }
    let kills = kills.into_inner();
    println!("== killed {kills} times; 99 % acknowledged within {} ms", within.as_millis());
    assert!(fewest >= 2, "{fewest} in sync");
}

/// Ends the threads, also when a test fails.
struct Ends<'s>(&'s AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn a_night_passes(night: &Night<'_>) {
    let step = |what: &str| println!("== {what}");
    night.cluster.kill_broker(LOST).unwrap();
    night.comes("replicas to leave the lost broker", || night.held(LOST) == 0);
    step("the lost broker is replaced");

    // It is back without a replica, and another one joins: both are new.
    night.cluster.start_broker(LOST).unwrap();
    night.cluster.start_broker(NEW).unwrap();
    // The one that is seen first may have a plan of its own.
    let approved = |need: &str| {
        night.waiting(need).iter().for_each(|plan| night.says("approve", plan));
    };
    let both = || {
        approved("new-broker");
        night.held(LOST) > 0 && night.held(NEW) > 0
    };
    night.comes("replicas on the new brokers", both);
    step("new brokers have replicas");

    // Its replicas go back to brokers that have just given them up, which no plan does by itself.
    night.cordon(CORDONED);
    let empty = || {
        approved(&format!("leaving-broker {CORDONED}"));
        night.held(CORDONED) == 0
    };
    night.comes("replicas to leave the cordoned broker", empty);
    step("the cordoned broker is empty");

    // A rejected plan stays one, whatever is killed.
    night.map("1001..1003, 1005");
    let waits = until("the drift to be seen", LONG, || night.waiting("drift"));
    let rejected = waits.unwrap_or_else(|why| panic!("{why}\n{}", night.log()));
    night.says("reject", &rejected);
    let held = night.held(NEW);
    let looked = Instant::now();
    while looked.elapsed() < Duration::from_secs(30) {
        assert_eq!(night.held(NEW), held, "{rejected} is rejected");
        thread::sleep(OFTEN * 10);
    }
    night.says("approve", &rejected);
    night.comes("replicas to follow their map", || night.held(NEW) == 0);
    step("the map is followed");
    let idle = || {
        let noted = json(&night.at("notes.json"));
        !night.at("work/keep.json.journal").exists()
            && noted["begun"].as_array().unwrap().iter().all(|it| it["ended_seconds"].is_u64())
    };
    night.comes("the last plan to end", idle);
    // A kill makes no plan twice.
    let noted = json(&night.at("notes.json"));
    let begun = noted["begun"].as_array().unwrap();
    let plans: BTreeSet<_> = begun.iter().map(|it| it["plan_id"].as_str()).collect();
    assert_eq!(plans.len(), begun.len(), "{noted}");
    let mut needs: Vec<&str> = begun.iter().filter_map(|it| it["need"].as_str()).collect();
    needs.dedup();
    assert_eq!(needs, ["lost-broker 1005", "new-broker", "leaving-broker 1004", "drift"]);
}
