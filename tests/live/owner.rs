//! Every process that acts on the cluster reads the ledger of a daemon, also after the daemon was killed. No process records
//! the daemon's values as originals. A daemon with its ledger in a file works alone: it does not start beside another
//! one, nor beside what another one has left.

use std::fs;
use std::time::Duration;

use testbed::{Mode, until};

use crate::autothrottle::{DAEMON, LEAST, Situation, situation};
use crate::binary::{Ended, autothrottle, topicmappr};
use crate::daemon::Daemon;
use crate::traffic::{SOON, Traffic};

use statelog::TOPIC;

/// The rate that the daemon has set when it is killed.
const LEFT: &str = "150000000";

/// The source and the destination of the moves.
const THERE: (&str, &str) = ("1001", "1003");

/// A cluster, and the flags for the store of its ledgers.
struct Scene {
    situation: Situation,
    place: Vec<String>,
}

impl Scene {
    fn of(mode: Mode) -> Self {
        let situation = situation(mode);
        let place = situation.place();
        Self { situation, place }
    }

    fn at(&self, name: &str) -> String {
        self.situation.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn place(&self) -> Vec<&str> {
        self.place.iter().map(String::as_str).collect()
    }

    /// A daemon that leads, with its ledger where all look.
    fn daemon(&self) -> Daemon {
        let all = [&self.place()[..], &DAEMON].concat();
        let (bootstrap, folder) = (self.situation.cluster.bootstrap(), &self.situation.folder);
        let daemon = Daemon::elsewhere(&bootstrap, folder.path(), &all);
        until("the lead", SOON, || daemon.leads().then_some(()))
            .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
        daemon
    }

    /// A daemon that leads, with its ledger in a file.
    fn lone_daemon(&self) -> Daemon {
        let state = self.at("lone.state");
        let all = [&["--state-file", &state], &DAEMON[..]].concat();
        let (bootstrap, folder) = (self.situation.cluster.bootstrap(), &self.situation.folder);
        let daemon = Daemon::elsewhere(&bootstrap, folder.path(), &all);
        until("the lead", SOON, || daemon.leads().then_some(()))
            .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
        daemon
    }

    fn lone_daemon_is_refused(&self) -> Ended {
        let (bootstrap, state) = (self.situation.cluster.bootstrap(), self.at("lone.state"));
        let flags = ["--bootstrap-servers", &bootstrap, "--state-file", &state, "--once"];
        autothrottle([&flags[..], &["--api-listen", "none"]].concat()).with(7)
    }

    /// A command on the cluster, as on another machine that shares only the place.
    fn told(&self, command: &[&str]) -> Ended {
        let bootstrap = self.situation.cluster.bootstrap();
        let source = ["--bootstrap-server", &bootstrap];
        topicmappr([command, &source, &self.place()].concat())
    }

    fn throttles(&self) -> Ended {
        self.told(&["throttle", "show"]).with(0)
    }

    fn topics(&self) -> String {
        self.situation.cluster.tool("topics", ["--list"]).unwrap()
    }

    /// Kills it during the move, which then ends. Only its ledger shows who owns the rates.
    fn is_killed_in_the_middle(&self, daemon: Daemon, (from, to): (&str, &str)) {
        let await_pace = |rate: &str| {
            let paced = || self.situation.is_paced_between((from, to), rate).then_some(());
            until(format!("a pace of {rate}"), SOON, paced)
                .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
        };
        await_pace(LEAST);
        daemon.ask("POST", "/throttle?rate=150&autoremove=true");
        await_pace(LEFT);
        daemon.kill();
        until("the end of the move", SOON, || (!self.situation.moves()).then_some(())).unwrap();
        let left = self.situation.is_paced_between((from, to), LEFT);
        assert!(left, "nobody is there to put anything back");
    }

    /// Executes a move of another partition between the brokers with the daemon's rates.
    fn execute(&self, name: &str, (from, to): (&str, &str)) -> Ended {
        let cluster = &self.situation.cluster;
        let traffic = Traffic::of(cluster);
        traffic.create(&[(name.to_owned(), vec![vec![from.parse().unwrap()]])].into());
        traffic.write(&[((name.to_owned(), 0), 200_000)].into());
        let (bootstrap, plan) = (cluster.bootstrap(), self.at(&format!("{name}.json")));
        let storage = "1001=1GB,1002=1GB,1003=1GB,1004=1GB";
        let asked = ["rebuild", "--topics", name, "--brokers", to, "--ignore-warns"];
        let source = ["--bootstrap-server", &bootstrap, "--broker-storage", storage];
        topicmappr([&asked[..], &source, &["--out-file", &plan]].concat()).with(0);
        let ledger = self.at(&format!("{name}.ledger"));
        let own = ["execute", &plan, "--throttle", "30MB/s", "--yes", "--state-file", &ledger];
        let done = self.told(&own).with(0);
        assert_eq!(traffic.seen()[&(name.to_owned(), 0)].replicas, [to.parse::<i32>().unwrap()]);
        let ledger = fs::read_to_string(ledger).unwrap();
        assert!(ledger.contains("leader.replication.throttled.replicas"), "{ledger}");
        assert!(!ledger.contains(LEFT), "the daemon's rate is no original:\n{ledger}");
        let left = self.situation.is_paced_between((from, to), LEFT);
        assert!(left, "what is the daemon's stays\n{}", done.stderr);
        done
    }
}

fn executions_are_told_whose_the_rates_are(mode: Mode) {
    let scene = Scene::of(mode);
    let alone = scene.lone_daemon();
    assert_eq!(alone.leave().0, Some(143));
    assert!(!scene.topics().contains(TOPIC), "nothing is made for a daemon that works alone");

    let daemon = scene.daemon();
    assert!(!scene.throttles().stderr.contains("rates are set here"), "it has set none");
    if scene.place.is_empty() {
        scene.lone_daemon_is_refused().complaining_of("is held by autothrottle, process");
    }
    scene.situation.begin_the_move();
    scene.is_killed_in_the_middle(daemon, THERE);
    if scene.place.is_empty() {
        let refused = scene.lone_daemon_is_refused();
        refused.complaining_of("that a daemon has set here").complaining_of("without --state-file");
    }

    let of = if scene.place.is_empty() { "the topic __mappr_state" } else { ", /autothrottle" };
    let done = scene.execute("orders", THERE);
    done.complaining_of("what it has set is left as it is").complaining_of(of);
    let shown = scene.throttles().complaining_of(of);
    assert!(shown.stdout.contains("plan autothro"), "{}", shown.stdout);
    // One rate is in no ledger.
    let strays = ["throttle", "clear", "--strays", "--dry-run"];
    let found = scene.told(&strays).with(5).complaining_of("44444444");
    assert!(!found.stderr.contains(LEFT), "{}", found.stderr);

    // The next daemon continues with the same ledger.
    let daemon = scene.daemon();
    scene.situation.await_what_was_before(|| daemon.said());
    let ledger_is_empty = || (daemon.state()["configs_held"].as_u64() == Some(0)).then_some(());
    until("a ledger without anything", Duration::from_secs(20), ledger_is_empty)
        .unwrap_or_else(|why| panic!("{why}\n{:#}", daemon.state()));
    let (code, said) = daemon.leave();
    assert_eq!(code, Some(143), "{said}");
    let shown = scene.throttles();
    assert!(!shown.stderr.contains("rates are set here"), "{}\n{said}", shown.stderr);
    assert!(scene.situation.is_as_before(), "{said}");
    assert_eq!(scene.lone_daemon().leave().0, Some(143), "nothing is left behind");
}

#[test]
#[ignore = "live"]
fn executions_are_told_whose_the_rates_are_in_the_topic() {
    executions_are_told_whose_the_rates_are(Mode::KRaft);
}

#[test]
#[ignore = "live"]
fn executions_are_told_whose_the_rates_are_in_zookeeper() {
    executions_are_told_whose_the_rates_are(Mode::ZooKeeper);
}
