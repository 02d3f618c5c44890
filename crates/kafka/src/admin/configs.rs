//! DescribeConfigs (KIP-133): the configs set on topics, and the values in force.

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
/// Whether an out-of-sync replica may become leader when no other can.
pub(crate) const UNCLEAN_ELECTIONS: &str = "unclean.leader.election.enable";

/// Which keys to ask for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigKeys {
    /// Every key: about 3 kB for each topic.
    All,
    /// `min.insync.replicas` alone.
    MinInsyncReplicas,
    /// These keys, and `min.insync.replicas`.
    Named(BTreeSet<String>),
}

impl ConfigKeys {
    /// The keys in the form of the request: null means every key.
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

/// A topic's configs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicConfig {
    /// The configs set on the topic itself. Complete only with [`ConfigKeys::All`].
    pub set: BTreeMap<String, String>,
    /// The `min.insync.replicas` in force, from any level.
    pub min_insync_replicas: Option<u32>,
    /// The `unclean.leader.election.enable` in force, from any level. Absent unless it was requested.
    pub unclean_elections: Option<bool>,
}

/// A broker's answer about topic configs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicConfigs {
    /// The topics that exist.
    pub found: BTreeMap<String, TopicConfig>,
    /// The topics whose configs we may not describe.
    pub forbidden: BTreeSet<String>,
}

impl Client {
    /// Asks one broker for the configs of these topics. A topic that no longer exists is in neither list. Needs
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
        // Kafka withholds the values of sensitive keys, but no topic config is sensitive.
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
