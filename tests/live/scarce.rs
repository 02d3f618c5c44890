//! Brokers with scarce networks: clients have a changing demand, and a large topic moves.
//!
//! Broker 1001 leads everything. Its card sends what consumers read and what its in-sync follower fetches. While the
//! topic moves to 1003 and 1004, it sends that, too. These two have nothing else, so everything that they receive is
//! the move.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use testbed::relay::Cap;
use testbed::{Access, Cluster, Mode, until};
use tokio::runtime::Runtime;

use crate::load::{Load, Served};
use crate::traffic::{SOON, Traffic};

pub(crate) const LEADER: i32 = 1001;
/// The source and the destination of the moved topic.
const FROM: [i32; 2] = [LEADER, 1002];
const TO: [i32; 2] = [1003, 1004];
const MOVED: &str = "events";
const PARTITIONS: i32 = 4;
const CLIENTS: &str = "orders";
const LOOK: Duration = Duration::from_millis(500);

/// The sizes of a scene.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// The limit of each card in each direction, in bytes per second.
    pub(crate) card: u64,
    /// The lowest and the highest demand of clients for writing (and reading), in bytes per second.
    pub(crate) appetite: [u64; 2],
    /// How long the highest demand lasts. After that, the demand is the lowest.
    pub(crate) busy: Duration,
    /// The size of each replica of the moved topic.
    pub(crate) bytes: usize,
}

impl Size {
    /// The demand at this time. The highest comes first, so that a wrong rate shows from the start.
    fn appetite(&self, at: Duration) -> u64 {
        self.appetite[usize::from(at < self.busy)]
    }

    /// A rate that never disturbs clients. It is a tenth less than what the leader's card can send in addition to the
    /// peak demand of its consumers and its in-sync follower.
    pub(crate) fn safe(&self) -> u64 {
        (self.card - 2 * self.appetite[1]) * 9 / 10
    }
}

/// A cluster, and the sizes of the scene.
pub(crate) struct Scene {
    pub(crate) cluster: Cluster,
    pub(crate) size: Size,
    /// The share of their demand that clients get while nothing moves.
    undisturbed: f64,
}

/// Measurements at one moment of a move. Bytes are since its start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) at: Duration,
    /// The bytes that have reached both destinations.
    pub(crate) moved: u64,
    pub(crate) wanted: f64,
    pub(crate) served: Served,
    /// The leader's throttled rate, in bytes per second, if one is set.
    pub(crate) rate: Option<u64>,
}

/// The result of a move.
pub(crate) struct Outcome {
    pub(crate) took: Duration,
    /// The clients' throughput, as a share of the throughput while nothing moves.
    pub(crate) clients: f64,
    pub(crate) samples: Vec<Sample>,
}

impl Scene {
    /// Puts everything at its source, and measures clients at high and low demand.
    pub(crate) fn set(mode: Mode, size: Size) -> Self {
        let mut scene = Self::unmeasured(mode, size);
        let load = scene.load();
        let samples = scene.watch(&load, |at| at >= size.busy * 2);
        scene.undisturbed = got(&samples);
        eprintln!("undisturbed: {:.1} % of what is wanted", scene.undisturbed * 100.0);
        scene
    }

    /// The same for a test that compares no clients.
    pub(crate) fn unmeasured(mode: Mode, size: Size) -> Self {
        // More fetchers take a larger share of a full card, as in production.
        let builder =
            Cluster::builder().mode(mode).brokers(4).property("num.replica.fetchers", "2");
        // A follower fetches one megabyte at once, not ten, because ten fill these cards for a second.
        let builder = builder.property("replica.fetch.response.max.bytes", "1048576");
        let cluster = builder.network(Cap::default()).exporter().start().unwrap();
        let traffic = Traffic::of(&cluster);
        let lists = vec![FROM.to_vec(); PARTITIONS as usize];
        let topics = [(MOVED.to_owned(), lists), (CLIENTS.to_owned(), vec![FROM.to_vec()])];
        traffic.create(&topics.into());
        let each = size.bytes / PARTITIONS as usize;
        traffic.write(&(0..PARTITIONS).map(|p| ((MOVED.to_owned(), p), each)).collect());
        let scene = Self { cluster, size, undisturbed: 1.0 };
        scene.cap(Cap::both(size.card));
        scene
    }

    fn cap(&self, cap: Cap) {
        for id in self.cluster.brokers() {
            self.cluster.card(id).unwrap().limit(cap);
        }
    }

    /// Moves the topic while clients have their demand. `begin` submits the move.
    pub(crate) fn moves(&self, begin: impl FnOnce(&Self)) -> Outcome {
        let load = self.load();
        // Long enough for the consumer to start.
        self.watch(&load, |at| at >= Duration::from_secs(2));
        begin(self);
        let eyes = self.eyes();
        let samples = self.watch(&load, |_| self.is_on(&eyes, TO));
        let took = samples.last().expect("a sample").at;
        Outcome { took, clients: got(&samples) / self.undisturbed, samples }
    }

    /// Clients that always have the highest demand.
    pub(crate) fn load(&self) -> Load {
        Load::start(&self.cluster, CLIENTS, self.size.appetite[1])
    }

    /// Waits until the move is complete.
    pub(crate) fn arrives(&self) {
        let eyes = self.eyes();
        until("the end of the move", SOON * 5, || self.is_on(&eyes, TO).then_some(())).unwrap();
    }

    /// The leader's throttled rate, in bytes per second, if one is set.
    pub(crate) fn rate(&self) -> Option<u64> {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        Runtime::new().unwrap().block_on(leader_rate(&admin))
    }

    /// Waits until every copy is throttled at both ends.
    pub(crate) fn becomes_paced(&self, said: impl Fn() -> String) {
        let paced = until("a paced move", SOON, || self.unpaced().is_empty().then_some(()));
        paced.unwrap_or_else(|why| panic!("{why}: {:?}\n{}", self.unpaced(), said()));
    }

    /// Checks for some time that every copy stays throttled at both ends.
    pub(crate) fn stays_paced(&self, when: &str) {
        for _ in 0..6 {
            assert_eq!(self.unpaced(), [""; 0], "{when}: {:?}", self.throttles());
            std::thread::sleep(LOOK);
        }
    }

    /// The throttles that should be set during the move, and are not.
    fn unpaced(&self) -> Vec<String> {
        let set = self.throttles();
        let rates = [format!("{LEADER} leader.replication.throttled.rate")].into_iter();
        let followers = TO.map(|id| format!("{id} follower.replication.throttled.rate"));
        let mut missing: Vec<String> =
            rates.chain(followers).filter(|key| !set.contains_key(key)).collect();
        let list = |role: &str| {
            let key = format!("{MOVED} {role}.replication.throttled.replicas");
            let text = set.get(&key).cloned().unwrap_or_default();
            text.split(',').map(str::to_owned).collect::<Vec<_>>()
        };
        let (leaders, followers) = (list("leader"), list("follower"));
        for partition in 0..PARTITIONS {
            let leader = format!("{partition}:{LEADER}");
            missing.extend((!leaders.contains(&leader)).then_some(leader));
            let to = TO.map(|id| format!("{partition}:{id}"));
            missing.extend(to.into_iter().filter(|to| !followers.contains(to)));
        }
        missing
    }

    /// Moves the topic back to its source, as fast as the machine can.
    pub(crate) fn reset(&self) {
        self.cap(Cap::default());
        self.reassign(FROM, &[]);
        let eyes = self.eyes();
        until("the topic is back", SOON, || self.is_on(&eyes, FROM).then_some(())).unwrap();
        self.cap(Cap::both(self.size.card));
    }

    /// Submits the move with Kafka's own tool, with a fixed rate if there is one.
    pub(crate) fn submit(&self, bytes_per_second: Option<u64>) {
        let rate = bytes_per_second.map(|rate| rate.to_string());
        let throttle: Vec<&str> = rate.iter().flat_map(|rate| ["--throttle", rate]).collect();
        self.reassign(TO, &throttle);
    }

    /// Kafka's own tool removes the throttles that it has set.
    pub(crate) fn clear(&self) {
        let file = self.cluster.path().join("move.json").display().to_string();
        let told = self.cluster.tool("reassign", ["--verify", "--reassignment-json-file", &file]);
        assert!(told.unwrap().contains("Clearing"), "nothing was cleared");
    }

    fn reassign(&self, to: [i32; 2], throttle: &[&str]) {
        let partitions: Vec<_> = (0..PARTITIONS)
            .map(|p| serde_json::json!({"topic": MOVED, "partition": p, "replicas": to}))
            .collect();
        let file = self.cluster.path().join("move.json");
        let map = serde_json::json!({"version": 1, "partitions": partitions});
        fs::write(&file, map.to_string()).unwrap();
        let file = file.display().to_string();
        let args = ["--execute", "--reassignment-json-file", &file];
        self.cluster.tool("reassign", args.iter().chain(throttle)).unwrap();
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.cluster.client(&Access::Plaintext).bootstrap);
        config
    }

    fn eyes(&self) -> BaseConsumer {
        self.config().create().unwrap()
    }

    fn is_on(&self, eyes: &BaseConsumer, brokers: [i32; 2]) -> bool {
        let Ok(seen) = eyes.fetch_metadata(Some(MOVED), Duration::from_secs(10)) else {
            return false;
        };
        let there = |replicas: &[i32], isr: &[i32]| {
            let all = |ids: &[i32]| ids.len() == 2 && brokers.iter().all(|id| ids.contains(id));
            all(replicas) && all(isr)
        };
        let mut partitions = seen.topics().iter().flat_map(|topic| topic.partitions());
        partitions.all(|partition| there(partition.replicas(), partition.isr()))
    }

    /// Samples until `over`, and applies the demand of each moment.
    fn watch(&self, load: &Load, mut over: impl FnMut(Duration) -> bool) -> Vec<Sample> {
        const LONGEST: Duration = Duration::from_secs(1800);
        let runtime = Runtime::new().unwrap();
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let before = (load.served(), self.moved());
        let (start, mut wanted, mut last) = (Instant::now(), 0.0, Duration::ZERO);
        let mut samples = Vec::new();
        loop {
            let at = start.elapsed();
            wanted += self.size.appetite(last) as f64 * (at - last).as_secs_f64();
            last = at;
            load.want(self.size.appetite(at));
            let (now, moved) = (load.served(), self.moved());
            let served =
                Served { written: now.written - before.0.written, read: now.read - before.0.read };
            let rate = runtime.block_on(leader_rate(&admin));
            samples.push(Sample { at, moved: moved - before.1, wanted, served, rate });
            if over(at) {
                return samples;
            }
            assert!(at < LONGEST, "the move does not end: {samples:?}");
            std::thread::sleep(LOOK);
        }
    }

    /// The bytes that have reached both destinations.
    pub(crate) fn moved(&self) -> u64 {
        let came = |id| self.cluster.card(id).unwrap().passed().replication_rx;
        TO.into_iter().map(came).sum()
    }

    /// The throttles that are set on brokers and on the moved topic, by resource.
    pub(crate) fn throttles(&self) -> BTreeMap<String, String> {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let runtime = Runtime::new().unwrap();
        let brokers = self.cluster.running().into_keys();
        let brokers = brokers.map(|id| (id.to_string(), ResourceSpecifier::Broker(id)));
        let topic = (MOVED.to_owned(), ResourceSpecifier::Topic(MOVED));
        let mut found = BTreeMap::new();
        for (name, resource) in brokers.chain([topic]) {
            for (key, value) in runtime.block_on(throttled(&admin, resource)).unwrap_or_default() {
                found.insert(format!("{name} {key}"), value);
            }
        }
        found
    }
}

/// The throttles of a broker or topic. Empty if there is no answer.
async fn throttled(
    admin: &AdminClient<DefaultClientContext>,
    resource: ResourceSpecifier<'_>,
) -> Option<Vec<(String, String)>> {
    let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(5)));
    let told = admin.describe_configs([&resource], &options).await.ok()?;
    let entries = told.into_iter().next()?.ok()?.entries;
    let throttles = entries.into_iter().filter(|e| e.name.contains(".replication.throttled."));
    let set = throttles.filter_map(|entry| Some((entry.name, entry.value?)));
    // A rate that is not set is the largest number; a list that is not set is empty.
    Some(set.filter(|(_, value)| !value.is_empty() && *value != i64::MAX.to_string()).collect())
}

async fn leader_rate(admin: &AdminClient<DefaultClientContext>) -> Option<u64> {
    let set = throttled(admin, ResourceSpecifier::Broker(LEADER)).await?;
    set.into_iter().find(|(key, _)| key.starts_with("leader."))?.1.parse().ok()
}

/// The clients' share of their demand: the lower one of producer and consumer.
fn got(samples: &[Sample]) -> f64 {
    let last = samples.last().expect("a sample");
    last.served.written.min(last.served.read) as f64 / last.wanted
}

impl Outcome {
    /// One line for the log.
    pub(crate) fn line(&self, name: &str) -> String {
        let last = self.samples.last().expect("a sample");
        format!(
            "{name}: {:.1} s for {:.0} MB, clients {:.1} %",
            self.took.as_secs_f64(),
            last.moved as f64 / 1e6,
            self.clients * 100.0
        )
    }

    /// Each ten seconds: the rate of the move, the last throttle, and the clients' share of their demand.
    pub(crate) fn course(&self) -> String {
        let mut told = String::new();
        let mut from = &self.samples[0];
        for to in &self.samples[1..] {
            let seconds = (to.at - from.at).as_secs_f64();
            if seconds < 10.0 {
                continue;
            }
            let megabytes = |bytes: u64| bytes as f64 / seconds / 1e6;
            let served = to.served.written.min(to.served.read) as f64
                - from.served.written.min(from.served.read) as f64;
            let _ = writeln!(
                told,
                "  {:>4.0} s: {:>5.1} MB/s of {:>5.1}, clients {:>3.0} %",
                to.at.as_secs_f64(),
                megabytes(to.moved - from.moved),
                to.rate.map_or(f64::NAN, |rate| rate as f64 / 1e6),
                served / (to.wanted - from.wanted) * 100.0
            );
            from = to;
        }
        told
    }

    /// How far the mean rate of the move differs from the mean of the throttle, over at least 20 seconds. It ignores
    /// the first seconds, in which Kafka lets a burst through. It also ignores the last moment, when some partitions
    /// have already arrived.
    pub(crate) fn mean_off_by(&self) -> f64 {
        const BURST: Duration = Duration::from_secs(12);
        let last = self.samples.last().expect("a sample").moved * 9 / 10;
        let between = |sample: &&Sample| sample.at >= BURST && sample.moved <= last;
        let between: Vec<&Sample> = self.samples.iter().filter(between).collect();
        let (Some(from), Some(to)) = (between.first(), between.last()) else { return f64::NAN };
        let seconds = (to.at - from.at).as_secs_f64();
        let set: Vec<u64> = between.iter().filter_map(|sample| sample.rate).collect();
        if seconds < 20.0 || set.is_empty() {
            return f64::NAN;
        }
        let set = set.iter().sum::<u64>() as f64 / set.len() as f64;
        (to.moved - from.moved) as f64 / seconds / set - 1.0
    }

    /// The throttle in MB/s over seconds. Leaves out values above the card's limit.
    pub(crate) fn decided(&self) -> Vec<(f64, f64)> {
        let point = |sample: &Sample| Some((sample.at.as_secs_f64(), sample.rate? as f64 / 1e6));
        let highest = self.rates(|sample| sample.moved as f64);
        let highest = highest.into_iter().map(|(_, y)| y).fold(0.0, f64::max) * 1.5;
        self.samples.iter().filter_map(point).filter(|(_, rate)| *rate <= highest).collect()
    }

    /// The growth of a value in MB/s over seconds: a mean over the previous ten seconds, the span of Kafka's own mean.
    pub(crate) fn rates(&self, value: impl Fn(&Sample) -> f64) -> Vec<(f64, f64)> {
        const BACK: Duration = Duration::from_secs(10);
        let mut points = Vec::new();
        let mut first = 0;
        for to in &self.samples[1..] {
            while to.at - self.samples[first].at > BACK {
                first += 1;
            }
            let from = &self.samples[first];
            let seconds = (to.at - from.at).as_secs_f64();
            points.push((to.at.as_secs_f64(), (value(to) - value(from)) / seconds / 1e6));
        }
        points
    }
}
