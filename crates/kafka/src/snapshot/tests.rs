//! The guarantees of a capture, against a cluster of fake brokers.

use super::{Capture, Notice, Wanted, log_look, snapshot};
use crate::admin::ConfigKeys;
use crate::error::{Error, Operation, Resource};
use crate::fake::{Cluster, Fake, FakePartition};
use kafka_protocol::messages::{
    ApiVersionsRequest, DescribeClusterRequest, DescribeConfigsRequest, DescribeLogDirsRequest,
    DescribeTopicPartitionsRequest, ListPartitionReassignmentsRequest, MetadataRequest,
};
use kafka_protocol::protocol::Request;
use mapper::snapshot::{Leader, Partition, PartitionFacts};
use mapper::{BrokerId, Bytes, PartitionId, TopicPartition};

fn ids(ids: &[u32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

fn partition<'a>(capture: &'a Capture, topic: &str, id: u32) -> &'a Partition {
    capture.snapshot.partition(topic, PartitionId(id)).unwrap()
}

fn facts<'a>(capture: &'a Capture, topic: &str, id: u32) -> &'a PartitionFacts {
    partition(capture, topic, id).facts.as_ref().unwrap()
}

#[tokio::test]
async fn a_healthy_cluster_is_captured_whole_and_without_notices() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[1, 2], &[2, 3]]);
    cluster.topic("__consumer_offsets", &[&[3, 1]]);
    let capture = Fake::start(cluster).await.capture().await.unwrap();
    assert!(capture.notices.is_empty(), "{:?}", capture.notices);
    let snapshot = &capture.snapshot;
    assert_eq!(snapshot.cluster_id(), Some("fake"));
    let broker = snapshot.broker(BrokerId(2)).unwrap();
    assert_eq!((broker.live, broker.rack.as_deref()), (true, Some("b")));
    assert_eq!((broker.storage_total, broker.storage_free), (Some(Bytes(1000)), Some(Bytes(600))));
    let events = snapshot.topic("events").unwrap();
    assert_eq!(events.min_insync_replicas, Some(2));
    assert_eq!(events.config, [("retention.ms".to_owned(), "1000".to_owned())].into());
    assert!(snapshot.topic("__consumer_offsets").unwrap().is_internal());
    let second = partition(&capture, "events", 1);
    assert_eq!(second.replicas.to_vec(), ids(&[2, 3]));
    assert_eq!((second.leader(), second.size), (Leader::Broker(BrokerId(2)), Some(Bytes(100))));
    let mut json = Vec::new();
    snapshot.write_json(&mut json).unwrap();
    assert_eq!(&mapper::Snapshot::from_json(&json).unwrap(), snapshot);
}

#[tokio::test]
async fn each_broker_is_asked_for_its_log_dirs_once() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[1, 2]]);
    let fake = Fake::start(cluster).await;
    fake.capture().await.unwrap();
    let mut asked: Vec<i32> = fake.now().asked.iter().filter(|a| a.1 == 35).map(|a| a.0).collect();
    asked.sort_unstable();
    assert_eq!(asked, [1, 2, 3]);
}

#[tokio::test]
async fn two_thousand_topics_take_one_metadata_request_and_configs_by_the_hundred() {
    let mut cluster = Cluster::of_three();
    for topic in 0..2_000 {
        // The fake's names live as long as the program, and this test is the program.
        cluster.topic(Box::leak(format!("topic-{topic}").into_boxed_str()), &[&[1, 2, 3]]);
    }
    let fake = Fake::start(cluster).await;
    let keys = ConfigKeys::Named(["cleanup.policy".to_owned(), "retention.ms".to_owned()].into());
    let wanted = Wanted { captured_at: "2026-11-20T07:00:00Z".to_owned(), configs: keys };
    let capture = snapshot(&fake.client().await, &wanted).await.unwrap();
    let topic = capture.snapshot.topic("topic-1999").unwrap();
    assert_eq!(topic.config, [("retention.ms".to_owned(), "1000".to_owned())].into());
    assert_eq!(topic.min_insync_replicas, Some(2), "asked for whatever the keys are");
    let asked = |key| fake.now().asked.iter().filter(|asked| asked.1 == key).count();
    assert_eq!((asked(MetadataRequest::KEY), asked(DescribeConfigsRequest::KEY)), (1, 4));
    let connections = asked(ApiVersionsRequest::KEY);
    let requests = fake.now().asked.len() - connections;
    assert!(requests <= 20, "{requests}");
}

#[tokio::test]
async fn a_broker_that_does_not_answer_costs_its_own_facts_only() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[1, 3]]);
    cluster.mute.insert(3);
    let capture = Fake::start(cluster).await.capture().await.unwrap();
    assert!(matches!(
        capture.notices.as_slice(),
        [Notice::BrokerSilent { broker: BrokerId(3), error: Error::Timeout { .. } }]
    ));
    let silent = capture.snapshot.broker(BrokerId(3)).unwrap();
    assert_eq!((silent.live, silent.storage_total), (true, None));
    let sizes = facts(&capture, "events", 0).replica_sizes.to_vec();
    assert_eq!(sizes, [Some(Bytes(100)), None]);
}

#[tokio::test]
async fn a_silent_leaders_partition_has_the_largest_replicas_size() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[3, 1, 2]]);
    cluster.mute.insert(3);
    let capture = Fake::start(cluster).await.capture().await.unwrap();
    assert_eq!(partition(&capture, "events", 0).size, Some(Bytes(100)));
}

#[tokio::test]
async fn a_broker_that_advertises_a_wrong_address_is_named_with_both_addresses() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[1, 2]]);
    cluster.unreachable.insert(2);
    let fake = Fake::start(cluster).await;
    let capture = fake.capture().await.unwrap();
    let [Notice::BrokerSilent { broker, error }] = capture.notices.as_slice() else {
        panic!("{:?}", capture.notices)
    };
    let Error::AdvertisedUnreachable { bootstrap, advertised, .. } = error else {
        panic!("{error}")
    };
    assert_eq!((*broker, advertised.port), (BrokerId(2), 1));
    assert_eq!(*bootstrap, fake.address(1));
}

#[tokio::test]
async fn when_no_advertised_address_works_the_capture_fails_as_that() {
    let mut cluster = Cluster::of_three();
    cluster.unreachable.extend([1, 2, 3]);
    let error = Fake::start(cluster).await.capture().await.unwrap_err();
    assert!(matches!(error, Error::AdvertisedUnreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_topic_without_the_right_to_describe_it_is_an_error_that_names_it() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[1, 2]]);
    cluster.topic("secrets", &[&[2, 3]]);
    cluster.hidden.insert("secrets");
    let error = Fake::start(cluster).await.capture().await.unwrap_err();
    assert!(error.hint().unwrap().contains("--operation Describe --topic '*'"));
    let Error::HiddenTopics { topics, .. } = error else { panic!("{error}") };
    assert_eq!(topics, ["secrets".to_owned()].into());
}

#[tokio::test]
async fn what_a_deleted_topic_left_behind_is_no_hidden_topic() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[1, 2]]);
    cluster.orphans.insert("deleted");
    let capture = Fake::start(cluster).await.capture().await.unwrap();
    assert!(capture.snapshot.topic("deleted").is_none());
    assert!(capture.notices.is_empty());
}

#[tokio::test]
async fn a_missing_right_on_the_cluster_names_its_acl() {
    for api in [ListPartitionReassignmentsRequest::KEY, DescribeLogDirsRequest::KEY] {
        let mut cluster = Cluster::of_three();
        cluster.errors.insert(api, 31);
        let error = Fake::start(cluster).await.capture().await.unwrap_err();
        let Error::Authorization(denied) = error else { panic!("{error}") };
        assert_eq!((denied.resource, denied.operation), (Resource::Cluster, Operation::Describe));
        assert!(denied.hint().contains("--operation Describe --cluster"));
    }
}

#[tokio::test]
async fn an_old_broker_that_forbids_log_dirs_by_an_empty_answer_is_understood() {
    let mut cluster = Cluster::of_three();
    cluster.errors.insert(DescribeLogDirsRequest::KEY, 31);
    cluster.versions.insert(DescribeLogDirsRequest::KEY, Some((1, 1)));
    let error = Fake::start(cluster).await.capture().await.unwrap_err();
    assert!(matches!(error, Error::Authorization(_)), "{error}");
}

#[tokio::test]
async fn configs_that_may_not_be_seen_are_missing_and_noticed() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[1, 2]]);
    cluster.topic("secrets", &[&[1, 2]]);
    cluster.secret_configs.insert("secrets");
    let capture = Fake::start(cluster).await.capture().await.unwrap();
    assert_eq!(capture.snapshot.topic("secrets").unwrap().min_insync_replicas, None);
    assert_eq!(capture.snapshot.topic("events").unwrap().min_insync_replicas, Some(2));
    let [Notice::ConfigsForbidden { topics, denied }] = capture.notices.as_slice() else {
        panic!("{:?}", capture.notices)
    };
    assert_eq!(topics, &["secrets".to_owned()].into());
    assert_eq!(denied.operation, Operation::DescribeConfigs);
}

#[tokio::test]
async fn a_running_move_shows_its_target_and_not_the_sum_of_both_lists() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[3, 2, 1]]);
    cluster.topics.get_mut("events").unwrap()[0] = FakePartition {
        replicas: vec![3, 2, 1],
        isr: vec![1, 2],
        leader: 1,
        size: 9,
        ..FakePartition::default()
    };
    cluster.moves = vec![vec![("events", 0, (vec![3, 2, 1], vec![3], vec![1]))]];
    let capture = Fake::start(cluster).await.capture().await.unwrap();
    let moving = partition(&capture, "events", 0);
    assert_eq!(moving.replicas.to_vec(), ids(&[3, 2]));
    // The leader is being removed, but its size is still the size of a copy.
    assert_eq!((moving.leader(), moving.size), (Leader::Broker(BrokerId(1)), Some(Bytes(9))));
    let facts = facts(&capture, "events", 0);
    assert_eq!((facts.rare.adding.to_vec(), facts.rare.removing.to_vec()), (ids(&[3]), ids(&[1])));
}

#[tokio::test]
async fn a_move_that_ends_while_metadata_is_read_inflates_nothing() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[3, 2, 1]]);
    cluster.moves = vec![vec![("events", 0, (vec![3, 2, 1], vec![3], vec![1]))], vec![]];
    let fake = Fake::start(cluster).await;
    fake.capture().await.unwrap();
    let metadata = fake.now().asked.iter().filter(|a| a.1 == MetadataRequest::KEY).count();
    assert_eq!(metadata, 2, "the topic is read again");
}

#[tokio::test]
async fn a_fenced_broker_is_listed_as_lost_and_is_not_asked() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[1, 3]]);
    cluster.topics.get_mut("events").unwrap()[0].isr = vec![1];
    cluster.fenced.insert(3);
    let fake = Fake::start(cluster).await;
    let capture = fake.capture().await.unwrap();
    let fenced = capture.snapshot.broker(BrokerId(3)).unwrap();
    assert_eq!((fenced.live, fenced.rack.as_deref()), (false, Some("c")));
    assert_eq!(partition(&capture, "events", 0).offline(), ids(&[3]));
    assert!(fake.now().asked.iter().all(|asked| asked.0 != 3));
    assert!(capture.notices.is_empty());
}

#[tokio::test]
async fn a_lost_broker_is_unlisted_where_the_protocol_cannot_tell() {
    for versions in [Some((0, 1)), None] {
        let mut cluster = Cluster::of_three();
        cluster.fenced.insert(3);
        cluster.versions.insert(DescribeClusterRequest::KEY, versions);
        let capture = Fake::start(cluster).await.capture().await.unwrap();
        assert_eq!(capture.snapshot.brokers().len(), 2);
        assert_eq!(capture.snapshot.cluster_id(), Some("fake"));
    }
}

#[tokio::test]
async fn eligible_leaders_are_read_page_by_page_and_only_of_what_lags() {
    let mut cluster = Cluster::of_three();
    cluster.topic("healthy", &[&[1, 2]]);
    for name in ["one", "two"] {
        cluster.topic(name, &[&[1, 2], &[1, 2]]);
        let lagging = &mut cluster.topics.get_mut(name).unwrap()[1];
        (lagging.isr, lagging.elr) = (vec![1], vec![2]);
    }
    let fake = Fake::start(cluster).await;
    let capture = fake.capture().await.unwrap();
    for name in ["one", "two"] {
        assert_eq!(facts(&capture, name, 1).rare.elr.to_vec(), ids(&[2]), "{name}");
        assert!(facts(&capture, name, 0).rare.elr.is_empty());
    }
    let key = DescribeTopicPartitionsRequest::KEY;
    assert_eq!(fake.now().asked.iter().filter(|asked| asked.1 == key).count(), 2);
}

#[tokio::test]
async fn a_cluster_without_eligible_leaders_is_captured_without_them() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[1, 2]]);
    cluster.topics.get_mut("events").unwrap()[0].isr = vec![1];
    cluster.versions.insert(DescribeTopicPartitionsRequest::KEY, None);
    let capture = Fake::start(cluster).await.capture().await.unwrap();
    assert!(capture.notices.is_empty());
    assert!(facts(&capture, "events", 0).rare.elr.is_empty());
}

#[tokio::test]
async fn brokers_that_do_not_tell_the_size_of_their_volumes_are_noticed_once() {
    let mut cluster = Cluster::of_three();
    cluster.versions.insert(DescribeLogDirsRequest::KEY, Some((1, 3)));
    let capture = Fake::start(cluster).await.capture().await.unwrap();
    assert!(matches!(
        capture.notices.as_slice(),
        [Notice::VolumesUntold { brokers }] if brokers.len() == 3
    ));
    assert_eq!(capture.snapshot.broker(BrokerId(1)).unwrap().storage_total, None);
}

#[tokio::test]
async fn a_partition_without_a_leader_is_told_from_one_whose_leader_is_unknown() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[1, 2]]);
    let lost = &mut cluster.topics.get_mut("events").unwrap()[0];
    (lost.leader, lost.isr) = (-1, vec![]);
    let capture = Fake::start(cluster).await.capture().await.unwrap();
    assert_eq!(partition(&capture, "events", 0).leader(), Leader::None);
}

#[tokio::test]
async fn without_kraft_the_moves_are_asked_of_the_controller() {
    let mut cluster = Cluster::of_three();
    cluster.controller = Some(3);
    let fake = Fake::start(cluster).await;
    fake.capture().await.unwrap();
    let key = ListPartitionReassignmentsRequest::KEY;
    assert!(fake.now().asked.iter().any(|asked| (asked.0, asked.1) == (3, key)));
}

/// Changes a fake cluster a moment after a capture has begun.
fn soon(fake: &Fake, change: impl FnOnce(&mut Cluster) + Send + 'static) {
    let cluster = fake.shared();
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        change(&mut cluster.lock().unwrap());
    });
}

#[tokio::test]
async fn an_election_under_way_is_waited_for() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[3, 1, 2]]);
    cluster.brokers.remove(&3);
    let partition = &mut cluster.topics.get_mut("events").unwrap()[0];
    (partition.leader, partition.isr) = (-1, vec![1, 2]);
    let fake = Fake::start(cluster).await;
    soon(&fake, |cluster| cluster.topics.get_mut("events").unwrap()[0].leader = 1);
    let capture = fake.capture().await.unwrap();
    assert_eq!(facts(&capture, "events", 0).leader, Leader::Broker(BrokerId(1)));
}

#[tokio::test]
async fn a_dead_broker_that_is_still_listed_is_asked_for_again() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[1, 3]]);
    cluster.unreachable.insert(3);
    let fake = Fake::start(cluster).await;
    soon(&fake, |cluster| {
        cluster.brokers.remove(&3);
    });
    let capture = fake.capture().await.unwrap();
    assert!(capture.notices.is_empty(), "{:?}", capture.notices);
    assert!(!capture.snapshot.is_live(BrokerId(3)));
}

#[tokio::test]
async fn cordons_are_read_where_brokers_know_them_and_named_where_they_are_not_told() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[1, 2]]);
    cluster.cordons = [(1, "*"), (2, "/data"), (3, "")].into();
    // Before Kafka 4.3 there are no cordons, so no broker is asked.
    let fake = Fake::start(cluster).await;
    let capture = fake.capture().await.unwrap();
    let cordoned = |capture: &Capture| {
        let all = capture.snapshot.brokers().iter();
        all.filter(|broker| broker.is_cordoned()).map(|broker| broker.id.0).collect::<Vec<u32>>()
    };
    assert_eq!((cordoned(&capture), capture.notices.len()), (vec![], 0));
    fake.now().versions.insert(DescribeLogDirsRequest::KEY, Some((1, 5)));
    let capture = fake.capture().await.unwrap();
    assert_eq!((cordoned(&capture), capture.notices.len()), (vec![1, 2], 0));
    assert_eq!(capture.snapshot.broker(BrokerId(2)).unwrap().cordoned_log_dirs, ["/data"]);
    fake.now().secret_configs.insert("2");
    let capture = fake.capture().await.unwrap();
    let [Notice::CordonsUntold { brokers, .. }] = capture.notices.as_slice() else {
        panic!("{:?}", capture.notices)
    };
    assert_eq!((cordoned(&capture), brokers.len()), (vec![1], 1));
}

#[tokio::test]
async fn a_tiered_topics_new_replica_copies_its_local_log_or_only_what_is_not_in_remote_storage() {
    let mut cluster = Cluster::of_three();
    let topics = [("plain", [0; 4]), ("old", [0, 80, 97, 100]), ("young", [0, 0, 97, 100])];
    for (name, offsets) in topics {
        cluster.topic(name, &[&[1, 2], &[2, 3]]);
        cluster.tiered.extend((name != "plain").then_some((name, offsets)));
    }
    cluster.start_late = [1, 2].into();
    let fake = Fake::start(cluster).await;
    let figures = |capture: &Capture, topic: &str| {
        let told = partition(capture, topic, 1);
        let facts = told.facts.as_ref().unwrap();
        [facts.rare.remote, told.size, Some(told.copied(told.size.unwrap()))]
            .map(|bytes| bytes.map(|b| b.0))
    };
    // Broker 3 would copy the whole local log: 100 bytes for 20 records. 80 records are in remote storage only.
    let capture = fake.capture().await.unwrap();
    assert_eq!(figures(&capture, "old"), [Some(400), Some(100), Some(100)]);
    assert_eq!(figures(&capture, "plain"), [None, Some(100), Some(100)]);
    fake.now().start_late.insert(3);
    let capture = fake.capture().await.unwrap();
    assert_eq!(figures(&capture, "old"), [Some(400), Some(100), Some(10)]);
    // The leader still has offset 0, so an empty follower never learns of remote storage.
    assert_eq!(figures(&capture, "young"), [Some(0), Some(100), Some(100)]);
    assert!(capture.notices.is_empty(), "{:?}", capture.notices);
    // The broker's configs are secret: plans count too much rather than too little.
    fake.now().secret_configs.insert("3");
    let capture = fake.capture().await.unwrap();
    assert_eq!(figures(&capture, "old"), [None, Some(100), Some(100)]);
    let told: Vec<String> = capture.notices.iter().map(ToString::to_string).collect();
    assert!(told[0].starts_with("plans count the whole local log of 2 tiered topics"), "{told:?}");
}

#[tokio::test]
async fn a_look_at_logs_has_what_each_leader_that_answers_reports() {
    let mut cluster = Cluster::of_three();
    cluster.topic("events", &[&[1, 3], &[2, 1], &[3, 1], &[2, 3]]);
    cluster.mute.insert(3);
    let fake = Fake::start(cluster).await;
    let look = log_look(&fake.client().await, std::time::Instant::now()).await.unwrap();
    let seen = |id| {
        let of = TopicPartition { topic: "events".to_owned(), partition: PartitionId(id) };
        let log = look[&of];
        let size = log.size.map(|size| size.bytes.0);
        (log.leader.0, size, log.offsets.map(|offsets| (offsets.start, offsets.end)))
    };
    assert_eq!(seen(0), (1, Some(100), Some((0, 0))));
    assert_eq!(seen(1), (2, Some(100), Some((10, 10))));
    assert_eq!(seen(2), (3, None, None), "its leader is silent");
    assert_eq!(seen(3), (2, Some(100), None), "its leader reports no offset");
}
