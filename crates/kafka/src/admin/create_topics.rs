//! CreateTopics (KIP-4): topics with replicas that we choose.

use super::change::{Answers, not_controller};
use super::{topic_id, topic_name};
use crate::client::Client;
use crate::error::Operation;
use crate::no_answer::NoAnswer;
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::{BrokerId as WireBrokerId, CreateTopicsRequest};
use kafka_protocol::protocol::StrBytes;
use mapper::{Replicas, TopicId};
use std::collections::BTreeMap;

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// The replicas of each partition, the preferred leader first.
    pub replicas: Vec<Replicas>,
    /// The configs to set on it.
    pub config: BTreeMap<String, String>,
}

impl Client {
    /// Creates topics in one request. Returns their ids, if the cluster has topic ids. Needs Create on the topics or on
    /// the cluster.
    ///
    /// # Errors
    /// Never sent again: see [`NoAnswer`].
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
    ) -> Result<Answers<Option<TopicId>>, NoAnswer> {
        let patience = self.patience_of_broker();
        let request = |_| {
            CreateTopicsRequest::default()
                .with_topics(topics.iter().map(wire).collect())
                .with_timeout_ms(patience)
        };
        let answer = self
            .tell_controller(request, |answer| {
                not_controller(answer.topics.iter().map(|topic| topic.error_code))
            })
            .await?;
        let each = answer.topics.into_iter().map(|topic| {
            let (code, message) = (topic.error_code, topic.error_message);
            let answered = self.answered::<CreateTopicsRequest>(code, message, Operation::Create);
            (topic.name.0.to_string(), answered.map(|()| topic_id(topic.topic_id)))
        });
        Ok(each.collect())
    }
}

fn wire(topic: &NewTopic) -> CreatableTopic {
    let assignment = |(index, replicas): (i32, &Replicas)| {
        CreatableReplicaAssignment::default()
            .with_partition_index(index)
            .with_broker_ids(broker_ids(replicas))
    };
    let config = |(key, value): (&String, &String)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_string(key.clone()))
            .with_value(Some(StrBytes::from_string(value.clone())))
    };
    CreatableTopic::default()
        .with_name(topic_name(&topic.name))
        // The assignments contain both the partition count and the replication factor.
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_assignments((0..).zip(&topic.replicas).map(assignment).collect())
        .with_configs(topic.config.iter().map(config).collect())
}

/// Broker ids are at most `i32::MAX`.
pub(super) fn broker_ids(replicas: &Replicas) -> Vec<WireBrokerId> {
    replicas.iter().map(|id| WireBrokerId(i32::try_from(id.0).unwrap_or(i32::MAX))).collect()
}
