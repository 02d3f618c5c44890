//! Changes: the request's content, that it is sent once, and that each topic has its own answer.

use super::*;
use crate::error::{Error, Operation, ProtocolFault, Resource};
use crate::fake::{Cluster as FakeCluster, Fake};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest};
use kafka_protocol::protocol::Request;
use mapper::TopicPartition;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

fn list(ids: &[u32]) -> Replicas {
    ids.iter().copied().map(BrokerId).collect()
}

fn new_topic(name: &str) -> NewTopic {
    NewTopic {
        name: name.to_owned(),
        replicas: vec![list(&[1, 2]), list(&[3, 1])],
        config: [("retention.ms".to_owned(), "1000".to_owned())].into(),
    }
}

fn created(fake: &Fake) -> usize {
    let key = CreateTopicsRequest::KEY;
    fake.now().asked.iter().filter(|asked| asked.1 == key).count()
}

#[tokio::test]
async fn a_topic_is_made_with_the_replicas_that_were_chosen_and_its_id_comes_back() {
    let mut cluster = FakeCluster::of_three();
    cluster.topic("orders", &[&[1, 2]]);
    let fake = Fake::start(cluster).await;
    let client = fake.client().await;
    let answers = client.create_topics(&[new_topic("orders")]).await.unwrap();
    let id = answers["orders"].clone().unwrap().unwrap();
    assert_eq!(
        fake.now().changed,
        ["orders: ([(0, [1, 2]), (1, [3, 1])], [\"retention.ms=Some(\\\"1000\\\")\"])"]
    );
    let ids = client.topic_ids(&["orders".to_owned(), "absent".to_owned()].into()).await.unwrap();
    assert_eq!(ids, BTreeMap::from([("orders".to_owned(), id)]));
    assert_eq!(client.changes_sent(), 1);
}

#[tokio::test]
async fn one_refused_topic_does_not_hide_the_others_and_says_what_right_is_missing() {
    let mut cluster = FakeCluster::of_three();
    cluster.unchangeable = [("a", 29), ("b", 36), ("c", 7)].into();
    let fake = Fake::start(cluster).await;
    let topics = ["a", "b", "c", "d"].map(new_topic);
    let answers = fake.client().await.create_topics(&topics).await.unwrap();
    let denied = answers["a"].clone().unwrap_err();
    let missing = denied.denied.clone().unwrap();
    assert_eq!((missing.resource, missing.operation), (Resource::Topics, Operation::Create));
    assert!(denied.hint().unwrap().contains("--operation Create --topic"));
    let exists = answers["b"].clone().unwrap_err();
    assert_eq!(exists.code, ResponseError::TopicAlreadyExists);
    assert!(!exists.is_unsure() && answers["c"].clone().unwrap_err().is_unsure());
    assert!(answers["d"].is_ok());
}

#[tokio::test]
async fn without_kraft_the_controller_is_found_and_nothing_is_done_twice() {
    let cluster = FakeCluster { controller: Some(3), ..FakeCluster::of_three() };
    let fake = Fake::start(cluster).await;
    let client = fake.client().await;
    client.create_topics(&[new_topic("orders")]).await.unwrap();
    assert_eq!(fake.now().changed.len(), 1);
    let more =
        MorePartitions { topic: "orders".to_owned(), from: 2, replicas: vec![list(&[2, 3])] };
    client.create_partitions(&[more]).await.unwrap();
    assert_eq!(fake.now().changed[1], "orders: (3, [[2, 3]])");
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_not_sent_again() {
    let fake = Fake::start(FakeCluster { swallow: true, ..FakeCluster::of_three() }).await;
    let client = fake.client().await;
    let lost = client.create_topics(&[new_topic("orders")]).await.unwrap_err();
    assert!(!lost.is_certain(), "{lost}");
    assert_eq!((created(&fake), client.changes_sent()), (1, 1));
}

/// A broker closes idle connections. That must not make it unknown whether a change was made.
#[tokio::test]
async fn a_change_is_never_written_to_a_connection_that_has_lain_idle() {
    let cluster = FakeCluster { hang_up_after: Some(2), ..FakeCluster::of_three() };
    let fake = Fake::start(cluster).await;
    let client = fake.client().await;
    client.create_topics(&[new_topic("a")]).await.unwrap();
    client.create_topics(&[new_topic("b")]).await.unwrap();
    assert_eq!(created(&fake), 2);
}

#[tokio::test]
async fn a_controller_that_is_nowhere_leaves_no_doubt() {
    let cluster = FakeCluster { controller: Some(9), ..FakeCluster::of_three() };
    let fake = Fake::start(cluster).await;
    let refused = fake.client().await.create_topics(&[new_topic("a")]).await.unwrap_err();
    assert!(refused.is_certain(), "{refused}");
    let refused = refused.error();
    assert!(matches!(refused, Error::Refused { code: ResponseError::NotController, .. }));
}

#[tokio::test]
async fn configs_are_changed_key_by_key() {
    let fake = Fake::start(FakeCluster::of_three()).await;
    let change = AlterTopic {
        topic: "orders".to_owned(),
        set: [("retention.ms".to_owned(), "5".to_owned())].into(),
        unset: BTreeSet::from(["segment.ms".to_owned()]),
    };
    let answers = fake.client().await.alter_topic_configs(&[change]).await.unwrap();
    assert!(answers["orders"].is_ok());
    let told = fake.now().changed.clone();
    assert_eq!(told, ["orders: [\"0retention.ms=Some(\\\"5\\\")\", \"1segment.ms=None\"]"]);
}

#[tokio::test]
async fn a_topic_is_deleted_by_its_id_or_not_at_all() {
    let mut cluster = FakeCluster::of_three();
    cluster.topic("orders", &[&[1]]);
    let fake = Fake::start(cluster).await;
    let client = fake.client().await;
    let ids = client.topic_ids(&BTreeSet::from(["orders".to_owned()])).await.unwrap();
    let remade = BTreeMap::from([("orders".to_owned(), topic_id(uuid::Uuid::max()).unwrap())]);
    let answers = client.delete_topics(&remade).await.unwrap();
    assert_eq!(answers["orders"].clone().unwrap_err().code, ResponseError::UnknownTopicId);
    assert!(client.delete_topics(&ids).await.unwrap()["orders"].is_ok());
    assert_eq!(fake.now().changed, ["orders: \"deleted\""]);
}

#[tokio::test]
async fn a_cluster_without_ids_deletes_nothing() {
    let mut cluster = FakeCluster::of_three();
    cluster.topic("orders", &[&[1]]);
    cluster.versions.insert(DeleteTopicsRequest::KEY, Some((1, 5)));
    let fake = Fake::start(cluster).await;
    let id = BTreeMap::from([("orders".to_owned(), topic_id(uuid::Uuid::max()).unwrap())]);
    let refused = fake.client().await.delete_topics(&id).await.unwrap_err();
    assert!(refused.is_certain());
    let Error::Protocol { fault, .. } = refused.error() else { panic!("{refused}") };
    assert!(matches!(fault, ProtocolFault::NotOffered { .. }));
    assert_eq!(fake.now().changed, Vec::<String>::new());
}

#[tokio::test]
async fn each_leader_tells_where_its_partitions_end_and_what_is_not_told_is_missing() {
    let mut cluster = FakeCluster::of_three();
    cluster.topic("orders", &[&[1], &[2], &[3], &[1], &[2]]);
    cluster.topics.get_mut("orders").unwrap()[4].leader = -1;
    let fake = Fake::start(cluster).await;
    let client = fake.client().await;
    let topics = client.topics().await.unwrap();
    let ends = client.end_offsets(&[&topics["orders"]]).await.unwrap();
    let ends: Vec<(u32, u64)> = ends["orders"].iter().map(|(id, end)| (id.0, *end)).collect();
    assert_eq!(ends, [(0, 0), (1, 10), (2, 20)]);
}

#[tokio::test]
async fn a_broker_is_told_of_a_log_dir_before_it_has_the_replica() {
    let mut cluster = FakeCluster::of_three();
    cluster.topic("orders", &[&[1], &[2], &[1]]);
    let fake = Fake::start(cluster).await;
    let client = fake.client().await;
    let of = |partition: u32| TopicPartition {
        topic: "orders".to_owned(),
        partition: PartitionId(partition),
    };
    let data = || "/data".to_owned();
    let places = BTreeMap::from([(of(0), data()), (of(1), data()), (of(2), "/nowhere".to_owned())]);
    let patience = Duration::from_secs(10);
    let refused = client.alter_log_dirs(mapper::BrokerId(1), &places, patience).await.unwrap();
    assert_eq!(refused.keys().collect::<Vec<_>>(), [&of(2)]);
    assert_eq!(refused[&of(2)].code, ResponseError::LogDirNotFound);
    let told = fake.now().changed.clone();
    assert_eq!(told, ["1 orders 0: /data", "1 orders 1: /data", "1 orders 2: /nowhere"]);
    assert_eq!(client.changes_sent(), 1);
}

#[tokio::test]
async fn what_is_on_its_way_into_a_log_dir_does_not_lie_in_it() {
    let mut cluster = FakeCluster::of_three();
    cluster.topic("orders", &[&[1]]);
    cluster.arriving.insert("orders");
    let fake = Fake::start(cluster).await;
    let dirs = fake.client().await.log_dirs(mapper::BrokerId(1)).await.unwrap();
    let orders: Vec<u32> = dirs[0].topics["orders"].iter().map(|(id, _)| id.0).collect();
    let arriving: Vec<u32> = dirs[0].arriving["orders"].iter().map(|(id, _)| id.0).collect();
    assert_eq!((orders, arriving), (vec![0], vec![9]));
}

/// The canary's topic holds no data. A plan, an alarm or a wait about it would be meaningless.
#[tokio::test]
async fn the_canary_s_topic_is_seen_by_nobody_who_does_not_ask_for_it() {
    let mut cluster = FakeCluster::of_three();
    cluster.topic("orders", &[&[1, 2]]);
    cluster.topic(CANARY_TOPIC, &[&[1], &[2]]);
    let on_its_way = |topic| (topic, 1, (vec![2, 1], vec![2], vec![1]));
    cluster.moves = vec![vec![on_its_way("orders"), on_its_way(CANARY_TOPIC)]];
    let fake = Fake::start(cluster).await;
    let client = fake.client().await;
    assert_eq!(client.topics().await.unwrap().keys().collect::<Vec<_>>(), ["orders"]);
    let dirs = client.log_dirs(mapper::BrokerId(1)).await.unwrap();
    assert_eq!(dirs[0].topics.keys().collect::<Vec<_>>(), ["orders"]);
    let moves = client.reassignments().await.unwrap();
    assert!(moves.keys().all(|of| of.topic == "orders") && moves.len() == 1);
    let named = client.topics_named(&[CANARY_TOPIC.to_owned()].into()).await.unwrap();
    assert_eq!(named.found[CANARY_TOPIC].partitions.len(), 2);
    assert_eq!(client.canary_moves().await.unwrap(), [PartitionId(1)].into());
}

#[tokio::test]
async fn a_broker_that_does_not_count_as_live_may_still_answer() {
    let soon = Duration::from_secs(5);
    let lives = async |unreachable: &[i32]| {
        let (fenced, unreachable) = ([2].into(), unreachable.iter().copied().collect());
        let cluster = FakeCluster { fenced, unreachable, ..FakeCluster::of_three() };
        let fake = Fake::start(cluster).await;
        fake.client().await.answers_unlisted(BrokerId(2), soon).await.is_some()
    };
    assert!(lives(&[]).await, "it is cut off from the controllers alone");
    assert!(!lives(&[2]).await);
}
