//! Two machines want the same claim on a cluster. One dies, one is paused, and Kafka is down for a while.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use statelog::{Access, Claim, Error, Holder, Lost, StateTopic, TOPIC};
use testbed::{Cluster, Mode, until};

use crate::traffic::SOON;

const NAME: &str = "executor";

fn open(cluster: &Cluster) -> Result<StateTopic, Error> {
    StateTopic::open(Access::new([("bootstrap.servers", cluster.bootstrap())]), 3)
}

fn take(topic: &StateTopic, host: &str) -> Result<Claim, Error> {
    Claim::take(topic, NAME, Holder::new(format!("process 1 of {host}"), host))
}

fn one_holder_at_a_time(mode: Mode) {
    let cluster = Cluster::builder().mode(mode).brokers(3).start().unwrap();
    let topic = open(&cluster).unwrap();
    assert!(topic.is_new() && !open(&cluster).unwrap().is_new());
    let described = cluster.tool("topics", ["--describe", "--topic", TOPIC]).unwrap();
    assert!(described.contains("ReplicationFactor: 3"), "{described}");
    assert!(described.contains("cleanup.policy=compact"), "{described}");

    let first = take(&topic, "host-a").unwrap();
    first.check().unwrap();
    let refused = take(&topic, "host-b").unwrap_err();
    assert!(matches!(refused, Error::Held { .. }), "{refused}");
    assert_eq!(refused.to_string(), "the claim executor is held by process 1 of host-a");
    first.check().expect("whoever is refused takes nothing away");

    // The same place again. Its previous holder must be dead or paused, and must notice the loss when it resumes.
    let second = take(&topic, "host-a").unwrap();
    let lost = until("the fenced holder to know", SOON, || first.check().err()).unwrap();
    assert_eq!(lost, Lost::Fenced);
    first.release();
    second.check().expect("a fenced holder gives nothing back");

    // After its release, any process can take it at once.
    second.release();
    let begun = Instant::now();
    let third = take(&topic, "host-b").unwrap();
    assert!(begun.elapsed() < Duration::from_secs(25), "nobody was there to be watched");

    // Without an answer from Kafka, the holder must not act.
    let all = [1001, 1002, 1003];
    cluster.kill_brokers(&all).unwrap();
    let lost = until("a holder that cannot renew", SOON, || third.check().err()).unwrap();
    assert!(matches!(lost, Lost::NotRenewed { .. }), "{lost}");
    all.iter().for_each(|id| cluster.start_broker(*id).unwrap());
    let renewed = until("the claim renewed", SOON, || third.check().ok());
    renewed.unwrap_or_else(|why| panic!("{why}: {:?}", third.check()));
}

mod soak {
    use super::{Mode, one_holder_at_a_time};

    /// Sometimes, brokers that all died at once take minutes until their transactions work again.
    #[test]
    #[ignore = "live"]
    fn one_holder_at_a_time_with_zookeeper() {
        one_holder_at_a_time(Mode::ZooKeeper);
    }
}

#[test]
#[ignore = "live"]
fn one_holder_at_a_time_with_kraft() {
    one_holder_at_a_time(Mode::KRaft);
}

/// Set for the process that holds the claim until it is killed.
const BOOTSTRAP: &str = "MAPPR_TEST_HOLDER";

/// Not a real test: [`a_dead_holder_is_taken_over`] runs it in another process.
#[test]
#[ignore = "live"]
fn holder_that_will_be_killed() {
    let Ok(bootstrap) = std::env::var(BOOTSTRAP) else { return };
    let topic = StateTopic::open(Access::new([("bootstrap.servers", bootstrap)]), 1).unwrap();
    let claim = take(&topic, "host-a").unwrap();
    println!("held");
    until("being killed", Duration::from_secs(600), || claim.check().err()).unwrap();
}

/// Its record does not change, and half a minute later the waiting process gets the claim.
#[test]
#[ignore = "live"]
fn a_dead_holder_is_taken_over() {
    let cluster = Cluster::builder().mode(Mode::KRaft).brokers(1).start().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "state_topic::holder_that_will_be_killed",
        "--ignored",
        "--nocapture",
    ]);
    command.env(BOOTSTRAP, cluster.bootstrap()).stdout(Stdio::piped());
    let mut holder = command.spawn().unwrap();
    let said = BufReader::new(holder.stdout.take().unwrap()).lines().map(Result::unwrap);
    let held = said.into_iter().any(|line| line.ends_with("held"));
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(held, "the other process had the claim");
    let (topic, begun) = (open(&cluster).unwrap(), Instant::now());
    let second = take(&topic, "host-b").unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(20), "a dead holder may act for its lease");
    second.check().unwrap();
}
