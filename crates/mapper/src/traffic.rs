//! The network traffic of one replica on its broker, and the loads that goals even by it.
//!
//! Every replica receives the bytes that producers write. The leader also sends them to each follower, and sends
//! consumers the bytes that they read. Leadership moves between the replicas of a partition, so each is expected to lead
//! an equal part of the time. The traffic of a replica is `in + (out + (replicas - 1) * in) / replicas`, for any leader.
//!
//! Kafka itself reports nothing about consumers. If `out` is unknown for every partition, traffic leaves consumers out,
//! and the plan says so. If it is known for some, a missing one is an error: a sum of both kinds would favour the
//! partitions without it. Networks likewise: unknown for every broker, they count as equal.

use crate::cpu_model::CpuModel;
use crate::dense::{BrokerIx, DenseCluster, Supply};
use crate::figures::Figures;
use crate::no_plan::NoPlan;
use crate::plan::Assumption;
use crate::request::{Balance, BalanceGoal};
use crate::snapshot::{Partition, PartitionFacts};
use crate::target::Targets;

/// The traffic of one replica, in bytes per second; `None` if a rate is unknown.
pub(crate) fn of_replica(cluster: &DenseCluster<'_>, partition: &Partition) -> Option<u64> {
    let facts = partition.facts.as_deref()?;
    let rate_out = to_consumers(cluster, facts)?;
    Some(with_rates(facts.bytes_in?, rate_out, partition.replicas.len()))
}

/// What consumers read of a partition; `None` if that is unknown and counts.
pub(crate) fn to_consumers(cluster: &DenseCluster<'_>, facts: &PartitionFacts) -> Option<u64> {
    if cluster.counts_consumers { facts.bytes_out } else { Some(0) }
}

/// The traffic of one replica of this many, from the rates of producers and consumers.
pub(crate) fn with_rates(rate_in: u64, rate_out: u64, replicas: usize) -> u64 {
    let replicas = replicas.max(1) as u64;
    let led = rate_out.saturating_add(rate_in.saturating_mul(replicas - 1)) / replicas;
    rate_in.saturating_add(led)
}

/// For each partition the traffic of one replica, and the CPU that it takes; empty if no goal evens it.
///
/// # Errors
/// [`NoPlan::MissingFact`] with the partition or broker whose fact is needed but unknown, [`NoPlan::CoarseCpuModel`].
pub(crate) fn of_goals(
    cluster: &DenseCluster<'_>,
    targets: &Targets,
    balance: &Balance,
) -> Result<ReplicaLoads, NoPlan> {
    let mut loads = ReplicaLoads::default();
    if balance.goals.contains(&BalanceGoal::Network) {
        let of_each = |partition: &Partition| of_replica(cluster, partition);
        loads.network = of_all(cluster, targets, Supply::Network, of_each)?;
    }
    if balance.goals.contains(&BalanceGoal::Cpu) {
        let model = cluster.snapshot.cpu_model();
        let model = model.ok_or_else(|| missing_model(cluster))?;
        if !model.is_close() {
            return Err(NoPlan::CoarseCpuModel { model });
        }
        let of_each = |partition: &Partition| model.of_replica(cluster, partition);
        loads.cpu = of_all(cluster, targets, Supply::Cpu, of_each)?;
    }
    Ok(loads)
}

/// Loads that Kafka does not tell of a replica; each empty if it is not evened.
#[derive(Default)]
pub(crate) struct ReplicaLoads {
    /// In bytes per second.
    pub(crate) network: Vec<u64>,
    /// In nanocores.
    pub(crate) cpu: Vec<u64>,
}

/// For each partition the load of one replica; 0 if no allowed broker holds it and no target takes it.
fn of_all(
    cluster: &DenseCluster<'_>,
    targets: &Targets,
    supply: Supply,
    of_replica: impl Fn(&Partition) -> Option<u64>,
) -> Result<Vec<u64>, NoPlan> {
    let allowed = |broker: BrokerIx| targets.all.iter().any(|t| t.allowed[broker as usize]);
    let mut brokers = targets.all.iter().flat_map(|target| &target.brokers).copied();
    if let Some(broker) = brokers.find(|broker| cluster.weight_of(supply, *broker).is_none()) {
        let what = format!("broker {}", cluster.id(broker));
        return Err(NoPlan::MissingFact { fact: supply.fact(), what });
    }
    let mut loads = Vec::with_capacity(cluster.first_seat.len() - 1);
    for (index, partition) in cluster.partitions() {
        let matters = targets.of_topic[cluster.topic_of(index)].is_some()
            || cluster.seats_of(index).iter().any(|seat| allowed(*seat));
        loads.push(match of_replica(partition) {
            Some(load) => load,
            None if matters => return Err(missing(cluster, index, partition)),
            None => 0,
        });
    }
    Ok(loads)
}

impl CpuModel {
    /// The expected CPU of one replica, in nanocores; `None` if a rate is unknown. Each replica is expected to lead an equal
    /// part of the time.
    pub(crate) fn of_replica(
        &self,
        cluster: &DenseCluster<'_>,
        partition: &Partition,
    ) -> Option<u64> {
        let bytes = of_replica(cluster, partition)?;
        let records = match self.nanoseconds_per_record {
            0 => 0,
            _ => partition.facts.as_ref()?.records_in?,
        };
        let replicas = partition.replicas.len().max(1) as u128;
        let of_bytes = u128::from(bytes) * u128::from(self.picoseconds_per_byte) / 1_000;
        let of_records = u128::from(records) * u128::from(self.nanoseconds_per_record) / replicas;
        let all = of_bytes + of_records + u128::from(self.nanocores_per_replica);
        u64::try_from(all).ok()
    }
}

/// What a plan with these figures assumes about traffic.
pub(crate) fn assumed(
    cluster: &DenseCluster<'_>,
    balance: Option<&Balance>,
    before: &Figures,
) -> Vec<Assumption> {
    let counted = before.brokers.iter().any(|broker| broker.traffic_bytes_per_second.is_some());
    let evened = |goal: BalanceGoal| balance.is_some_and(|b| b.goals.contains(&goal));
    let equal = |goal, supply| evened(goal) && !cluster.knows(supply);
    let all = [
        (counted && !cluster.counts_consumers).then_some(Assumption::ConsumersNotCounted),
        equal(BalanceGoal::Network, Supply::Network).then_some(Assumption::EqualNetworks),
        equal(BalanceGoal::Cpu, Supply::Cpu).then_some(Assumption::EqualCpus),
    ];
    all.into_iter().flatten().collect()
}

fn missing_model(cluster: &DenseCluster<'_>) -> NoPlan {
    let id = cluster.snapshot.cluster_id().unwrap_or("the cluster");
    NoPlan::MissingFact { fact: "cpu_model", what: id.to_owned() }
}

fn missing(cluster: &DenseCluster<'_>, index: usize, partition: &Partition) -> NoPlan {
    let facts = partition.facts.as_deref();
    let fact = match facts.and_then(|facts| facts.bytes_in.zip(to_consumers(cluster, facts))) {
        Some(_) => "records_in_per_second",
        None if facts.is_some_and(|facts| facts.bytes_in.is_some()) => "bytes_out_per_second",
        None => "bytes_in_per_second",
    };
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
