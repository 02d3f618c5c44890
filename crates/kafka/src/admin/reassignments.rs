//! ListPartitionReassignments (KIP-455): the running reassignments.

use super::{CANARY_TOPIC, partition_id, replicas, text};
use crate::client::{Client, Target};
use crate::error::Error;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::ListPartitionReassignmentsRequest;
use mapper::snapshot::RareFacts;
use mapper::{PartitionId, Replicas, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// A partition that is being reassigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassignment {
    /// All its replicas: the target list, then the replicas to be removed.
    pub replicas: Replicas,
    /// The replicas that the reassignment adds. KRaft lists them by id, so compare them as a set.
    pub adding: Replicas,
    /// The replicas that it removes. Compare them as a set, too.
    pub removing: Replicas,
}

impl Reassignment {
    /// The replica list after the reassignment.
    pub fn target(&self) -> Replicas {
        self.replicas.iter().copied().filter(|id| !self.removing.contains(id)).collect()
    }

    /// Writes it into the facts of its partition, whose replicas these are.
    pub(crate) fn mark(&self, facts: &mut RareFacts, replicas: &Replicas) {
        facts.adding = self.adding.clone();
        facts.adding.retain(|id| replicas.contains(id));
        facts.removing = self.removing.clone();
    }
}

impl Client {
    /// Asks the controller for every running reassignment except those of the canary's topic. Needs Describe on the
    /// cluster.
    ///
    /// # Errors
    /// As any call.
    pub async fn reassignments(&self) -> Result<BTreeMap<TopicPartition, Reassignment>, Error> {
        let mut running = self.all_reassignments().await?;
        running.retain(|of, _| of.topic != CANARY_TOPIC);
        Ok(running)
    }

    /// The partitions of the canary's topic ([`CANARY_TOPIC`]) that are being reassigned. Needs Describe on the
    /// cluster.
    ///
    /// # Errors
    /// As any call.
    pub async fn canary_moves(&self) -> Result<BTreeSet<PartitionId>, Error> {
        let running = self.all_reassignments().await?;
        let of_canary = running.into_keys().filter(|of| of.topic == CANARY_TOPIC);
        Ok(of_canary.map(|of| of.partition).collect())
    }

    async fn all_reassignments(&self) -> Result<BTreeMap<TopicPartition, Reassignment>, Error> {
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
