//! The network traffic of one replica on its broker.
//!
//! Every replica receives the bytes that producers write. The leader also sends them to each follower, and sends
//! consumers the bytes that they read. Leadership moves between the replicas of a partition, so each is expected to lead
//! an equal part of the time. The traffic of a replica is `in + (out + (replicas - 1) * in) / replicas`, for any leader.
//!
//! Kafka itself reports nothing about consumers. If `out` is unknown for every partition, traffic leaves consumers out,
//! and the plan says so. If it is known for some, a missing one is an error: a sum of both kinds would favour the
//! partitions without it. Networks likewise: unknown for every broker, they count as equal.

use crate::dense::{BrokerIx, DenseCluster};
use crate::figures::Figures;
use crate::no_plan::NoPlan;
use crate::plan::Assumption;
use crate::request::{Balance, BalanceGoal};
use crate::snapshot::Partition;
use crate::target::Targets;

/// The traffic of one replica, in bytes per second; `None` if a rate is unknown.
pub(crate) fn of_replica(cluster: &DenseCluster<'_>, partition: &Partition) -> Option<u64> {
    let facts = partition.facts.as_deref()?;
    let rate_in = facts.bytes_in?;
    let rate_out = if cluster.counts_consumers { facts.bytes_out? } else { 0 };
    Some(with_rates(rate_in, rate_out, partition.replicas.len()))
}

/// The traffic of one replica of this many, from the rates of producers and consumers.
pub(crate) fn with_rates(rate_in: u64, rate_out: u64, replicas: usize) -> u64 {
    let replicas = replicas.max(1) as u64;
    let led = rate_out.saturating_add(rate_in.saturating_mul(replicas - 1)) / replicas;
    rate_in.saturating_add(led)
}

/// For each partition the traffic of one replica; 0 if no allowed broker holds it and no target takes it.
///
/// # Errors
/// [`NoPlan::MissingFact`] with the partition or broker whose rate or network capacity is needed but unknown.
pub(crate) fn of_all(cluster: &DenseCluster<'_>, targets: &Targets) -> Result<Vec<u64>, NoPlan> {
    let allowed = |broker: BrokerIx| targets.all.iter().any(|t| t.allowed[broker as usize]);
    let mut brokers = targets.all.iter().flat_map(|target| &target.brokers).copied();
    if let Some(broker) = brokers.find(|broker| cluster.network_weight(*broker).is_none()) {
        let what = format!("broker {}", cluster.id(broker));
        return Err(NoPlan::MissingFact { fact: "network_bytes_per_second", what });
    }
    let mut rates = Vec::with_capacity(cluster.first_seat.len() - 1);
    for (index, partition) in cluster.partitions() {
        let matters = targets.of_topic[cluster.topic_of(index)].is_some()
            || cluster.seats_of(index).iter().any(|seat| allowed(*seat));
        rates.push(match of_replica(cluster, partition) {
            Some(rate) => rate,
            None if matters => return Err(missing(cluster, index, partition)),
            None => 0,
        });
    }
    Ok(rates)
}

/// What a plan with these figures assumes about traffic.
pub(crate) fn assumed(
    cluster: &DenseCluster<'_>,
    balance: Option<&Balance>,
    before: &Figures,
) -> Vec<Assumption> {
    let counted = before.brokers.iter().any(|broker| broker.traffic_bytes_per_second.is_some());
    let evened = balance.is_some_and(|b| b.goals.contains(&BalanceGoal::Network));
    let without_consumers = counted && !cluster.counts_consumers;
    let equal = evened && !cluster.knows_networks;
    let consumers = without_consumers.then_some(Assumption::ConsumersNotCounted);
    consumers.into_iter().chain(equal.then_some(Assumption::EqualNetworks)).collect()
}

fn missing(cluster: &DenseCluster<'_>, index: usize, partition: &Partition) -> NoPlan {
    let knows_in = partition.facts.as_ref().is_some_and(|facts| facts.bytes_in.is_some());
    let fact = if knows_in { "bytes_out_per_second" } else { "bytes_in_per_second" };
    NoPlan::MissingFact { fact, what: format!("partition {}", cluster.name(index)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::{Assignment, TopicSelection};
    use crate::bytes::Ratio;
    use crate::ids::BrokerId;
    use crate::plan::Plan;
    use crate::request::{PlanTerms, Rebalance};
    use crate::snapshot::Snapshot;

    /// A cluster of four brokers. Two lead one hot partition each, and the partitions of the other two are cold.
    fn cluster(broker: &str, rates: [&str; 4]) -> Snapshot {
        let brokers = [1, 2, 3, 4].map(|id| {
            format!(
                r#"{{"id": {id}, "storage_total_bytes": 1000, "storage_free_bytes": 900{broker}}}"#
            )
        });
        let lists = ["[1,2]", "[2,1]", "[3,4]", "[4,3]"];
        let partitions = [0, 1, 2, 3].map(|id| {
            let (list, rates) = (lists[id], rates[id]);
            format!(r#"{{"id": {id}, "replicas": {list}, "size_bytes": 50{rates}}}"#)
        });
        let (brokers, partitions) = (brokers.join(","), partitions.join(","));
        let text = format!(
            r#"{{"version": 1, "brokers": [{brokers}], "topics": [{{"name": "t", "partitions": [{partitions}]}}]}}"#
        );
        Snapshot::from_json(text.as_bytes()).unwrap()
    }

    const IN: [&str; 4] = [
        r#", "bytes_in_per_second": 600"#,
        r#", "bytes_in_per_second": 600"#,
        r#", "bytes_in_per_second": 0"#,
        r#", "bytes_in_per_second": 0"#,
    ];

    fn evened(snapshot: &Snapshot) -> Result<Plan, NoPlan> {
        let all = [1, 2, 3, 4].map(BrokerId).into();
        let terms = PlanTerms::new(
            vec![Assignment::new(TopicSelection::Rest, all)],
            Ratio::from_percent(10),
        );
        let goals = vec![BalanceGoal::Network];
        let balance = Balance { goals, ..Balance::default() };
        crate::rebalance(snapshot, &Rebalance::new(terms, balance))
    }

    #[test]
    fn a_replica_is_expected_to_lead_its_part_of_the_time() {
        let rates = r#", "bytes_in_per_second": 300, "bytes_out_per_second": 600"#;
        let snapshot = cluster("", [rates, IN[0], "", IN[0]]);
        let dense = DenseCluster::new(&snapshot);
        let of = |at| of_replica(&dense, dense.partition(at));
        // It receives 300. As leader it would send 600 to consumers, and 300 to its follower.
        assert_eq!(of(0), Some(300 + (600 + 300) / 2));
        // Where any rate of consumers is known, an unknown one is not zero.
        assert_eq!((of(1), of(2)), (None, None));
    }

    #[test]
    fn without_any_rate_of_consumers_the_plan_evens_the_rest_and_says_so() {
        let plan = evened(&cluster("", IN)).unwrap();
        assert_eq!(plan.assumed, [Assumption::ConsumersNotCounted, Assumption::EqualNetworks]);
        // Each replica of a hot partition receives 600, and half the time sends 600.
        assert_eq!(plan.before.max_traffic_bytes_per_second, Some(1_800));
        assert_eq!(plan.before.min_traffic_bytes_per_second, Some(0));
        assert_eq!(plan.after.max_traffic_bytes_per_second, Some(900));
        assert_eq!(plan.after.min_traffic_bytes_per_second, Some(900));
        assert_eq!(plan.after.max_network_ratio, None);
        assert_eq!(plan.floor.unwrap().max_traffic_bytes_per_second, Some(900));
    }

    #[test]
    fn known_networks_are_no_assumption() {
        let plan = evened(&cluster(r#", "network_bytes_per_second": 9000"#, IN)).unwrap();
        assert_eq!(plan.assumed, [Assumption::ConsumersNotCounted]);
        assert_eq!(plan.after.max_network_ratio, Some(0.1));
    }

    #[test]
    fn a_missing_rate_of_producers_is_named() {
        let missing = evened(&cluster("", [IN[0], "", IN[2], IN[3]])).unwrap_err();
        let said = "bytes_in_per_second of partition t-1 is not known, and the request needs it";
        assert_eq!(missing.to_string(), said);
    }
}
