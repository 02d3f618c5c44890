//! Brokers and metrics that go away.

use crate::model::Cluster;
use crate::run::Run;
use mapper::BrokerId;
use throttle::{RateReason, ReplicationRole, ThrottleNote};

/// From 1 and 2 to 3 and 4, one follower each in sync.
fn cluster(gigabytes: u64) -> Cluster {
    let mut cluster = Cluster::new(&[1, 2, 3, 4].map(|id| (id, 125)));
    for n in 0..8 {
        cluster.moves(&[n % 2 + 1, (n + 1) % 2 + 1], &[n / 4 + 3], gigabytes, 1);
    }
    cluster
}

fn why(run: &Run, broker: u32, role: ReplicationRole) -> RateReason {
    run.decisions.last().expect("a round was").1.rates[&(BrokerId(broker), role)].why
}

#[test]
fn a_broker_whose_metrics_are_lost_slows_down_alone_and_recovers() {
    let mut run = Run::new(cluster(12), 30);
    run.until(179);
    let calm = run.rate(4, ReplicationRole::Follower);
    run.cluster.node(3).metrics = false;
    run.until(209);
    assert_eq!(why(&run, 3, ReplicationRole::Follower), RateReason::MetricsMissing);
    assert_eq!(run.rate(3, ReplicationRole::Follower), calm);
    run.until(359);
    assert_eq!(run.rate(3, ReplicationRole::Follower), 10);
    assert!(run.rate(4, ReplicationRole::Follower) >= calm * 9 / 10);
    run.cluster.node(3).metrics = true;
    run.until(480);
    assert!(run.rate(3, ReplicationRole::Follower) >= calm * 8 / 10, "{:?}", run.cluster.writes);
    run.until(7200);
    assert!(run.cluster.is_done());
    assert!(run.cluster.clients_got(30..run.cluster.seconds(), 30) > 0.97);
}

#[test]
fn a_dying_destination_stalls_alone_and_ends_when_it_is_back() {
    let mut run = Run::new(cluster(12), 30);
    run.until(200);
    run.cluster.node(4).live = false;
    run.until(1_100);
    let to_three = |run: &Run| {
        let of = run.cluster.partitions.iter().flat_map(|partition| &partition.to);
        of.filter(|(to, _)| *to == BrokerId(3)).count()
    };
    assert_eq!(to_three(&run), 0, "the other destination goes on");
    assert!(!run.cluster.is_done());
    let stalled = |note: &ThrottleNote| {
        matches!(
            note,
            ThrottleNote::Stalled { broker: BrokerId(4), role: ReplicationRole::Follower, .. }
        )
    };
    assert!(run.decisions.last().expect("a round was").1.notes.iter().any(stalled));
    assert_eq!(why(&run, 4, ReplicationRole::Follower), RateReason::NotLive);
    run.cluster.node(4).live = true;
    run.until(7200);
    assert!(run.cluster.is_done());
}

#[test]
fn when_a_leader_dies_its_successor_has_a_pace_at_once() {
    let mut run = Run::new(cluster(12), 30);
    run.until(200);
    run.cluster.node(1).live = false;
    for partition in &mut run.cluster.partitions {
        partition.followers.retain(|id| *id != BrokerId(1));
        if partition.leader == BrokerId(1) {
            // Whoever is in sync: `never_unpaced` looks at every tick.
            partition.leader = partition.followers.remove(0);
        }
    }
    run.until(7200);
    assert!(run.cluster.is_done());
}
