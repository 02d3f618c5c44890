//! AlterPartitionReassignments (KIP-455, KIP-860): begins moves, and cancels them.

use super::change::{NoAnswer, Refusal};
use super::{partition_id, replicas_to_wire, text, topic_name};
use crate::client::{Client, Target};
use crate::error::Operation;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::AlterPartitionReassignmentsRequest;
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use mapper::{Replicas, TopicPartition};
use std::collections::BTreeMap;

/// What may become of the partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Altering {
    /// Another list of as many replicas; Kafka itself refuses another length (4.1 and later).
    Places,
    /// Also more or fewer replicas.
    Factor,
}

impl Client {
    /// Gives each partition a new replica list; `None` cancels its running move. What Kafka refused, by partition;
    /// the others are accepted. Needs Alter on the cluster.
    ///
    /// Kafka accepts a list for a partition that is on the move, and with KRaft loses replicas then: look first.
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
                // The protocol has no way to ask for it: no Kafka has such a partition.
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
                // Before version 1 it is always allowed, and the field unknown.
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
