//! DescribeLogDirs (KIP-113, KIP-827): the replicas on one broker's disks, and the free space.

use super::{CANARY_TOPIC, partition_id, topic_name};
use crate::client::{Client, Target};
use crate::error::Error;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use mapper::{BrokerId, Bytes, PartitionId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One log dir of one broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDirFacts {
    /// Its path on the broker.
    pub path: String,
    /// The error code, if the broker cannot use this log dir (its disk failed).
    pub failure: Option<ResponseError>,
    /// The size of its volume. Reported since Kafka 3.3.
    pub total: Option<Bytes>,
    /// The usable space on its volume. Reported since Kafka 3.3.
    pub free: Option<Bytes>,
    /// The replicas in it, by topic, with their sizes. Excludes replicas that are still being copied into it, and the
    /// canary's.
    pub topics: BTreeMap<String, DirReplicas>,
    /// Replicas that the broker copies into it from another log dir, and how much of each has arrived.
    pub arriving: BTreeMap<String, DirReplicas>,
}

impl LogDirFacts {
    /// The replicas in it, with their sizes.
    pub fn into_replicas(self) -> impl Iterator<Item = (TopicPartition, Bytes)> {
        self.topics.into_iter().flat_map(|(topic, replicas)| {
            replicas.into_iter().map(move |(partition, size)| {
                (TopicPartition { topic: topic.clone(), partition }, size)
            })
        })
    }
}

/// The replicas of one topic in one log dir.
pub type DirReplicas = Vec<(PartitionId, Bytes)>;

impl Client {
    /// Asks a broker for its log dirs. Needs Describe on the cluster.
    ///
    /// # Errors
    /// As any call.
    pub async fn log_dirs(&self, broker: BrokerId) -> Result<Vec<LogDirFacts>, Error> {
        self.ask_log_dirs(Target::Broker(broker), None).await
    }

    /// The same for the broker at the bootstrap address.
    ///
    /// # Errors
    /// As any call.
    pub async fn own_log_dirs(&self) -> Result<Vec<LogDirFacts>, Error> {
        self.ask_log_dirs(Target::Any, None).await
    }

    /// The same for some partitions only. Gives up after `patience`, so a broker that died a moment ago costs no more
    /// than that.
    ///
    /// # Errors
    /// As any call.
    pub async fn log_dirs_of(
        &self,
        broker: BrokerId,
        partitions: &BTreeSet<TopicPartition>,
        patience: Duration,
    ) -> Result<Vec<LogDirFacts>, Error> {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for of in partitions {
            topics.entry(&of.topic).or_default().extend(i32::try_from(of.partition.0));
        }
        let wanted = topics.into_iter().map(|(name, partitions)| {
            DescribableLogDirTopic::default()
                .with_topic(topic_name(name))
                .with_partitions(partitions)
        });
        let (target, late) = (Target::Broker(broker), |error| error);
        let asked = self.ask_log_dirs(target, Some(wanted.collect()));
        self.within::<DescribeLogDirsRequest, _, _>(target, patience, late, asked).await
    }

    /// The number of replicas that a broker copies between its log dirs. Gives up after `patience`.
    ///
    /// # Errors
    /// As any call.
    pub async fn between_log_dirs(
        &self,
        broker: BrokerId,
        patience: Duration,
    ) -> Result<usize, Error> {
        let target = Target::Broker(broker);
        let request = |_| DescribeLogDirsRequest::default().with_topics(None);
        let (asked, late) = (self.ask(target, request), |error| error);
        let answer =
            self.within::<DescribeLogDirsRequest, _, _>(target, patience, late, asked).await?;
        if let Some(code) = failure(&answer) {
            return Err(self.refused::<DescribeLogDirsRequest>(target, code, None));
        }
        let topics = answer.results.iter().flat_map(|dir| &dir.topics);
        let replicas = topics.flat_map(|topic| &topic.partitions);
        Ok(replicas.filter(|replica| replica.is_future_key).count())
    }

    async fn ask_log_dirs(
        &self,
        target: Target,
        topics: Option<Vec<DescribableLogDirTopic>>,
    ) -> Result<Vec<LogDirFacts>, Error> {
        let request = |_| DescribeLogDirsRequest::default().with_topics(topics.clone());
        let answer = self.ask(target, request).await?;
        if let Some(code) = failure(&answer) {
            return Err(self.refused::<DescribeLogDirsRequest>(target, code, None));
        }
        Ok(answer.results.into_iter().map(log_dir).collect())
    }
}

/// Before version 3, a broker that forbids the call sends an empty answer. Every broker has a log dir, so empty means
/// forbidden.
fn failure(answer: &DescribeLogDirsResponse) -> Option<ResponseError> {
    let forbidden = answer.results.is_empty().then_some(ResponseError::ClusterAuthorizationFailed);
    ResponseError::try_from_code(answer.error_code).or(forbidden)
}

fn log_dir(wire: DescribeLogDirsResult) -> LogDirFacts {
    // -1 means that the broker did not report it.
    let told = |bytes: i64| u64::try_from(bytes).ok().map(Bytes);
    LogDirFacts {
        path: wire.log_dir.to_string(),
        failure: ResponseError::try_from_code(wire.error_code),
        total: told(wire.total_bytes),
        free: told(wire.usable_bytes),
        topics: replicas(&wire.topics, false),
        arriving: replicas(&wire.topics, true),
    }
}

fn replicas(wire: &[DescribeLogDirsTopic], arriving: bool) -> BTreeMap<String, DirReplicas> {
    let mut found: BTreeMap<String, DirReplicas> = BTreeMap::new();
    for topic in wire.iter().filter(|topic| topic.name.as_str() != CANARY_TOPIC) {
        let wanted = topic.partitions.iter().filter(|one| one.is_future_key == arriving);
        let mut sizes = wanted.filter_map(|partition| {
            let size = u64::try_from(partition.partition_size).ok()?;
            Some((partition_id(partition.partition_index)?, Bytes(size)))
        });
        if let Some(first) = sizes.next() {
            let of_topic = found.entry(topic.name.0.to_string()).or_default();
            of_topic.extend(std::iter::once(first).chain(sizes));
        }
    }
    found
}
