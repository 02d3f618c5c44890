//! The admin calls that this toolkit needs, with its own types.
//!
//! Each call has its own file. It sends one request with a deadline, and names the missing ACL if the cluster forbids
//! it. The client never sends a change twice ([`NoAnswer`]), and returns an answer for each topic:
//!
//! | call | ACL |
//! |---|---|
//! | [`describe_cluster`](crate::Client::describe_cluster) | none |
//! | [`topics`](crate::Client::topics), [`eligible_leaders`](crate::Client::eligible_leaders) | Describe on the topics |
//! | [`topic_configs`](crate::Client::topic_configs) | DescribeConfigs on the topics |
//! | [`topic_ids`](crate::Client::topic_ids), [`end_offsets`](crate::Client::end_offsets) | Describe on the topics |
//! | [`reassignments`](crate::Client::reassignments), [`canary_moves`](crate::Client::canary_moves), [`log_dirs`](crate::Client::log_dirs) | Describe on the cluster |
//! | [`alter_reassignments`](crate::Client::alter_reassignments), [`elect_preferred`](crate::Client::elect_preferred), [`alter_log_dirs`](crate::Client::alter_log_dirs) | Alter on the cluster |
//! | [`broker_configs`](crate::Client::broker_configs), [`answers_as`](crate::Client::answers_as) | DescribeConfigs on the cluster |
//! | [`quorum`](crate::Client::quorum), [`quorum_members`](crate::Client::quorum_members), [`own_log_dirs`](crate::Client::own_log_dirs) | Describe on the cluster |
//! | [`kraft_version`](crate::Client::kraft_version) | none |
//! | [`unregister_broker`](crate::Client::unregister_broker), [`add_voter`](crate::Client::add_voter), [`remove_voter`](crate::Client::remove_voter) | Alter on the cluster |
//! | [`set_configs`](crate::Client::set_configs), [`configs_set`](crate::Client::configs_set) | AlterConfigs, DescribeConfigs on the topics, and on the cluster for brokers |
//! | [`create_topics`](crate::Client::create_topics) | Create on the topics, or on the cluster |
//! | [`create_partitions`](crate::Client::create_partitions) | Alter on the topics |
//! | [`alter_topic_configs`](crate::Client::alter_topic_configs) | AlterConfigs on the topics |
//! | [`delete_topics`](crate::Client::delete_topics) | Delete on the topics |

mod alter;
mod alter_configs;
mod alter_log_dirs;
mod broker_configs;
mod change;
mod cluster;
mod configs;
mod cordons;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod elect;
mod elr;
mod identity;
mod log_dirs;
mod offsets;
mod quorum;
mod reassignments;
mod resources;
#[cfg(test)]
mod tests;
mod topics;
mod unregister;
mod voters;

pub use crate::cluster::{Cluster, ClusterBroker};
pub use crate::no_answer::NoAnswer;
pub use alter::Altering;
pub use alter_configs::AlterTopic;
pub use broker_configs::BrokerConfig;
pub use change::{Answers, Refusal};
pub(crate) use configs::UNCLEAN_ELECTIONS;
pub use configs::{ConfigKeys, TopicConfig, TopicConfigs};
pub use cordons::Cordons;
pub use create_partitions::MorePartitions;
pub use create_topics::NewTopic;
pub use elr::{Eligible, EligibleLeaders};
pub use log_dirs::{DirReplicas, LogDirFacts};
pub(crate) use offsets::{LogOffset, OfLeader, OffsetsByTopic, by_leader};
pub use quorum::{ControllerEndpoint, NoEndpoint, Quorum, QuorumMembers, QuorumReplica};
pub use reassignments::Reassignment;
pub use resources::{ConfigChange, ConfigOp, ConfigResource};
pub use topics::{Named, Topics};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kafka_protocol::messages::{BrokerId as WireBrokerId, TopicName};
use kafka_protocol::protocol::StrBytes;
use mapper::{BrokerId, DirectoryId, PartitionId, Replicas, TopicId};
use uuid::Uuid;

/// The topic of autothrottle's canary: one partition for each broker, with that broker as its only replica.
///
/// It measures brokers and holds no data. If one of its partitions is down, then only its broker is down; if one was
/// moved, it measures the wrong broker. Calls for all topics, log dirs or moves therefore leave it out, and no plan,
/// alarm or wait is about it.
pub const CANARY_TOPIC: &str = "__mappr_canary";

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

/// Ids for the wire. They came from Kafka, so they fit.
fn replicas_to_wire(replicas: &[BrokerId]) -> Vec<WireBrokerId> {
    replicas.iter().filter_map(|id| i32::try_from(id.0).ok()).map(WireBrokerId).collect()
}

fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

fn text(wire: Option<StrBytes>) -> Option<String> {
    wire.map(|text| text.to_string()).filter(|text| !text.is_empty())
}

/// The id as Kafka's own tools print it. A cluster without topic ids sends nil.
fn topic_id(wire: Uuid) -> Option<TopicId> {
    (!wire.is_nil()).then(|| TopicId(URL_SAFE_NO_PAD.encode(wire.as_bytes())))
}

fn wire_id(id: &TopicId) -> Option<Uuid> {
    uuid(&id.0)
}

/// The id as Kafka's own tools print it. A log dir that an old release has formatted has the id nil.
fn directory_id(wire: Uuid) -> Option<DirectoryId> {
    (!wire.is_nil()).then(|| DirectoryId(URL_SAFE_NO_PAD.encode(wire.as_bytes())))
}

fn uuid(text: &str) -> Option<Uuid> {
    Uuid::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}
