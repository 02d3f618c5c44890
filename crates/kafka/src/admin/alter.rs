//! AlterPartitionReassignments (KIP-455, KIP-860): begins moves, and cancels them.

use super::change::Refusal;
use super::{partition_id, replicas_to_wire, text, topic_name};
use crate::client::{Client, Target};
use crate::error::Operation;
use crate::no_answer::NoAnswer;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::AlterPartitionReassignmentsRequest;
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use mapper::{Replicas, TopicPartition};
use std::collections::BTreeMap;

/// What a reassignment may change about a partition's replica list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Altering {
    /// The replicas, not their number. Kafka 4.1 and later refuses a list of another length.
    Places,
    /// The replicas and their number.
    Factor,
}

impl Client {
    /// Gives each partition a new replica list; `None` cancels its running reassignment. Returns the partitions that
    /// Kafka refused; it accepts the others. Needs Alter on the cluster.
    ///
    /// Call [`reassignments`](crate::Client::reassignments) first. Kafka accepts a list for a partition that is already
    /// being reassigned, and with KRaft it then loses replicas.
    ///
    /// # Errors
    /// Never sent again: see [`NoAnswer`].
    pub async fn alter_reassignments(
        &self,
        changes: &[(TopicPartition, Option<Replicas>)],
        altering: Altering,
    ) -> Result<BTreeMap<TopicPartition, Refusal>, NoAnswer> {
        let mut topics: BTreeMap<&str, Vec<ReassignablePartition>> = BTreeMap::new();
        let mut refused = BTreeMap::new();
        for (of, replicas) in changes {
            let Ok(index) = i32::try_from(of.partition.0) else {
                // The protocol cannot express such a partition id, so no Kafka has this partition.
                let code = ResponseError::InvalidPartitions;
                refused.insert(of.clone(), Refusal { code, message: None, denied: None });
                continue;
            };
            let wire = replicas.as_ref().map(|replicas| replicas_to_wire(replicas));
            let wire =
                ReassignablePartition::default().with_partition_index(index).with_replicas(wire);
            topics.entry(&of.topic).or_default().push(wire);
        }
        let topics: Vec<ReassignableTopic> = topics
            .into_iter()
            .map(|(name, partitions)| {
                ReassignableTopic::default().with_name(topic_name(name)).with_partitions(partitions)
            })
            .collect();
        let request = |version: i16| {
            AlterPartitionReassignmentsRequest::default()
                .with_timeout_ms(self.patience_of_broker())
                // Before version 1, Kafka has no such field and always allows it.
                .with_allow_replication_factor_change(version < 1 || altering == Altering::Factor)
                .with_topics(topics.clone())
        };
        let not_it = ResponseError::NotController.code();
        let answer = self.tell_controller(request, |answer| answer.error_code == not_it).await?;
        if let Some(code) = ResponseError::try_from_code(answer.error_code) {
            let message = text(answer.error_message);
            return Err(NoAnswer::NotMade(self.refused_to::<AlterPartitionReassignmentsRequest>(
                Target::Any,
                Operation::Alter,
                code,
                message,
            )));
        }
        for topic in answer.responses {
            for wire in topic.partitions {
                let Some(partition) = partition_id(wire.partition_index) else { continue };
                let answered = self.answered::<AlterPartitionReassignmentsRequest>(
                    wire.error_code,
                    wire.error_message,
                    Operation::Alter,
                );
                let of = TopicPartition { topic: topic.name.0.to_string(), partition };
                refused.extend(answered.err().map(|refusal| (of, refusal)));
            }
        }
        Ok(refused)
    }
}
