//! How a fake broker answers changing requests: it records them, and changes nothing.

use super::answers::encoded;
use super::{Broker, Cluster};
use bytes::Bytes;
use kafka_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Request};
use std::fmt::Debug;
use uuid::Uuid;

/// The calls that change something.
pub(super) const KEYS: [i16; 5] = [
    AlterReplicaLogDirsRequest::KEY,
    CreateTopicsRequest::KEY,
    CreatePartitionsRequest::KEY,
    IncrementalAlterConfigsRequest::KEY,
    DeleteTopicsRequest::KEY,
];

const NOT_CONTROLLER: i16 = 41;

/// A topic's id, derived from its name.
pub(super) fn id_of(name: &str) -> Uuid {
    let mut bytes = [1; 16];
    bytes.iter_mut().zip(name.bytes()).for_each(|(byte, letter)| *byte = letter);
    Uuid::from_bytes(bytes)
}

impl Broker {
    pub(super) fn change(
        &self,
        cluster: &mut Cluster,
        header: &RequestHeader,
        body: Bytes,
    ) -> Bytes {
        match header.request_api_key {
            CreateTopicsRequest::KEY => self.create(cluster, header, body),
            CreatePartitionsRequest::KEY => self.grow(cluster, header, body),
            IncrementalAlterConfigsRequest::KEY => self.alter(cluster, header, body),
            DeleteTopicsRequest::KEY => self.delete(cluster, header, body),
            AlterReplicaLogDirsRequest::KEY => self.place(cluster, header, body),
            ListOffsetsRequest::KEY => offsets(cluster, header, body),
            other => panic!("no fake for API {other}"),
        }
    }

    /// The error code for one topic. Records the change if it was made.
    fn done(&self, cluster: &mut Cluster, name: &str, what: impl Debug) -> i16 {
        if cluster.controller.is_some_and(|id| id != self.id) {
            return NOT_CONTROLLER;
        }
        let code = cluster.unchangeable.get(name).copied().unwrap_or(0);
        if code == 0 {
            cluster.changed.push(format!("{name}: {what:?}"));
        }
        code
    }

    fn create(&self, cluster: &mut Cluster, header: &RequestHeader, mut body: Bytes) -> Bytes {
        let request = CreateTopicsRequest::decode(&mut body, header.request_api_version).unwrap();
        let each = request.topics.into_iter().map(|topic| {
            let lists = topic.assignments.iter().map(|a| (a.partition_index, ids(&a.broker_ids)));
            let config = topic.configs.iter().map(|c| format!("{}={:?}", c.name.as_str(), c.value));
            let what = (lists.collect::<Vec<_>>(), config.collect::<Vec<_>>());
            let code = self.done(cluster, topic.name.as_str(), what);
            let id = id_of(topic.name.as_str());
            let result = CreatableTopicResult::default().with_name(topic.name);
            result.with_error_code(code).with_topic_id(id)
        });
        let answer = CreateTopicsResponse::default().with_topics(each.collect());
        encoded::<CreateTopicsRequest>(header, answer)
    }

    fn grow(&self, cluster: &mut Cluster, header: &RequestHeader, mut body: Bytes) -> Bytes {
        let version = header.request_api_version;
        let request = CreatePartitionsRequest::decode(&mut body, version).unwrap();
        let each = request.topics.into_iter().map(|topic| {
            let lists = topic.assignments.unwrap_or_default();
            let lists: Vec<Vec<i32>> = lists.iter().map(|a| ids(&a.broker_ids)).collect();
            let code = self.done(cluster, topic.name.as_str(), (topic.count, lists));
            CreatePartitionsTopicResult::default().with_name(topic.name).with_error_code(code)
        });
        let answer = CreatePartitionsResponse::default().with_results(each.collect());
        encoded::<CreatePartitionsRequest>(header, answer)
    }

    fn alter(&self, cluster: &mut Cluster, header: &RequestHeader, mut body: Bytes) -> Bytes {
        let version = header.request_api_version;
        let request = IncrementalAlterConfigsRequest::decode(&mut body, version).unwrap();
        // Every broker accepts configs of topics.
        let controller = cluster.controller.take();
        let each = request.resources.into_iter().map(|resource| {
            let keys = resource.configs.iter();
            let keys = keys.map(|c| format!("{}{}={:?}", c.config_operation, &*c.name, c.value));
            let name = resource.resource_name;
            let code = self.done(cluster, name.as_str(), keys.collect::<Vec<_>>());
            AlterConfigsResourceResponse::default().with_resource_name(name).with_error_code(code)
        });
        let answer = IncrementalAlterConfigsResponse::default().with_responses(each.collect());
        cluster.controller = controller;
        encoded::<IncrementalAlterConfigsRequest>(header, answer)
    }

    fn delete(&self, cluster: &mut Cluster, header: &RequestHeader, mut body: Bytes) -> Bytes {
        let request = DeleteTopicsRequest::decode(&mut body, header.request_api_version).unwrap();
        let names: Vec<&'static str> = cluster.topics.keys().copied().collect();
        let each = request.topics.into_iter().map(|topic| {
            let name = names.iter().find(|name| id_of(name) == topic.topic_id);
            let code = name.map_or(100, |name| self.done(cluster, name, "deleted"));
            DeletableTopicResult::default().with_topic_id(topic.topic_id).with_error_code(code)
        });
        let answer = DeleteTopicsResponse::default().with_responses(each.collect());
        encoded::<DeleteTopicsRequest>(header, answer)
    }
}

impl Broker {
    /// Remembers log dirs for replicas that it does not have, as Kafka does. Its only dir is `/data`.
    fn place(&self, cluster: &mut Cluster, header: &RequestHeader, mut body: Bytes) -> Bytes {
        let version = header.request_api_version;
        let request = AlterReplicaLogDirsRequest::decode(&mut body, version).unwrap();
        let mut answer = AlterReplicaLogDirsResponse::default();
        for dir in request.dirs {
            for topic in dir.topics {
                let partitions =
                    cluster.topics.get(topic.name.as_str()).cloned().unwrap_or_default();
                let each = topic.partitions.into_iter().map(|index| {
                    let partition = usize::try_from(index).ok().and_then(|at| partitions.get(at));
                    let here = partition.is_some_and(|p| p.replicas.contains(&self.id));
                    let code = match (dir.path.as_str(), here) {
                        ("/data", true) => 0,
                        ("/data", false) => 9,
                        _ => 57,
                    };
                    let told = format!("{} {} {index}: {}", self.id, &*topic.name, &*dir.path);
                    cluster.changed.push(told);
                    let result = AlterReplicaLogDirPartitionResult::default();
                    result.with_partition_index(index).with_error_code(code)
                });
                let result = AlterReplicaLogDirTopicResult::default()
                    .with_partitions(each.collect())
                    .with_topic_name(topic.name);
                answer.results.push(result);
            }
        }
        encoded::<AlterReplicaLogDirsRequest>(header, answer)
    }
}

/// A partition of a topic that is not tiered ends at ten times its number. Partition 3 reports no offset.
fn offsets(cluster: &Cluster, header: &RequestHeader, mut body: Bytes) -> Bytes {
    let request = ListOffsetsRequest::decode(&mut body, header.request_api_version).unwrap();
    let partition = |topic: &str, index: i32, which: i64| {
        let at = [-2, -4, -5, -1].iter().position(|known| *known == which);
        let tiered = cluster.tiered.get(topic).zip(at).map(|(offsets, at)| offsets[at]);
        ListOffsetsPartitionResponse::default()
            .with_partition_index(index)
            .with_offset(tiered.unwrap_or(i64::from(index) * 10))
            .with_error_code(if index == 3 { 6 } else { 0 })
    };
    let each = request.topics.into_iter().map(|topic| {
        let answer =
            |p: &ListOffsetsPartition| partition(&topic.name, p.partition_index, p.timestamp);
        let partitions = topic.partitions.iter().map(answer).collect();
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    encoded::<ListOffsetsRequest>(
        header,
        ListOffsetsResponse::default().with_topics(each.collect()),
    )
}

fn ids(wire: &[BrokerId]) -> Vec<i32> {
    wire.iter().map(|id| id.0).collect()
}
