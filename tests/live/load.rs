//! Clients with a demand: a producer and a consumer that use a given part of a network, and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use testbed::{Access, Cluster};

const RECORD: usize = 10_000;
const TICK: Duration = Duration::from_millis(10);

/// Writes with acks=all to the first partition of a topic, and reads it, until it is dropped.
pub(crate) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// The bytes that clients have written and read so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Served {
    pub(crate) written: u64,
    pub(crate) read: u64,
}

#[derive(Default)]
struct Shared {
    wanted: AtomicU64,
    written: AtomicU64,
    read: AtomicU64,
    stop: AtomicBool,
}

/// Counts acknowledged bytes.
struct Counted(Arc<Shared>);

impl ClientContext for Counted {}

impl ProducerContext for Counted {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Ok(record) = result {
            self.0.written.fetch_add(record.payload_len() as u64, Ordering::Relaxed);
        }
    }
}

impl Load {
    /// Starts to write `most` bytes per second, and to read as many. The demand cannot exceed that later, because the
    /// buffer holds 0.4 s of it. Kafka's own producer buffers 32 MiB, which would take seconds.
    pub(crate) fn start(cluster: &Cluster, topic: &'static str, most: u64) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.client(&Access::Plaintext).bootstrap);
        Self::with(config, topic, most)
    }

    /// The same with librdkafka's properties.
    pub(crate) fn with(config: ClientConfig, topic: &'static str, most: u64) -> Self {
        let shared = Arc::new(Shared::default());
        shared.wanted.store(most, Ordering::Relaxed);
        let writer = {
            let (config, shared) = (config.clone(), Arc::clone(&shared));
            let buffer_kib = (most * 2 / 5).div_ceil(1024);
            thread::spawn(move || write(config, topic, buffer_kib, &shared))
        };
        let reader = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || read(config, topic, &shared))
        };
        Self { shared, threads: vec![writer, reader] }
    }

    /// Changes the demand, in bytes per second.
    pub(crate) fn want(&self, bytes_per_second: u64) {
        self.shared.wanted.store(bytes_per_second, Ordering::Relaxed);
    }

    pub(crate) fn served(&self) -> Served {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Served { written: read(&self.shared.written), read: read(&self.shared.read) }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // Its panic has been printed, and a second one here would hide the test's own.
            let _ = thread.join();
        }
    }
}

/// Bytes that the network refuses are not written later: a client that is served late has lost that time.
fn write(mut config: ClientConfig, topic: &str, buffer_kib: u64, shared: &Arc<Shared>) {
    // Bytes count here, not when they arrive: fewer requests keep the broker's request threads free.
    config.set("acks", "all").set("linger.ms", "50").set("compression.type", "none");
    config.set("queue.buffering.max.kbytes", buffer_kib.to_string());
    config.set("message.timeout.ms", "120000");
    let producer: ThreadedProducer<Counted> =
        config.create_with_context(Counted(Arc::clone(shared))).unwrap();
    let payload = [7_u8; RECORD];
    let (mut last, mut due) = (Instant::now(), 0.0);
    while !shared.stop.load(Ordering::Relaxed) {
        thread::sleep(TICK);
        let wanted = shared.wanted.load(Ordering::Relaxed) as f64;
        due += wanted * last.elapsed().as_secs_f64();
        last = Instant::now();
        while due >= RECORD as f64 {
            due -= RECORD as f64;
            let record = BaseRecord::<(), [u8]>::to(topic).partition(0).payload(&payload);
            if producer.send(record).is_err() {
                due = 0.0;
            }
        }
    }
}

fn read(mut config: ClientConfig, topic: &str, shared: &Shared) {
    config.set("group.id", "load").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic, 0, Offset::End).unwrap();
    consumer.assign(&from).unwrap();
    while !shared.stop.load(Ordering::Relaxed) {
        // A broker that is away comes back. The count shows the bytes that were not read.
        if let Some(Ok(record)) = consumer.poll(Duration::from_millis(200)) {
            shared.read.fetch_add(record.payload_len() as u64, Ordering::Relaxed);
        }
    }
}
