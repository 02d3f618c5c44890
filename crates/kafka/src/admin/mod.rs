//! The calls that this toolkit is about, with types of our own.
//!
//! One file for each call. All of them only read. Each asks once, with a deadline, and says which ACL is missing
//! if the cluster forbids it:
//!
//! | call | ACL |
//! |---|---|
//! | [`describe_cluster`](crate::Client::describe_cluster) | none |
//! | [`topics`](crate::Client::topics), [`eligible_leaders`](crate::Client::eligible_leaders) | Describe on the topics |
//! | [`topic_configs`](crate::Client::topic_configs) | DescribeConfigs on the topics |
//! | [`reassignments`](crate::Client::reassignments), [`log_dirs`](crate::Client::log_dirs) | Describe on the cluster |

mod cluster;
mod configs;
mod elr;
mod log_dirs;
mod reassignments;
mod topics;

pub use cluster::{Cluster, ClusterBroker};
pub use configs::{ConfigKeys, TopicConfig, TopicConfigs};
pub use elr::EligibleLeaders;
pub use log_dirs::{DirReplicas, LogDirFacts};
pub use reassignments::Reassignment;
pub use topics::{Named, Topics};

use kafka_protocol::messages::{BrokerId as WireBrokerId, TopicName};
use kafka_protocol::protocol::StrBytes;
use mapper::{BrokerId, PartitionId, Replicas};

/// A broker id from the wire; Kafka's -1 means "none".
fn broker_id(wire: WireBrokerId) -> Option<BrokerId> {
    u32::try_from(wire.0).ok().map(BrokerId)
}

fn partition_id(wire: i32) -> Option<PartitionId> {
    u32::try_from(wire).ok().map(PartitionId)
}

fn replicas(wire: &[WireBrokerId]) -> Replicas {
    wire.iter().copied().filter_map(broker_id).collect()
}

fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

fn text(wire: Option<StrBytes>) -> Option<String> {
    wire.map(|text| text.to_string()).filter(|text| !text.is_empty())
}
