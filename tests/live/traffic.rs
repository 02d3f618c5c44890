//! Topics, data and consumers through librdkafka, and the brokers' own view of them.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use testbed::{Access, Client, Cluster, until};
use tokio::runtime::Runtime;

use crate::plan::Partition;

/// Long enough for two busy cores.
pub(crate) const SOON: Duration = Duration::from_secs(120);
/// How often a broker is lost until it is the only one.
const LOSSES: usize = 3;
const CALL: Duration = Duration::from_secs(30);

/// The topic of committed offsets, which Kafka creates for the first group.
pub(crate) const OFFSETS: &str = "__consumer_offsets";

/// A broker's view of a partition.
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

/// One broker's view of the cluster. Each broker has its own metadata, and some lag behind.
struct View {
    brokers: Vec<i32>,
    partitions: BTreeMap<Partition, Seen>,
}

/// The properties of librdkafka for a client.
pub(crate) fn config_of(client: &Client) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &client.bootstrap);
    config.extend(client.properties.clone());
    config
}

/// A client of one cluster.
pub(crate) struct Traffic<'a> {
    cluster: &'a Cluster,
    config: ClientConfig,
}

impl<'a> Traffic<'a> {
    pub(crate) fn of(cluster: &'a Cluster) -> Self {
        let mut config = config_of(&cluster.client(&Access::Plaintext));
        config.set("group.id", "readers").set("enable.auto.commit", "false");
        Self { cluster, config }
    }

    /// Creates topics with these replicas for each partition, and waits until all are in sync.
    pub(crate) fn create(&self, topics: &BTreeMap<String, Vec<Vec<i32>>>) {
        self.create_with(topics, &[]);
    }

    /// The same with configs.
    pub(crate) fn create_with(
        &self,
        topics: &BTreeMap<String, Vec<Vec<i32>>>,
        configs: &[(&str, &str)],
    ) {
        self.seen();
        let mut last = String::new();
        let created = until("new topics", SOON, || match self.try_create(topics, configs) {
            Ok(()) => Some(()),
            Err(why) => {
                last = why;
                None
            }
        });
        created.unwrap_or_else(|why| panic!("{why}: {last}"));
        // A broker may learn of a topic later than its creator.
        until("all new topics known", SOON, || {
            let seen = self.seen();
            let known = |(name, parts): (&String, &Vec<Vec<i32>>)| {
                (0..parts.len()).all(|p| seen.contains_key(&(name.clone(), p as i32)))
            };
            topics.iter().all(known).then_some(())
        })
        .unwrap();
        self.settle();
    }

    /// One attempt. If a client's broker did not know the controller yet, the client does not retry, so the next
    /// attempt uses a new client.
    fn try_create(
        &self,
        topics: &BTreeMap<String, Vec<Vec<i32>>>,
        configs: &[(&str, &str)],
    ) -> Result<(), String> {
        const ATTEMPT: Option<Duration> = Some(Duration::from_secs(10));
        let admin: AdminClient<DefaultClientContext> = self.config.create().unwrap();
        let slices: Vec<(&str, Vec<&[i32]>)> = topics
            .iter()
            .map(|(name, parts)| (name.as_str(), parts.iter().map(Vec::as_slice).collect()))
            .collect();
        let new: Vec<NewTopic<'_>> = slices
            .iter()
            .map(|(name, parts)| {
                let count = i32::try_from(parts.len()).unwrap();
                let new = NewTopic::new(name, count, TopicReplication::Variable(parts));
                configs.iter().fold(new, |new, (key, value)| new.set(key, value))
            })
            .collect();
        let options = AdminOptions::new().operation_timeout(ATTEMPT).request_timeout(ATTEMPT);
        let done = Runtime::new().unwrap().block_on(admin.create_topics(&new, &options));
        for result in done.map_err(|why| why.to_string())? {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => return Err(format!("{topic}: {code}")),
            }
        }
        Ok(())
    }

    /// Creates a topic on brokers that Kafka chooses.
    pub(crate) fn create_anywhere(&self, name: &str, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> = self.config.create().unwrap();
        let new = [NewTopic::new(name, partitions, TopicReplication::Fixed(1))];
        let made =
            Runtime::new().unwrap().block_on(admin.create_topics(&new, &AdminOptions::new()));
        made.unwrap().into_iter().for_each(|one| drop(one.unwrap()));
    }

    /// Writes this many bytes to each partition, acknowledged by every replica.
    pub(crate) fn write(&self, bytes: &BTreeMap<Partition, usize>) {
        // A fetch brings at least one complete batch, whatever the throttle. With batches of a megabyte, a "slow" move
        // of 20 MB ends within four minutes.
        self.write_in(bytes, 10_000, 60_000);
    }

    /// The same with records of this size, and batches up to `batch` bytes.
    pub(crate) fn write_in(
        &self,
        bytes: &BTreeMap<Partition, usize>,
        record_bytes: usize,
        batch_bytes: usize,
    ) {
        let mut config = self.config.clone();
        config.set("acks", "all").set("linger.ms", "20").set("compression.type", "none");
        config.set("batch.size", batch_bytes.to_string());
        let producer: BaseProducer = config.create().unwrap();
        let payload = vec![7_u8; record_bytes];
        for ((topic, partition), total) in bytes {
            for written in (0..*total).step_by(record_bytes) {
                let part = &payload[..record_bytes.min(total - written)];
                let record: BaseRecord<'_, (), [u8]> =
                    BaseRecord::to(topic).partition(*partition).payload(part);
                let mut unsent = Some(record);
                // A full queue empties while the producer polls.
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

    /// The number of records in a partition: from its first to its last.
    pub(crate) fn records(&self, topic: &str, partition: i32) -> i64 {
        let consumer: BaseConsumer = self.config.create().unwrap();
        let ask = || consumer.fetch_watermarks(topic, partition, CALL).ok();
        let (first, end) = until("the ends of a partition", SOON, ask).unwrap();
        end - first
    }

    /// How many replicas of a partition are in sync, as any broker reports.
    pub(crate) fn in_sync(&self, topic: &str, partition: i32) -> Option<usize> {
        let consumer: BaseConsumer = self.config.create().unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), CALL).ok()?;
        let found = metadata.topics().first()?.partitions().iter().find(|p| p.id() == partition)?;
        Some(found.isr().len())
    }

    /// All partitions as any broker sees them now, if one answers.
    pub(crate) fn any_view(&self) -> Option<Vec<Seen>> {
        let running = self.cluster.running();
        let view = running.values().find_map(|address| self.view(address))?;
        Some(view.partitions.into_values().collect())
    }

    /// Commits offsets of a group, so that the internal topic exists, and waits until it is in sync.
    pub(crate) fn commit_offsets(&self, topic: &str) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Offset(0)).unwrap();
        let consumer: BaseConsumer = self.config.create().unwrap();
        let commit = || consumer.commit(&list, CommitMode::Sync).ok();
        until("first committed offset", SOON, commit).unwrap();
        self.settle();
    }

    /// All partitions of all topics, as soon as all brokers agree.
    pub(crate) fn seen(&self) -> BTreeMap<Partition, Seen> {
        self.await_all("agreement", |_| true)
    }

    /// Waits until every replica of every partition is in sync.
    pub(crate) fn settle(&self) {
        self.await_all("all replicas in sync", Seen::in_sync);
    }

    /// Waits until every replica of every partition is in sync, except those of a lost broker. Nothing changes after that.
    pub(crate) fn settle_but(&self, lost: i32) {
        self.await_all("all replicas that can be in sync", |seen| {
            let mut live = seen.replicas.iter().filter(|id| **id != lost);
            seen.leader >= 0 && live.all(|id| seen.isr.contains(id))
        });
    }

    /// Waits until this broker leads no partition, and is in no ISR.
    pub(crate) fn without(&self, lost: i32) {
        self.left_by(lost);
    }

    fn left_by(&self, lost: i32) -> BTreeMap<Partition, Seen> {
        self.await_all("nothing is led by the lost broker", |seen| {
            seen.leader != lost && (seen.leader < 0 || !seen.isr.contains(&lost))
        })
    }

    /// Kills a broker, after which each partition has another leader: all replicas are in sync. A busy machine may have kept another
    /// broker from its heartbeats for a whole session, so that it is in no ISR either. Then it is lost again.
    pub(crate) fn lose(&self, lost: i32) {
        for _ in 0..LOSSES {
            self.cluster.kill_broker(lost).unwrap();
            let leaderless = self.left_by(lost).into_iter().find(|(_, seen)| seen.leader < 0);
            let Some((partition, seen)) = leaderless else { return };
            eprintln!("no leader of {partition:?} without {lost}: {:?}", seen.isr);
            self.cluster.start_broker(lost).unwrap();
            self.settle();
        }
        panic!("each time {lost} was lost, another broker was, too");
    }

    /// Waits until all running brokers know each other, agree, and `so` holds for every partition.
    fn await_all(&self, what: &str, so: impl Fn(&Seen) -> bool) -> BTreeMap<Partition, Seen> {
        let running = self.cluster.running();
        let ids: Vec<i32> = running.keys().copied().collect();
        let agreed = || {
            let mut views = running.values().map(|address| self.view(address));
            let first = views.next()??;
            let good = first.brokers == ids && first.partitions.values().all(&so);
            let same = |view: Option<View>| {
                view.is_some_and(|v| v.brokers == ids && v.partitions == first.partitions)
            };
            (good && views.all(same)).then_some(first.partitions)
        };
        until(what, SOON, agreed).unwrap()
    }

    /// The view of the broker at this address. A new client knows no other broker.
    fn view(&self, address: &str) -> Option<View> {
        let mut config = self.config.clone();
        let consumer: BaseConsumer = config.set("bootstrap.servers", address).create().unwrap();
        let metadata = consumer.fetch_metadata(None, CALL).ok()?;
        let mut brokers: Vec<i32> = metadata.brokers().iter().map(|broker| broker.id()).collect();
        brokers.sort_unstable();
        let mut partitions = BTreeMap::new();
        for topic in metadata.topics() {
            for partition in topic.partitions() {
                let mut isr = partition.isr().to_vec();
                isr.sort_unstable();
                let (leader, replicas) = (partition.leader(), partition.replicas().to_vec());
                let name = (topic.name().to_owned(), partition.id());
                partitions.insert(name, Seen { leader, replicas, isr });
            }
        }
        Some(View { brokers, partitions })
    }
}
