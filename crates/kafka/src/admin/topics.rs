//! Metadata: topics, their partitions, leaders and followers.

use super::{CANARY_TOPIC, broker_id, partition_id, replicas, text, topic_id, topic_name};
use crate::client::{Client, Target};
use crate::error::Error;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};
use mapper::TopicId;
use mapper::snapshot::{Leader, Partition, PartitionFacts, RareFacts, Topic};
use std::collections::{BTreeMap, BTreeSet};

/// Topics by name, as in metadata. During a reassignment, the replica lists still contain the replicas to be removed.
pub type Topics = BTreeMap<String, Topic>;

/// The answer for topics that were requested by name.
#[derive(Debug, Default)]
pub struct Named {
    /// The topics that exist.
    pub found: Topics,
    /// The topics that we may not describe. Kafka may hide whether they exist.
    pub forbidden: BTreeSet<String>,
}

impl Client {
    /// Asks for every topic except the canary's ([`CANARY_TOPIC`]). Topics that we may not describe are missing,
    /// without an error.
    ///
    /// # Errors
    /// As any call; also a topic's own error, unless it only says that the topic is being created or deleted.
    pub async fn topics(&self) -> Result<Topics, Error> {
        let answer = self.ask(Target::Any, |_| request(None)).await?;
        let mut topics = self.read(answer)?.found;
        topics.remove(CANARY_TOPIC);
        Ok(topics)
    }

    /// Asks for these topics. A topic that does not exist is in neither list.
    ///
    /// # Errors
    /// As [`topics`](Self::topics).
    pub async fn topics_named(&self, names: &BTreeSet<String>) -> Result<Named, Error> {
        self.topics_told_by(Target::Any, names).await
    }

    /// Whether this topic exists, as far as our rights let us see.
    ///
    /// # Errors
    /// As [`topics`](Self::topics).
    pub async fn has_topic(&self, name: &str) -> Result<bool, Error> {
        let named = self.topics_named(&[name.to_owned()].into()).await?;
        Ok(named.found.contains_key(name))
    }

    /// The same as [`topics_named`](Self::topics_named), from one broker.
    ///
    /// # Errors
    /// As [`topics`](Self::topics).
    pub async fn topics_told_by(
        &self,
        target: Target,
        names: &BTreeSet<String>,
    ) -> Result<Named, Error> {
        let answer = self.ask(target, |_| named(names)).await?;
        self.read(answer)
    }

    /// The ids of these topics (KIP-516). A topic that does not exist, is hidden or has no id is missing.
    ///
    /// # Errors
    /// As any call.
    pub async fn topic_ids(
        &self,
        names: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, TopicId>, Error> {
        let answer = self.ask(Target::Any, |_| named(names)).await?;
        let id = |wire: MetadataResponseTopic| {
            Some((text(wire.name.map(|name| name.0))?, topic_id(wire.topic_id)?))
        };
        Ok(answer.topics.into_iter().filter_map(id).collect())
    }

    fn read(&self, answer: MetadataResponse) -> Result<Named, Error> {
        let refused = |code| self.refused::<MetadataRequest>(Target::Any, code, None);
        if let Some(code) = ResponseError::try_from_code(answer.error_code) {
            return Err(refused(code));
        }
        let mut named = Named::default();
        for wire in answer.topics {
            let Some(name) = text(wire.name.clone().map(|name| name.0)) else {
                continue;
            };
            match ResponseError::try_from_code(wire.error_code) {
                Some(ResponseError::TopicAuthorizationFailed) => {
                    named.forbidden.insert(name);
                }
                // The topic is being created or deleted right now.
                Some(
                    ResponseError::UnknownTopicOrPartition | ResponseError::LeaderNotAvailable,
                ) => {}
                Some(code) => return Err(refused(code)),
                None => {
                    named.found.insert(name.clone(), topic(name, wire));
                }
            }
        }
        Ok(named)
    }
}

fn named(names: &BTreeSet<String>) -> MetadataRequest {
    let topic = |name: &String| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
    request(Some(names.iter().map(topic).collect()))
}

fn request(topics: Option<Vec<MetadataRequestTopic>>) -> MetadataRequest {
    MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false)
}

fn topic(name: String, wire: MetadataResponseTopic) -> Topic {
    let mut partitions: Vec<Partition> = wire.partitions.iter().filter_map(partition).collect();
    partitions.sort_unstable_by_key(|partition| partition.id);
    Topic { name, internal: Some(wire.is_internal), partitions, ..Topic::default() }
}

/// A partition's own error code only repeats its lists: no leader, or a replica on a broker that is not live.
fn partition(wire: &MetadataResponsePartition) -> Option<Partition> {
    let facts = PartitionFacts {
        isr: Some(replicas(&wire.isr_nodes)),
        leader: broker_id(wire.leader_id).map_or(Leader::None, Leader::Broker),
        rare: RareFacts { offline: replicas(&wire.offline_replicas), ..RareFacts::default() }
            .into(),
        ..PartitionFacts::default()
    };
    let id = partition_id(wire.partition_index)?;
    let mut partition = Partition::new(id, replicas(&wire.replica_nodes));
    partition.facts = Some(Box::new(facts));
    Some(partition)
}
