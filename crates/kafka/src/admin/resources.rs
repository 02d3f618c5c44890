//! IncrementalAlterConfigs (KIP-339) and DescribeConfigs: the configs set on topics and on brokers, key by key.
//!
//! Only a broker itself reports and changes its own configs. Each call therefore has its own deadline.

use super::change::Refusal;
use super::configs::TOPIC;
use super::text;
use crate::client::{Client, Target};
use crate::error::{Error, Operation};
use crate::no_answer::NoAnswer;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};
use kafka_protocol::protocol::StrBytes;
use mapper::BrokerId;
use std::collections::BTreeMap;
use std::time::Duration;

/// `ConfigResource.Type`.
pub(super) const BROKER: i8 = 4;
/// `ConfigSource`: set on the topic, on one broker, or as the default of all brokers.
const SET_ON_TOPIC: i8 = 1;
pub(super) const SET_ON_BROKER: i8 = 2;
const SET_ON_EVERY_BROKER: i8 = 3;
/// `AlterConfigOp.OpType`.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// The resource that a config is set on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigResource {
    /// A topic.
    Topic(String),
    /// One broker, not the default of all.
    Broker(BrokerId),
    /// The default of all brokers. Any broker reports and changes it.
    EveryBroker,
}

impl ConfigResource {
    fn kind(&self) -> i8 {
        match self {
            Self::Topic(_) => TOPIC,
            Self::Broker(_) | Self::EveryBroker => BROKER,
        }
    }

    fn name(&self) -> StrBytes {
        StrBytes::from_string(match self {
            Self::Topic(name) => name.clone(),
            Self::Broker(id) => id.to_string(),
            Self::EveryBroker => String::new(),
        })
    }

    fn read(kind: i8, name: &StrBytes) -> Option<Self> {
        match kind {
            TOPIC => Some(Self::Topic(name.to_string())),
            BROKER if name.is_empty() => Some(Self::EveryBroker),
            BROKER => name.parse().ok().map(Self::Broker),
            _ => None,
        }
    }

    /// The broker that reports and changes these resources.
    fn target(resources: &[&Self]) -> Target {
        match resources {
            [Self::Broker(id), ..] => Target::Broker(*id),
            [Self::Topic(_) | Self::EveryBroker, ..] | [] => Target::Any,
        }
    }
}

/// What a change does to a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigOp {
    /// Sets this value.
    Set(String),
    /// Removes it, so that the next level's value applies.
    Delete,
    /// Adds these entries to a list; those that it has stay as they are.
    Append(String),
    /// Removes these entries from a list.
    Subtract(String),
}

impl From<Option<String>> for ConfigOp {
    fn from(value: Option<String>) -> Self {
        value.map_or(Self::Delete, Self::Set)
    }
}

/// One change of one config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    /// The resource to change.
    pub resource: ConfigResource,
    /// The config key.
    pub key: String,
    /// What is done to it. Kafka refuses two changes of one config in one request.
    pub op: ConfigOp,
}

impl Client {
    /// Changes single configs and keeps all others on the same resource. All changes must be on topics, on one broker,
    /// or on the default of all brokers. Returns the resources that Kafka refused. Needs AlterConfigs on the topics, or
    /// on the cluster.
    ///
    /// # Errors
    /// The call is never sent again: see [`NoAnswer`]. It also fails after `patience`, which includes connecting.
    pub async fn set_configs(
        &self,
        changes: &[ConfigChange],
        patience: Duration,
    ) -> Result<BTreeMap<ConfigResource, Refusal>, NoAnswer> {
        let mut resources: BTreeMap<&ConfigResource, Vec<AlterableConfig>> = BTreeMap::new();
        for change in changes {
            let wire = alterable(&change.key, &change.op);
            resources.entry(&change.resource).or_default().push(wire);
        }
        let target = ConfigResource::target(&resources.keys().copied().collect::<Vec<_>>());
        let wire = resources.into_iter().map(|(resource, configs)| {
            AlterConfigsResource::default()
                .with_resource_type(resource.kind())
                .with_resource_name(resource.name())
                .with_configs(configs)
        });
        let wire: Vec<AlterConfigsResource> = wire.collect();
        let request = |_| IncrementalAlterConfigsRequest::default().with_resources(wire.clone());
        let told = self.tell(target, request);
        let late = NoAnswer::Unknown;
        let answer = self
            .within::<IncrementalAlterConfigsRequest, _, _>(target, patience, late, told)
            .await?;
        let mut refused = BTreeMap::new();
        for wire in answer.responses {
            let answered = self.answered::<IncrementalAlterConfigsRequest>(
                wire.error_code,
                wire.error_message,
                Operation::AlterConfigs,
            );
            let resource = ConfigResource::read(wire.resource_type, &wire.resource_name);
            refused.extend(resource.zip(answered.err()));
        }
        Ok(refused)
    }

    /// The values of `keys` that are set on these resources themselves. Pass only topics, or exactly one resource. A
    /// topic that does not exist is missing from the result. Needs DescribeConfigs on the topics, or on the cluster.
    ///
    /// # Errors
    /// As any call; [`Error::Timeout`] after `patience`, which includes connecting.
    pub async fn configs_set(
        &self,
        resources: &[ConfigResource],
        keys: &[&'static str],
        patience: Duration,
    ) -> Result<BTreeMap<ConfigResource, BTreeMap<String, String>>, Error> {
        let target = ConfigResource::target(&resources.iter().collect::<Vec<_>>());
        let keys: Vec<StrBytes> = keys.iter().map(|key| StrBytes::from_static_str(key)).collect();
        let wanted = |resource: &ConfigResource| {
            DescribeConfigsResource::default()
                .with_resource_type(resource.kind())
                .with_resource_name(resource.name())
                .with_configuration_keys(Some(keys.clone()))
        };
        let wanted: Vec<DescribeConfigsResource> = resources.iter().map(wanted).collect();
        let asked =
            self.ask(target, |_| DescribeConfigsRequest::default().with_resources(wanted.clone()));
        let late = |error| error;
        let answer =
            self.within::<DescribeConfigsRequest, _, _>(target, patience, late, asked).await?;
        let mut found = BTreeMap::new();
        for wire in answer.results {
            match ResponseError::try_from_code(wire.error_code) {
                None => found.extend(set_on(wire)),
                Some(ResponseError::UnknownTopicOrPartition) => {}
                Some(code) => {
                    return Err(self.refused_to::<DescribeConfigsRequest>(
                        target,
                        Operation::DescribeConfigs,
                        code,
                        text(wire.error_message),
                    ));
                }
            }
        }
        Ok(found)
    }
}

pub(super) fn alterable(key: &str, op: &ConfigOp) -> AlterableConfig {
    let (kind, value) = match op {
        ConfigOp::Set(value) => (SET, Some(value)),
        ConfigOp::Delete => (DELETE, None),
        ConfigOp::Append(entries) => (APPEND, Some(entries)),
        ConfigOp::Subtract(entries) => (SUBTRACT, Some(entries)),
    };
    AlterableConfig::default()
        .with_name(StrBytes::from_string(key.to_owned()))
        .with_config_operation(kind)
        .with_value(value.cloned().map(StrBytes::from_string))
}

/// The configs set on the resource itself whose values Kafka does not hide.
fn set_on(wire: DescribeConfigsResult) -> Option<(ConfigResource, BTreeMap<String, String>)> {
    let resource = ConfigResource::read(wire.resource_type, &wire.resource_name)?;
    let source = match resource {
        ConfigResource::Topic(_) => SET_ON_TOPIC,
        ConfigResource::Broker(_) => SET_ON_BROKER,
        ConfigResource::EveryBroker => SET_ON_EVERY_BROKER,
    };
    let own = wire.configs.into_iter().filter(|config| config.config_source == source);
    let set = own.filter_map(|config| Some((config.name.to_string(), config.value?.to_string())));
    Some((resource, set.collect()))
}
