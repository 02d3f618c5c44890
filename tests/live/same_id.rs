//! A broker dies with its disk, and returns under the same id with a new one. Its copies are throttled, and at the end
//! it leads what it led. If only it had the last records, it is prevented from starting empty.

use std::collections::BTreeMap;
use std::time::Instant;

use testbed::{Cluster, Mode, until};

use crate::admin::set;
use crate::binary::{Ended, Run, topicmappr};
use crate::execution::throttles;
use crate::traffic::{SOON, Traffic};

const LOST: i32 = 1003;
const BYTES: usize = 6_000_000;
const RATE: u64 = 1_000_000;

fn args(cluster: &Cluster, ledger: &str, more: &[&str]) -> Vec<String> {
    let bootstrap = cluster.bootstrap();
    let args = ["replace", "--broker", "1003", "--same-id", "--bootstrap-server", &bootstrap];
    let files = ["--state-file", ledger];
    // In ZooKeeper mode with one of three brokers down, there are too few for the transactions topic that the claim
    // needs.
    let claim = (cluster.mode() == Mode::ZooKeeper).then_some("--sole-executor");
    let all = args.iter().chain(&files).chain(&claim).chain(more);
    all.map(|arg| (*arg).to_owned()).collect()
}

fn a_disk_is_replaced(mode: Mode) {
    let cluster = Cluster::builder().mode(mode).brokers(3).processes_of([LOST]).start().unwrap();
    let traffic = Traffic::of(&cluster);
    let replicas = vec![vec![LOST, 1001, 1002], vec![1001, 1002, LOST]];
    let topics = [("kept".to_owned(), replicas), ("last".to_owned(), vec![vec![LOST, 1002]])];
    traffic.create(&topics.into());
    traffic.write(&(0..2).map(|p| (("kept".to_owned(), p), BYTES)).collect::<BTreeMap<_, _>>());
    // An operator's own rate, which must be there at the end.
    set(&cluster, "brokers", "1001", "leader.replication.throttled.rate=123456789");
    let partitions: BTreeMap<_, _> =
        traffic.seen().into_iter().map(|(name, seen)| (name, seen.replicas)).collect();
    // The throttles of the brokers that stay up.
    let now = || {
        let mut all = throttles(&cluster, &partitions);
        all.remove("1003");
        all
    };
    let before = now();
    let ledger = cluster.path().join("ledger").display().to_string();

    // Only it has the last records of `last`, because 1002 lags.
    cluster.stop_broker(1002).unwrap();
    traffic.without(1002);
    cluster.kill_broker(LOST).unwrap();
    let asked = |more: &[&str]| -> Ended { topicmappr(args(&cluster, &ledger, more)) };
    let refused = asked(&["--throttle", "none", "--yes"]).with(1).complaining_of("last-0");
    assert!(refused.stderr.contains("start the others: 1002"), "{}", refused.stderr);
    cluster.start_broker(LOST).unwrap();
    cluster.start_broker(1002).unwrap();
    traffic.settle();

    cluster.kill_broker(LOST).unwrap();
    traffic.without(LOST);
    cluster.wipe_broker(LOST).unwrap();
    let plan = asked(&["--throttle", "1MB/s", "--dry-run"]).with(5);
    assert!(plan.stdout.contains("Broker 1003 is down"), "{}", plan.stdout);
    assert_eq!(now(), before, "a rehearsal sets nothing");
    let run = Run::start(args(&cluster, &ledger, &["--throttle", "1MB/s", "--yes"]));
    let paced = || (now() != before).then_some(());
    until("the throttle of the leaders", SOON, paced).unwrap();
    // Killed midway, and taken over.
    run.kill();
    let run = Run::start(args(&cluster, &ledger, &["--throttle", "1MB/s", "--yes"]));
    cluster.start_broker(LOST).unwrap();
    let began = Instant::now();
    let ended = run.end().with(0);
    assert!(ended.stdout.contains("is in sync everywhere"), "{}", ended.stdout);
    traffic.settle();
    let least = (2 * BYTES as u64 / RATE).saturating_sub(11);
    assert!(began.elapsed().as_secs() >= least, "it was not paced: {:?}", began.elapsed());
    assert_eq!(now(), before, "{}", ended.stderr);
    assert!(throttles(&cluster, &partitions)["1003"].is_empty(), "{}", ended.stderr);
    assert_eq!(traffic.seen()[&("kept".to_owned(), 0)].leader, LOST);
    let again = asked(&["--throttle", "none", "--dry-run"]).with(0);
    assert!(again.stdout.contains("not in sync in 0 partitions"), "{}", again.stdout);
}

#[test]
#[ignore = "live"]
fn a_disk_is_replaced_under_the_same_id_with_kraft() {
    a_disk_is_replaced(Mode::KRaft);
}

mod soak {
    use super::*;

    #[test]
    #[ignore = "live"]
    fn a_disk_is_replaced_under_the_same_id_with_zookeeper() {
        a_disk_is_replaced(Mode::ZooKeeper);
    }
}
