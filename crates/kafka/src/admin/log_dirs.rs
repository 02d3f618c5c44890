//! DescribeLogDirs (KIP-113, KIP-827): what lies on one broker's disks, and how much room they have.

use super::{partition_id, topic_name};
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
    /// Why the broker cannot use it, if it cannot: its disk failed.
    pub failure: Option<ResponseError>,
    /// The size of its volume; told since Kafka 3.3.
    pub total: Option<Bytes>,
    /// What is usable on its volume; told since Kafka 3.3.
    pub free: Option<Bytes>,
    /// The replicas in it, by topic, and their sizes.
    pub topics: BTreeMap<String, DirReplicas>,
}

/// The replicas of one topic in one log dir. One that is only on its way into this dir is not counted.
pub type DirReplicas = Vec<(PartitionId, Bytes)>;

impl Client {
    /// Asks a broker what it stores. Needs Describe on the cluster.
    ///
    /// # Errors
    /// As any call.
    pub async fn log_dirs(&self, broker: BrokerId) -> Result<Vec<LogDirFacts>, Error> {
        self.ask_log_dirs(broker, None).await
    }

    /// The same for some partitions only, given up after `patience`: a broker that died a moment ago costs no more.
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
        let asked = self.ask_log_dirs(broker, Some(wanted.collect()));
        let (target, late) = (Target::Broker(broker), |error| error);
        self.within::<DescribeLogDirsRequest, _, _>(target, patience, late, asked).await
    }

    async fn ask_log_dirs(
        &self,
        broker: BrokerId,
        topics: Option<Vec<DescribableLogDirTopic>>,
    ) -> Result<Vec<LogDirFacts>, Error> {
        let target = Target::Broker(broker);
        let request = |_| DescribeLogDirsRequest::default().with_topics(topics.clone());
        let answer = self.ask(target, request).await?;
        if let Some(code) = failure(&answer) {
            return Err(self.refused::<DescribeLogDirsRequest>(target, code, None));
        }
        Ok(answer.results.into_iter().map(log_dir).collect())
    }
}

/// Before version 3 a broker that forbids the call answers with nothing at all; every broker has a log dir.
fn failure(answer: &DescribeLogDirsResponse) -> Option<ResponseError> {
    let forbidden = answer.results.is_empty().then_some(ResponseError::ClusterAuthorizationFailed);
    ResponseError::try_from_code(answer.error_code).or(forbidden)
}

fn log_dir(wire: DescribeLogDirsResult) -> LogDirFacts {
    // -1: not told.
    let told = |bytes: i64| u64::try_from(bytes).ok().map(Bytes);
    LogDirFacts {
        path: wire.log_dir.to_string(),
        failure: ResponseError::try_from_code(wire.error_code),
        total: told(wire.total_bytes),
        free: told(wire.usable_bytes),
        topics: wire.topics.into_iter().map(replicas).collect(),
    }
}

fn replicas(wire: DescribeLogDirsTopic) -> (String, DirReplicas) {
    let current = wire.partitions.iter().filter(|partition| !partition.is_future_key);
    let sizes = current.filter_map(|partition| {
        let size = u64::try_from(partition.partition_size).ok()?;
        Some((partition_id(partition.partition_index)?, Bytes(size)))
    });
    (wire.name.0.to_string(), sizes.collect())
}
