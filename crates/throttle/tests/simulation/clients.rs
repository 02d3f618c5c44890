//! Clients that come and go.

use crate::model::{Clients, Cluster, MB, steady};
use crate::run::Run;
use throttle::{PerDirection, ReplicationRole};

/// Twelve partitions from three brokers to three others; 125 MB/s each way.
fn cluster(gigabytes: u64) -> Cluster {
    let mut cluster = Cluster::new(&[1, 2, 3, 4, 5, 6].map(|id| (id, 125)));
    for n in 0..12 {
        let (leader, follower) = (n % 3 + 1, (n + 1) % 3 + 1);
        cluster.moves(&[leader, follower], &[n % 2 + 4 + u32::from(n % 4 == 3)], gigabytes, 1);
    }
    cluster
}

/// So many MB/s sent by clients at first, and so many more from then on until then.
fn step(base: u64, more: u64, from: u64, until: u64) -> Clients {
    Box::new(move |second| {
        let tx = if (from..until).contains(&second) { base + more } else { base };
        PerDirection { tx: tx * MB, rx: base * MB }
    })
}

#[test]
fn a_steady_load_is_left_alone_and_the_rates_with_it() {
    let mut run = Run::new(cluster(9), 30);
    run.until(3600);
    assert!(run.cluster.is_done());
    let end = run.cluster.seconds();
    assert!(run.cluster.clients_got(60..end, 30) > 0.98);
    // Half of the 108 GB go to broker 4, which takes in 90 % of the 93 MB/s that its clients leave.
    assert!((645..740).contains(&(end - 60)), "{end}");
    assert_eq!(run.most_writes(90..360), 0, "{:?}", run.cluster.writes);
}

#[test]
fn a_step_up_gets_its_room_and_a_step_down_gives_it_back() {
    let mut cluster = cluster(18);
    cluster.node(1).clients = step(30, 60, 300, 600);
    let mut run = Run::new(cluster, 30);
    run.until(299);
    let before = run.rate(1, ReplicationRole::Leader);
    run.until(599);
    let during = run.rate(1, ReplicationRole::Leader);
    assert!((25..=36).contains(&during), "{during}");
    assert!(run.most_writes(480..600) <= 2, "{:?}", run.cluster.writes);
    run.until(900);
    let after = run.rate(1, ReplicationRole::Leader);
    assert!(after.abs_diff(before) <= before / 5, "{before} {after}");
    assert!(run.most_writes(810..900) <= 1, "{:?}", run.cluster.writes);
    run.until(7200);
    assert!(run.cluster.is_done());
    assert!(run.cluster.clients_got(30..300, 30) > 0.97);
    assert!(run.cluster.clients_got(360..600, 30) > 0.97);
}

#[test]
fn clients_that_swing_keep_theirs_and_the_rates_do_not_swing_with_them() {
    let mut cluster = cluster(12);
    let swing = |second: u64| {
        PerDirection::both(if (second / 45).is_multiple_of(2) { 20 } else { 70 } * MB)
    };
    for id in 1..=6 {
        cluster.node(id).clients = Box::new(swing);
    }
    let mut run = Run::new(cluster, 20);
    run.until(7200);
    assert!(run.cluster.is_done());
    let end = run.cluster.seconds();
    assert!(run.cluster.clients_got(90..end, 90) > 0.98);
    // They have to be seen to come back first.
    assert!(run.most_writes(61..300) <= 9, "{:?}", run.cluster.writes);
    assert!(run.most_writes(300..end) <= 2, "{:?}", run.cluster.writes);
}

#[test]
fn metrics_that_look_back_for_long_do_not_make_the_rates_swing() {
    for tells_replication in [true, false] {
        let mut cluster = cluster(9);
        cluster.window = 120;
        cluster.nodes.values_mut().for_each(|node| node.tells_replication = tells_replication);
        let mut run = Run::new(cluster, 20);
        run.until(7200);
        assert!(run.cluster.is_done());
        let end = run.cluster.seconds();
        assert!(run.cluster.clients_got(30..end, 30) > 0.95);
        // 90 % of the 94 MB/s that clients leave, and a tenth for the end that is wider.
        assert!(run.cluster.writes.iter().all(|write| write.3 <= 94 * MB));
        assert!(run.most_writes(200..end) <= 3, "{:?}", run.cluster.writes);
    }
}

#[test]
fn short_rounds_do_not_follow_each_burst_of_the_quota() {
    let mut run = Run::new(cluster(9), 2);
    run.until(3600);
    assert!(run.cluster.is_done());
    let end = run.cluster.seconds();
    assert!(run.cluster.clients_got(30..end, 30) > 0.95);
    assert!(run.most_writes(61..end) <= 4, "{:?}", run.cluster.writes);
}

#[test]
fn an_idle_cluster_is_used_to_the_full_share() {
    let mut cluster = Cluster::new(&[(1, 100), (2, 100)]);
    cluster.nodes.values_mut().for_each(|node| node.clients = steady(0));
    cluster.moves(&[1], &[2], 90, 0);
    let mut run = Run::new(cluster, 30);
    run.until(3600);
    let end = run.cluster.seconds();
    assert!((950..1100).contains(&end), "{end}");
}
