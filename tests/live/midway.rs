//! Events during an execution: another tool's move, a deleted topic, a dead destination, an operator who changes the
//! rate. Also the flags that decide what to do about them.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use testbed::{Cluster, Mode, until};

use crate::admin::set;
use crate::binary::{Ended, Run, SOLE, json, terminal, topicmappr};
use crate::execution::{FAST, SLOW, throttles};
use crate::plan::targets;
use crate::throttles::is_as_its_schema_says;
use crate::traffic::{SOON, Traffic};

const STORAGE: &str = "1001=1GB,1002=1GB,1003=1GB,1004=1GB";
/// The operator's own rate, which slows other tools' moves to 1003.
const CRAWL: &str = "follower.replication.throttled.rate=10000";

struct Situation {
    cluster: Cluster,
    folder: tempfile::TempDir,
}

/// 1001's replicas of `events` and `gone` move to 1004, in the same rack. `other` belongs to another tool.
fn a_replacement(mode: Mode) -> Situation {
    let cluster = Cluster::builder()
        .mode(mode)
        .brokers(4)
        .mortal([1001, 1004])
        .small_fetches()
        .start()
        .unwrap();
    let traffic = Traffic::of(&cluster);
    let topic =
        |name: &str, list: &[i32], count: usize| (name.to_owned(), vec![list.to_vec(); count]);
    let topics = [
        topic("events", &[1001, 1002], 4),
        topic("gone", &[1001, 1002], 1),
        topic("other", &[1001, 1002], 1),
        topic("led", &[1002, 1003], 1),
        topic("left", &[1004, 1002], 1),
    ];
    traffic.create(&topics.into());
    let bytes = |name: &str, partition: i32| ((name.to_owned(), partition), 12_000_000);
    let sizes = (0..4).map(|p| bytes("events", p)).chain([bytes("gone", 0), bytes("other", 0)]);
    traffic.write(&sizes.collect());
    set(&cluster, "brokers", "1003", CRAWL);
    set(&cluster, "topics", "other", "follower.replication.throttled.replicas=[0:1003]");
    Situation { cluster, folder: tempfile::tempdir().unwrap() }
}

impl Situation {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ask(&self, asked: &[&str]) -> String {
        let client = concat!(env!("CARGO_MANIFEST_DIR"), "/live/Facts.java");
        let bootstrap = self.cluster.bootstrap();
        let args = [bootstrap.as_str()].into_iter().chain(asked.iter().copied());
        self.cluster.bare_tool(client, args).unwrap()
    }

    /// Makes a plan with this name. Returns the number of partitions that move.
    fn plan(&self, name: &str, asked: &[&str]) -> usize {
        let (bootstrap, plan) = (self.cluster.bootstrap(), self.at(name));
        let to = ["--bootstrap-server", &bootstrap, "--broker-storage", STORAGE, "--out-file"];
        topicmappr(asked.iter().chain(&to).chain(&[plan.to_str().unwrap()])).with(0);
        targets(&json(&plan)).len()
    }

    fn args(&self, command: &[&str], more: &[&str]) -> Vec<String> {
        let bootstrap = self.cluster.bootstrap();
        let to = ["--bootstrap-server", &bootstrap];
        command.iter().chain(more).chain(&to).map(|arg| (*arg).to_owned()).collect()
    }

    fn on_plan(&self, command: &str, plan: &str, more: &[&str]) -> Vec<String> {
        self.args(&[command, self.at(plan).to_str().unwrap()], more)
    }

    fn await_journal(&self, plan: &str, word: &str) {
        let journal = self.at(&format!("{plan}.journal"));
        let says = || std::fs::read_to_string(&journal).is_ok_and(|text| text.contains(word));
        until(format!("{word} in the journal"), SOON, || says().then_some(())).unwrap();
    }

    fn status(&self, plan: &str) -> Value {
        let told = topicmappr(self.on_plan("status", plan, &["--output", "json"])).with(0);
        serde_json::from_str(&told.stdout).unwrap()
    }

    fn throttle(&self, plan: &str, args: &[&str]) -> Ended {
        let journal = self.at(&format!("{plan}.journal"));
        let beside = ["--journal", journal.to_str().unwrap()];
        topicmappr(self.args(&["throttle"], &[args, &beside].concat()))
    }

    fn rates(&self, rate: &str) -> usize {
        let all = throttles(&self.cluster, &[].into());
        all.values().flat_map(|set| set.values()).filter(|value| *value == rate).count()
    }

    /// The throttles of 1003 and `other`, and nothing else.
    fn only_the_operators_throttle_is_left(&self) {
        let partitions = ["events", "other"].map(|name| ((name.to_owned(), 0), Vec::new()));
        let mut all = throttles(&self.cluster, &partitions.into());
        all.retain(|_, set| !set.is_empty());
        let names: Vec<&str> = all.keys().map(String::as_str).collect();
        assert_eq!(names, ["1003", "other"], "{all:?}");
    }
}

/// Another tool's move delays the moves that have not begun. Then the rate changes, and a topic is deleted.
fn others_come_in_between(at: &Situation) {
    at.await_journal("plan.json", "\"submitted\"");
    at.ask(&["alter:other:0:1003,1002"]);
    let others = || {
        let moves = at.status("plan.json")["other_moves"].clone();
        (moves[0]["topic"] == "other").then_some(())
    };
    until("the other tool's move in the status", SOON, others).unwrap();

    at.throttle("plan.json", &["set", "300KB/s"]).with(2).complaining_of("nobody has agreed");
    let rehearsed = at.throttle("plan.json", &["set", "300KB/s", "--dry-run"]).with(5);
    assert!(rehearsed.stderr.contains("follower rate"), "{}", rehearsed.stderr);
    assert_eq!(at.rates("300000"), 0, "a rehearsal changes nothing");
    at.throttle("plan.json", &["set", "300KB/s", "--yes"]).with(0);
    assert!(at.rates("300000") >= 2, "the rate stands at once");
    let shown = at.throttle("plan.json", &["show", "--output", "json"]).with(0);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    is_as_its_schema_says(&shown, "throttles");
    let owned =
        shown["throttles"].as_array().unwrap().iter().filter(|one| one["owner"] == "ledger");
    assert!(owned.into_iter().all(|one| one["owned_since"].is_string()), "{shown:#}");

    let asked = std::fs::read_dir(at.folder.path()).unwrap().map(|file| file.unwrap().path());
    let asked = asked.into_iter().find(|path| path.extension().is_some_and(|end| end == "asked"));
    for line in std::fs::read_to_string(asked.unwrap()).unwrap().lines() {
        is_as_its_schema_says(&serde_json::from_str(line).unwrap(), "asked");
    }

    at.cluster.tool("topics", ["--delete", "--topic", "gone"]).unwrap();
    at.ask(&["cancel:other:0"]);
}

/// No copy completes on a dead broker. Journal and status name it.
fn a_destination_dies(at: &Situation) {
    at.cluster.kill_broker(1004).unwrap();
    at.await_journal(
        "plan.json",
        "\"stalls\":[{\"broker\":1004,\"direction\":\"incoming\",\"cause\":\"dead\"",
    );
    let status = at.status("plan.json");
    assert_eq!(status["stalled"][0]["broker"], 1004, "{status:#}");
    at.cluster.start_broker(1004).unwrap();
}

/// The same with `--on-dead-broker cancel`: the moves in flight are cancelled, and begun again later.
fn a_destination_dies_and_its_moves_are_called_off(at: &Situation) {
    let asked = ["replace", "--topics", "events", "--broker", "1004", "--with", "1001"];
    assert!(at.plan("back.json", &asked) > 0);
    who_agrees_has_to_mean_it(at, "back.json");
    let flags = ["--throttle", SLOW, "--yes", "--on-dead-broker", "cancel", SOLE];
    let run = Run::start(at.on_plan("execute", "back.json", &flags));
    at.await_journal("back.json", "\"submitted\"");
    at.cluster.kill_broker(1001).unwrap();
    at.await_journal("back.json", "\"cancelled\"");
    run.signal("-INT");
    run.end();
    // Nothing moves any more, and the dead broker keeps its throttle.
    topicmappr(at.on_plan("cancel", "back.json", &["--yes", SOLE])).with(6);
    at.cluster.start_broker(1001).unwrap();
    // No execution runs, so the command itself changes the rates, if there are any.
    let set = at.throttle("back.json", &["set", FAST, "--yes"]);
    assert!([Some(0), Some(1)].contains(&set.code), "{set:?}");
    let flags = ["--throttle", FAST, "--yes", "--resume", SOLE];
    topicmappr(at.on_plan("execute", "back.json", &flags)).with(0);
}

/// A broker that the plan treats as lost comes back. And a plan starts too late.
fn a_lost_broker_returns(at: &Situation) {
    Traffic::of(&at.cluster).lose(1004);
    let asked = ["rebuild", "--topics", "left", "--brokers", "-2"];
    assert!(at.plan("lost.json", &asked) > 0);
    at.cluster.start_broker(1004).unwrap();
    Traffic::of(&at.cluster).settle();
    let run = |more: &[&str]| {
        let flags = ["--throttle", FAST, "--yes", "--resume", SOLE];
        topicmappr(at.on_plan("execute", "lost.json", &[&flags, more].concat()))
    };
    run(&[]).with(1).complaining_of("registered again: 1004");
    // It watches writes for longer than that before it begins.
    let soon = Command::new("date").args(["-u", "-d", "+3 seconds", "+%FT%TZ"]).output().unwrap();
    let soon = String::from_utf8(soon.stdout).unwrap();
    run(&["--even-if-returned", "--until", soon.trim()]).with(6);
    run(&["--even-if-returned"]).with(0);
}

/// Above a size, the operator must type the cluster's id.
fn who_agrees_has_to_mean_it(at: &Situation, plan: &str) {
    let flags = ["--throttle", FAST, "--confirm-above", "1", SOLE];
    let args = at.on_plan("execute", plan, &flags);
    let typed = |word: &str| {
        let mut child =
            terminal(&args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("{word}\n").as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned())
    };
    let (code, said) = typed("yes");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("Type the cluster's id"), "{said}");
    let journal = at.at(&format!("{plan}.journal"));
    assert_eq!(std::fs::read_to_string(&journal).unwrap_or_default(), "", "nothing was begun");
}

/// A new order alone moves no leader. An election does, and the executor requests it once.
fn leaders_are_elected(at: &Situation) {
    at.ask(&["alter:led:0:1003,1002"]);
    let seen = || Traffic::of(&at.cluster).seen()[&("led".to_owned(), 0)].replicas.clone();
    until("the new order", SOON, || (seen() == [1003, 1002]).then_some(())).unwrap();
    let elect = |more: &[&str]| {
        let flags = ["--elect", "--topics", "led", "--output", "json"];
        topicmappr(at.args(&["leaders"], &[&flags, more].concat()))
    };
    let rehearsed = elect(&["--dry-run"]).with(5);
    assert!(rehearsed.stdout.contains("\"from\":1002,\"to\":1003"), "{}", rehearsed.stdout);
    elect(&[]).with(2);
    elect(&["--yes"]).with(0);
    let seen = Traffic::of(&at.cluster).seen();
    assert_eq!(seen[&("led".to_owned(), 0)].leader, 1003);
    elect(&["--dry-run"]).with(0);
}

fn whatever_comes_in_between_the_plan_is_carried_out(mode: Mode) -> Situation {
    let at = a_replacement(mode);
    let asked = ["replace", "--topics", "events,gone", "--broker", "1001", "--with", "1004"];
    assert_eq!(at.plan("plan.json", &asked), 5);
    let flags = ["--throttle", SLOW, "--yes", "--max-moves", "2", "--stalled-after", "4s", SOLE];
    let run = Run::start(at.on_plan("execute", "plan.json", &flags));
    others_come_in_between(&at);
    a_destination_dies(&at);
    at.throttle("plan.json", &["set", FAST, "--yes"]).with(0);
    let done = run.end().with(0);
    assert!(done.stderr.contains("other-0"), "it says what it waits for:\n{}", done.stderr);
    assert!(done.stderr.contains("stalled: "), "{}", done.stderr);
    let plan = targets(&json(&at.at("plan.json")));
    Traffic::of(&at.cluster).settle();
    let seen = Traffic::of(&at.cluster).seen();
    for (partition, wanted) in plan.iter().filter(|((topic, _), _)| topic == "events") {
        assert_eq!(&seen[partition].replicas, wanted, "{partition:?}");
    }
    at.only_the_operators_throttle_is_left();
    leaders_are_elected(&at);
    at
}

#[test]
#[ignore = "live"]
fn whatever_comes_in_between_the_plan_is_carried_out_with_kraft() {
    whatever_comes_in_between_the_plan_is_carried_out(Mode::KRaft);
}

/// The other mode, and rarer events.
mod soak {
    use super::*;

    fn whatever_comes_in_between_later_is_dealt_with(mode: Mode) {
        let at = whatever_comes_in_between_the_plan_is_carried_out(mode);
        a_destination_dies_and_its_moves_are_called_off(&at);
        a_lost_broker_returns(&at);
        at.only_the_operators_throttle_is_left();
    }

    #[test]
    #[ignore = "live"]
    fn whatever_comes_in_between_later_is_dealt_with_with_kraft() {
        whatever_comes_in_between_later_is_dealt_with(Mode::KRaft);
    }

    #[test]
    #[ignore = "live"]
    fn whatever_comes_in_between_later_is_dealt_with_with_zookeeper() {
        whatever_comes_in_between_later_is_dealt_with(Mode::ZooKeeper);
    }
}
