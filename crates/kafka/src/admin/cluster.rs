//! DescribeCluster (KIP-700, KIP-1073): the cluster's id and its brokers, including fenced ones if the protocol lists
//! them.

use super::{broker_id, text};
use crate::address::Address;
use crate::client::{Client, Endpoints, Target};
use crate::cluster::{Cluster, ClusterBroker};
use crate::error::{Error, ProtocolFault};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
use kafka_protocol::messages::{
    DescribeClusterRequest, DescribeClusterResponse, MetadataRequest, MetadataResponse,
};
use std::sync::Arc;

/// The endpoint type of controllers.
const CONTROLLERS: i8 = 2;

impl Client {
    /// Asks for the cluster's brokers and remembers their addresses. Needs no ACL.
    ///
    /// # Errors
    /// As any call.
    pub async fn describe_cluster(&self) -> Result<Arc<Cluster>, Error> {
        let asked = self.ask(Target::Any, |version| {
            let fenced = version >= 2 && self.endpoints == Endpoints::Brokers;
            let request = DescribeClusterRequest::default().with_include_fenced_brokers(fenced);
            match self.endpoints {
                Endpoints::Brokers => request,
                Endpoints::Controllers => request.with_endpoint_type(CONTROLLERS),
            }
        });
        let cluster = match asked.await {
            Ok(answer) => {
                if let Some(code) = ResponseError::try_from_code(answer.error_code) {
                    let message = text(answer.error_message);
                    return Err(self.refused::<DescribeClusterRequest>(Target::Any, code, message));
                }
                from_description(answer)
            }
            // Before Kafka 2.8.
            Err(Error::Protocol { fault: ProtocolFault::NotOffered { .. }, .. }) => {
                from_metadata(self.ask(Target::Any, no_topics).await?)
            }
            Err(error) => return Err(error),
        };
        Ok(self.learn(cluster))
    }
}

/// A Metadata request for brokers only.
pub(super) fn no_topics(_: i16) -> MetadataRequest {
    MetadataRequest::default().with_topics(Some(Vec::new())).with_allow_auto_topic_creation(false)
}

fn from_description(answer: DescribeClusterResponse) -> Cluster {
    let broker = |wire: DescribeClusterBroker| {
        let address = address(&wire.host, wire.port);
        let broker = ClusterBroker { address, rack: text(wire.rack), live: !wire.is_fenced };
        broker_id(wire.broker_id).map(|id| (id, broker))
    };
    Cluster {
        id: text(Some(answer.cluster_id)),
        controller: broker_id(answer.controller_id),
        brokers: answer.brokers.into_iter().filter_map(broker).collect(),
    }
}

fn from_metadata(answer: MetadataResponse) -> Cluster {
    let broker = |wire: MetadataResponseBroker| {
        let address = address(&wire.host, wire.port);
        let broker = ClusterBroker { address, rack: text(wire.rack), live: true };
        broker_id(wire.node_id).map(|id| (id, broker))
    };
    Cluster {
        id: text(answer.cluster_id),
        controller: broker_id(answer.controller_id),
        brokers: answer.brokers.into_iter().filter_map(broker).collect(),
    }
}

/// A fenced broker that never reported its endpoint has an empty host or port -1.
fn address(host: &str, port: i32) -> Option<Address> {
    let port = u16::try_from(port).ok().filter(|port| *port > 0)?;
    (!host.is_empty()).then(|| Address { host: host.to_owned(), port })
}
