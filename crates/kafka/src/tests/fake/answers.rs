//! The answers of a fake broker, made from the test's description of its cluster.

use super::{Broker, Cluster, FakePartition, Move};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::describe_topic_partitions_response::{
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, Request, StrBytes};

impl Broker {
    pub(super) fn answer(&self, header: &RequestHeader, mut body: Bytes) -> Bytes {
        let mut cluster = self.cluster.lock().unwrap();
        let (key, version) = (header.request_api_key, header.request_api_version);
        cluster.asked.push((self.id, key, version));
        let error = cluster.errors.get(&key).copied().unwrap_or(0);
        match key {
            ApiVersionsRequest::KEY => versions(header, &cluster),
            SaslHandshakeRequest::KEY => {
                let request = SaslHandshakeRequest::decode(&mut body, version).unwrap();
                encoded::<SaslHandshakeRequest>(header, handshake(&cluster, &request))
            }
            SaslAuthenticateRequest::KEY => {
                let request = SaslAuthenticateRequest::decode(&mut body, version).unwrap();
                encoded::<SaslAuthenticateRequest>(header, authenticate(&cluster, &request))
            }
            MetadataRequest::KEY => {
                let request = MetadataRequest::decode(&mut body, version).unwrap();
                encoded::<MetadataRequest>(header, self.metadata(&cluster, &request))
            }
            DescribeClusterRequest::KEY => {
                let request = DescribeClusterRequest::decode(&mut body, version).unwrap();
                encoded::<DescribeClusterRequest>(header, self.description(&cluster, &request))
            }
            DescribeLogDirsRequest::KEY => {
                let dirs = self.log_dirs(&cluster, version, error);
                encoded::<DescribeLogDirsRequest>(header, dirs)
            }
            ListPartitionReassignmentsRequest::KEY => {
                let moves = self.moves(&mut cluster, error);
                encoded::<ListPartitionReassignmentsRequest>(header, moves)
            }
            DescribeConfigsRequest::KEY => {
                let request = DescribeConfigsRequest::decode(&mut body, version).unwrap();
                encoded::<DescribeConfigsRequest>(header, configs(&cluster, &request))
            }
            DescribeTopicPartitionsRequest::KEY => {
                let request = DescribeTopicPartitionsRequest::decode(&mut body, version).unwrap();
                encoded::<DescribeTopicPartitionsRequest>(header, partitions(&cluster, &request))
            }
            _ => self.change(&mut cluster, header, body),
        }
    }

    fn port(&self, cluster: &Cluster, id: i32) -> i32 {
        // Without root, no process may listen on port 1.
        if cluster.unreachable.contains(&id) { 1 } else { self.ports[&id].into() }
    }

    fn description(
        &self,
        cluster: &Cluster,
        request: &DescribeClusterRequest,
    ) -> DescribeClusterResponse {
        let listed = cluster
            .brokers
            .iter()
            .filter(|(id, _)| request.include_fenced_brokers || !cluster.fenced.contains(id));
        let broker = |(&id, rack): (&i32, &&'static str)| {
            DescribeClusterBroker::default()
                .with_broker_id(BrokerId(id))
                .with_host(text("127.0.0.1"))
                .with_port(self.port(cluster, id))
                .with_rack(Some(text(rack)))
                .with_is_fenced(cluster.fenced.contains(&id))
        };
        DescribeClusterResponse::default()
            .with_cluster_id(text("fake"))
            .with_controller_id(BrokerId(cluster.controller.unwrap_or(1)))
            .with_brokers(listed.map(broker).collect())
    }

    fn metadata(&self, cluster: &Cluster, request: &MetadataRequest) -> MetadataResponse {
        let broker = |(&id, rack): (&i32, &&'static str)| {
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(id))
                .with_host(text("127.0.0.1"))
                .with_port(self.port(cluster, id))
                .with_rack(Some(text(rack)))
        };
        let topics: Vec<MetadataResponseTopic> = match &request.topics {
            None => cluster
                .topics
                .iter()
                .filter(|(name, _)| !cluster.hidden.contains(*name))
                .map(|(name, partitions)| topic(cluster, name, partitions))
                .collect(),
            Some(named) => named
                .iter()
                .filter_map(|wanted| wanted.name.as_ref())
                .map(|name| self.named_topic(cluster, name.as_str()))
                .collect(),
        };
        let live = cluster.brokers.iter().filter(|(id, _)| !cluster.fenced.contains(id));
        MetadataResponse::default()
            .with_cluster_id(Some(text("fake")))
            .with_controller_id(BrokerId(cluster.controller.unwrap_or(1)))
            .with_brokers(live.map(broker).collect())
            .with_topics(topics)
    }

    fn named_topic(&self, cluster: &Cluster, name: &str) -> MetadataResponseTopic {
        let named = |code| {
            let name = TopicName(StrBytes::from_string(name.to_owned()));
            MetadataResponseTopic::default().with_name(Some(name)).with_error_code(code)
        };
        let told = cluster.stale.get(&self.id).unwrap_or(&cluster.topics);
        match told.get_key_value(name) {
            _ if cluster.hidden.contains(name) => named(29),
            Some((name, partitions)) => topic(cluster, name, partitions),
            None if cluster.hidden.contains("*") => named(29),
            None => named(3),
        }
    }

    fn log_dirs(&self, cluster: &Cluster, version: i16, error: i16) -> DescribeLogDirsResponse {
        if error != 0 {
            let code = if version >= 3 { error } else { 0 };
            return DescribeLogDirsResponse::default().with_error_code(code);
        }
        let orphan = |name: &&'static str| (*name, vec![partition_of(0, 7)]);
        let held = cluster.topics.iter().map(|(name, partitions)| {
            let here = partitions.iter().zip(0..).filter(|(p, _)| p.replicas.contains(&self.id));
            (*name, here.map(|(p, index)| partition_of(index, p.size)).collect::<Vec<_>>())
        });
        let topics = held.chain(cluster.orphans.iter().map(orphan)).map(|(name, partitions)| {
            DescribeLogDirsTopic::default()
                .with_name(TopicName(text(name)))
                .with_partitions(partitions)
        });
        // The broker is moving one replica of each topic from another of its log dirs to this one.
        let arriving = cluster.arriving.iter().map(|name| {
            let partition = partition_of(9, 3).with_is_future_key(true);
            DescribeLogDirsTopic::default()
                .with_name(TopicName(text(name)))
                .with_partitions(vec![partition])
        });
        let topics = topics.chain(arriving);
        let topics: Vec<DescribeLogDirsTopic> = topics.collect();
        let held = || topics.iter().flat_map(|topic| &topic.partitions).map(|it| it.partition_size);
        let (total, usable) = match cluster.disk {
            Some(total) => (total, total - held().sum::<i64>()),
            None => (1000, 600),
        };
        let mut dir =
            DescribeLogDirsResult::default().with_log_dir(text("/data")).with_topics(topics);
        if version >= 4 {
            dir = dir.with_total_bytes(total).with_usable_bytes(usable);
        }
        DescribeLogDirsResponse::default().with_results(vec![dir])
    }

    fn moves(&self, cluster: &mut Cluster, error: i16) -> ListPartitionReassignmentsResponse {
        let response = ListPartitionReassignmentsResponse::default();
        let not_controller = cluster.controller.is_some_and(|id| id != self.id);
        if error != 0 || not_controller {
            return response.with_error_code(if error == 0 { 41 } else { error });
        }
        let last = cluster.moves.len() <= 1;
        let now = match cluster.moves.first() {
            Some(now) if last => now.clone(),
            Some(_) => cluster.moves.remove(0),
            None => Vec::new(),
        };
        let topic = |(name, index, (replicas, adding, removing)): (&'static str, i32, Move)| {
            let partition = OngoingPartitionReassignment::default()
                .with_partition_index(index)
                .with_replicas(ids(&replicas))
                .with_adding_replicas(ids(&adding))
                .with_removing_replicas(ids(&removing));
            OngoingTopicReassignment::default()
                .with_name(TopicName(text(name)))
                .with_partitions(vec![partition])
        };
        response.with_topics(now.into_iter().map(topic).collect())
    }
}

fn versions(header: &RequestHeader, cluster: &Cluster) -> Bytes {
    let codec = [
        (ApiVersionsRequest::KEY, ApiVersionsRequest::VERSIONS),
        (SaslHandshakeRequest::KEY, SaslHandshakeRequest::VERSIONS),
        (SaslAuthenticateRequest::KEY, SaslAuthenticateRequest::VERSIONS),
        (MetadataRequest::KEY, MetadataRequest::VERSIONS),
        (DescribeClusterRequest::KEY, DescribeClusterRequest::VERSIONS),
        (DescribeLogDirsRequest::KEY, DescribeLogDirsRequest::VERSIONS),
        (ListPartitionReassignmentsRequest::KEY, ListPartitionReassignmentsRequest::VERSIONS),
        (DescribeConfigsRequest::KEY, DescribeConfigsRequest::VERSIONS),
        (DescribeTopicPartitionsRequest::KEY, DescribeTopicPartitionsRequest::VERSIONS),
        (ListOffsetsRequest::KEY, ListOffsetsRequest::VERSIONS),
        (CreateTopicsRequest::KEY, CreateTopicsRequest::VERSIONS),
        (CreatePartitionsRequest::KEY, CreatePartitionsRequest::VERSIONS),
        (IncrementalAlterConfigsRequest::KEY, IncrementalAlterConfigsRequest::VERSIONS),
        (DeleteTopicsRequest::KEY, DeleteTopicsRequest::VERSIONS),
        (AlterReplicaLogDirsRequest::KEY, AlterReplicaLogDirsRequest::VERSIONS),
    ];
    let offered = codec.into_iter().filter_map(|(key, codec)| {
        let (min, max) =
            cluster.versions.get(&key).copied().unwrap_or(Some((codec.min, codec.max)))?;
        let api = ApiVersion::default().with_api_key(key);
        Some(api.with_min_version(min).with_max_version(max))
    });
    let mut answer = ApiVersionsResponse::default().with_api_keys(offered.collect());
    let ours = cluster.versions.get(&ApiVersionsRequest::KEY).copied().flatten();
    let mut header = header.clone();
    if ours.is_some_and(|(_, max)| header.request_api_version > max) {
        answer = answer.with_error_code(35);
        header.request_api_version = 0;
    }
    encoded::<ApiVersionsRequest>(&header, answer)
}

fn handshake(cluster: &Cluster, request: &SaslHandshakeRequest) -> SaslHandshakeResponse {
    let code = match cluster.password {
        None => 34,
        Some(_) if request.mechanism.as_str() == "PLAIN" => 0,
        Some(_) => 33,
    };
    SaslHandshakeResponse::default().with_error_code(code).with_mechanisms(vec![text("PLAIN")])
}

fn authenticate(cluster: &Cluster, request: &SaslAuthenticateRequest) -> SaslAuthenticateResponse {
    let token = String::from_utf8_lossy(&request.auth_bytes).into_owned();
    let right = cluster.password.is_some_and(|password| token.ends_with(&format!("\0{password}")));
    let response = SaslAuthenticateResponse::default().with_session_lifetime_ms(cluster.session);
    let refused = Some(text("Authentication failed: Invalid username or password"));
    if right { response } else { response.with_error_code(58).with_error_message(refused) }
}

fn topic(
    cluster: &Cluster,
    name: &'static str,
    partitions: &[FakePartition],
) -> MetadataResponseTopic {
    let partition = |(partition, index): (&FakePartition, i32)| {
        let lost: Vec<i32> =
            partition.replicas.iter().copied().filter(|id| cluster.fenced.contains(id)).collect();
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BrokerId(partition.leader))
            .with_replica_nodes(ids(&partition.replicas))
            .with_isr_nodes(ids(&partition.isr))
            .with_offline_replicas(ids(&lost))
    };
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(name))))
        .with_topic_id(super::changes::id_of(name))
        .with_is_internal(name.starts_with("__"))
        .with_partitions(partitions.iter().zip(0..).map(partition).collect())
}

fn configs(cluster: &Cluster, request: &DescribeConfigsRequest) -> DescribeConfigsResponse {
    let config = |name, value, source| {
        DescribeConfigsResourceResult::default()
            .with_name(text(name))
            .with_value(Some(text(value)))
            .with_config_source(source)
    };
    const BROKER: i8 = 4;
    let result = |resource: &DescribeConfigsResource| {
        let name = &resource.resource_name;
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(name.clone());
        if cluster.secret_configs.contains(name.as_str()) {
            return result.with_error_code(29);
        }
        if resource.resource_type == BROKER {
            let cordoned = name.parse().ok().and_then(|id: i32| cluster.cordons.get(&id).copied());
            let cordoned = config("cordoned.log.dirs", cordoned.unwrap_or_default(), 2);
            let late = name.parse().is_ok_and(|id: i32| cluster.start_late.contains(&id));
            let late = if late { "true" } else { "false" };
            let late = config("follower.fetch.last.tiered.offset.enable", late, 3);
            return result.with_configs(vec![cordoned, late, config("log.dirs", "/data", 4)]);
        }
        let mut all = vec![
            config("retention.ms", "1000", 1),
            config("min.insync.replicas", "2", 4),
            config("cleanup.policy", "delete", 5),
            config("unclean.leader.election.enable", cluster.unclean.unwrap_or("false"), 4),
        ];
        if cluster.tiered.contains_key(name.as_str()) {
            all.push(config("remote.storage.enable", "true", 1));
        }
        if let Some(keys) = &resource.configuration_keys {
            all.retain(|config| keys.contains(&config.name));
        }
        result.with_configs(all)
    };
    let results = request.resources.iter().map(result);
    DescribeConfigsResponse::default().with_results(results.collect())
}

/// One topic on each page, so that every test with two topics uses paging.
fn partitions(
    cluster: &Cluster,
    request: &DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    use describe_topic_partitions_response::Cursor;
    let from = request.cursor.as_ref().map(|cursor| cursor.topic_name.0.to_string());
    let mut names: Vec<String> = request.topics.iter().map(|t| t.name.0.to_string()).collect();
    names.retain(|name| from.as_ref().is_none_or(|from| name >= from));
    names.sort();
    let mut names = names.into_iter();
    let Some(name) = names.next() else { return DescribeTopicPartitionsResponse::default() };
    let next = names
        .next()
        .map(|name| Cursor::default().with_topic_name(TopicName(StrBytes::from_string(name))));
    let partitions = cluster.topics[name.as_str()].iter().zip(0..).map(|(partition, index)| {
        DescribeTopicPartitionsResponsePartition::default()
            .with_partition_index(index)
            .with_eligible_leader_replicas(Some(ids(&partition.elr)))
            .with_last_known_elr(Some(ids(&partition.last_known_elr)))
    });
    let topic = DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(name))))
        .with_partitions(partitions.collect());
    DescribeTopicPartitionsResponse::default().with_topics(vec![topic]).with_next_cursor(next)
}

fn partition_of(index: i32, size: i64) -> DescribeLogDirsPartition {
    DescribeLogDirsPartition::default().with_partition_index(index).with_partition_size(size)
}

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

fn ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

pub(super) fn encoded<R: Request>(request: &RequestHeader, answer: R::Response) -> Bytes {
    let version = request.request_api_version;
    let header = ResponseHeader::default().with_correlation_id(request.correlation_id);
    let mut bytes = BytesMut::new();
    header.encode(&mut bytes, <R::Response as HeaderVersion>::header_version(version)).unwrap();
    answer.encode(&mut bytes, version).unwrap();
    bytes.freeze()
}
