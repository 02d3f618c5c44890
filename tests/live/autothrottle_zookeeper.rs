//! Two daemons keep their ledger in ZooKeeper, where kafka-kit kept its overrides. One acts while the other waits. A
//! daemon that loses the lock writes nothing more.

use testbed::{Mode, until};

use crate::autothrottle::{DAEMON, LEAST, Situation, situation};
use crate::binary::autothrottle;
use crate::daemon::Daemon;
use crate::traffic::SOON;
use crate::znodes;

/// The prefix under which operators' scripts write overrides.
const PREFIX: &str = "throttles";

fn place(situation: &Situation) -> [String; 4] {
    let zookeeper = situation.cluster.zookeeper();
    ["-zk-addr", &zookeeper, "-zk-config-prefix", PREFIX].map(str::to_owned)
}

fn start(situation: &Situation) -> Daemon {
    let place = place(situation);
    let flags: Vec<&str> = place.iter().map(String::as_str).chain(DAEMON).collect();
    Daemon::elsewhere(&situation.cluster.bootstrap(), situation.folder.path(), &flags)
}

#[track_caller]
fn await_lead(daemon: &Daemon) {
    until("the lead", SOON, || daemon.leads().then_some(()))
        .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
}

#[test]
#[ignore = "live"]
fn a_daemon_waits_for_the_lock_in_zookeeper_and_goes_on_where_the_other_was() {
    let situation = situation(Mode::ZooKeeper);
    let first = start(&situation);
    await_lead(&first);
    let second = start(&situation);
    assert!(!second.leads(), "one acts");
    until("the name of who leads", SOON, || {
        let [here, there] = [&first, &second].map(|daemon| daemon.state()["leader"].clone());
        (here.is_string() && here == there).then_some(())
    })
    .unwrap_or_else(|why| panic!("{why}\n{:#}\n{:#}", first.state(), second.state()));
    let (status, told) = second.try_ask("POST", "/throttle?rate=150").unwrap();
    assert_eq!(status, 503, "{told}");
    let bootstrap = situation.cluster.bootstrap();
    let place = place(&situation);
    let once = ["--bootstrap-servers", &bootstrap, "--once", "--api-listen", "none"];
    let once = once.into_iter().chain(place.iter().map(String::as_str));
    autothrottle(once).with(7).complaining_of("is held by autothrottle");

    situation.begin_the_move();
    situation.await_pace(LEAST, &first);
    first.kill();
    assert!(situation.is_paced_at(LEAST), "the throttle outlives the process");
    await_lead(&second);
    assert!(situation.is_paced_at(LEAST), "whoever waited knows what is set");

    // The paused daemon is silent for longer than a session lasts. The third one leads, and the second one notices.
    let third = start(&situation);
    second.signal("-STOP");
    await_lead(&third);
    second.signal("-CONT");
    until("the loss of the lead", SOON, || (!second.leads()).then_some(()))
        .unwrap_or_else(|why| panic!("{why}\n{}", second.said()));
    assert!(situation.is_paced_at(LEAST) && third.leads(), "{}", third.said());

    // Scripts for kafka-kit request a rate in this way.
    let zookeeper = situation.cluster.zookeeper();
    let path = format!("/{PREFIX}/override_rate");
    znodes::create(&zookeeper, &path, br#"{"rate":150,"autoremove":true}"#);
    situation.await_pace("150000000", &third);
    situation.await_the_end_of_the_move(&third);
    situation.await_what_was_before(|| third.said());
    until("the end of the override", SOON, || {
        let stored = znodes::read(&zookeeper, &path)?;
        (stored == br#"{"rate":0,"autoremove":false}"#).then_some(())
    })
    .unwrap_or_else(|why| panic!("{why}\n{}", third.said()));
    assert_eq!(second.leave().0, Some(143));
    assert_eq!(third.leave().0, Some(143));
}
