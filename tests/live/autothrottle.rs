//! Kafka's own tool moves replicas while the daemon runs. The daemon throttles the moves. At the end, every value is as
//! its operator left it, even if the daemon was killed or stopped on the way.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use testbed::relay::Cap;
use testbed::{Builder, Cluster, Mode, until};

use crate::admin::{in_flight, set};
use crate::binary::autothrottle;
use crate::daemon::Daemon;
use crate::execution::{Configs, throttles};
use crate::plan::Partition;
use crate::traffic::{SOON, Traffic};

const TOPIC: &str = "events";
const PARTITIONS: i32 = 6;
/// The size of a partition, in bytes.
const SIZE: usize = 8_000_000;
/// The card's limit. A daemon sees a move some seconds after its begin; until then the card limits the bytes that pass.
const CARD: u64 = 2_000_000;
/// Without metrics the daemon uses the least rate, which is lower than the card's.
pub(crate) const DAEMON: [&str; 6] = ["--metrics", "none", "--interval", "2", "--min-rate", "0.3"];
pub(crate) const LEAST: &str = "300000";

/// Brokers behind slow cards. `events` is on 1001 and 1002, and the operator has set throttles.
pub(crate) struct Situation {
    pub(crate) cluster: Cluster,
    pub(crate) folder: tempfile::TempDir,
    before: Configs,
}

/// The situation with four brokers.
pub(crate) fn situation(mode: Mode) -> Situation {
    situation_of(mode, 4)
}

pub(crate) fn situation_of(mode: Mode, brokers: u16) -> Situation {
    situation_in(Cluster::builder().mode(mode).brokers(brokers))
}

/// The situation in this cluster.
pub(crate) fn situation_in(builder: Builder) -> Situation {
    let cluster = builder.network(Cap::default()).small_fetches().start().unwrap();
    let traffic = Traffic::of(&cluster);
    let partitions = (0..PARTITIONS).map(|_| vec![1001, 1002]).collect();
    traffic.create(&[(TOPIC.to_owned(), partitions)].into());
    traffic.write(&(0..PARTITIONS).map(|p| ((TOPIC.to_owned(), p), SIZE)).collect());
    let of_the_operator = [
        ("1001", "leader", "123456789"),
        ("1003", "follower", "55555555"),
        // This broker is not part of the move.
        ("1004", "leader", "44444444"),
    ];
    for rate in of_the_operator {
        set(
            &cluster,
            "brokers",
            rate.0,
            &format!("{}.replication.throttled.rate={}", rate.1, rate.2),
        );
    }
    set(&cluster, "topics", TOPIC, "follower.replication.throttled.replicas=[77:1001,0:1002]");
    let before = throttles(&cluster, &only());
    for id in cluster.brokers() {
        cluster.card(id).unwrap().limit(Cap::both(CARD));
    }
    Situation { cluster, folder: tempfile::tempdir().unwrap(), before }
}

/// The one topic whose configs count.
fn only() -> BTreeMap<Partition, Vec<i32>> {
    [((TOPIC.to_owned(), 0), Vec::new())].into()
}

impl Situation {
    fn daemon(&self) -> Daemon {
        Daemon::start(&self.cluster.bootstrap(), self.folder.path(), &DAEMON)
    }

    /// The flags that name the place of executions' and daemons' state. Empty means the state topic.
    pub(crate) fn place(&self) -> Vec<String> {
        match self.cluster.mode() {
            Mode::ZooKeeper => vec!["--zookeeper".to_owned(), self.cluster.zookeeper()],
            Mode::KRaft => Vec::new(),
        }
    }

    /// Moves every partition from 1001 to 1003 with Kafka's own tool.
    pub(crate) fn begin_the_move(&self) {
        begin(&self.cluster, self.folder.path(), &[1003, 1002]);
    }

    pub(crate) fn now(&self) -> Configs {
        throttles(&self.cluster, &only())
    }

    /// Whether every rate that the move needs has this value, and the lists contain the move.
    pub(crate) fn is_paced_at(&self, rate: &str) -> bool {
        self.is_paced_between(("1001", "1003"), rate)
    }

    /// The same for moves from one broker to another.
    pub(crate) fn is_paced_between(&self, (from, to): (&str, &str), rate: &str) -> bool {
        let now = self.now();
        let says =
            |name: &str, key: &str| now[name].get(&format!("{key}.replication.throttled.rate"));
        let list = |side: &str| now[TOPIC].get(&format!("{side}.replication.throttled.replicas"));
        let named = |side: &str, broker: &str| {
            let entry_of = |entry: &str| entry.split_once(':').is_some_and(|(_, id)| id == broker);
            list(side).is_some_and(|list| list.split(',').any(entry_of))
        };
        says(from, "leader").is_some_and(|found| found == rate)
            && says(to, "follower").is_some_and(|found| found == rate)
            && named("leader", from)
            && named("follower", to)
    }

    #[track_caller]
    pub(crate) fn await_pace(&self, rate: &str, daemon: &Daemon) {
        until(format!("a pace of {rate}"), SOON, || self.is_paced_at(rate).then_some(()))
            .unwrap_or_else(|why| panic!("{why}\n{:#?}\n{}", self.now(), daemon.said()));
    }

    pub(crate) fn moves(&self) -> bool {
        !in_flight(&self.cluster).is_empty()
    }

    #[track_caller]
    pub(crate) fn await_the_end_of_the_move(&self, daemon: &Daemon) {
        until("the end of the move", SOON, || (!self.moves()).then_some(()))
            .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
        // Brokers hear of the end later than the controller, and may agree on what was before.
        let traffic = Traffic::of(&self.cluster);
        let arrived = || {
            let seen = traffic.seen();
            let mut moved = seen.iter().filter(|((topic, _), _)| topic == TOPIC);
            moved.all(|(_, seen)| seen.replicas == [1003, 1002]).then_some(())
        };
        until("the new replicas", SOON, arrived)
            .unwrap_or_else(|why| panic!("{why}\n{:?}", traffic.seen()));
    }

    /// Whether every value is the operator's original.
    pub(crate) fn is_as_before(&self) -> bool {
        self.now() == self.before
    }

    #[track_caller]
    pub(crate) fn await_what_was_before(&self, said: impl Fn() -> String) {
        until("throttles as before", SOON, || (self.now() == self.before).then_some(()))
            .unwrap_or_else(|why| panic!("{why}\n{:#?}\n{}", self.now(), said()));
    }
}

fn begin(cluster: &Cluster, folder: &Path, replicas: &[i32]) {
    let mut partitions = String::new();
    for partition in 0..PARTITIONS {
        let comma = if partition == 0 { "" } else { "," };
        write!(
            partitions,
            "{comma}{{\"topic\":\"{TOPIC}\",\"partition\":{partition},\"replicas\":{replicas:?}}}"
        )
        .unwrap();
    }
    let path = folder.join("move.json");
    std::fs::write(&path, format!("{{\"version\":1,\"partitions\":[{partitions}]}}")).unwrap();
    let path = path.to_str().unwrap();
    cluster.tool("reassign", ["--execute", "--reassignment-json-file", path]).unwrap();
}

/// The daemon throttles the move, changes the rate after an override, and then restores every value exactly.
fn a_move_is_paced_and_everything_is_as_before(mode: Mode) {
    let situation = situation(mode);
    let daemon = situation.daemon();
    assert_eq!(situation.now(), situation.before, "nothing moves, so nothing is ours");
    situation.begin_the_move();
    situation.await_pace(LEAST, &daemon);
    // The state shows the last complete round. The round that set the throttle may still be checking it.
    let told = || {
        let all = daemon.state()["reassignments"].as_array().unwrap().len() == PARTITIONS as usize;
        all.then_some(())
    };
    until("a state with every reassignment", SOON, told)
        .unwrap_or_else(|why| panic!("{why}\n{:#}", daemon.state()));
    assert!(daemon.ask("GET", "/metrics").contains("autothrottle_rate_bytes_per_second"));

    // After the burst of an idle quota, only the rate passes, plus the little that in-sync followers fetch.
    thread::sleep(Duration::from_secs(12));
    let (card, start) = (situation.cluster.card(1003).unwrap(), Instant::now());
    let passed = card.passed().replication_rx;
    thread::sleep(Duration::from_secs(15));
    let per_second = (card.passed().replication_rx - passed) as f64 / start.elapsed().as_secs_f64();
    assert!(situation.moves(), "it has ended too early:\n{}", daemon.said());
    assert!(per_second < 450_000.0, "{per_second} bytes per second\n{}", daemon.said());

    assert_eq!(daemon.try_ask("POST", "/throttle?rate=0").unwrap().0, 400);
    daemon.ask("POST", "/throttle?rate=150");
    situation.await_pace("150000000", &daemon);
    situation.await_the_end_of_the_move(&daemon);
    situation.await_what_was_before(|| daemon.said());
    let (code, said) = daemon.leave();
    assert_eq!(code, Some(143), "{said}");
    // The test may stop it before it has read back the restored values.
    let clean = ["this daemon has set nothing in the cluster", "the original values are restored"];
    assert!(clean.iter().any(|words| said.contains(words)), "{said}");
    assert_eq!(situation.now(), situation.before);
}

#[test]
#[ignore = "live"]
fn a_move_is_paced_and_everything_is_as_before_with_zookeeper() {
    a_move_is_paced_and_everything_is_as_before(Mode::ZooKeeper);
}

#[test]
#[ignore = "live"]
fn a_move_is_paced_and_everything_is_as_before_with_kraft() {
    a_move_is_paced_and_everything_is_as_before(Mode::KRaft);
}

/// The daemon is killed during the move, taken over, stopped, rehearsed, and taken over again.
fn a_killed_daemon_is_taken_over(mode: Mode) {
    let situation = situation(mode);
    let daemon = situation.daemon();
    situation.begin_the_move();
    situation.await_pace(LEAST, &daemon);
    daemon.kill();
    assert!(situation.is_paced_at(LEAST), "the throttle outlives the process");

    for (signal, times) in [("-TERM", 1), ("-HUP", 2)] {
        let daemon = situation.daemon();
        assert!(situation.is_paced_at(LEAST), "whoever takes over keeps it");
        let (code, said) = daemon.leave_by(signal);
        assert_eq!(code, Some(143), "{signal}: {said}");
        assert_eq!(
            said.matches("their rates stay").count(),
            times,
            "it says what it leaves:\n{said}"
        );
        assert!(situation.moves() && situation.is_paced_at(LEAST), "{said}");
    }

    // The move ends while no daemon runs. Our values wait for the next start.
    let state = situation.folder.path().join("autothrottle.state");
    let bootstrap = situation.cluster.bootstrap();
    let place = ["--state-file", state.to_str().unwrap()];
    let source = [["--bootstrap-servers", &bootstrap].as_slice(), &place].concat();
    let daemon = situation.daemon();
    daemon.ask("POST", "/throttle?rate=150&autoremove=true");
    situation.await_pace("150000000", &daemon);
    daemon.kill();
    until("the end of the move", SOON, || (!situation.moves()).then_some(())).unwrap();
    assert!(situation.is_paced_at("150000000"));
    let rehearsed = autothrottle(source.iter().chain(&["-dry-run"])).with(5);
    assert!(
        rehearsed.stdout.contains("would set leader.replication.throttled.rate"),
        "{}",
        rehearsed.stdout
    );
    assert!(situation.is_paced_at("150000000"), "a rehearsal changes nothing");
    let once = autothrottle(source.iter().chain(&["--once", "--api-listen", "none"])).with(0);
    situation.await_what_was_before(|| once.stderr.clone());
    autothrottle(source.iter().chain(&["--dry-run"])).with(0);
}

#[test]
#[ignore = "live"]
fn a_killed_daemon_is_taken_over_with_kraft() {
    a_killed_daemon_is_taken_over(Mode::KRaft);
}

mod soak {
    use super::*;

    #[test]
    #[ignore = "live"]
    fn a_killed_daemon_is_taken_over_with_zookeeper() {
        a_killed_daemon_is_taken_over(Mode::ZooKeeper);
    }
}
