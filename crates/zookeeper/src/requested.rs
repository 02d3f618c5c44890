//! The reassignments in `/admin/reassign_partitions` that Kafka can carry out. Kafka checks them only when a controller
//! reads them, so with every broker down they are unchecked.

use crate::gather::ClusterZnodes;
use crate::notice::{Unusable, ZooKeeperNotice};
use crate::znode::repeated;
use mapper::{BrokerId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// The requested replica list, by partition.
pub(crate) type Requested = BTreeMap<TopicPartition, Vec<BrokerId>>;

/// The requested reassignments that Kafka can carry out. If a partition appears twice, the last entry counts.
pub(crate) fn usable(
    cluster: &ClusterZnodes,
    notices: &mut BTreeSet<ZooKeeperNotice>,
) -> Requested {
    let mut requested = BTreeMap::new();
    for asked in &cluster.requested {
        let of = asked.of.clone();
        if cluster.deleting.contains(&of.topic) {
            continue;
        }
        let known =
            cluster.topics.get(&of.topic).is_some_and(|t| t.partitions.contains_key(&of.partition));
        let why = match repeated(&asked.replicas) {
            _ if !known => Unusable::NoSuchPartition,
            _ if asked.replicas.is_empty() => Unusable::NoReplicas,
            Some(broker) => Unusable::BrokerTwice(broker),
            None => {
                requested.insert(of, asked.replicas.clone());
                continue;
            }
        };
        notices.insert(ZooKeeperNotice::UnusableMove { of, why });
    }
    requested
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gather::TopicZnodes;
    use crate::znode::{ReplicaLists, RequestedMove};
    use mapper::PartitionId;

    fn asked<const N: usize>(partition: u32, replicas: [u32; N]) -> RequestedMove {
        let of = TopicPartition { topic: "events".into(), partition: PartitionId(partition) };
        RequestedMove { of, replicas: replicas.map(BrokerId).to_vec() }
    }

    /// The topic "events" with the partitions 0 and 1.
    fn cluster(requested: Vec<RequestedMove>) -> ClusterZnodes {
        let lists =
            ReplicaLists { replicas: vec![BrokerId(1), BrokerId(2)], ..ReplicaLists::default() };
        let partitions = BTreeMap::from([(PartitionId(0), lists.clone()), (PartitionId(1), lists)]);
        let topics = BTreeMap::from([(
            "events".to_owned(),
            TopicZnodes { partitions, ..TopicZnodes::default() },
        )]);
        ClusterZnodes { requested, topics, ..ClusterZnodes::default() }
    }

    #[test]
    fn a_request_that_kafka_cannot_fulfil_is_ignored_and_named() {
        let cluster = cluster(vec![asked(0, [3, 3]), asked(1, []), asked(9, [1])]);
        let mut notices = BTreeSet::new();
        assert!(usable(&cluster, &mut notices).is_empty());
        let ignored =
            |partition, why| ZooKeeperNotice::UnusableMove { of: asked(partition, []).of, why };
        let expected = [
            ignored(0, Unusable::BrokerTwice(BrokerId(3))),
            ignored(1, Unusable::NoReplicas),
            ignored(9, Unusable::NoSuchPartition),
        ];
        assert_eq!(notices, BTreeSet::from(expected));
    }

    #[test]
    fn of_two_requests_for_one_partition_the_last_counts() {
        let cluster = cluster(vec![asked(0, [1, 3]), asked(0, [1, 4])]);
        let requested = usable(&cluster, &mut BTreeSet::new());
        assert_eq!(requested[&asked(0, []).of], [BrokerId(1), BrokerId(4)]);
    }

    #[test]
    fn a_request_for_a_topic_that_is_being_deleted_is_not_worth_a_notice() {
        let mut cluster = cluster(vec![asked(0, [1, 3])]);
        cluster.topics.clear();
        cluster.deleting.insert("events".to_owned());
        let mut notices = BTreeSet::new();
        assert!(usable(&cluster, &mut notices).is_empty());
        assert!(notices.is_empty());
    }
}
