//! CreatePartitions (KIP-195): more partitions, with replicas that we choose.

use super::change::{Answers, not_controller};
use super::create_topics::broker_ids;
use super::topic_name;
use crate::client::Client;
use crate::error::Operation;
use crate::no_answer::NoAnswer;
use kafka_protocol::messages::CreatePartitionsRequest;
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use mapper::Replicas;

/// Partitions to add to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MorePartitions {
    /// The topic.
    pub topic: String,
    /// How many partitions it has now.
    pub from: u32,
    /// The replicas of each new partition.
    pub replicas: Vec<Replicas>,
}

impl Client {
    /// Adds partitions, in one request. Needs Alter on the topics.
    ///
    /// # Errors
    /// Never sent again: see [`NoAnswer`].
    pub async fn create_partitions(
        &self,
        topics: &[MorePartitions],
    ) -> Result<Answers<()>, NoAnswer> {
        let patience = self.patience_of_broker();
        let request = |_| {
            CreatePartitionsRequest::default()
                .with_topics(topics.iter().map(wire).collect())
                .with_timeout_ms(patience)
        };
        let answer = self
            .tell_controller(request, |answer| {
                not_controller(answer.results.iter().map(|topic| topic.error_code))
            })
            .await?;
        let each = answer.results.into_iter().map(|topic| {
            let (code, message) = (topic.error_code, topic.error_message);
            let answered =
                self.answered::<CreatePartitionsRequest>(code, message, Operation::Alter);
            (topic.name.0.to_string(), answered)
        });
        Ok(each.collect())
    }
}

fn wire(topic: &MorePartitions) -> CreatePartitionsTopic {
    let total = topic.from as usize + topic.replicas.len();
    let assignment = |replicas: &Replicas| {
        CreatePartitionsAssignment::default().with_broker_ids(broker_ids(replicas))
    };
    CreatePartitionsTopic::default()
        .with_name(topic_name(&topic.topic))
        .with_count(i32::try_from(total).unwrap_or(i32::MAX))
        .with_assignments(Some(topic.replicas.iter().map(assignment).collect()))
}
