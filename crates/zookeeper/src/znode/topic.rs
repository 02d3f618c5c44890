//! `/brokers/topics/TOPIC`: the replica list of each partition, and the running reassignments.

use super::{json, repeated};
use crate::error::ZnodeFault;
use mapper::{BrokerId, PartitionId};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The replica list of one partition in the znode.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplicaLists {
    /// Every replica. During a reassignment, the target list, followed by the replicas to be removed.
    pub replicas: Vec<BrokerId>,
    /// The replicas that a running reassignment adds.
    pub adding: Vec<BrokerId>,
    /// The replicas that a running reassignment removes.
    pub removing: Vec<BrokerId>,
}

type Lists = BTreeMap<PartitionId, Vec<BrokerId>>;

#[derive(Deserialize)]
struct TopicWire {
    partitions: Lists,
    /// Since version 2 (KIP-455).
    #[serde(default)]
    adding_replicas: Lists,
    #[serde(default)]
    removing_replicas: Lists,
}

/// Versions 1 (no reassignments), 2 and 3 (topic id).
pub(crate) fn replica_lists(
    data: &[u8],
) -> Result<BTreeMap<PartitionId, ReplicaLists>, ZnodeFault> {
    let mut wire: TopicWire = json(data)?;
    let mut all = BTreeMap::new();
    for (id, replicas) in wire.partitions {
        if replicas.is_empty() || repeated(&replicas).is_some() {
            return Err(ZnodeFault::Replicas { partition: id, replicas });
        }
        let adding = wire.adding_replicas.remove(&id).unwrap_or_default();
        let removing = wire.removing_replicas.remove(&id).unwrap_or_default();
        all.insert(id, ReplicaLists { replicas, adding, removing });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids<const N: usize>(ids: [u32; N]) -> Vec<BrokerId> {
        ids.map(BrokerId).to_vec()
    }

    #[test]
    fn a_topic_of_kafka_3_9_is_read_with_its_moves() {
        let text = br#"{"partitions":{"0":[1003,1006,1001,1002],"10":[1001,1002]},"topic_id":"x",
            "adding_replicas":{"0":[1003,1006]},"removing_replicas":{"0":[1001,1002]},"version":3}"#;
        let read = replica_lists(text).unwrap();
        let moving = ReplicaLists {
            replicas: ids([1003, 1006, 1001, 1002]),
            adding: ids([1003, 1006]),
            removing: ids([1001, 1002]),
        };
        assert_eq!(read[&PartitionId(0)], moving);
        assert_eq!(
            read[&PartitionId(10)],
            ReplicaLists { replicas: ids([1001, 1002]), ..ReplicaLists::default() }
        );
    }

    #[test]
    fn the_first_version_knows_no_moves() {
        let read = replica_lists(br#"{"version":1,"partitions":{"0":[1,2]}}"#).unwrap();
        assert_eq!(read[&PartitionId(0)].adding, []);
    }

    #[test]
    fn a_replica_list_that_is_empty_or_repeats_a_broker_is_refused() {
        for list in ["[]", "[1,2,1]"] {
            let text = format!(r#"{{"version":3,"partitions":{{"0":[1],"7":{list}}}}}"#);
            let wrong = replica_lists(text.as_bytes()).unwrap_err();
            assert!(
                matches!(wrong, ZnodeFault::Replicas { partition: PartitionId(7), .. }),
                "{wrong}"
            );
        }
    }

    #[test]
    fn partitions_and_brokers_that_are_no_numbers_are_refused() {
        for text in [
            r#"{"partitions":{"x":[1]}}"#,
            r#"{"partitions":{"0":[-1]}}"#,
            r#"{"version":3}"#,
            "[]",
        ] {
            assert!(matches!(replica_lists(text.as_bytes()), Err(ZnodeFault::Json(_))), "{text}");
        }
    }
}
