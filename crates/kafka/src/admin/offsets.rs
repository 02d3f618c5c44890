//! ListOffsets (KIP-79, KIP-405, KIP-1005): where the logs of partitions begin and end.

use super::{partition_id, topic_name};
use crate::client::{Client, Target};
use crate::error::Error;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::ListOffsetsTopicResponse;
use kafka_protocol::messages::{BrokerId as WireBrokerId, ListOffsetsRequest};
use mapper::snapshot::{Leader, Topic};
use mapper::{BrokerId, PartitionId};
use std::collections::BTreeMap;

/// An offset that a leader knows about its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogOffset {
    /// After the last record that consumers can see.
    End = -1,
    /// The first record, local or in remote storage.
    Start = -2,
    /// The first record on the leader's own disk. Kafka 3.6 and later.
    LocalStart = -4,
    /// The last record in remote storage. Kafka 3.9 and later.
    LastTiered = -5,
}

/// For each topic: the partitions, and an offset of each.
pub(crate) type OffsetsByTopic = BTreeMap<String, BTreeMap<PartitionId, u64>>;

/// The partitions to request from one leader.
pub(crate) type OfLeader<'t> = BTreeMap<&'t str, Vec<PartitionId>>;

impl Client {
    /// The end offsets of these topics' partitions, as their leaders report them. A partition without a leader, or
    /// whose leader reports none, is missing from the result. Needs Describe on the topics.
    ///
    /// # Errors
    /// As any call.
    pub async fn end_offsets(
        &self,
        topics: &[&Topic],
    ) -> Result<BTreeMap<String, BTreeMap<PartitionId, u64>>, Error> {
        let mut ends = OffsetsByTopic::new();
        for (leader, partitions) in by_leader(topics.iter().copied()) {
            for (topic, told) in self.offsets(leader, &partitions, LogOffset::End).await? {
                ends.entry(topic).or_default().extend(told);
            }
        }
        Ok(ends)
    }

    /// One offset of each of these partitions, as their leader reports it. A partition that has none is missing from
    /// the result. Needs Describe on the topics.
    ///
    /// # Errors
    /// As any call.
    pub(crate) async fn offsets(
        &self,
        leader: BrokerId,
        partitions: &OfLeader<'_>,
        which: LogOffset,
    ) -> Result<OffsetsByTopic, Error> {
        let answer = self.ask(Target::Broker(leader), |_| request(partitions, which)).await?;
        let of_topic = |topic: ListOffsetsTopicResponse| {
            let told = topic.partitions.iter().filter(|partition| partition.error_code == 0);
            let offsets = told.filter_map(|partition| {
                let offset = u64::try_from(partition.offset).ok()?;
                Some((partition_id(partition.partition_index)?, offset))
            });
            (topic.name.0.to_string(), offsets.collect())
        };
        Ok(answer.topics.into_iter().map(of_topic).collect())
    }
}

/// The partitions of these topics, by their leader.
pub(crate) fn by_leader<'t>(
    topics: impl IntoIterator<Item = &'t Topic>,
) -> BTreeMap<BrokerId, OfLeader<'t>> {
    let mut leaders: BTreeMap<BrokerId, OfLeader<'t>> = BTreeMap::new();
    for topic in topics {
        for partition in &topic.partitions {
            if let Leader::Broker(leader) = partition.leader() {
                let asked = leaders.entry(leader).or_default();
                asked.entry(topic.name.as_str()).or_default().push(partition.id);
            }
        }
    }
    leaders
}

fn request(topics: &OfLeader<'_>, which: LogOffset) -> ListOffsetsRequest {
    let partition = |id: &PartitionId| {
        ListOffsetsPartition::default()
            .with_partition_index(i32::try_from(id.0).unwrap_or(i32::MAX))
            .with_timestamp(which as i64)
    };
    let topic = |(name, partitions): (&&str, &Vec<PartitionId>)| {
        ListOffsetsTopic::default()
            .with_name(topic_name(name))
            .with_partitions(partitions.iter().map(partition).collect())
    };
    // -1: the request comes from a client, not a replica.
    ListOffsetsRequest::default()
        .with_replica_id(WireBrokerId(-1))
        .with_topics(topics.iter().map(topic).collect())
}
