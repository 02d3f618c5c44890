//! DescribeTopicPartitions (KIP-966): the eligible leader replicas of partitions below their min ISR.

use super::{partition_id, replicas, topic_name};
use crate::client::{Client, Target};
use crate::error::{Error, ProtocolFault};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic;
use kafka_protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use mapper::{PartitionId, Replicas};
use std::collections::{BTreeMap, BTreeSet};

/// The partitions that have eligible leaders outside their ISR, or that lost their leader, by topic.
pub type EligibleLeaders = BTreeMap<String, BTreeMap<PartitionId, Eligible>>;

/// The replicas outside the ISR that may lead a partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Eligible {
    /// The eligible leader replicas.
    pub elr: Replicas,
    /// The last leader, if there is no leader now. It leads again if no other replica may.
    pub last_known: Replicas,
}

/// Partitions on one page: the broker's default limit (`max.request.partition.size.limit`).
const PAGE: i32 = 2000;

impl Client {
    /// Asks for the eligible leaders of these topics, page by page. Returns `None` if the cluster has no such request
    /// (ZooKeeper mode, and KRaft before 3.7).
    ///
    /// # Errors
    /// As any call.
    pub async fn eligible_leaders(
        &self,
        target: Target,
        topics: &BTreeSet<String>,
    ) -> Result<Option<EligibleLeaders>, Error> {
        let mut found = EligibleLeaders::new();
        let mut cursor = None;
        loop {
            let page = self.ask(target, |_| request(topics, cursor.clone())).await;
            let page = match page {
                Err(Error::Protocol { fault: ProtocolFault::NotOffered { .. }, .. }) => {
                    return Ok(None);
                }
                page => page?,
            };
            let next = next(&page);
            for topic in page.topics {
                self.collect(target, topic, &mut found)?;
            }
            // Pages are in topic order. A cursor that does not advance would make this loop endless.
            let place = |cursor: &Option<Cursor>| {
                cursor.as_ref().map(|at| (at.topic_name.clone(), at.partition_index))
            };
            if place(&next) <= place(&cursor) {
                return Ok(Some(found));
            }
            cursor = next;
        }
    }

    fn collect(
        &self,
        target: Target,
        topic: DescribeTopicPartitionsResponseTopic,
        found: &mut EligibleLeaders,
    ) -> Result<(), Error> {
        match ResponseError::try_from_code(topic.error_code) {
            None => {}
            Some(ResponseError::UnknownTopicOrPartition) => return Ok(()),
            Some(code) => {
                return Err(self.refused::<DescribeTopicPartitionsRequest>(target, code, None));
            }
        }
        let Some(name) = topic.name else {
            return Ok(());
        };
        let leaders = topic.partitions.iter().filter_map(|partition| {
            let list = |wire: Option<&[_]>| replicas(wire.unwrap_or_default());
            let eligible = Eligible {
                elr: list(partition.eligible_leader_replicas.as_deref()),
                last_known: list(partition.last_known_elr.as_deref()),
            };
            Some((partition_id(partition.partition_index)?, eligible))
        });
        let leaders = leaders.filter(|(_, eligible)| *eligible != Eligible::default());
        found.entry(name.0.to_string()).or_default().extend(leaders);
        Ok(())
    }
}

/// With a cursor, the broker itself skips the topics before it.
fn request(topics: &BTreeSet<String>, cursor: Option<Cursor>) -> DescribeTopicPartitionsRequest {
    let named = |name: &String| TopicRequest::default().with_name(topic_name(name));
    DescribeTopicPartitionsRequest::default()
        .with_topics(topics.iter().map(named).collect())
        .with_response_partition_limit(PAGE)
        .with_cursor(cursor)
}

fn next(page: &DescribeTopicPartitionsResponse) -> Option<Cursor> {
    let next = page.next_cursor.as_ref()?;
    let cursor = Cursor::default().with_topic_name(next.topic_name.clone());
    Some(cursor.with_partition_index(next.partition_index))
}
