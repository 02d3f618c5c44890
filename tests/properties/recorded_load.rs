//! Properties of plans by recorded load.

use crate::config;
use mapper::snapshot::{Broker, Partition, PartitionFacts, Parts, Topic};
use mapper::{
    Assignment, Balance, BalanceGoal, BrokerId, Bytes, PartitionId, Percentile, PlanTerms, Ratio,
    Rebalance, RecordedLoad, Snapshot, TopicSelection, check, rebalance,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;

const BROKERS: u32 = 5;
const REPLICAS: u32 = 2;

/// For each hour the rate of each partition; the first list says where a partition begins.
#[derive(Debug, Clone)]
struct Hours {
    firsts: Vec<u32>,
    rates: Vec<Vec<Option<u64>>>,
    percent: u32,
}

fn hours() -> impl Strategy<Value = Hours> {
    (2_usize..14, 1_usize..30, 50_u32..=100).prop_flat_map(|(partitions, hours, percent)| {
        let rate = prop_oneof![1 => Just(None), 9 => (0_u64..1_000).prop_map(Some)];
        (vec(0..BROKERS, partitions), vec(vec(rate, partitions), hours))
            .prop_map(move |(firsts, rates)| Hours { firsts, rates, percent })
    })
}

impl Hours {
    fn snapshot(&self, rates: &[Option<u64>]) -> Snapshot {
        let partition = |(id, first): (u32, &u32)| {
            let list = (0..REPLICAS).map(|at| BrokerId(1 + (first + at) % BROKERS));
            let bytes_in = rates.get(id as usize).copied().flatten();
            let facts = PartitionFacts { bytes_in, ..PartitionFacts::default() };
            Partition {
                size: Some(Bytes(1_000)),
                facts: Some(Box::new(facts)),
                ..Partition::new(PartitionId(id), list)
            }
        };
        let partitions = (0..).zip(&self.firsts).map(partition).collect();
        let broker = |id: u32| Broker {
            storage_total: Some(Bytes(1_000_000)),
            storage_free: Some(Bytes(900_000)),
            ..Broker::new(BrokerId(id))
        };
        let topics = vec![Topic { name: "t".to_owned(), partitions, ..Topic::default() }];
        let brokers = (1..=BROKERS).map(broker).collect();
        Snapshot::new(Parts { brokers, topics, ..Parts::default() }).unwrap()
    }

    fn rated(&self) -> (RecordedLoad, Snapshot, Percentile, usize) {
        let (cluster, at) = (self.snapshot(&[]), Percentile::new(self.percent).unwrap());
        let mut load = RecordedLoad::default();
        self.rates.iter().for_each(|rates| load.see(&cluster, &self.snapshot(rates)));
        let (rated, unknown) = load.rated(cluster, at).unwrap();
        (load, rated, at, unknown)
    }

    /// The known rates of a partition.
    fn of(&self, partition: usize) -> impl Iterator<Item = u64> {
        self.rates.iter().filter_map(move |rates| rates[partition])
    }

    /// A broker's traffic at the percentile of its hours, counted in another way.
    fn carried(&self, broker: BrokerId, cluster: &Snapshot) -> u64 {
        let partitions = &cluster.topic("t").unwrap().partitions;
        let hour = |rates: &Vec<Option<u64>>| -> u64 {
            let own = partitions.iter().filter(|one| one.replicas.contains(&broker));
            own.map(|one| {
                let planned = one.facts.as_ref().and_then(|facts| facts.bytes_in).unwrap_or(0);
                let rate = rates[one.id.0 as usize].unwrap_or(planned);
                rate + rate * u64::from(REPLICAS - 1) / u64::from(REPLICAS)
            })
            .sum()
        };
        let mut hours: Vec<u64> = self.rates.iter().map(hour).collect();
        hours.sort_unstable();
        let rank = (hours.len() * self.percent as usize).div_ceil(100);
        hours[rank - 1]
    }
}

fn network() -> Rebalance {
    let brokers = (1..=BROKERS).map(BrokerId).collect();
    let assignments = vec![Assignment::new(TopicSelection::Rest, brokers)];
    let terms = PlanTerms::new(assignments, Ratio::from_percent(10));
    let balance = Balance { goals: vec![BalanceGoal::Network], ..Balance::default() };
    Rebalance::new(terms, balance)
}

proptest! {
    #![proptest_config(Config { cases: config().cases / 4, ..config() })]

    #[test]
    fn a_rate_is_one_that_the_partition_had(hours in hours()) {
        let (_, rated, _, unknown) = hours.rated();
        let mut without = 0;
        for partition in &rated.topic("t").unwrap().partitions {
            let index = partition.id.0 as usize;
            match partition.facts.as_ref().and_then(|facts| facts.bytes_in) {
                None => without += 1,
                Some(rate) => {
                    let (least, most) = (hours.of(index).min(), hours.of(index).max());
                    prop_assert!(least <= Some(rate) && Some(rate) <= most);
                }
            }
        }
        prop_assert_eq!(without, unknown);
    }

    #[test]
    fn each_broker_carries_what_its_hours_add_up_to(hours in hours()) {
        let (load, rated, at, unknown) = hours.rated();
        prop_assume!(unknown == 0);
        let plan = rebalance(&rated, &network()).unwrap();
        prop_assert_eq!(check(&rated, &plan), []);
        let after = rated.after(&plan);
        for broker in load.brokers(&rated, &plan, at) {
            prop_assert_eq!(broker.before_bytes_per_second, hours.carried(broker.id, &rated));
            prop_assert_eq!(broker.after_bytes_per_second, hours.carried(broker.id, &after));
        }
        // The records give the same rates after the plan, so that planning again moves nothing.
        let (again, _) = load.rated(after, at).unwrap();
        prop_assert_eq!(rebalance(&again, &network()).unwrap().moves, []);
    }

    #[test]
    fn with_one_hour_the_plan_is_what_the_brokers_carry(mut hours in hours()) {
        hours.rates.truncate(1);
        let (load, rated, at, unknown) = hours.rated();
        prop_assume!(unknown == 0);
        let plan = rebalance(&rated, &network()).unwrap();
        for broker in load.brokers(&rated, &plan, at) {
            prop_assert_eq!(broker.after_bytes_per_second, broker.planned_bytes_per_second);
        }
    }
}
