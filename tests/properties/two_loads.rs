//! Properties of plans that even storage and traffic, whose seats differ in bytes per second for each byte.

use crate::config;
use mapper::snapshot::{Broker, Partition, PartitionFacts, Parts, Topic};
use mapper::{
    Assignment, Balance, BalanceGoal, BrokerId, Bytes, PartitionId, PlanTerms, Ratio, Rebalance,
    Snapshot, TopicSelection, check, rebalance,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;

/// Each rack has a quarter of the brokers.
const BROKERS: u32 = 16;
const RACKS: u32 = 4;

/// A partition: its bytes, its rate for each of them, and what decides where it is.
type Load = (u64, u64, [u32; 2]);

fn load() -> impl Strategy<Value = Load> {
    (1_000_u64..30_000, 1_u64..100, [0_u32..1_000, 0..1_000])
}

/// Two replicas of each partition in two racks, most on the first brokers of a rack.
fn snapshot(loads: &[Load]) -> Snapshot {
    let in_rack = |rack: u32, lot: u32| BrokerId(1 + rack + RACKS * (lot * lot / 250_001));
    let partition = |(id, (size, heat, lots)): (u32, &Load)| {
        let rack = lots[0] % RACKS;
        let list = [in_rack(rack, lots[0]), in_rack((rack + 1) % RACKS, lots[1])];
        let facts =
            PartitionFacts { bytes_in: Some(size * heat / 50), ..PartitionFacts::default() };
        Partition {
            size: Some(Bytes(*size)),
            facts: Some(Box::new(facts)),
            ..Partition::new(PartitionId(id), list)
        }
    };
    let partitions: Vec<Partition> = (0..).zip(loads).map(partition).collect();
    let used = |id: u32| -> u64 {
        let own = partitions.iter().filter(|one| one.replicas.contains(&BrokerId(id)));
        own.filter_map(|one| one.size).map(|size| size.0).sum()
    };
    let total = (1..=BROKERS).map(used).sum::<u64>();
    let broker = |id: u32| Broker {
        rack: Some(format!("rack-{}", id % RACKS)),
        storage_total: Some(Bytes(total)),
        network_bytes_per_second: Some(total),
        storage_free: Some(Bytes(total - used(id))),
        ..Broker::new(BrokerId(id))
    };
    let brokers = (1..=BROKERS).map(broker).collect();
    let topics = vec![Topic { name: "t".to_owned(), partitions, ..Topic::default() }];
    Snapshot::new(Parts { brokers, topics, ..Parts::default() }).unwrap()
}

fn request(goals: &[BalanceGoal]) -> Rebalance {
    let brokers = (1..=BROKERS).map(BrokerId).collect();
    let assignments = vec![Assignment::new(TopicSelection::Rest, brokers)];
    let terms = PlanTerms::new(assignments, Ratio::from_percent(10));
    let balance =
        Balance { goals: goals.to_vec(), tolerance: Ratio::from_percent(1), ..Balance::default() };
    Rebalance::new(terms, balance)
}

proptest! {
    #![proptest_config(Config { cases: config().cases / 20, ..config() })]

    #[test]
    fn both_loads_are_even_in_either_order_for_few_more_bytes(loads in vec(load(), 900..1_200)) {
        let before = snapshot(&loads);
        let alone = rebalance(&before, &request(&[BalanceGoal::Storage])).unwrap();
        let least = alone.bytes_moved().unwrap().0;
        // How many bytes more than for storage alone, in percent.
        let storage_first = ([BalanceGoal::Storage, BalanceGoal::Network], 3);
        let network_first = ([BalanceGoal::Network, BalanceGoal::Storage], 5);
        for (goals, more) in [storage_first, network_first] {
            let plan = rebalance(&before, &request(&goals)).unwrap();
            prop_assert_eq!(check(&before, &plan), []);
            let (after, floor) = (&plan.after, plan.floor.unwrap());
            let high = |load: f64, share: f64| load <= share * 1.01 + 1e-9;
            let low = |load: f64, share: f64| load >= share * 0.99 - 1e-9;
            prop_assert!(high(after.max_used_ratio.unwrap(), floor.max_used_ratio), "{goals:?} {after:?}");
            prop_assert!(low(after.min_used_ratio.unwrap(), floor.min_used_ratio.unwrap()), "{goals:?} {after:?}");
            prop_assert!(high(after.max_network_ratio.unwrap(), floor.max_network_ratio.unwrap()), "{goals:?} {after:?}");
            prop_assert!(low(after.min_network_ratio.unwrap(), floor.min_network_ratio.unwrap()), "{goals:?} {after:?}");
            let moved = plan.bytes_moved().unwrap().0;
            prop_assert!(moved <= least + least * more / 100, "{goals:?}: {moved} bytes, and {least} for storage alone");
        }
    }
}
