//! DescribeTopicPartitions (KIP-966): the eligible leader replicas of partitions that fell below their min ISR.

use super::{partition_id, replicas, topic_name};
use crate::client::{Client, Target};
use crate::error::{Error, ProtocolFault};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic;
use kafka_protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use mapper::{PartitionId, Replicas};
use std::collections::{BTreeMap, BTreeSet};

/// The partitions that have eligible leaders outside their ISR or have lost their leader, by topic.
pub type EligibleLeaders = BTreeMap<String, BTreeMap<PartitionId, Eligible>>;

/// Who may lead a partition besides its ISR.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Eligible {
    /// The eligible leader replicas.
    pub elr: Replicas,
    /// The last leader, where there is none now: it leads again if nobody else may.
    pub last_known: Replicas,
}

/// The broker's own limit by default (`max.request.partition.size.limit`).
const PAGE: i32 = 2000;

impl Client {
    /// Asks for the eligible leaders of these topics, page by page; `None` where the cluster has no such thing
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
            // Pages are in the order of topics; a cursor that does not advance would never end.
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

/// With a cursor, the broker leaves out the topics before it by itself.
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
