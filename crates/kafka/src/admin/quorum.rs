//! DescribeQuorum (KIP-595): the controllers that keep a KRaft cluster's metadata.

use super::{broker_id, text, topic_name};
use crate::client::{Client, Endpoints, Target};
use crate::error::{Error, Operation, ProtocolFault};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::DescribeQuorumRequest;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::describe_quorum_response::ReplicaState;
use mapper::BrokerId;
use std::collections::{BTreeMap, BTreeSet};

/// The topic that holds the metadata.
const METADATA: &str = "__cluster_metadata";

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

impl Client {
    /// Asks for the controllers; `None` in ZooKeeper mode. Needs Describe on the cluster.
    ///
    /// # Errors
    /// As any call.
    pub async fn quorum(&self) -> Result<Option<Quorum>, Error> {
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
        let answer = match self.ask(target, request).await {
            Err(Error::Protocol { fault: ProtocolFault::NotOffered { .. }, .. }) => {
                return Ok(None);
            }
            answer => answer?,
        };
        let refused = |code, message| {
            let operation = Operation::Describe;
            self.refused_to::<DescribeQuorumRequest>(Target::Any, operation, code, message)
        };
        if let Some(code) = ResponseError::try_from_code(answer.error_code) {
            return Err(refused(code, text(answer.error_message)));
        }
        let mut partitions = answer.topics.into_iter().flat_map(|topic| topic.partitions);
        let Some(metadata) = partitions.next() else { return Ok(Some(Quorum::default())) };
        if let Some(code) = ResponseError::try_from_code(metadata.error_code) {
            return Err(refused(code, text(metadata.error_message)));
        }
        let leader = broker_id(metadata.leader_id);
        let newest =
            metadata.current_voters.iter().map(|voter| voter.last_caught_up_timestamp).max();
        let behind = |voter: &ReplicaState| {
            // -1 means that the leader did not report it.
            let last = voter.last_caught_up_timestamp;
            let told = newest.filter(|_| last >= 0)?;
            u64::try_from(told - last).ok()
        };
        let voters = metadata.current_voters.iter();
        let voters = voters.filter_map(|voter| Some((broker_id(voter.replica_id)?, behind(voter))));
        let observers = metadata.observers.iter().filter_map(|other| broker_id(other.replica_id));
        Ok(Some(Quorum { leader, voters: voters.collect(), observers: observers.collect() }))
    }
}
