//! IncrementalAlterConfigs (KIP-339) of topics: changes the named keys and no others.

use super::change::Answers;
use super::configs::TOPIC;
use super::resources::{ConfigOp, alterable};
use crate::client::{Client, Target};
use crate::error::Operation;
use crate::no_answer::NoAnswer;
use kafka_protocol::messages::IncrementalAlterConfigsRequest;
use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, BTreeSet};

/// Configs of one topic to change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlterTopic {
    /// The topic.
    pub topic: String,
    /// The keys to set, with their values.
    pub set: BTreeMap<String, String>,
    /// The keys to remove, so that the broker's value applies.
    pub unset: BTreeSet<String>,
}

impl Client {
    /// Changes configs of topics, in one request. Needs AlterConfigs on the topics.
    ///
    /// # Errors
    /// Never sent again: see [`NoAnswer`].
    pub async fn alter_topic_configs(
        &self,
        topics: &[AlterTopic],
    ) -> Result<Answers<()>, NoAnswer> {
        let request = |_| {
            let resources = topics.iter().map(wire).collect();
            IncrementalAlterConfigsRequest::default().with_resources(resources)
        };
        let answer = self.tell(Target::Any, request).await?;
        let each = answer.responses.into_iter().map(|topic| {
            let (code, message) = (topic.error_code, topic.error_message);
            let operation = Operation::AlterConfigs;
            let answered =
                self.answered::<IncrementalAlterConfigsRequest>(code, message, operation);
            (topic.resource_name.to_string(), answered)
        });
        Ok(each.collect())
    }
}

fn wire(topic: &AlterTopic) -> AlterConfigsResource {
    let set = topic.set.iter().map(|(key, value)| alterable(key, &ConfigOp::Set(value.clone())));
    let unset = topic.unset.iter().map(|key| alterable(key, &ConfigOp::Delete));
    AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(StrBytes::from_string(topic.topic.clone()))
        .with_configs(set.chain(unset).collect())
}
