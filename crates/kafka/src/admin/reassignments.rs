//! ListPartitionReassignments (KIP-455): the moves that are running.

use super::{partition_id, replicas, text};
use crate::client::{Client, Target};
use crate::error::Error;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::ListPartitionReassignmentsRequest;
use mapper::{Replicas, TopicPartition};
use std::collections::BTreeMap;

/// One partition on the move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassignment {
    /// All its replicas: the target list, then what is being removed.
    pub replicas: Replicas,
    /// Those that the move adds; in KRaft in order of id, so compare as a set.
    pub adding: Replicas,
    /// Those that the move removes; likewise.
    pub removing: Replicas,
}

impl Reassignment {
    /// The replica list when the move is done.
    pub fn target(&self) -> Replicas {
        self.replicas.iter().copied().filter(|id| !self.removing.contains(id)).collect()
    }
}

impl Client {
    /// Asks the controller for every running move. Needs Describe on the cluster.
    ///
    /// # Errors
    /// As any call.
    pub async fn reassignments(&self) -> Result<BTreeMap<TopicPartition, Reassignment>, Error> {
        let patience =
            i32::try_from(self.settings().request_timeout.as_millis()).unwrap_or(i32::MAX);
        let every = |_| {
            ListPartitionReassignmentsRequest::default().with_timeout_ms(patience).with_topics(None)
        };
        let answer = self.ask_controller(every, |answer| answer.error_code).await?;
        if let Some(code) = ResponseError::try_from_code(answer.error_code) {
            let message = text(answer.error_message);
            return Err(self.refused::<ListPartitionReassignmentsRequest>(
                Target::Any,
                code,
                message,
            ));
        }
        let mut running = BTreeMap::new();
        for topic in answer.topics {
            for wire in topic.partitions {
                let Some(partition) = partition_id(wire.partition_index) else {
                    continue;
                };
                let reassignment = Reassignment {
                    replicas: replicas(&wire.replicas),
                    adding: replicas(&wire.adding_replicas),
                    removing: replicas(&wire.removing_replicas),
                };
                let topic = topic.name.0.to_string();
                running.insert(TopicPartition { topic, partition }, reassignment);
            }
        }
        Ok(running)
    }
}
