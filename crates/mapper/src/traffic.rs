//! The network traffic of one replica on its broker.
//!
//! Every replica receives the bytes that producers write. The leader also sends them to each follower, and sends
//! consumers the bytes that they read. Leadership moves between the replicas of a partition, so each is expected to lead
//! an equal part of the time. The traffic of a replica is `in + (out + (replicas - 1) * in) / replicas`, for any leader.

use crate::dense::{BrokerIx, DenseCluster};
use crate::no_plan::NoPlan;
use crate::snapshot::Partition;
use crate::target::Targets;

/// The traffic of one replica, in bytes per second; `None` if a rate is unknown.
pub(crate) fn of_replica(partition: &Partition) -> Option<u64> {
    let facts = partition.facts.as_deref()?;
    let (rate_in, rate_out) = facts.bytes_in.zip(facts.bytes_out)?;
    let replicas = partition.replicas.len().max(1) as u64;
    let led = rate_out.saturating_add(rate_in.saturating_mul(replicas - 1)) / replicas;
    Some(rate_in.saturating_add(led))
}

/// For each partition the traffic of one replica; 0 if no allowed broker holds it and no target takes it.
///
/// # Errors
/// [`NoPlan::MissingFact`] with the partition or broker whose rate or network capacity is needed but unknown.
pub(crate) fn of_all(cluster: &DenseCluster<'_>, targets: &Targets) -> Result<Vec<u64>, NoPlan> {
    let allowed = |broker: BrokerIx| targets.all.iter().any(|t| t.allowed[broker as usize]);
    let brokers = targets.all.iter().flat_map(|target| &target.brokers).copied();
    if let Some(broker) = brokers.into_iter().find(|broker| cluster.network(*broker).is_none()) {
        let what = format!("broker {}", cluster.id(broker));
        return Err(NoPlan::MissingFact { fact: "network_bytes_per_second", what });
    }
    let mut rates = Vec::with_capacity(cluster.first_seat.len() - 1);
    for (index, partition) in cluster.partitions() {
        let matters = targets.of_topic[cluster.topic_of(index)].is_some()
            || cluster.seats_of(index).iter().any(|seat| allowed(*seat));
        rates.push(match of_replica(partition) {
            Some(rate) => rate,
            None if matters => return Err(missing(cluster, index, partition)),
            None => 0,
        });
    }
    Ok(rates)
}

fn missing(cluster: &DenseCluster<'_>, index: usize, partition: &Partition) -> NoPlan {
    let knows_in = partition.facts.as_ref().is_some_and(|facts| facts.bytes_in.is_some());
    let fact = if knows_in { "bytes_out_per_second" } else { "bytes_in_per_second" };
    NoPlan::MissingFact { fact, what: format!("partition {}", cluster.name(index)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{BrokerId, PartitionId};
    use crate::snapshot::PartitionFacts;

    #[test]
    fn a_replica_is_expected_to_lead_its_part_of_the_time() {
        let mut partition = Partition::new(PartitionId(0), [1, 2, 3].map(BrokerId));
        assert_eq!(of_replica(&partition), None);
        let facts =
            PartitionFacts { bytes_in: Some(300), bytes_out: Some(600), ..Default::default() };
        partition.facts = Some(Box::new(facts));
        // It receives 300. As leader it would send 600 to consumers, and 300 to each of two followers.
        assert_eq!(of_replica(&partition), Some(300 + (600 + 600) / 3));
    }
}
