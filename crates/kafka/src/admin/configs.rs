//! DescribeConfigs (KIP-133): what is set on topics, and what is in force for them.

use crate::client::{Client, Target};
use crate::error::Error;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::DescribeConfigsRequest;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, BTreeSet};

/// `ConfigResource.Type.TOPIC`.
pub(super) const TOPIC: i8 = 2;
/// `ConfigSource.DYNAMIC_TOPIC_CONFIG`: set on the topic itself.
const SET_ON_TOPIC: i8 = 1;
const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";
/// Whether a replica that is out of sync may lead when no other can.
pub(crate) const UNCLEAN_ELECTIONS: &str = "unclean.leader.election.enable";

/// Which keys to ask for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigKeys {
    /// Every key: some 3 kB a topic.
    All,
    /// `min.insync.replicas` alone.
    MinInsyncReplicas,
    /// These keys, and `min.insync.replicas`.
    Named(BTreeSet<String>),
}

impl ConfigKeys {
    /// As the request has them: nothing means everything.
    fn on_the_wire(&self) -> Option<Vec<StrBytes>> {
        let min_insync = || StrBytes::from_static_str(MIN_INSYNC_REPLICAS);
        match self {
            Self::All => None,
            Self::MinInsyncReplicas => Some(vec![min_insync()]),
            Self::Named(keys) => {
                let others = keys.iter().filter(|key| *key != MIN_INSYNC_REPLICAS);
                let others = others.map(|key| StrBytes::from_string(key.clone()));
                Some(std::iter::once(min_insync()).chain(others).collect())
            }
        }
    }
}

/// What a topic's configs say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicConfig {
    /// What is set on the topic itself; complete only if every key was asked for.
    pub set: BTreeMap<String, String>,
    /// The `min.insync.replicas` in force, whichever level sets it.
    pub min_insync_replicas: Option<u32>,
    /// The `unclean.leader.election.enable` in force, whichever level sets it; if it was asked for.
    pub unclean_elections: Option<bool>,
}

/// What a broker says of the configs that it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicConfigs {
    /// The topics that are there.
    pub found: BTreeMap<String, TopicConfig>,
    /// Those whose configs we may not see.
    pub forbidden: BTreeSet<String>,
}

impl Client {
    /// Asks one broker for the configs of these topics; one that does not exist any more is in neither list. Needs
    /// DescribeConfigs on the topics.
    ///
    /// # Errors
    /// As any call.
    pub async fn topic_configs(
        &self,
        target: Target,
        topics: &[String],
        keys: &ConfigKeys,
    ) -> Result<TopicConfigs, Error> {
        let answer = self.ask(target, |_| request(topics, keys)).await?;
        let mut configs = TopicConfigs::default();
        for result in answer.results {
            match ResponseError::try_from_code(result.error_code) {
                None => {
                    configs.found.insert(result.resource_name.to_string(), topic_config(result));
                }
                Some(ResponseError::TopicAuthorizationFailed) => {
                    configs.forbidden.insert(result.resource_name.to_string());
                }
                Some(ResponseError::UnknownTopicOrPartition) => {}
                Some(code) => {
                    let message = super::text(result.error_message);
                    return Err(self.refused::<DescribeConfigsRequest>(target, code, message));
                }
            }
        }
        Ok(configs)
    }
}

fn request(topics: &[String], keys: &ConfigKeys) -> DescribeConfigsRequest {
    let keys = keys.on_the_wire();
    let resource = |name: &String| {
        DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(StrBytes::from_string(name.clone()))
            .with_configuration_keys(keys.clone())
    };
    DescribeConfigsRequest::default().with_resources(topics.iter().map(resource).collect())
}

fn topic_config(result: DescribeConfigsResult) -> TopicConfig {
    let mut config = TopicConfig::default();
    for DescribeConfigsResourceResult { name, value, config_source, .. } in result.configs {
        // Kafka withholds the values of sensitive keys; no topic config is one.
        let Some(value) = value else { continue };
        if name.as_str() == MIN_INSYNC_REPLICAS {
            config.min_insync_replicas = value.parse().ok();
        }
        if name.as_str() == UNCLEAN_ELECTIONS {
            config.unclean_elections = value.parse().ok();
        }
        if config_source == SET_ON_TOPIC {
            config.set.insert(name.to_string(), value.to_string());
        }
    }
    config
}
