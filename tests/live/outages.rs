//! Kafka or ZooKeeper stops during a throttled move, and returns. The move's throttle stays set, and the daemon waits
//! without errors and continues by itself. At the end, every value is the operator's again.

use std::thread;
use std::time::{Duration, Instant};

use testbed::{Cluster, FIRST_MEMBER, Mode, until};

use crate::autothrottle::{DAEMON, LEAST, Situation, situation_in};
use crate::daemon::Daemon;
use crate::traffic::{SOON, Traffic};

/// How long the daemon is watched without an answer.
const AWAY: Duration = Duration::from_secs(20);
/// The most log lines in that time: three failed rounds, the loss of the lead, and three failed attempts to get it
/// back.
const LINES: usize = 8;
/// More than the least rate plus the little that in-sync followers fetch, in bytes per second.
const PACED: f64 = 450_000.0;

/// The situation, with Kafka or ZooKeeper in processes that can be paused and killed.
fn situation(mode: Mode) -> Situation {
    let own = match mode {
        Mode::KRaft => 1001..=1004,
        Mode::ZooKeeper => FIRST_MEMBER..=FIRST_MEMBER,
    };
    situation_in(Cluster::builder().mode(mode).brokers(4).processes_of(own))
}

/// Waits until the daemon gets no more answers, and measures what that costs.
#[track_caller]
fn waits_in_peace(daemon: &Daemon, gone: impl FnOnce()) {
    let failures = || daemon.state()["failed_rounds"].as_u64().unwrap();
    let before = failures();
    gone();
    until("a failure", SOON, || (failures() > before).then_some(()))
        .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
    let (said, used) = (daemon.said().lines().count(), daemon.used());
    thread::sleep(AWAY);
    let (said, used) = (daemon.said().lines().count() - said, daemon.used() - used);
    eprintln!("{AWAY:?} without an answer: {used:?} of a core, {said} lines");
    assert!(used < AWAY / 10, "{used:?} of a core in {AWAY:?}:\n{}", daemon.said());
    assert!(said <= LINES, "{said} lines in {AWAY:?}:\n{}", daemon.said());
    let (ready, why) = daemon.try_ask("GET", "/readyz").unwrap();
    assert_eq!(ready, 503, "it says that it is blind: {why}\n{}", daemon.said());
    assert_eq!(daemon.try_ask("GET", "/healthz").unwrap().0, 200, "and that it lives");
}

/// The servers return while the daemon cannot act, and the move's throttle is still set.
#[track_caller]
fn comes_back(situation: &Situation, daemon: &Daemon, back: impl FnOnce()) {
    daemon.signal("-STOP");
    back();
    Traffic::of(&situation.cluster).seen();
    assert!(situation.is_paced_at(LEAST), "it was paced all the time:\n{}", daemon.said());
    assert!(situation.moves(), "it has ended too early:\n{}", daemon.said());
    daemon.signal("-CONT");
    let acts = || (daemon.try_ask("GET", "/readyz")?.0 == 200 && daemon.leads()).then_some(());
    until("a round that succeeds", SOON, acts)
        .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
    assert!(situation.is_paced_at(LEAST), "it stays paced:\n{}", daemon.said());
}

/// The move continues at the requested rate, and leaves nothing behind.
fn ends(situation: &Situation, daemon: Daemon) {
    daemon.ask("POST", "/throttle?rate=150&autoremove=true");
    situation.await_pace("150000000", &daemon);
    situation.await_the_end_of_the_move(&daemon);
    situation.await_what_was_before(|| daemon.said());
    let (code, said) = daemon.leave();
    assert_eq!(code, Some(143), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

/// First every broker is paused, and then every broker is dead.
fn a_move_stays_paced_while_kafka_is_away(situation: &Situation, place: &[&str]) -> Daemon {
    let properties = situation.folder.path().join("client.properties");
    std::fs::write(&properties, "request.timeout.ms=5000\n").unwrap();
    let more = [&DAEMON[..], place, &["--kafka-config", properties.to_str().unwrap()]].concat();
    let cluster = &situation.cluster;
    let daemon = Daemon::elsewhere(&cluster.bootstrap(), situation.folder.path(), &more);
    situation.begin_the_move();
    situation.await_pace(LEAST, &daemon);

    waits_in_peace(&daemon, || cluster.pause_brokers().unwrap());
    comes_back(situation, &daemon, || cluster.resume_brokers().unwrap());

    waits_in_peace(&daemon, || cluster.kill_brokers(&cluster.brokers()).unwrap());
    comes_back(situation, &daemon, || {
        thread::scope(|scope| {
            for id in cluster.brokers() {
                scope.spawn(move || cluster.start_broker(id).unwrap());
            }
        });
    });
    daemon
}

#[test]
#[ignore = "live"]
fn a_move_stays_paced_while_kafka_is_away_with_kraft() {
    let situation = situation(Mode::KRaft);
    let state = situation.folder.path().join("autothrottle.state");
    let place = ["--state-file", state.to_str().unwrap()];
    let daemon = a_move_stays_paced_while_kafka_is_away(&situation, &place);
    ends(&situation, daemon);
}

/// Without Kafka, the ledger and the claim are unreachable, too. Nothing is written until both are back.
#[test]
#[ignore = "live"]
fn a_move_stays_paced_while_kafka_is_away_that_keeps_the_ledger() {
    let situation = situation(Mode::KRaft);
    let daemon = a_move_stays_paced_while_kafka_is_away(&situation, &["--state-topic"]);
    ends(&situation, daemon);
}

/// The ledger and the lock are in ZooKeeper, as is everything that brokers know about each other.
#[test]
#[ignore = "live"]
fn a_move_stays_paced_while_zookeeper_is_away() {
    let situation = situation(Mode::ZooKeeper);
    let cluster = &situation.cluster;
    let zookeeper = cluster.zookeeper();
    let more = [&DAEMON[..], &["--zookeeper", &zookeeper]].concat();
    let daemon = Daemon::elsewhere(&cluster.bootstrap(), situation.folder.path(), &more);
    situation.begin_the_move();
    situation.await_pace(LEAST, &daemon);

    let (server, _) = cluster.members().remove(0);
    let card = cluster.card(1003).unwrap();
    let (mut passed, mut since) = (0, Instant::now());
    waits_in_peace(&daemon, || {
        cluster.kill_member(server).unwrap();
        // After the burst of an idle quota.
        thread::sleep(Duration::from_secs(10));
        (passed, since) = (card.passed().replication_rx, Instant::now());
    });
    let passed = (card.passed().replication_rx - passed) as f64;
    let per_second = passed / since.elapsed().as_secs_f64();
    eprintln!("paced at {per_second:.0} bytes per second without ZooKeeper");
    assert!((1.0..PACED).contains(&per_second), "{per_second}\n{}", daemon.said());
    comes_back(&situation, &daemon, || cluster.start_member(server).unwrap());
    ends(&situation, daemon);
}
