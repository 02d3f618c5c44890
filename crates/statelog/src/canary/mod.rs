//! Measures the round trip of a small message through each broker, as its clients see it.
//!
//! In: the topic, the partition that has its only replica on each broker, and an interval. Out: [`CanaryReading`]s.
//!
//! This process writes and reads one message for each broker at a time, so one monotonic clock measures it. After a
//! slow message the next one goes out sooner: a pause ends with the message that it delays, but an overload also delays
//! the next one. librdkafka has a separate connection for each broker, so a slow broker does not delay the others'
//! messages. The canary creates and changes no topic.

mod flock;
mod window;

use crate::access::{Access, LoginContext};
use crate::error::{Error, code};
use flock::{Flock, HURRY, PATIENCE};
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long the reading thread waits for one poll of its client.
const TURN: Duration = Duration::from_millis(100);
/// The pause after a client error.
const BREATH: Duration = Duration::from_millis(2);

/// Round-trip times of messages to a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CanaryReading {
    /// Until the broker's acknowledgement: the smallest of the last three successive times.
    pub produce: Option<Duration>,
    /// Until the message was read back: also the smallest of the last three.
    pub end_to_end: Duration,
    /// The usual round trip: the smallest median of thirty messages in half an hour. `None`: not known yet.
    pub usual: Option<Duration>,
}

/// Sends and receives messages until it is dropped.
#[derive(Debug)]
pub struct Canary {
    flock: Shared,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

type Shared = Arc<Mutex<Flock>>;

fn lock(flock: &Shared) -> MutexGuard<'_, Flock> {
    flock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Canary {
    /// Starts with no targets. Sends a message at this interval to each broker that it [watches](Self::watch).
    ///
    /// # Errors
    /// [`Error::Unavailable`] if librdkafka rejects the properties.
    pub fn start(access: &Access, topic: &str, every: Duration) -> Result<Self, Error> {
        let flock = Arc::new(Mutex::new(Flock::new(every)));
        let stop = Arc::new(AtomicBool::new(false));
        let of = Error::of("a client for the canary");
        let ears = || Ears(Arc::clone(&flock), access.login());
        let producer: BaseProducer<Ears> =
            writing(access).create_with_context(ears()).map_err(&of)?;
        let consumer: BaseConsumer<Ears> =
            reading(access).create_with_context(ears()).map_err(&of)?;
        let ours = Ours { topic: topic.to_owned(), mark: mark(), stop: Arc::clone(&stop) };
        let (sends, hears) = (ours.clone(), ours);
        let own = Arc::clone(&flock);
        let sending = thread::spawn(move || sends.send(&producer, &own));
        let own = Arc::clone(&flock);
        let hearing = thread::spawn(move || hears.hear(&consumer, &own));
        Ok(Self { flock, stop, threads: vec![sending, hearing] })
    }

    /// Sends to these brokers, by the partition that each of them leads, and to no others.
    pub fn watch(&self, partitions: &BTreeMap<i32, i32>) {
        lock(&self.flock).watch(partitions);
    }

    /// The current times of each broker from which messages return.
    #[must_use]
    pub fn readings(&self) -> BTreeMap<i32, CanaryReading> {
        lock(&self.flock).readings(Instant::now())
    }

    /// Why messages cannot be written or read, if a right is missing.
    #[must_use]
    pub fn forbidden(&self) -> Option<String> {
        lock(&self.flock).is_forbidden()
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic in the thread has already been reported.
            let _ = thread.join();
        }
    }
}

/// A mark for our own messages, because another process may write to the same topic.
fn mark() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().rotate_left(32)
        ^ u64::from(since.subsec_nanos())
        ^ u64::from(std::process::id())
}

fn client(access: &Access) -> ClientConfig {
    let mut config = access.client();
    config.set("client.id", "autothrottle-canary");
    // Sends small messages immediately.
    config.set("socket.nagle.disable", "true");
    // A returned broker must not look slow because of our backoff. New partitions must be known soon.
    config.set("reconnect.backoff.max.ms", "1000");
    config.set("topic.metadata.refresh.interval.ms", "10000");
    config
}

fn writing(access: &Access) -> ClientConfig {
    let mut config = client(access);
    config.set("acks", "1").set("linger.ms", "0");
    config.set("message.timeout.ms", PATIENCE.as_millis().to_string());
    config
}

fn reading(access: &Access) -> ClientConfig {
    let mut config = client(access);
    // librdkafka requires a group name but does not use it: nothing is committed, and partitions are assigned manually.
    config.set("group.id", "mappr-canary").set("enable.auto.commit", "false");
    config.set("allow.auto.create.topics", "false").set("auto.offset.reset", "latest");
    config.set("fetch.wait.max.ms", "1000").set("fetch.error.backoff.ms", "100");
    config.set("fetch.message.max.bytes", "65536").set("queued.max.messages.kbytes", "1024");
    config
}

/// The state that both threads share.
#[derive(Clone)]
struct Ours {
    topic: String,
    mark: u64,
    stop: Arc<AtomicBool>,
}

impl Ours {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Sends to all due brokers at once, so that one wake-up is enough.
    fn send(&self, producer: &BaseProducer<Ears>, flock: &Shared) {
        let mut due = Instant::now();
        while self.goes_on() {
            let now = Instant::now();
            if now >= due {
                due = (due + HURRY).max(now);
                let new = lock(flock).send(now, due);
                for (number, partition) in new {
                    self.send_one(producer, number, partition);
                }
            }
            producer.poll(due.saturating_duration_since(Instant::now()));
        }
    }

    fn send_one(&self, producer: &BaseProducer<Ears>, number: usize, partition: i32) {
        let mut payload = [0; 16];
        payload[..8].copy_from_slice(&self.mark.to_be_bytes());
        payload[8..].copy_from_slice(&(number as u64).to_be_bytes());
        let record: BaseRecord<'_, (), [u8], usize> =
            BaseRecord::with_opaque_to(&self.topic, number).partition(partition).payload(&payload);
        if let Err((error, _)) = producer.send(record) {
            // The message stays in flight and becomes late.
            tracing::debug!(%error, partition, "cannot send a canary message");
        }
    }

    fn hear(&self, consumer: &BaseConsumer<Ears>, flock: &Shared) {
        let mut generation = 0;
        while self.goes_on() {
            if lock(flock).generation() != generation {
                let (now, partitions) = lock(flock).partitions();
                match self.assign(consumer, &partitions) {
                    Ok(()) => generation = now,
                    Err(error) => tracing::debug!(%error, "cannot read the canary's partitions"),
                }
            }
            match consumer.poll(TURN) {
                None => {}
                Some(Ok(message)) => {
                    if let Some(number) = self.number(message.payload()) {
                        lock(flock).arrived(message.partition(), number, Instant::now());
                    }
                }
                Some(Err(error)) => {
                    learn(flock, &error);
                    // A client that repeats its error must not keep this thread busy. The pause delays messages only
                    // slightly.
                    thread::sleep(BREATH);
                }
            }
        }
    }

    fn assign(&self, consumer: &BaseConsumer<Ears>, partitions: &[i32]) -> KafkaResult<()> {
        let mut all = TopicPartitionList::new();
        for partition in partitions {
            all.add_partition_offset(&self.topic, *partition, Offset::End)?;
        }
        consumer.assign(&all)
    }

    /// The number of a message, if this process sent it.
    fn number(&self, payload: Option<&[u8]>) -> Option<usize> {
        let (mark, number) = payload?.split_first_chunk::<8>()?;
        let ours = u64::from_be_bytes(*mark) == self.mark;
        let number = u64::from_be_bytes(number.try_into().ok()?);
        usize::try_from(number).ok().filter(|_| ours)
    }
}

/// Records a missing right. Other errors pass, because brokers come and go.
fn learn(flock: &Shared, error: &KafkaError) {
    // Group errors do not count: librdkafka looks for the group's coordinator, and works without it.
    let denied =
        [RDKafkaErrorCode::TopicAuthorizationFailed, RDKafkaErrorCode::ClusterAuthorizationFailed];
    match code(error).filter(|code| denied.contains(code)) {
        Some(code) => lock(flock).forbidden(code.to_string()),
        None => tracing::debug!(%error, "message from the canary's client"),
    }
}

/// Receives librdkafka's callbacks from its own threads: deliveries, log lines, and questions for a token.
struct Ears(Shared, LoginContext);

impl ClientContext for Ears {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn StdError>> {
        self.1.token()
    }

    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "message from the canary's client");
    }

    fn error(&self, error: KafkaError, _: &str) {
        learn(&self.0, &error);
    }
}

impl ConsumerContext for Ears {}

impl ProducerContext for Ears {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        match result {
            Ok(record) => lock(&self.0).acknowledged(record.partition(), number, Instant::now()),
            Err((error, _)) => learn(&self.0, error),
        }
    }
}
