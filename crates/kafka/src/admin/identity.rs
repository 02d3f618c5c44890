//! Finds out which broker answers at an address, and whether one answers at all. No Kafka API names the answering
//! broker, but a broker refuses to describe another broker's configs.

use crate::address::Address;
use crate::admin::cluster::no_topics;
use crate::client::{Client, Target};
use crate::error::Error;
use futures::future::join_all;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse, MetadataRequest};
use kafka_protocol::protocol::StrBytes;
use mapper::BrokerId;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::timeout;

/// `ConfigResource.Type.BROKER`.
const BROKER: i8 = 4;
/// Any small config works here.
const KEY: &str = "broker.rack";

impl Client {
    /// Whether the broker at the bootstrap address has this id. Needs DescribeConfigs on the cluster.
    ///
    /// # Errors
    /// As any call.
    pub async fn answers_as(&self, broker: BrokerId) -> Result<bool, Error> {
        let answer = self.ask(Target::Any, |_| own_configs(broker)).await?;
        match code_of(&answer) {
            None => Ok(true),
            Some(ResponseError::InvalidRequest) => Ok(false),
            Some(code) => Err(self.refused::<DescribeConfigsRequest>(Target::Any, code, None)),
        }
    }

    /// The address at which a broker answers although the cluster does not list it as live. Such a broker may be cut
    /// off from the controllers, or about to register.
    ///
    /// At the address that the cluster still lists (Kafka 4.0 and later), any answer counts. At a bootstrap address,
    /// the broker must prove its id, which needs DescribeConfigs on the cluster.
    pub async fn answers_unlisted(&self, broker: BrokerId, patience: Duration) -> Option<Address> {
        let cluster = self.cluster();
        let told = cluster.brokers.get(&broker).and_then(|known| known.address.clone());
        let live = |address: &Address| {
            let mut live = cluster.brokers.values().filter(|known| known.live);
            live.any(|known| known.address.as_ref() == Some(address))
        };
        let others = self.settings().bootstrap.iter().filter(|address| !live(address));
        let addresses: BTreeSet<Address> = others.cloned().chain(told.clone()).collect();
        let asked = addresses.into_iter().map(|address| {
            let is_its_own = told.as_ref() == Some(&address);
            async move {
                let asked = self.ask_at(&address, |_| own_configs(broker));
                let lives = match timeout(patience, asked).await {
                    Ok(Ok(answer)) => match code_of(&answer) {
                        None => true,
                        Some(ResponseError::InvalidRequest) => false,
                        Some(_) => is_its_own,
                    },
                    Ok(Err(Error::Unreachable { .. } | Error::Timeout { .. })) | Err(_) => false,
                    // A process listens there but closes the connection.
                    Ok(Err(_)) => is_its_own,
                };
                lives.then_some(address)
            }
        });
        join_all(asked).await.into_iter().flatten().next()
    }

    /// Checks whether this broker answers at its advertised address. Other brokers may list it as live for some seconds
    /// after its death. Needs no ACL.
    ///
    /// # Errors
    /// [`Error::AdvertisedUnreachable`] or [`Error::Timeout`] if it does not answer; otherwise as any call.
    pub async fn answers(&self, broker: BrokerId, patience: Duration) -> Result<(), Error> {
        let target = Target::Broker(broker);
        let asked = async { self.ask(target, no_topics).await.map(drop) };
        self.within::<MetadataRequest, _, _>(target, patience, |late| late, asked).await
    }
}

/// A request that only this broker accepts.
fn own_configs(broker: BrokerId) -> DescribeConfigsRequest {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(BROKER)
        .with_resource_name(StrBytes::from_string(broker.to_string()))
        .with_configuration_keys(Some(vec![StrBytes::from_static_str(KEY)]));
    DescribeConfigsRequest::default().with_resources(vec![resource])
}

fn code_of(answer: &DescribeConfigsResponse) -> Option<ResponseError> {
    answer.results.iter().find_map(|one| ResponseError::try_from_code(one.error_code))
}
