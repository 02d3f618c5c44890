//! Topics, data and consumers, through librdkafka; and what the brokers then say of themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use testbed::{Access, Cluster, until};
use tokio::runtime::Runtime;

use crate::plan::Partition;

/// Long enough for two busy cores.
pub(crate) const SOON: Duration = Duration::from_secs(120);
const CALL: Duration = Duration::from_secs(30);

/// The topic of committed offsets, which Kafka makes when the first group appears.
pub(crate) const OFFSETS: &str = "__consumer_offsets";

/// What a broker says of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) leader: i32,
    pub(crate) replicas: Vec<i32>,
    pub(crate) isr: Vec<i32>,
}

impl Seen {
    fn in_sync(&self) -> bool {
        self.leader >= 0 && self.isr.len() == self.replicas.len()
    }
}

/// A client of one cluster.
pub(crate) struct Traffic {
    config: ClientConfig,
    consumer: BaseConsumer,
}

impl Traffic {
    pub(crate) fn of(cluster: &Cluster) -> Self {
        let client = cluster.client(&Access::Plaintext);
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &client.bootstrap);
        config.set("group.id", "readers").set("enable.auto.commit", "false");
        for (key, value) in &client.properties {
            config.set(key, value);
        }
        let consumer = config.create().unwrap();
        Self { config, consumer }
    }

    /// Creates topics with these replicas for each partition, and waits until all are in sync.
    pub(crate) fn create(&self, topics: &BTreeMap<String, Vec<Vec<i32>>>) {
        let admin: AdminClient<DefaultClientContext> = self.config.create().unwrap();
        let slices: Vec<(&str, Vec<&[i32]>)> = topics
            .iter()
            .map(|(name, parts)| (name.as_str(), parts.iter().map(Vec::as_slice).collect()))
            .collect();
        let new: Vec<NewTopic<'_>> = slices
            .iter()
            .map(|(name, parts)| {
                let count = i32::try_from(parts.len()).unwrap();
                NewTopic::new(name, count, TopicReplication::Variable(parts))
            })
            .collect();
        let options = AdminOptions::new().operation_timeout(Some(CALL)).request_timeout(Some(CALL));
        let done = Runtime::new().unwrap().block_on(admin.create_topics(&new, &options)).unwrap();
        for result in done {
            result.unwrap();
        }
        until("all new replicas in sync", SOON, || {
            let seen = self.seen();
            let there = topics.iter().all(|(name, parts)| {
                (0..parts.len())
                    .all(|p| seen.get(&(name.clone(), p as i32)).is_some_and(Seen::in_sync))
            });
            there.then_some(())
        })
        .unwrap();
    }

    /// Writes this many bytes to each partition, acknowledged by every replica.
    pub(crate) fn write(&self, bytes: &BTreeMap<Partition, usize>) {
        const RECORD: usize = 10_000;
        let mut config = self.config.clone();
        config.set("acks", "all").set("linger.ms", "20").set("compression.type", "none");
        let producer: BaseProducer = config.create().unwrap();
        let payload = [7_u8; RECORD];
        for ((topic, partition), total) in bytes {
            for written in (0..*total).step_by(RECORD) {
                let part = &payload[..RECORD.min(total - written)];
                let record: BaseRecord<'_, (), [u8]> =
                    BaseRecord::to(topic).partition(*partition).payload(part);
                let mut unsent = Some(record);
                // A full queue empties itself while we poll.
                until("room in the producer's queue", SOON, || {
                    producer.poll(Duration::ZERO);
                    let refused = producer.send(unsent.take()?).err();
                    unsent = refused.map(|(_, record)| record);
                    unsent.is_none().then_some(())
                })
                .unwrap();
            }
        }
        producer.flush(SOON).unwrap();
        assert_eq!(producer.in_flight_count(), 0);
    }

    /// Commits offsets of a group, so that the internal topic exists, and waits until it is in sync.
    pub(crate) fn commit_offsets(&self, topic: &str) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Offset(0)).unwrap();
        let commit = || self.consumer.commit(&list, CommitMode::Sync).ok();
        until("first committed offset", SOON, commit).unwrap();
        self.settle();
    }

    /// All partitions of all topics.
    pub(crate) fn seen(&self) -> BTreeMap<Partition, Seen> {
        let metadata = until("metadata", SOON, || self.consumer.fetch_metadata(None, CALL).ok());
        let mut seen = BTreeMap::new();
        for topic in metadata.unwrap().topics() {
            for partition in topic.partitions() {
                let value = Seen {
                    leader: partition.leader(),
                    replicas: partition.replicas().to_vec(),
                    isr: partition.isr().to_vec(),
                };
                seen.insert((topic.name().to_owned(), partition.id()), value);
            }
        }
        seen
    }

    /// Waits until every replica of every partition is in sync.
    pub(crate) fn settle(&self) {
        self.await_all("all replicas in sync", Seen::in_sync);
    }

    /// Waits until no partition is led by this broker, nor counts on it.
    pub(crate) fn without(&self, lost: i32) {
        self.await_all("nothing is led by the lost broker", |seen| {
            seen.leader != lost && (seen.leader < 0 || !seen.isr.contains(&lost))
        });
    }

    fn await_all(&self, what: &str, so: impl Fn(&Seen) -> bool) {
        let all = || self.seen().values().all(&so).then_some(());
        until(what, SOON, all).unwrap_or_else(|why| panic!("{why}: {:#?}", self.seen()));
    }
}
