//! DescribeConfigs for one broker: the configs in force there, from any source.

use super::resources::{BROKER, SET_ON_BROKER};
use super::text;
use crate::client::{Client, Target};
use crate::error::{Error, Operation};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::DescribeConfigsRequest;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::protocol::StrBytes;
use mapper::BrokerId;
use std::collections::BTreeMap;
use std::time::Duration;

/// A config that is in force at a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerConfig {
    /// Its value. Absent for secrets and for null values.
    pub value: Option<String>,
    /// Set on the broker at run time, not in its file. An alteration replaces such a value.
    pub is_dynamic: bool,
}

impl Client {
    /// Every config in force at a broker, as the broker reports it. Needs DescribeConfigs on the cluster.
    ///
    /// # Errors
    /// As any call; [`Error::Timeout`] after `patience`, which includes connecting.
    pub async fn broker_configs(
        &self,
        broker: BrokerId,
        patience: Duration,
    ) -> Result<BTreeMap<String, BrokerConfig>, Error> {
        let target = Target::Broker(broker);
        let request = |_| {
            let resource = DescribeConfigsResource::default()
                .with_resource_type(BROKER)
                .with_resource_name(StrBytes::from_string(broker.to_string()))
                .with_configuration_keys(None);
            DescribeConfigsRequest::default().with_resources(vec![resource])
        };
        let asked = self.ask(target, request);
        let late = |error| error;
        let answer =
            self.within::<DescribeConfigsRequest, _, _>(target, patience, late, asked).await?;
        let mut found = BTreeMap::new();
        for result in answer.results {
            if let Some(code) = ResponseError::try_from_code(result.error_code) {
                let message = text(result.error_message);
                let operation = Operation::DescribeConfigs;
                return Err(
                    self.refused_to::<DescribeConfigsRequest>(target, operation, code, message)
                );
            }
            found.extend(result.configs.into_iter().map(|config| {
                let value = config.value.map(|value| value.to_string());
                let is_dynamic = config.config_source == SET_ON_BROKER;
                (config.name.to_string(), BrokerConfig { value, is_dynamic })
            }));
        }
        Ok(found)
    }
}
