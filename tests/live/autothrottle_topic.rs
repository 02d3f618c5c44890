//! Two daemons without ZooKeeper and without Kubernetes keep their ledger in a topic of the cluster. One acts while the
//! other waits. A daemon that loses the claim writes nothing more.

use std::thread;
use std::time::{Duration, Instant};

use testbed::{Cluster, Mode, until};

use crate::autothrottle::{DAEMON, LEAST, Situation, situation};
use crate::bad_input::{cluster, file, scram};
use crate::binary::autothrottle;
use crate::daemon::Daemon;
use crate::traffic::{SOON, Traffic};

use statelog::TOPIC;

/// The docs promise 15 s; the rest is for a busy machine.
const FOLLOWED: Duration = Duration::from_secs(20);
/// Longer than two rounds.
const ROUNDS: Duration = Duration::from_secs(5);

fn start(situation: &Situation, more: &[&str]) -> Daemon {
    let flags = [more, &DAEMON].concat();
    Daemon::elsewhere(&situation.cluster.bootstrap(), situation.folder.path(), &flags)
}

#[track_caller]
fn await_lead(daemon: &Daemon) {
    until("the lead", SOON, || daemon.leads().then_some(()))
        .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
}

/// The daemon leads soon after that moment, and the move's throttle is unchanged.
#[track_caller]
fn await_lead_of_a_paced_move(daemon: &Daemon, situation: &Situation, since: Instant) {
    await_lead(daemon);
    let after = since.elapsed();
    eprintln!("followed after {after:?}");
    assert!(after < FOLLOWED, "{after:?}\n{}", daemon.said());
    assert!(situation.is_paced_at(LEAST), "whoever waited knows what is set\n{}", daemon.said());
}

/// The first daemon has no flag for a place. It is killed; later ones are paused and resumed. The operator's own values
/// stay.
fn the_lead_goes_from_daemon_to_daemon(mode: Mode) {
    let situation = situation(mode);
    let first = start(&situation, &[]);
    await_lead(&first);
    assert!(first.said().contains("--state-file keeps them in a file"), "{}", first.said());
    let second = start(&situation, &["--state-topic"]);
    assert!(!second.leads(), "one acts");
    until("the name of who leads", SOON, || {
        let [here, there] = [&first, &second].map(|daemon| daemon.state()["leader"].clone());
        (here.is_string() && here == there).then_some(())
    })
    .unwrap_or_else(|why| panic!("{why}\n{:#}\n{:#}", first.state(), second.state()));
    assert_eq!(second.try_ask("POST", "/throttle?rate=150").unwrap().0, 503);
    let bootstrap = situation.cluster.bootstrap();
    let once = ["--bootstrap-servers", &bootstrap, "--once", "--api-listen", "none"];
    autothrottle(once).with(7).complaining_of("is held by autothrottle");

    first.ask("POST", "/throttle/1004?rate=77");
    situation.begin_the_move();
    situation.await_pace(LEAST, &first);
    let since = Instant::now();
    first.kill();
    await_lead_of_a_paced_move(&second, &situation, since);
    assert!(second.ask("GET", "/throttle/1004").contains("77"), "an override outlives it, too");

    // The paused daemon is silent for longer than a claim lasts. The third one leads, ends the move, and restores every
    // value.
    let third = start(&situation, &[]);
    let since = Instant::now();
    second.signal("-STOP");
    await_lead_of_a_paced_move(&third, &situation, since);
    third.ask("POST", "/throttle/remove/1004");
    third.ask("POST", "/throttle?rate=150&autoremove=true");
    situation.await_pace("150000000", &third);
    situation.await_the_end_of_the_move(&third);
    situation.await_what_was_before(|| third.said());
    // It had everything in memory to set the move's throttle once more.
    second.signal("-CONT");
    until("the loss of the lead", SOON, || (!second.leads()).then_some(()))
        .unwrap_or_else(|why| panic!("{why}\n{}", second.said()));
    thread::sleep(ROUNDS);
    assert!(situation.is_as_before() && third.leads(), "{}", third.said());

    // After its release, another daemon takes the claim at once.
    assert_eq!(third.leave().0, Some(143));
    let begun = Instant::now();
    await_lead(&second);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    what_keeps_it_may_move_itself(&situation, &second);
    assert_eq!(second.leave().0, Some(143));
    assert!(situation.is_as_before());
}

/// The state topic is moved like any other topic, under the daemon's own throttle.
fn what_keeps_it_may_move_itself(situation: &Situation, daemon: &Daemon) {
    let path = situation.folder.path().join("state-topic.json");
    let text =
        r#"{"version":1,"partitions":[{"topic":"__mappr_state","partition":0,"replicas":[1004]}]}"#;
    std::fs::write(&path, text).unwrap();
    let file = ["--execute", "--reassignment-json-file", path.to_str().unwrap()];
    situation.cluster.tool("reassign", file).unwrap();
    until("the move of the topic", SOON, || (!situation.moves()).then_some(()))
        .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
    until("an override that is kept there", SOON, || {
        (daemon.try_ask("POST", "/throttle/1004?rate=78")?.0 == 200).then_some(())
    })
    .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
    daemon.ask("POST", "/throttle/remove/1004");
    situation.await_what_was_before(|| daemon.said());
}

#[test]
#[ignore = "live"]
fn the_lead_goes_from_daemon_to_daemon_in_the_topic_with_kraft() {
    the_lead_goes_from_daemon_to_daemon(Mode::KRaft);
}

fn has_topic(cluster: &Cluster) -> bool {
    cluster.tool("topics", ["--list"]).unwrap().lines().any(|line| line == TOPIC)
}

/// Each error message names a flag that needs no topic.
#[test]
#[ignore = "live"]
fn a_topic_that_cannot_be_used_ends_the_daemon_before_it_sets_anything() {
    let cluster = Cluster::builder().mode(Mode::KRaft).brokers(1).start().unwrap();
    let bootstrap = cluster.bootstrap();
    let flags = ["--bootstrap-servers", &bootstrap, "--metrics", "none", "--api-listen", "none"];
    let with = |more: &str| autothrottle(flags.iter().chain(&[more]));
    with("--dry-run").with(0);
    assert!(!has_topic(&cluster), "a rehearsal makes nothing");
    Traffic::of(&cluster).create(&[(TOPIC.to_owned(), vec![vec![1001]])].into());
    // With and without `--once`: waiting would not help.
    for more in ["--once", "--skip-auto-delete-throttles", "--dry-run"] {
        let ended = with(more).with(3).complaining_of("cleanup.policy=delete");
        ended.complaining_of("--state-file");
    }
}

#[test]
#[ignore = "live"]
fn who_may_not_make_the_topic_is_told_its_rights_and_what_does_without() {
    use testbed::User;
    let cluster = cluster(Mode::KRaft);
    let client = cluster.client(&scram(User::READER));
    let config = file(cluster, &client.librdkafka());
    let flags = ["--bootstrap-servers", &client.bootstrap, "--kafka-config", &config];
    let more = ["--metrics", "none", "--api-listen", "none"];
    let ended = autothrottle(flags.iter().chain(&more)).with(3);
    let ended = ended.complaining_of("allow Create, Describe, DescribeConfigs, Read and Write");
    ended.complaining_of("--state-file");
    assert!(!has_topic(cluster));
}

mod soak {
    use super::*;

    #[test]
    #[ignore = "live"]
    fn the_lead_goes_from_daemon_to_daemon_in_the_topic_with_zookeeper() {
        the_lead_goes_from_daemon_to_daemon(Mode::ZooKeeper);
    }
}
