//! A daemon starts while an execution moves replicas at its own rate. Neither records the other's values as the
//! operator's, and the move keeps its throttle. When both have ended, in either order, every value is restored.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use testbed::relay::Cap;
use testbed::{Mode, until};

use crate::autothrottle::{DAEMON, Situation, situation};
use crate::binary::{Ended, Run, autothrottle, topicmappr};
use crate::daemon::Daemon;
use crate::execution::{FAST, throttles};
use crate::traffic::{SOON, Traffic};

const STORAGE: &str = "1001=9GB,1002=9GB,1003=9GB,1004=9GB";
/// Lower than the card's limit: the first moves take more than a minute.
const RATE: &str = "600KB/s";
const ITS_RATE: &str = "600000";
/// Longer than three rounds of the daemon.
const ROUNDS: Duration = Duration::from_secs(6);
/// An idle quota lets a burst through, in seconds of its rate. Also the other bytes that pass.
const BURST: u64 = 12;
const BESIDE: u64 = 1_500_000;

/// `events` is on 1001 and 1002. The last partition is on 1001 and on a broker whose rate the test asks the daemon for.
/// It is the largest, so it moves last.
struct Scene {
    situation: Situation,
    place: Vec<String>,
}

/// A plan that is being executed.
struct Under<'s> {
    scene: &'s Scene,
    plan: PathBuf,
    run: Run,
    begun: Instant,
    passed: u64,
    to: i32,
}

impl Scene {
    fn of(mode: Mode) -> Self {
        let situation = situation(mode);
        let traffic = Traffic::of(&situation.cluster);
        traffic.create(&[("orders".to_owned(), vec![vec![1001, 1004]])].into());
        traffic.write(&[(("orders".to_owned(), 0), 9_000_000)].into());
        let place = situation.place();
        Self { situation, place }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.situation.folder.path().join(name)
    }

    fn place(&self) -> Vec<&str> {
        self.place.iter().map(String::as_str).collect()
    }

    /// A command with the cluster and the shared place, and with the execution's own ledger.
    fn args(&self, command: &[&str]) -> Vec<String> {
        let (bootstrap, ledger) = (self.situation.cluster.bootstrap(), self.at("ledger"));
        let source = ["--bootstrap-server", &bootstrap, "--state-file", ledger.to_str().unwrap()];
        [command, &source, &self.place()].concat().into_iter().map(str::to_owned).collect()
    }

    fn daemon(&self) -> Daemon {
        let flags = [&self.place()[..], &DAEMON].concat();
        Daemon::elsewhere(&self.situation.cluster.bootstrap(), self.situation.folder.path(), &flags)
    }

    /// Begins to move everything from one broker to another, at first all but the last partition, and waits for these
    /// moves.
    fn begin(&self, topics: &str, from: i32, to: i32) -> Under<'_> {
        let plan = self.at(&format!("to-{to}.json"));
        let bootstrap = self.situation.cluster.bootstrap();
        let (leaving, with) = (from.to_string(), to.to_string());
        let asked = ["replace", "--topics", topics, "--broker", &leaving];
        let to_file = ["--out-file", plan.to_str().unwrap(), "--bootstrap-server", &bootstrap];
        let more = ["--with", with.as_str(), "--broker-storage", STORAGE];
        topicmappr([&asked[..], &more, &to_file].concat()).with(0);
        let passed = self.situation.cluster.card(to).unwrap().passed().replication_rx;
        let own = ["execute", plan.to_str().unwrap(), "--throttle", RATE, "--max-moves", "6"];
        let run = Run::start(self.args(&[&own[..], &["--yes"]].concat()));
        let under = Under { scene: self, plan, run, begun: Instant::now(), passed, to };
        under.await_written("submitted");
        until("a running move", SOON, || self.situation.moves().then_some(())).unwrap();
        under
    }
}

impl Under<'_> {
    fn journal(&self) -> String {
        fs::read_to_string(format!("{}.journal", self.plan.display())).unwrap_or_default()
    }

    fn await_written(&self, entry: &str) {
        let written = || self.journal().contains(&format!("\"{entry}\"")).then_some(());
        until(entry, SOON, written).unwrap_or_else(|why| panic!("{why}\n{}", self.journal()));
    }

    /// The move keeps its throttle while processes start and end. Checks the configs and the bytes that arrive.
    #[track_caller]
    fn is_paced(&self, from: &str, daemon: &Daemon) {
        let situation = &self.scene.situation;
        let card = situation.cluster.card(self.to).unwrap();
        let start = Instant::now();
        while start.elapsed() < ROUNDS {
            let to = self.to.to_string();
            let paced = situation.is_paced_between((from, &to), ITS_RATE);
            assert!(paced, "{:#?}\n{}", situation.now(), daemon.said());
            thread::sleep(Duration::from_millis(500));
        }
        let passed = card.passed().replication_rx - self.passed;
        let rate: u64 = ITS_RATE.parse().unwrap();
        let most = rate * (self.begun.elapsed().as_secs() + BURST) + BESIDE;
        assert!(passed < most, "{passed} bytes, and not {most}\n{}", daemon.said());
        assert!(situation.moves(), "it has ended too early:\n{}", daemon.said());
    }

    /// The operator raises the rate above the cards' limit, so that the moves end soon.
    fn ends_soon(self) -> Ended {
        let journal = format!("{}.journal", self.plan.display());
        let set = ["throttle", "set", FAST, "--yes", "--journal", &journal];
        topicmappr(self.scene.args(&set)).with(0);
        for id in self.scene.situation.cluster.brokers() {
            self.scene.situation.cluster.card(id).unwrap().limit(Cap::both(50_000_000));
        }
        let done = self.run.end().with(0);
        let seen = Traffic::of(&self.scene.situation.cluster).seen();
        let moved = seen.iter().filter(|((topic, _), _)| topic == "events");
        assert!(moved.clone().all(|(_, seen)| seen.replicas == [self.to, 1002]), "{seen:?}");
        done
    }
}

/// The daemon's ledger has only lists, and no rate.
fn it_leaves_the_rates(daemon: &Daemon) {
    let has_lists = || (daemon.state()["configs_held"].as_u64() > Some(0)).then_some(());
    until("a daemon that knows of the move", SOON, has_lists)
        .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
    let left = || {
        let state = daemon.state();
        let strays = state["strays"].as_array().cloned().unwrap_or_default();
        let is_left = |one: &&Value| one["stray"] == "unknown_owner" && one["value"] == ITS_RATE;
        (strays.iter().filter(is_left).count() >= 2).then_some(())
    };
    until("word of rates that are left", SOON, left)
        .unwrap_or_else(|why| panic!("{why}\n{:#}\n{}", daemon.state(), daemon.said()));
}

fn a_daemon_that_starts_midway_takes_nothing_for_an_operators(mode: Mode) {
    let scene = Scene::of(mode);
    let under = scene.begin("events,orders", 1001, 1003);
    let daemon = scene.daemon();
    it_leaves_the_rates(&daemon);
    under.is_paced("1001", &daemon);
    it_leaves_the_rates(&daemon);

    // The daemon sets a list on a topic that the execution has not reached yet. The execution asks for the owner of
    // this value, and gets an answer.
    daemon.ask("POST", "/throttle/1004?rate=77");
    let list = "follower.replication.throttled.replicas";
    let listed = || {
        let set = throttles(&scene.situation.cluster, &[(("orders".to_owned(), 0), vec![])].into());
        (set["orders"].get(list)? == "0:1004").then_some(())
    };
    until("a list for the override", SOON, listed)
        .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
    let done = under.ends_soon();
    let met = "rates are set here by autothrottle, process";
    assert_eq!(done.stderr.matches(met).count(), 1, "{}", done.stderr);
    let ledger = fs::read_to_string(scene.at("ledger")).unwrap();
    assert!(!ledger.contains("77000000") && !ledger.contains("\"before\":\"0:1004\""), "{ledger}");
    daemon.ask("POST", "/throttle/remove/1004");
    scene.situation.await_what_was_before(|| format!("{}\n{}", done.stderr, daemon.said()));
    let (code, said) = daemon.leave();
    assert_eq!(code, Some(143), "{said}");
    // A broker whose card is full may learn late what was set and restored in between.
    scene.situation.await_what_was_before(|| said.clone());
    a_daemon_that_leaves_before_the_execution_leaves_nothing(&scene);
}

/// The same backwards. The daemon has set nothing, so nothing of it remains when the execution ends.
fn a_daemon_that_leaves_before_the_execution_leaves_nothing(scene: &Scene) {
    for id in scene.situation.cluster.brokers() {
        scene.situation.cluster.card(id).unwrap().limit(Cap::both(2_000_000));
    }
    let under = scene.begin("events", 1003, 1001);
    let daemon = scene.daemon();
    it_leaves_the_rates(&daemon);
    let (code, said) = daemon.leave();
    assert_eq!(code, Some(143), "{said}");
    let done = under.ends_soon();
    let left = || format!("{:#?}\n{}\n{said}", scene.situation.now(), done.stderr);
    assert!(scene.situation.is_as_before(), "{}", left());
    // Its ledger still contains what the execution has set, too.
    let bootstrap = scene.situation.cluster.bootstrap();
    let once = ["--bootstrap-servers", &bootstrap, "--once", "--api-listen", "none"];
    let next = autothrottle([&once[..], &scene.place(), &["--metrics", "none"]].concat()).with(0);
    assert!(scene.situation.is_as_before(), "{}\n{}", left(), next.stderr);
    let shown = topicmappr(scene.args(&["throttle", "show"])).with(0);
    assert!(!shown.stderr.contains("rates are set here"), "{}", shown.stderr);
}

#[test]
#[ignore = "live"]
fn a_daemon_that_starts_midway_takes_nothing_for_an_operators_with_kraft() {
    a_daemon_that_starts_midway_takes_nothing_for_an_operators(Mode::KRaft);
}

mod soak {
    use testbed::Mode;

    #[test]
    #[ignore = "live"]
    fn a_daemon_that_starts_midway_takes_nothing_for_an_operators_with_zookeeper() {
        super::a_daemon_that_starts_midway_takes_nothing_for_an_operators(Mode::ZooKeeper);
    }
}
