//! ListOffsets (KIP-79): the end offsets of partitions.

use super::{partition_id, topic_name};
use crate::client::{Client, Target};
use crate::error::Error;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId as WireBrokerId, ListOffsetsRequest};
use mapper::snapshot::{Leader, Topic};
use mapper::{BrokerId, PartitionId};
use std::collections::BTreeMap;

/// The offset after the last record that consumers can see.
const LATEST: i64 = -1;

/// For each topic: the partitions, and the offset that the next record of each gets.
type EndsByTopic = BTreeMap<String, BTreeMap<PartitionId, u64>>;

/// The partitions to request from one leader.
type OfLeader<'t> = BTreeMap<&'t str, Vec<PartitionId>>;

impl Client {
    /// The end offsets of these topics' partitions, as their leaders report them. A partition without a leader, or
    /// whose leader reports none, is missing from the result. Needs Describe on the topics.
    ///
    /// # Errors
    /// As any call.
    pub async fn end_offsets(&self, topics: &[&Topic]) -> Result<EndsByTopic, Error> {
        let mut ends = EndsByTopic::new();
        for (leader, partitions) in by_leader(topics) {
            let answer = self.ask(Target::Broker(leader), |_| request(&partitions)).await?;
            for topic in answer.topics {
                let ends = ends.entry(topic.name.0.to_string()).or_default();
                let told = topic.partitions.iter().filter(|partition| partition.error_code == 0);
                ends.extend(told.filter_map(|partition| {
                    let end = u64::try_from(partition.offset).ok()?;
                    Some((partition_id(partition.partition_index)?, end))
                }));
            }
        }
        Ok(ends)
    }
}

fn by_leader<'t>(topics: &[&'t Topic]) -> BTreeMap<BrokerId, OfLeader<'t>> {
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

fn request(topics: &OfLeader<'_>) -> ListOffsetsRequest {
    let partition = |id: &PartitionId| {
        ListOffsetsPartition::default()
            .with_partition_index(i32::try_from(id.0).unwrap_or(i32::MAX))
            .with_timestamp(LATEST)
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
