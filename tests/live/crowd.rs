//! Many clients that write to one broker, and the latency of each record.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};
use testbed::{Access, Cluster};

/// How many connections share the card: enough to tell one delayed connection from an overload, which delays many.
const CLIENTS: usize = 30;
const RECORD: usize = 5_000;
const TICK: Duration = Duration::from_millis(5);

/// An acknowledged record: when, and how long after the client got it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ack {
    pub(crate) at: Instant,
    pub(crate) took: Duration,
}

/// Clients that write with acks=all to the first partition of a topic until they are dropped.
pub(crate) struct Crowd {
    wanted: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    acks: Acks,
    thread: Option<JoinHandle<()>>,
}

type Acks = Arc<Mutex<Vec<Ack>>>;

struct Timed(Acks);

impl ClientContext for Timed {}

impl ProducerContext for Timed {
    type DeliveryOpaque = Box<Instant>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Instant>) {
        if result.is_ok() {
            self.0.lock().unwrap().push(Ack { at: Instant::now(), took: sent.elapsed() });
        }
    }
}

impl Crowd {
    /// Starts to write `wanted` bytes per second in total.
    pub(crate) fn start(cluster: &Cluster, topic: &'static str, wanted: u64) -> Self {
        let (acks, stop) = (Acks::default(), Arc::<AtomicBool>::default());
        let wanted = Arc::new(AtomicU64::new(wanted));
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.client(&Access::Plaintext).bootstrap);
        config.set("acks", "all").set("linger.ms", "5").set("compression.type", "none");
        config.set("queue.buffering.max.kbytes", "256").set("message.timeout.ms", "120000");
        let clients: Vec<ThreadedProducer<Timed>> = (0..CLIENTS)
            .map(|_| config.create_with_context(Timed(Arc::clone(&acks))).unwrap())
            .collect();
        let (of, until) = (Arc::clone(&wanted), Arc::clone(&stop));
        let thread = thread::spawn(move || write(&clients, topic, &of, &until));
        Self { wanted, stop, acks, thread: Some(thread) }
    }

    /// Changes the total, in bytes per second.
    pub(crate) fn want(&self, bytes_per_second: u64) {
        self.wanted.store(bytes_per_second, Ordering::Relaxed);
    }

    /// The records acknowledged since then, in order.
    pub(crate) fn acks(&self, since: Instant) -> Vec<Ack> {
        let acks = self.acks.lock().unwrap();
        let mut since: Vec<Ack> = acks.iter().filter(|ack| ack.at >= since).copied().collect();
        since.sort_by_key(|ack| ack.at);
        since
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed, and a second one here would hide the test's own.
            let _ = thread.join();
        }
    }
}

/// One client after the other. Bytes that a full queue refuses are not written later.
fn write(clients: &[ThreadedProducer<Timed>], topic: &str, wanted: &AtomicU64, stop: &AtomicBool) {
    let payload = [7_u8; RECORD];
    let (mut last, mut due) = (Instant::now(), 0.0);
    let mut next = clients.iter().cycle();
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(TICK);
        due += wanted.load(Ordering::Relaxed) as f64 * last.elapsed().as_secs_f64();
        last = Instant::now();
        while due >= RECORD as f64 {
            due -= RECORD as f64;
            let record: BaseRecord<'_, (), [u8], Box<Instant>> =
                BaseRecord::with_opaque_to(topic, Box::new(Instant::now()))
                    .partition(0)
                    .payload(&payload);
            if let Some(client) = next.next() {
                let _ = client.send(record);
            }
        }
    }
}

/// The 99th percentile of the records acknowledged in the span before `until`.
pub(crate) fn p99(acks: &[Ack], until: Instant, span: Duration) -> Option<Duration> {
    let within = |ack: &&Ack| ack.at <= until && until.duration_since(ack.at) < span;
    let mut took: Vec<Duration> = acks.iter().filter(within).map(|ack| ack.took).collect();
    took.sort_unstable();
    took.get(took.len() * 99 / 100).copied()
}

/// When the 99th percentile over the previous span first reached this value, at this moment or later.
pub(crate) fn first_p99_of(
    acks: &[Ack],
    from: Instant,
    span: Duration,
    limit: Duration,
) -> Option<Instant> {
    let (mut oldest, mut slow) = (0, 0);
    for (newest, ack) in acks.iter().enumerate() {
        slow += usize::from(ack.took >= limit);
        while ack.at.duration_since(acks[oldest].at) >= span {
            slow -= usize::from(acks[oldest].took >= limit);
            oldest += 1;
        }
        let all = newest + 1 - oldest;
        if ack.at >= from && slow >= all - all * 99 / 100 {
            return Some(ack.at);
        }
    }
    None
}

#[test]
fn the_first_moment_of_a_p99_is_that_of_the_percentile_itself() {
    let (start, span) = (Instant::now(), Duration::from_secs(2));
    let ms = Duration::from_millis;
    // A hundred per second. From the fourth second on, one of five is slow.
    let acks: Vec<Ack> = (0..800)
        .map(|n| {
            let took = ms(if n > 400 && n % 5 == 0 { 50 } else { 8 });
            Ack { at: start + ms(n * 10), took }
        })
        .collect();
    let found = first_p99_of(&acks, start + ms(2_500), span, ms(16));
    let limit = |ack: &&Ack| p99(&acks, ack.at, span).unwrap() >= ms(16);
    assert_eq!(found, acks.iter().find(limit).map(|ack| ack.at));
    assert_eq!(found, Some(start + ms(4_100)), "two of two hundred are one in a hundred");
}
