//! IncrementalAlterConfigs (KIP-339) of topics: the keys that are named, and no others.

use super::change::{Answers, NoAnswer};
use super::configs::TOPIC;
use crate::client::{Client, Target};
use crate::error::Operation;
use kafka_protocol::messages::IncrementalAlterConfigsRequest;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, BTreeSet};

/// `AlterConfigOp.OpType.SET`.
const SET: i8 = 0;
/// `AlterConfigOp.OpType.DELETE`.
const DELETE: i8 = 1;

/// Configs of one topic to change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlterTopic {
    /// The topic.
    pub topic: String,
    /// What is set on it.
    pub set: BTreeMap<String, String>,
    /// What is not set on it any more.
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
    let config = |key: &String, operation: i8, value: Option<&String>| {
        AlterableConfig::default()
            .with_name(StrBytes::from_string(key.clone()))
            .with_config_operation(operation)
            .with_value(value.cloned().map(StrBytes::from_string))
    };
    let set = topic.set.iter().map(|(key, value)| config(key, SET, Some(value)));
    let unset = topic.unset.iter().map(|key| config(key, DELETE, None));
    AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(StrBytes::from_string(topic.topic.clone()))
        .with_configs(set.chain(unset).collect())
}
