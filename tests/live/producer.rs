//! A producer that must not lose, repeat or reorder a record, whatever happens to the cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use std::sync::Mutex;
use testbed::{Access, Client, Cluster};

use crate::traffic::{SOON, config_of};

/// Writes numbers to one partition, idempotent and acknowledged by all, until it is stopped.
pub(crate) struct Producer {
    config: ClientConfig,
    topic: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Written>>,
}

/// The acknowledged numbers, and how long each took.
struct Written {
    numbers: Vec<u64>,
    took: Vec<Duration>,
}

/// The numbers that the cluster has acknowledged, and the errors for the others. A panic in a delivery report would
/// pass through librdkafka, and end the process with every other test in it.
#[derive(Clone, Default)]
struct Acknowledged {
    numbers: Arc<Mutex<Vec<u64>>>,
    took: Arc<Mutex<Vec<Duration>>>,
    refused: Arc<Mutex<Vec<String>>>,
}

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = Box<(u64, Instant)>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<(u64, Instant)>) {
        let (number, at) = *sent;
        match result {
            Ok(_) => {
                self.numbers.lock().unwrap().push(number);
                self.took.lock().unwrap().push(at.elapsed());
            }
            Err((why, _)) => self.refused.lock().unwrap().push(format!("{number}: {why}")),
        }
    }
}

impl Producer {
    pub(crate) fn start(cluster: &Cluster, topic: &str) -> Self {
        Self::by(&cluster.client(&Access::Plaintext), topic)
    }

    /// The same over another connection.
    pub(crate) fn by(client: &Client, topic: &str) -> Self {
        let mut config = config_of(client);
        // Ten batches a second: each costs a request of every follower, too, and other tests need the cores.
        config.set("linger.ms", "100");
        Self::with(config, topic)
    }

    /// The same with each record sent at once, to measure how long it takes.
    pub(crate) fn prompt(cluster: &Cluster, topic: &str) -> Self {
        Self::with(config_of(&cluster.client(&Access::Plaintext)), topic)
    }

    /// The same with librdkafka's properties.
    pub(crate) fn with(config: ClientConfig, topic: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (own, name, flag) = (config.clone(), topic.to_owned(), Arc::clone(&stop));
        let thread = thread::spawn(move || write(own, &name, &flag));
        Self { config, topic: topic.to_owned(), stop, thread: Some(thread) }
    }

    /// Stops, and fails unless exactly the acknowledged records are there, in order. Returns the time within which 99 of
    /// 100 records were acknowledged.
    pub(crate) fn has_lost_nothing(mut self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        let Written { numbers: written, mut took } = self.thread.take().unwrap().join().unwrap();
        assert!(written.len() > 100, "only {} records: nothing was put to the test", written.len());
        assert_eq!(self.read(written.len()), written);
        took.sort_unstable();
        took[took.len() * 99 / 100]
    }

    fn read(&self, count: usize) -> Vec<u64> {
        let mut config = self.config.clone();
        config.set("group.id", "judge").set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(&self.topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&from).unwrap();
        let mut read = Vec::with_capacity(count);
        loop {
            match consumer.poll(SOON).expect("an answer in time") {
                Ok(record) => {
                    let number: [u8; 8] = record.payload().unwrap()[..8].try_into().unwrap();
                    read.push(u64::from_be_bytes(number));
                }
                Err(KafkaError::PartitionEOF(_)) => return read,
                // The dead broker is among the bootstrap addresses.
                Err(KafkaError::MessageConsumption(RDKafkaErrorCode::BrokerTransportFailure)) => {}
                Err(why) => panic!("{why}"),
            }
        }
    }
}

fn write(mut config: ClientConfig, topic: &str, stop: &AtomicBool) -> Written {
    const PAUSE: Duration = Duration::from_millis(10);
    config.set("acks", "all").set("enable.idempotence", "true");
    config.set("delivery.timeout.ms", "120000");
    let acknowledged = Acknowledged::default();
    // It waits for reports in a thread of its own. To wait for those between two records spins for each last millisecond.
    let producer: ThreadedProducer<Acknowledged> =
        config.create_with_context(acknowledged.clone()).unwrap();
    let mut number = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let payload = number.to_be_bytes();
        let opaque = Box::new((number, Instant::now()));
        let record: BaseRecord<'_, (), [u8], Box<(u64, Instant)>> =
            BaseRecord::with_opaque_to(topic, opaque).partition(0).payload(&payload);
        if producer.send(record).is_ok() {
            number += 1;
        }
        thread::sleep(PAUSE);
    }
    producer.flush(SOON).unwrap();
    let refused = acknowledged.refused.lock().unwrap();
    assert!(refused.is_empty(), "records that were not taken: {refused:?}");
    let numbers = acknowledged.numbers.lock().unwrap().clone();
    assert_eq!(numbers.len() as u64, number, "every record is acknowledged");
    let took = acknowledged.took.lock().unwrap().clone();
    Written { numbers, took }
}
