//! What producers write counts against the leaders' quota.

use crate::model::{Cluster, MB, steady};
use crate::run::Run;
use mapper::{BrokerId, PartitionId};
use throttle::ReplicationRole;

/// Two partitions of 8 MB/s with two followers each in sync: 32 MB/s that the quota counts and cannot hold back.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new(&[1, 2, 3, 4].map(|id| (id, 125)));
    cluster.moves(&[1, 2, 3], &[4], 4, 8);
    cluster.moves(&[1, 2, 3], &[4], 4, 8);
    cluster
}

#[test]
fn below_what_is_counted_nothing_moves_and_nobody_says_so() {
    let mut cluster = cluster();
    for partition in [0, 1].map(PartitionId) {
        cluster.lists.leaders.insert((partition, BrokerId(1)));
        cluster.lists.followers.insert((partition, BrokerId(4)));
    }
    cluster.rates.insert((BrokerId(1), ReplicationRole::Leader), 25 * MB);
    cluster.rates.insert((BrokerId(4), ReplicationRole::Follower), 25 * MB);
    let done = |cluster: &Cluster| cluster.partitions.iter().map(|p| p.to[0].1).sum::<u64>();
    (0..80).for_each(|_| cluster.tick());
    let burst = done(&cluster);
    (0..400).for_each(|_| cluster.tick());
    assert_eq!(done(&cluster), burst);
}

#[test]
fn the_floor_lets_the_move_end_however_busy_the_leader_is() {
    let mut cluster = cluster();
    // 80 and the 32 for those in sync of 125: 10 are left, and 16 have to pass for the new replicas alone.
    cluster.node(1).clients = steady(80);
    let mut run = Run::within(cluster, 20, |terms| terms.min_rate = mapper::Rate(MB));
    run.until(7200);
    assert!(run.cluster.is_done());
}
