//! A night of a cluster that keeps itself, with its plans in Kubernetes: a broker is lost, one comes back empty-handed, one joins,
//! disks fill, a broker is cordoned, another tool and an operator move replicas, and the topics' map changes. Plans begin by
//! policy, by an annotation, by a command and on the page. `keep` is killed all the time, and producers notice nothing. It is
//! `cargo xtask test soak`.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use testbed::{Cluster, Kubernetes, lone_port, until};

use crate::admin::{in_flight, set};
use crate::binary::{Run, command, topicmappr};
use crate::daemon::plain;
use crate::execution::throttles;
use crate::keep::record_days_of_growth;
use crate::kubernetes::keep::{DEFINITION, RIGHTS, approve, maps, notes, status};
use crate::producer::Producer;
use crate::traffic::Traffic;

const KILLS: usize = 30;
const OFTEN: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(420);
const LOST: i32 = 1005;
const NEW: i32 = 1006;
const CORDONED: i32 = 1004;
const RACK_B: [i32; 2] = [1002, 1005];
/// Its disk is expected to be full, with those of the other replicas' brokers.
const FILLS: [i32; 3] = [1001, 1002, 1003];
const NOTES: &str = "configmap:kafka/topicmappr-keep";
const TOKEN: &str = "of-a-test";
/// All brokers share one disk, which may be nearly full.
const STORAGE: &str = "1001=9GB,1002=9GB,1003=9GB,1004=9GB,1005=9GB,1006=9GB";
const POLICY: &str = "version: 1
throttle: 300KB/s
policies:
  lostBroker: {mode: act, for: 10s, rest: 0s}
  leavingBroker: {mode: act}
  drift: {mode: propose, for: 0s}
  newBroker: {mode: propose, for: 0s, rest: 0s}
  fillingDisk: {mode: act, within: 7d, for: 0s, rest: 0s}
";

/// A cluster, and what belongs to its `keep`.
struct Night<'c> {
    cluster: &'c Cluster,
    traffic: Traffic<'c>,
    kubernetes: Kubernetes,
    /// The kubeconfig of `keep`.
    account: PathBuf,
    folder: tempfile::TempDir,
    /// The port of its page.
    port: u16,
}

impl<'c> Night<'c> {
    fn of(cluster: &'c Cluster) -> Self {
        let kubernetes = Kubernetes::start().unwrap();
        let account = kubernetes.service_account("kafka", "topicmappr-keep").unwrap();
        kubernetes.apply(DEFINITION).unwrap();
        kubernetes.apply(RIGHTS).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("work")).unwrap();
        fs::create_dir(at("load")).unwrap();
        fs::write(at("policy.yaml"), POLICY).unwrap();
        fs::write(at("token"), TOKEN).unwrap();
        let (traffic, port) = (Traffic::of(cluster), lone_port().unwrap());
        Self { cluster, traffic, kubernetes, account, folder, port }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Says which brokers the topics belong to.
    fn map(&self, brokers: &str) {
        maps(&self.kubernetes, ".*", brokers);
    }

    /// The program with the rights of `keep`.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = command();
        command.args(words).args(["--namespace", "kafka"]).env("KUBECONFIG", &self.account);
        command
    }

    fn keep(&self) -> Command {
        let bootstrap = self.cluster.bootstrap();
        let mut keep = self.command(&["keep", "--bootstrap-server", &bootstrap, "--every=1s"]);
        keep.args(["--notes", NOTES, "--maps", "configmap:kafka/topic-maps"]);
        keep.arg("--policy").arg(self.at("policy.yaml")).arg("--work-dir").arg(self.at("work"));
        keep.args(["--broker-storage", STORAGE, "--load-folder"]).arg(self.at("load"));
        keep.arg(format!("--listen=127.0.0.1:{}", self.port));
        keep.arg("--token-file").arg(self.at("token"));
        keep.env("TOPICMAPPR_LEASE", "kafka/topicmappr-execute");
        keep
    }

    /// Starts `keep` and kills it, each time at another point of a look or of a plan. Returns how often.
    fn kills(&self, stop: &AtomicBool, kills: &AtomicUsize) {
        for turn in 0_u64.. {
            let mut run = Run::logging(self.keep(), &self.at("log"));
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

    /// What Kubernetes shows of the plan for this need.
    fn proposal(&self, need: &str) -> Option<Value> {
        status(&self.kubernetes, &plan_of(need))
    }

    /// The id of the plan for this need, if it waits for an approval.
    fn waiting(&self, need: &str) -> Option<String> {
        let shown = self.proposal(need).filter(|shown| shown["state"] == "ForApproval")?;
        shown["planId"].as_str().map(str::to_owned)
    }

    /// Whether this is against the plan for a need.
    fn is_held(&self, need: &str, why: &str) -> bool {
        self.proposal(need).is_some_and(|shown| shown["reasons"].to_string().contains(why))
    }

    /// Approves by a command. Right now it may be another plan.
    fn approves(&self, plan: &str) {
        let said = Run::of(self.command(&["plans", "approve", plan, "--notes", NOTES])).end();
        assert!(matches!(said.code, Some(0 | 2)), "{}", said.stderr);
    }

    /// Answers on the page. While `keep` is dead or has not looked yet, it takes no answer.
    fn answers_on_the_page(&self, need: &str, word: &str) {
        let shown =
            self.proposal(need).and_then(|shown| Some(shown["planId"].as_str()?.to_owned()));
        let Some(plan) = shown else { return };
        let path = format!("/v1/plans/{}/{word}", plan.trim_start_matches("sha256:"));
        let head = format!("host: localhost\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: 0");
        let answer = plain(self.port, &format!("POST {path} HTTP/1.0\r\n{head}\r\n\r\n"));
        assert!(!answer.is_some_and(|answer| answer.contains(" 401 ")), "the page has the token");
    }

    /// While others move replicas, the plan for the drift does not begin, whatever is answered to it.
    fn waits_for_others(&self, answer: &str, others: impl Fn() -> bool) {
        let held = self.held(NEW);
        let mut told = false;
        while others() {
            self.answers_on_the_page("drift", answer);
            told |= self.is_held("drift", "being reassigned");
            assert_eq!(self.held(NEW), held, "{}", self.log());
            thread::sleep(OFTEN * 10);
        }
        assert!(told, "{:?}\n{}", self.proposal("drift"), self.log());
    }

    /// The broker of rack b that has no replica of this topic, and a list with it instead of the one that has.
    fn in_another_place(&self, topic: &str) -> (String, String) {
        let mut list = self.traffic.seen()[&(topic.to_owned(), 0)].replicas.clone();
        let at = list.iter().position(|id| RACK_B.contains(id)).unwrap();
        let to = RACK_B.into_iter().find(|id| *id != list[at]).unwrap();
        list[at] = to;
        (to.to_string(), list.iter().map(i32::to_string).collect::<Vec<_>>().join(","))
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

/// The name of the `KafkaPlan` for a need.
fn plan_of(need: &str) -> String {
    format!("topicmappr-keep-{}", need.replace(' ', "-"))
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
    let cluster = Cluster::builder().brokers(6).processes_of([LOST, NEW]).small_fetches();
    let cluster = cluster.racks(["a", "b", "c", "a", "b", "c"]);
    let cluster = cluster.property("min.insync.replicas", "2").start().unwrap();
    cluster.kill_broker(NEW).unwrap();
    let night = Night::of(&cluster);
    // Each list has the racks a, b and c.
    let lists = [[1001, 1002, 1003], [1004, 1005, 1003], [1003, 1001, 1005], [1002, 1004, 1003]];
    let events = lists.iter().cycle().take(24).map(|list| list.to_vec()).collect();
    let lone = |name: &str, list: [i32; 3]| (name.to_owned(), vec![list.to_vec()]);
    let lone = [lone("clients", [1005, 1001, 1003]), lone("other", FILLS), lone("own", FILLS)];
    night.traffic.create(&lone.into_iter().chain([("events".to_owned(), events)]).collect());
    let sizes = (0..24).map(|p| (("events".to_owned(), p), 400_000));
    let others = ["other", "own"].map(|name| ((name.to_owned(), 0), 800_000));
    night.traffic.write(&sizes.chain(others).collect());
    let replicas = night.traffic.seen().into_iter().map(|(of, seen)| (of, seen.replicas));
    let replicas = replicas.collect();
    let before = throttles(&cluster, &replicas);
    night.map("1001..1006");

    let producer = Producer::prompt(&cluster, "clients");
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
    let both = || {
        let plan = night.waiting("new-broker");
        plan.iter().for_each(|plan| approve(&night.kubernetes, &plan_of("new-broker"), plan));
        night.held(LOST) > 0 && night.held(NEW) > 0
    };
    night.comes("replicas on the new brokers", both);
    step("new brokers have replicas, by an annotation");

    disks_fill(night);
    step("disks that will be full are relieved, by the policy");

    // Its replicas go back to brokers that have just given them up, which no plan does by itself.
    night.cordon(CORDONED);
    let empty = || {
        night
            .waiting(&format!("leaving-broker {CORDONED}"))
            .iter()
            .for_each(|it| night.approves(it));
        night.held(CORDONED) == 0
    };
    night.comes("replicas to leave the cordoned broker", empty);
    step("the cordoned broker is empty, by a command");

    // A rejected plan stays one, whatever is killed.
    night.map("1001..1003, 1005");
    let rejected = || {
        night.answers_on_the_page("drift", "reject");
        night.is_held("drift", "an operator has rejected the plan")
    };
    night.comes("the plan to be rejected", rejected);
    let held = night.held(NEW);
    let looked = Instant::now();
    while looked.elapsed() < Duration::from_secs(30) {
        assert_eq!(night.held(NEW), held, "it is rejected");
        thread::sleep(OFTEN * 10);
    }
    step("a plan is rejected, on the page");

    others_move_replicas(night);
    let follows = || {
        night.answers_on_the_page("drift", "approve");
        night.held(NEW) == 0
    };
    night.comes("replicas to follow their map", follows);
    step("the map is followed, approved on the page");
    let noted = || notes(&night.kubernetes);
    let idle = || {
        let ended = |plan: &Value| plan["ended_seconds"].is_u64();
        !night.at("work/keep.json.journal").exists()
            && noted()["begun"].as_array().unwrap().iter().all(ended)
    };
    night.comes("the last plan to end", idle);
    // A kill makes no plan twice.
    let noted = noted();
    let begun = noted["begun"].as_array().unwrap();
    let plans: BTreeSet<_> = begun.iter().map(|it| it["plan_id"].as_str()).collect();
    assert_eq!(plans.len(), begun.len(), "{noted}");
    let mut needs: Vec<&str> = begun.iter().filter_map(|it| it["need"].as_str()).collect();
    needs.dedup();
    let fills = FILLS.map(|broker| format!("filling-disk {broker}"));
    let [one, two, three] = fills.each_ref().map(String::as_str);
    let expected =
        ["lost-broker 1005", "new-broker", one, two, three, "leaving-broker 1004", "drift"];
    assert_eq!(needs, expected);
}

/// Records tell that a topic fills the disks of its brokers within a week. Then they are gone.
fn disks_fill(night: &Night<'_>) {
    let grows = |partition: i32| ("grows".to_owned(), partition);
    night.traffic.create(&[("grows".to_owned(), vec![FILLS.to_vec(); 4])].into());
    night.traffic.write(&(0..4).map(|partition| (grows(partition), 10_000)).collect());
    let (bootstrap, now) = (night.cluster.bootstrap(), night.at("now.json"));
    let (file, load) = (now.to_str().unwrap(), night.at("load"));
    let captures = ["snapshot", "--bootstrap-server", &bootstrap, "--broker-storage", STORAGE];
    topicmappr(captures.iter().chain(&["--out-file", file])).with(0);
    record_days_of_growth(&now, &load);
    let relieved = || {
        let seen = night.traffic.seen();
        let has = |broker: &i32| (0..4).all(|p| seen[&grows(p)].replicas.contains(broker));
        !FILLS.iter().any(has) && !night.at("work/keep.json.journal").exists()
    };
    night.comes("replicas to leave the disks that fill", relieved);
    for record in fs::read_dir(load).unwrap() {
        fs::remove_file(record.unwrap().path()).unwrap();
    }
}

/// Another tool moves a replica, then an operator does. Whatever is approved waits.
fn others_move_replicas(night: &Night<'_>) {
    let step = |what: &str| println!("== {what}");
    let (cluster, bootstrap) = (night.cluster, night.cluster.bootstrap());
    let moves = |topic: &str| in_flight(cluster).contains(&(topic.to_owned(), 0));
    let (rate, replicas) =
        ("follower.replication.throttled.rate", "follower.replication.throttled.replicas");
    let (to, list) = night.in_another_place("other");
    set(cluster, "brokers", &to, &format!("{rate}=20000"));
    set(cluster, "topics", "other", &format!("{replicas}=[0:{to}]"));
    let client = concat!(env!("CARGO_MANIFEST_DIR"), "/live/Facts.java");
    let alter = format!("alter:other:0:{list}");
    cluster.bare_tool(client, [bootstrap.as_str(), &alter]).unwrap();
    night.waits_for_others("reject", || moves("other"));
    for (kind, name, key) in [("topics", "other", replicas), ("brokers", &to, rate)] {
        let of = ["--alter", "--entity-type", kind, "--entity-name", name, "--delete-config", key];
        cluster.tool("configs", of).unwrap();
    }
    step("a plan waits for another tool's move");

    let plan = night.at("own.json");
    let plan = plan.to_str().unwrap();
    let (_, list) = night.in_another_place("own");
    let source =
        ["rebuild", "--bootstrap-server", &bootstrap, "--topics", "own", "--out-file", plan];
    let to = ["--brokers", &list, "--broker-storage", STORAGE, "--ignore-warns"];
    topicmappr(source.iter().chain(&to)).with(0);
    let execute = ["execute", plan, "--bootstrap-server", &bootstrap, "--yes"];
    let mut run = Run::start(execute.iter().chain(&["--throttle", "20KB/s"]));
    until("the operator's move", LONG, || (moves("own") || !run.is_up()).then_some(())).unwrap();
    night.waits_for_others("approve", || moves("own"));
    run.end().with(0);
    step("a plan waits for an operator's execution");
}
