//! Which broker answers, and whether one does: Kafka tells the first nowhere, but a broker refuses to describe the configs
//! of another one.

use crate::admin::cluster::no_topics;
use crate::client::{Client, Target};
use crate::error::Error;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{DescribeConfigsRequest, MetadataRequest};
use kafka_protocol::protocol::StrBytes;
use mapper::BrokerId;
use std::time::Duration;

/// `ConfigResource.Type.BROKER`.
const BROKER: i8 = 4;
/// Any key that is small.
const KEY: &str = "broker.rack";

impl Client {
    /// Whether the broker at the bootstrap address is this one. Needs DescribeConfigs on the cluster.
    ///
    /// # Errors
    /// As any call.
    pub async fn answers_as(&self, broker: BrokerId) -> Result<bool, Error> {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(BROKER)
            .with_resource_name(StrBytes::from_string(broker.to_string()))
            .with_configuration_keys(Some(vec![StrBytes::from_static_str(KEY)]));
        let request = |_| DescribeConfigsRequest::default().with_resources(vec![resource.clone()]);
        let answer = self.ask(Target::Any, request).await?;
        let code =
            answer.results.iter().find_map(|one| ResponseError::try_from_code(one.error_code));
        match code {
            None => Ok(true),
            Some(ResponseError::InvalidRequest) => Ok(false),
            Some(code) => Err(self.refused::<DescribeConfigsRequest>(Target::Any, code, None)),
        }
    }

    /// Asks this broker for nothing, at the address that it advertises: others may count it as live some seconds after its
    /// death. Needs no ACL.
    ///
    /// # Errors
    /// [`Error::AdvertisedUnreachable`] or [`Error::Timeout`] where it does not answer; else as any call.
    pub async fn answers(&self, broker: BrokerId, patience: Duration) -> Result<(), Error> {
        let target = Target::Broker(broker);
        let asked = async { self.ask(target, no_topics).await.map(drop) };
        self.within::<MetadataRequest, _, _>(target, patience, |late| late, asked).await
    }
}
