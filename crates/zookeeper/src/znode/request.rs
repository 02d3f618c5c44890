//! `/admin/reassign_partitions`: reassignments requested by hand, or by tools from before KIP-455.
//!
//! The controller starts the reassignments and deletes the znode when they are done. With every broker down, the znode
//! stays. Reassignments through the Kafka protocol are not here but in the topic's znode.

use super::json;
use crate::error::ZnodeFault;
use mapper::{BrokerId, TopicPartition};
use serde::Deserialize;

/// One requested replica list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RequestedMove {
    /// The partition.
    #[serde(flatten)]
    pub of: TopicPartition,
    /// The requested replica list, unchecked.
    pub replicas: Vec<BrokerId>,
}

#[derive(Deserialize)]
struct RequestsWire {
    partitions: Vec<RequestedMove>,
}

pub(crate) fn requests(data: &[u8]) -> Result<Vec<RequestedMove>, ZnodeFault> {
    Ok(json::<RequestsWire>(data)?.partitions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::PartitionId;

    #[test]
    fn a_hand_written_reassignment_is_read() {
        let text = br#"{"version":1,"partitions":[
            {"topic":"events","partition":3,"replicas":[1003,1004],"log_dirs":["any","any"]}]}"#;
        let of = TopicPartition { topic: "events".into(), partition: PartitionId(3) };
        let expected = RequestedMove { of, replicas: vec![BrokerId(1003), BrokerId(1004)] };
        assert_eq!(requests(text).unwrap(), [expected]);
    }

    #[test]
    fn a_reassignment_without_partitions_is_refused() {
        assert!(matches!(requests(br#"{"version":1}"#), Err(ZnodeFault::Json(_))));
        assert!(matches!(requests(b"{"), Err(ZnodeFault::Json(_))));
        assert!(requests(br#"{"version":1,"partitions":[]}"#).unwrap().is_empty());
    }
}
