//! DescribeQuorum (KIP-595, KIP-853): the controllers that keep a KRaft cluster's metadata.

use super::{broker_id, directory_id, text, topic_name};
use crate::address::{Address, NoAddress};
use crate::client::{Client, Endpoints, Target};
use crate::error::{Error, Operation, ProtocolFault};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::describe_quorum_response::{self as wire, Node, ReplicaState};
use kafka_protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};
use mapper::{BrokerId, DirectoryId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// The topic that holds the metadata.
const METADATA: &str = "__cluster_metadata";
/// The feature whose level 1 makes a quorum dynamic (KIP-853).
const KRAFT_VERSION: &str = "kraft.version";

/// The controllers of a KRaft cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quorum {
    /// The active controller.
    pub leader: Option<BrokerId>,
    /// Each voter's lag behind the leader, in milliseconds. `None` if the leader reports none.
    pub voters: BTreeMap<BrokerId, Option<u64>>,
    /// Nodes that follow without a vote, mostly brokers.
    pub observers: BTreeSet<BrokerId>,
}

/// A quorum with all that its leader reports of each replica.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuorumMembers {
    /// The active controller.
    pub leader: Option<BrokerId>,
    /// Its epoch.
    pub epoch: u32,
    /// The offset up to which a majority has stored the metadata.
    pub high_watermark: u64,
    /// The replicas with a vote.
    pub voters: Vec<QuorumReplica>,
    /// Nodes that follow without a vote. The leader forgets one that is silent for five minutes.
    pub observers: Vec<QuorumReplica>,
}

/// A replica of the metadata. All times are those of the leader's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumReplica {
    /// Its `node.id`.
    pub id: BrokerId,
    /// Its log dir. A static quorum reports none.
    pub directory: Option<DirectoryId>,
    /// The listeners of a voter of a dynamic quorum. The leader reports none of an observer.
    pub endpoints: Vec<ControllerEndpoint>,
    /// The records that it lacks.
    pub behind_records: Option<u64>,
    /// The time since it last had all records, in milliseconds. `None` if the leader has not seen it since its election.
    pub behind_ms: Option<u64>,
    /// The time since it last fetched, in milliseconds. `None` as above.
    pub silent_ms: Option<u64>,
}

/// A listener of a controller: `CONTROLLER://controller-0:9093`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ControllerEndpoint {
    /// The listener's name.
    pub listener: String,
    /// Where it listens.
    pub address: Address,
}

/// Text that is no endpoint of a controller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoEndpoint {
    /// It has no listener.
    #[error("not of the form LISTENER://HOST:PORT: {0:?}")]
    NoListener(String),
    /// Its address is wrong.
    #[error(transparent)]
    NoAddress(#[from] NoAddress),
}

impl fmt::Display for ControllerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.listener, self.address)
    }
}

impl FromStr for ControllerEndpoint {
    type Err = NoEndpoint;

    fn from_str(text: &str) -> Result<Self, NoEndpoint> {
        match text.split_once("://") {
            Some((listener, address)) if !listener.is_empty() => {
                Ok(Self { listener: listener.to_owned(), address: address.parse()? })
            }
            _ => Err(NoEndpoint::NoListener(text.to_owned())),
        }
    }
}

impl Client {
    /// Asks for the controllers; `None` in ZooKeeper mode. Needs Describe on the cluster.
    ///
    /// # Errors
    /// As any call.
    pub async fn quorum(&self) -> Result<Option<Quorum>, Error> {
        let members = self.quorum_members().await?;
        Ok(members.map(|QuorumMembers { leader, voters, observers, .. }| Quorum {
            leader,
            voters: voters.into_iter().map(|voter| (voter.id, voter.behind_ms)).collect(),
            observers: observers.into_iter().map(|other| other.id).collect(),
        }))
    }

    /// The same, with all that the leader reports of each replica.
    ///
    /// # Errors
    /// As any call.
    pub async fn quorum_members(&self) -> Result<Option<QuorumMembers>, Error> {
        let request = |_| {
            let partition = PartitionData::default().with_partition_index(0);
            let topic = TopicData::default()
                .with_topic_name(topic_name(METADATA))
                .with_partitions(vec![partition]);
            DescribeQuorumRequest::default().with_topics(vec![topic])
        };
        // Brokers forward this request. Among controllers, only the active one answers.
        let target = match self.endpoints {
            Endpoints::Brokers => Target::Any,
            Endpoints::Controllers => self.cluster().controller.map_or(Target::Any, Target::Broker),
        };
        match self.ask(target, request).await {
            Err(Error::Protocol { fault: ProtocolFault::NotOffered { .. }, .. }) => Ok(None),
            answer => self.members_in(answer?).map(Some),
        }
    }

    /// The level of `kraft.version`: a quorum is dynamic from level 1 on. Needs no ACL.
    ///
    /// # Errors
    /// As any call.
    pub async fn kraft_version(&self) -> Result<u16, Error> {
        Ok(u16::try_from(self.feature(KRAFT_VERSION).await?).unwrap_or_default())
    }

    fn members_in(&self, answer: DescribeQuorumResponse) -> Result<QuorumMembers, Error> {
        let refused = |code, message| {
            let operation = Operation::Describe;
            self.refused_to::<DescribeQuorumRequest>(Target::Any, operation, code, message)
        };
        if let Some(code) = ResponseError::try_from_code(answer.error_code) {
            return Err(refused(code, text(answer.error_message)));
        }
        let mut partitions = answer.topics.into_iter().flat_map(|topic| topic.partitions);
        let Some(metadata) = partitions.next() else { return Ok(QuorumMembers::default()) };
        if let Some(code) = ResponseError::try_from_code(metadata.error_code) {
            return Err(refused(code, text(metadata.error_message)));
        }
        Ok(members(&metadata, answer.nodes))
    }
}

fn members(metadata: &wire::PartitionData, nodes: Vec<Node>) -> QuorumMembers {
    let endpoints: BTreeMap<i32, Vec<ControllerEndpoint>> =
        nodes.into_iter().map(|node| (node.node_id.0, endpoints(&node))).collect();
    let newest = Newest::of(&metadata.current_voters);
    let replica = |state: &ReplicaState| {
        Some(QuorumReplica {
            id: broker_id(state.replica_id)?,
            directory: directory_id(state.replica_directory_id),
            endpoints: Vec::new(),
            behind_records: since(newest.offset, state.log_end_offset),
            behind_ms: since(newest.caught_up, state.last_caught_up_timestamp),
            silent_ms: since(newest.fetched, state.last_fetch_timestamp),
        })
    };
    let mut voters: Vec<QuorumReplica> =
        metadata.current_voters.iter().filter_map(replica).collect();
    for voter in &mut voters {
        let id = i32::try_from(voter.id.0).ok();
        voter.endpoints = id.and_then(|id| endpoints.get(&id).cloned()).unwrap_or_default();
    }
    QuorumMembers {
        leader: broker_id(metadata.leader_id),
        epoch: u32::try_from(metadata.leader_epoch).unwrap_or_default(),
        high_watermark: u64::try_from(metadata.high_watermark).unwrap_or_default(),
        voters,
        observers: metadata.observers.iter().filter_map(replica).collect(),
    }
}

fn endpoints(node: &Node) -> Vec<ControllerEndpoint> {
    let endpoint = |listener: &wire::Listener| ControllerEndpoint {
        listener: listener.name.to_string(),
        address: Address { host: listener.host.to_string(), port: listener.port },
    };
    node.listeners.iter().map(endpoint).collect()
}

/// The leader's own state: it has the newest of everything.
struct Newest {
    offset: Option<i64>,
    fetched: Option<i64>,
    caught_up: Option<i64>,
}

impl Newest {
    fn of(voters: &[ReplicaState]) -> Self {
        Self {
            offset: voters.iter().map(|voter| voter.log_end_offset).max(),
            fetched: voters.iter().map(|voter| voter.last_fetch_timestamp).max(),
            caught_up: voters.iter().map(|voter| voter.last_caught_up_timestamp).max(),
        }
    }
}

/// The distance to the newest value. -1 means that the leader did not report it.
fn since(newest: Option<i64>, own: i64) -> Option<u64> {
    let newest = newest.filter(|_| own >= 0)?;
    // An observer may have fetched after the leader took the time for its own entry.
    Some(u64::try_from(newest - own).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::BrokerId as WireBrokerId;
    use kafka_protocol::protocol::StrBytes;
    use uuid::Uuid;

    fn state(id: i32, offset: i64, time: i64) -> ReplicaState {
        ReplicaState::default()
            .with_replica_id(WireBrokerId(id))
            .with_replica_directory_id(Uuid::from_u128(u128::from(id.unsigned_abs())))
            .with_log_end_offset(offset)
            .with_last_fetch_timestamp(time)
            .with_last_caught_up_timestamp(time)
    }

    #[test]
    fn distances_are_counted_from_the_leader_and_unknown_ones_stay_unknown() {
        let metadata = wire::PartitionData::default()
            .with_leader_id(WireBrokerId(9000))
            .with_leader_epoch(7)
            .with_current_voters(vec![state(9000, 50, 10_000), state(9001, -1, -1)])
            .with_observers(vec![state(9002, 48, 9_600), state(1001, 50, 10_003)]);
        let listener = wire::Listener::default()
            .with_name(StrBytes::from_static_str("CONTROLLER"))
            .with_host(StrBytes::from_static_str("c0"))
            .with_port(9093);
        let node = Node::default().with_node_id(WireBrokerId(9000)).with_listeners(vec![listener]);
        let found = members(&metadata, vec![node]);
        assert_eq!((found.leader, found.epoch), (Some(BrokerId(9000)), 7));
        assert_eq!(found.voters[0].endpoints[0].to_string(), "CONTROLLER://c0:9093");
        let figures = |one: &QuorumReplica| (one.behind_records, one.behind_ms, one.silent_ms);
        assert_eq!(figures(&found.voters[0]), (Some(0), Some(0), Some(0)));
        assert_eq!(figures(&found.voters[1]), (None, None, None));
        assert_eq!(figures(&found.observers[0]), (Some(2), Some(400), Some(400)));
        assert_eq!(figures(&found.observers[1]), (Some(0), Some(0), Some(0)));
        assert!(found.voters[0].directory.is_some());
    }

    #[test]
    fn an_endpoint_needs_a_listener_and_an_address() {
        let endpoint: ControllerEndpoint = "CONTROLLER://[::1]:9093".parse().unwrap();
        assert_eq!(endpoint.to_string(), "CONTROLLER://[::1]:9093");
        for text in ["c0:9093", "://c0:9093", "CONTROLLER://c0"] {
            assert!(text.parse::<ControllerEndpoint>().is_err(), "{text}");
        }
    }
}
