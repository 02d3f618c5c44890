//! A daemon with its ledger in a file leaves a mark where executions look. No process records the daemon's values as
//! originals, even after it was killed. The mark disappears when the daemon, or its successor with the same file,
//! removes it.

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
const BACK: (&str, &str) = ("1003", "1001");

/// A cluster, and the place of its marks.
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

    fn daemon(&self, more: &[&str]) -> Daemon {
        let state = self.at("lone.state");
        let all = [&["--state-file", &state], more, &DAEMON].concat();
        Daemon::elsewhere(&self.situation.cluster.bootstrap(), self.situation.folder.path(), &all)
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

    /// Kills it during the move, which then ends. Only the mark shows who owns the rates.
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
    let alone = scene.daemon(&["--sole-daemon"]);
    assert_eq!(alone.leave().0, Some(143));
    assert!(!scene.topics().contains(TOPIC), "nothing is made for who is alone");

    let place = scene.place();
    let daemon = scene.daemon(&place);
    assert_eq!(scene.topics().contains(TOPIC), place.is_empty());
    scene.throttles().complaining_of("lone.state").complaining_of("autothrottle, process");
    scene.situation.begin_the_move();
    scene.is_killed_in_the_middle(daemon, THERE);

    // A daemon with another file has another ledger, and does not know these values.
    let bootstrap = scene.situation.cluster.bootstrap();
    let other = scene.at("other.state");
    let flags = ["--bootstrap-servers", &bootstrap, "--state-file", &other, "--once"];
    let refused = autothrottle([&flags[..], &place, &["--api-listen", "none"]].concat()).with(7);
    refused.complaining_of("lone.state").complaining_of("take its mark away");
    if place.is_empty() {
        // Nor does one with a ledger in the topic.
        let flags = ["--bootstrap-servers", &bootstrap, "--once", "--api-listen", "none"];
        let refused = autothrottle(flags).with(7).complaining_of("lone.state");
        refused.complaining_of("kafka-console-producer.sh --topic __mappr_state");
    }

    scene.execute("orders", THERE).complaining_of("what it has set is left as it is");
    let shown = scene.throttles();
    assert!(shown.stdout.contains("plan autothro"), "{}", shown.stdout);
    let strays = ["throttle", "clear", "--strays", "--dry-run"];
    // One rate is in no ledger.
    let found = scene.told(&strays).with(5).complaining_of("44444444");
    assert!(!found.stderr.contains(LEFT), "{}", found.stderr);

    // As on another machine.
    let (state, hidden) = (scene.at("lone.state"), scene.at("hidden"));
    fs::rename(&state, &hidden).unwrap();
    scene.execute("bills", THERE).complaining_of("not read from here");
    scene.told(&strays).with(0).complaining_of("not read from here");
    fs::rename(&hidden, &state).unwrap();

    // A daemon that continues with the same file is not locked out.
    let daemon = scene.daemon(&place);
    scene.situation.await_what_was_before(|| daemon.said());
    let ledger_is_empty = || (daemon.state()["configs_held"].as_u64() == Some(0)).then_some(());
    until("a ledger without anything", Duration::from_secs(20), ledger_is_empty)
        .unwrap_or_else(|why| panic!("{why}\n{:#}", daemon.state()));
    let (code, said) = daemon.leave();
    assert_eq!(code, Some(143), "{said}");
    let shown = scene.throttles();
    assert!(!shown.stderr.contains("lone.state"), "{}\n{said}", shown.stderr);
    assert!(scene.situation.is_as_before(), "{said}");
    a_ledger_where_all_look_is_read_there(&scene);
}

/// For a daemon with its ledger in the shared place, only that ledger shows the owner of its rates.
fn a_ledger_where_all_look_is_read_there(scene: &Scene) {
    let (bootstrap, place) = (scene.situation.cluster.bootstrap(), scene.place());
    let flags = [&place[..], &DAEMON].concat();
    let daemon = Daemon::elsewhere(&bootstrap, scene.situation.folder.path(), &flags);
    until("the lead", SOON, || daemon.leads().then_some(()))
        .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
    assert!(!scene.throttles().stderr.contains("rates are set here"), "it has set none");
    scene.situation.begin_the_way_back();
    scene.is_killed_in_the_middle(daemon, BACK);
    let of = if place.is_empty() { "the topic __mappr_state" } else { "/autothrottle/ledger" };
    scene
        .execute("letters", BACK)
        .complaining_of("what it has set is left as it is")
        .complaining_of(of);
    let shown = scene.throttles().complaining_of(of);
    assert!(shown.stdout.contains("plan autothro"), "{}", shown.stdout);
    // The next daemon has everything in the shared place.
    let once = ["--bootstrap-servers", &bootstrap, "--once", "--api-listen", "none"];
    let next = || {
        let ended = autothrottle([&once[..], &place].concat());
        // A killed daemon keeps the claim until its term ends.
        (ended.code != Some(7)).then_some(ended)
    };
    let ended = until("whoever comes next", SOON, next).unwrap().with(0);
    scene.situation.await_what_was_before(|| ended.stderr.clone());
    assert!(!scene.throttles().stderr.contains("rates are set here"), "nothing is its any more");
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
