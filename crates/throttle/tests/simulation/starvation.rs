//! Nobody waits for ever, whoever feeds whom.

use crate::model::{Cluster, MB, steady};
use crate::run::Run;
use mapper::Rate;
use proptest::prelude::*;

/// Capacity and clients' traffic of a broker, in MB/s.
type Broker = (u64, u64);
/// Leader, follower, the broker to be filled, and what producers write in MB/s.
type Moving = (u32, u32, u32, u64);

fn clusters() -> impl Strategy<Value = (Vec<Broker>, Vec<Moving>)> {
    let brokers = prop::collection::vec((60..200_u64, 0..50_u64), 4..8);
    brokers.prop_flat_map(|brokers| {
        let count = brokers.len() as u32;
        let ends = (0..count, 1..count, 1..count, 0..4_u64);
        let partition = ends.prop_map(move |(leader, a, b, ingest)| {
            (leader + 1, (leader + a) % count + 1, (leader + b) % count + 1, ingest)
        });
        (Just(brokers), prop::collection::vec(partition, 1..10))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn every_replica_gets_something_all_the_time((brokers, partitions) in clusters()) {
        let capacities: Vec<(u32, u64)> =
            brokers.iter().zip(1..).map(|((capacity, _), id)| (id, *capacity)).collect();
        let mut cluster = Cluster::new(&capacities);
        for ((_, load), id) in brokers.iter().zip(1..) {
            cluster.node(id).clients = steady(*load);
        }
        for (leader, follower, to, ingest) in partitions {
            let replicas = if follower == to { vec![leader] } else { vec![leader, follower] };
            cluster.moves(&replicas, &[to], 100, ingest);
        }
        let mut run = Run::within(cluster, 20, |terms| terms.min_rate = Rate(2 * MB));
        run.until(180);
        let mut before = filled(&run.cluster);
        for until in [300, 420, 540] {
            run.until(until);
            let now = filled(&run.cluster);
            for ((now, before), index) in now.iter().zip(&before).zip(0..) {
                let Some((now, before)) = now.zip(*before) else { continue };
                let got = now - before;
                prop_assert!(got > 20 * MB, "partition {index} at {until}: {got}");
            }
            before = now;
        }
        let got = run.cluster.clients_got(90..540, 60);
        prop_assert!(got > 0.95, "clients got {got}");
    }
}

/// How much of each partition's new replica is there; `None`: it is in sync.
fn filled(cluster: &Cluster) -> Vec<Option<u64>> {
    cluster.partitions.iter().map(|partition| Some(partition.to.first()?.1)).collect()
}
