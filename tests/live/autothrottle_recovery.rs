//! A broker returns with an empty disk while a daemon runs. Partitions with too few replicas are filled first, and the
//! rest with a throttle. Then the whole cluster stops and returns, and the daemon waits for it without errors.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use testbed::relay::Cap;
use testbed::{Cluster, Mode, until};

use crate::autothrottle::{DAEMON, LEAST};
use crate::daemon::Daemon;
use crate::execution::throttles;
use crate::traffic::{SOON, Traffic};

/// The broker that returns empty.
const EMPTY: i32 = 1003;
/// Three replicas, so two remain; and two replicas, so one remains.
const SAFE: &str = "events";
const BARE: &str = "orders";
const RATE: &str = "follower.replication.throttled.rate";
const LIST: &str = "follower.replication.throttled.replicas";
/// The card's limit in bytes per second, which applies until the daemon has seen the copies.
const CARD: u64 = 2_000_000;

fn in_sync(traffic: &Traffic<'_>, topic: &str) -> bool {
    let seen = traffic.seen();
    seen.iter().filter(|((name, _), _)| name == topic).all(|(_, seen)| seen.isr.contains(&EMPTY))
}

/// The rate for the empty broker, and the throttled replicas of a topic.
fn pace(cluster: &Cluster, topic: &str) -> (Option<String>, Option<String>) {
    let topics = BTreeMap::from([((topic.to_owned(), 0), Vec::new())]);
    let now = throttles(cluster, &topics);
    let rate = now.get(&EMPTY.to_string()).and_then(|set| set.get(RATE)).cloned();
    (rate, now[topic].get(LIST).cloned())
}

fn an_empty_broker_is_filled_at_a_pace_but_first_where_one_copy_is_left(mode: Mode) {
    let builder =
        Cluster::builder().mode(mode).brokers(3).mortal(1001..=1003).network(Cap::default());
    let cluster = builder.small_fetches().start().unwrap();
    let traffic = Traffic::of(&cluster);
    let lists = |count: usize, ids: &[i32]| vec![ids.to_vec(); count];
    let (safe, bare) = (lists(3, &[1001, 1002, EMPTY]), lists(1, &[1001, EMPTY]));
    traffic.create(&[(SAFE.to_owned(), safe), (BARE.to_owned(), bare)].into());
    let sizes = (0..3).map(|p| ((SAFE.to_owned(), p), 8_000_000));
    traffic.write(&sizes.chain([((BARE.to_owned(), 0), 3_000_000)]).collect());
    let folder = tempfile::tempdir().unwrap();
    let more = [&DAEMON[..], &["--recovery-bytes", "1MB"]].concat();
    let daemon = Daemon::start(&cluster.bootstrap(), folder.path(), &more);

    cluster.kill_broker(EMPTY).unwrap();
    cluster.wipe_broker(EMPTY).unwrap();
    traffic.without(EMPTY);
    for id in cluster.brokers() {
        cluster.card(id).unwrap().limit(Cap::both(CARD));
    }
    cluster.start_broker(EMPTY).unwrap();
    let is_paced = || {
        let (rate, list) = pace(&cluster, SAFE);
        let named = list.is_some_and(|list| list.contains(&format!(":{EMPTY}")));
        rate.as_deref() == Some(LEAST) && named
    };
    until("a pace", SOON, || is_paced().then_some(()))
        .unwrap_or_else(|why| panic!("{why}\n{:?}\n{}", pace(&cluster, SAFE), daemon.said()));
    assert_eq!(pace(&cluster, BARE).1, None, "what has one copy left is not held back");
    until("the copy that was alone", SOON, || in_sync(&traffic, BARE).then_some(()))
        .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
    assert!(!in_sync(&traffic, SAFE), "the others are held back:\n{}", daemon.said());

    daemon.ask("POST", "/throttle?rate=150&autoremove=true");
    until("all copies", SOON, || in_sync(&traffic, SAFE).then_some(()))
        .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
    let nothing = || (pace(&cluster, SAFE) == (None, None)).then_some(());
    until("the end of the throttles", SOON, nothing)
        .unwrap_or_else(|why| panic!("{why}\n{:?}\n{}", pace(&cluster, SAFE), daemon.said()));

    let failures = || daemon.state()["failed_rounds"].as_u64().unwrap();
    let before = failures();
    cluster.kill_brokers(&cluster.brokers()).unwrap();
    until("a round that fails", SOON, || (failures() > before).then_some(())).unwrap();
    let (from, used) = (failures(), daemon.used());
    thread::sleep(Duration::from_secs(10));
    assert!(failures() - from <= 8, "it asks again and again:\n{}", daemon.said());
    let used = daemon.used() - used;
    assert!(used < Duration::from_secs(1), "{used:?} of a core in ten seconds:\n{}", daemon.said());
    cluster.brokers().iter().for_each(|id| cluster.start_broker(*id).unwrap());
    let ready = || (daemon.try_ask("GET", "/readyz")?.0 == 200).then_some(());
    until("a round that succeeds", SOON, ready)
        .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
    assert_eq!(daemon.leave().0, Some(143));
}

#[test]
#[ignore = "live"]
fn an_empty_broker_is_filled_at_a_pace_with_kraft() {
    an_empty_broker_is_filled_at_a_pace_but_first_where_one_copy_is_left(Mode::KRaft);
}

mod soak {
    use super::*;

    #[test]
    #[ignore = "live"]
    fn an_empty_broker_is_filled_at_a_pace_with_zookeeper() {
        an_empty_broker_is_filled_at_a_pace_but_first_where_one_copy_is_left(Mode::ZooKeeper);
    }
}
