//! One look: at the cluster, at its metrics, at what operators ask for.
//!
//! A broker that does not answer is missing, and does not delay the others.

use crate::announced::as_running;
use crate::backend::refuse_wrong_keys;
use crate::capacity::Networks;
use crate::copies::{Sizes, copies, logs, under_min_isr, with_sizes};
use crate::error::Error;
use crate::machines::Machines;
use crate::measure::{self, Numbers};
use crate::settings::DaemonSettings;
use execute::{Key, Ledger, Seen, ThrottleResource};
use kafka::admin::{ClusterBroker, LogDirFacts};
use kafka::{Client, in_parallel};
use mapper::{BrokerId, PartitionId, Rate, Replicas, TopicPartition};
use metrics::{Backend, BrokerAddress, MetricsSource};
use operate::execution::{Observer, topics_of};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use throttle::{BrokerSeen, PerDirection, RateOverrides, ReplicationRole};

/// The longest wait for a broker's log sizes.
const PATIENCE: Duration = Duration::from_secs(3);
/// The pause between the two answers that turn a counter into a rate.
const BETWEEN: Duration = Duration::from_secs(5);
/// How often brokers' rates are read while nothing moves and nothing is ours.
const QUIET: Duration = Duration::from_secs(60);

/// Looks at the cluster, and remembers what changes slowly.
pub(crate) struct Looker {
    observer: Observer,
    backend: Backend,
    /// Of metrics servers.
    window: Duration,
    networks: Networks,
    machines: Option<Machines>,
    began: Instant,
    rates_read: Option<Instant>,
    /// The source of the previous round's metrics.
    told_by: Option<MetricsSource>,
    /// The last warning about topics of ours that this user may not see, with its hint.
    untold: Option<(String, Option<String>)>,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Look {
    /// Of the cluster.
    pub(crate) cluster: Seen,
    /// What follows for rates.
    pub(crate) throttle: throttle::ThrottleInputs,
    /// What is announced, counts as running, and has not begun.
    pub(crate) waiting: BTreeSet<TopicPartition>,
    /// Every broker that is registered, or in a replica list.
    pub(crate) known: BTreeSet<BrokerId>,
    /// Brokers without metrics, though they were asked for.
    pub(crate) unmeasured: usize,
    /// The source of the metrics.
    pub(crate) metrics: Option<MetricsSource>,
}

impl Looker {
    /// # Errors
    /// A backend that cannot be set up.
    pub(crate) fn new(settings: &DaemonSettings) -> Result<Self, Error> {
        let metrics = &settings.metrics;
        let of_prometheus = metrics.prometheus.as_ref().map(|prometheus| prometheus.window);
        let window = of_prometheus.or(metrics.datadog.as_ref().map(|datadog| datadog.window));
        Ok(Self {
            observer: Observer::default(),
            backend: Backend::new(metrics.clone())?,
            window: window.unwrap_or_default(),
            networks: settings.networks.clone(),
            machines: settings.machines.clone().map(Machines::new),
            began: Instant::now(),
            rates_read: None,
            told_by: None,
            untold: None,
        })
    }

    /// Checks that the backend accepts the keys.
    pub(crate) async fn refuse_wrong_keys(&self) -> Result<(), Error> {
        refuse_wrong_keys(&self.backend).await
    }

    /// Measures a second time if there is only one round: one reading of a counter is no rate.
    pub(crate) async fn warm_up(&mut self, client: &Client) -> Result<(), Error> {
        if self.backend.learns_by_repetition() {
            client.describe_cluster().await?;
            measure::measure(&mut self.backend, &addresses(client), self.window).await;
            tokio::time::sleep(BETWEEN).await;
        }
        Ok(())
    }

    /// Everything that a decision needs.
    pub(crate) async fn look(
        &mut self,
        client: &Client,
        ledger: &Ledger,
        overrides: &RateOverrides,
        announced: BTreeMap<TopicPartition, Replicas>,
    ) -> Result<Look, Error> {
        // A topic that this user may not see keeps our throttle, and the others are paced as usual.
        let (mut seen, untold) = self.observer.see_what_is_told(client, &topics_of(ledger)).await?;
        self.tell_untold(untold);
        let waiting = as_running(announced, &mut seen);
        let mut copies = copies(&seen);
        let hosted = hosted(&seen, overrides);
        let topics = copies.iter().map(|copy| copy.of.topic.clone());
        let topics = topics.chain(hosted.values().flat_map(|topics| topics.keys().cloned()));
        let idle = copies.is_empty() && ledger.is_empty() && hosted.is_empty();
        self.configs(client, ledger, topics.collect(), idle, &mut seen).await?;
        let sizes = sizes(client, logs(&copies), &seen.live).await;
        with_sizes(&mut copies, &sizes);
        self.ask_machines(&seen.live).await;
        // Also while nothing moves: counters become rates only from the second answer on.
        let numbers = measure::measure(&mut self.backend, &addresses(client), self.window).await;
        if numbers.source != self.told_by
            && let Some(source) = numbers.source
        {
            tracing::info!(%source, "metrics");
            self.told_by = Some(source);
        }
        let cluster = client.cluster();
        let known = known(&seen, cluster.brokers.keys().copied());
        let throttle = throttle::ThrottleInputs {
            at: self.began.elapsed(),
            brokers: self.brokers(&known, &seen, &numbers),
            copies,
            overrides: overrides.clone(),
            hosted,
            applied: applied(&seen),
        };
        Ok(Look {
            cluster: seen,
            throttle,
            waiting,
            known,
            unmeasured: numbers.failures,
            metrics: numbers.source,
        })
    }

    /// Warns of topics with our throttle that this user may not see, when they change.
    fn tell_untold(&mut self, untold: Option<kafka::Error>) {
        let untold = untold.map(|error| (error.to_string(), error.hint()));
        if let Some((error, hint)) = untold.as_ref().filter(|_| untold != self.untold) {
            tracing::warn!(error, hint, "throttles of topics stay set, and in the ledger");
        }
        self.untold = untold;
    }

    /// Reads the throttle's configs of these topics and all live brokers, unless nothing can have changed.
    async fn configs(
        &mut self,
        client: &Client,
        ledger: &Ledger,
        topics: BTreeSet<String>,
        idle: bool,
        seen: &mut Seen,
    ) -> Result<(), Error> {
        let due = self.rates_read.is_none_or(|read| read.elapsed() >= QUIET);
        let brokers = match idle && !due {
            true => BTreeSet::new(),
            false => seen.live.clone(),
        };
        if !brokers.is_empty() {
            self.rates_read = Some(Instant::now());
        }
        Ok(self.observer.read_configs(client, ledger, topics, brokers, seen).await?)
    }

    /// Reads the throttle's configs again, of everything that was read before.
    pub(crate) async fn configs_again(
        &mut self,
        client: &Client,
        ledger: &Ledger,
        seen: &mut Seen,
    ) -> Result<(), Error> {
        let (mut topics, mut brokers) = (BTreeSet::new(), BTreeSet::new());
        for resource in std::mem::take(&mut seen.configs).into_keys() {
            match resource {
                ThrottleResource::Topic(name) => drop(topics.insert(name)),
                ThrottleResource::Broker(id) => drop(brokers.insert(id)),
            }
        }
        Ok(self.observer.read_configs(client, ledger, topics, brokers, seen).await?)
    }

    /// Learns network capacities from machines, if requested, and warns of machines without one.
    async fn ask_machines(&mut self, live: &BTreeSet<BrokerId>) {
        let Some(machines) = &mut self.machines else { return };
        let Some(said) = machines.news(live).await else { return };
        self.networks.learn(&said);
        for (id, problem) in self.networks.unknown(live, &said) {
            tracing::warn!(broker = id.0, problem, "its network capacity is not known");
        }
    }

    fn brokers(
        &self,
        known: &BTreeSet<BrokerId>,
        seen: &Seen,
        numbers: &Numbers,
    ) -> BTreeMap<BrokerId, BrokerSeen> {
        let under = under_min_isr(seen);
        let of_broker = |id: &BrokerId| {
            let metrics = numbers.brokers.get(id);
            let kind = metrics.and_then(|metrics| metrics.instance_type.as_deref());
            let capacity = self.networks.of(*id, kind);
            let mut health = metrics.map(measure::health).unwrap_or_default();
            health.under_min_isr = Some(under.get(id).copied().unwrap_or_default());
            let broker = BrokerSeen {
                live: seen.live.contains(id),
                capacity: capacity.map(|ports| PerDirection { tx: ports.tx, rx: ports.rx }),
                traffic: metrics.and_then(|metrics| measure::traffic(metrics, numbers.window)),
                health,
            };
            (*id, broker)
        };
        known.iter().map(of_broker).collect()
    }
}

/// The live brokers. A broker that is down has no page.
fn addresses(client: &Client) -> Vec<BrokerAddress> {
    let cluster = client.cluster();
    let live = cluster.brokers.iter().filter(|(_, broker)| broker.live);
    let address = |(id, broker): (&BrokerId, &ClusterBroker)| BrokerAddress {
        id: *id,
        host: broker.address.as_ref().map(|address| address.host.clone()),
    };
    live.map(address).collect()
}

/// The replicas on brokers with their own override. Kafka's own topics stay untouched.
fn hosted(
    seen: &Seen,
    overrides: &RateOverrides,
) -> BTreeMap<BrokerId, BTreeMap<String, BTreeSet<PartitionId>>> {
    let mut hosted: BTreeMap<BrokerId, BTreeMap<String, BTreeSet<PartitionId>>> = BTreeMap::new();
    if !overrides.brokers.keys().any(|id| overrides.stays_on(*id)) {
        return hosted;
    }
    for topic in seen.topics.values().filter(|topic| !topic.is_internal()) {
        for partition in &topic.partitions {
            for id in partition.replicas.iter().filter(|id| overrides.stays_on(**id)) {
                let topics = hosted.entry(*id).or_default();
                topics.entry(topic.name.clone()).or_default().insert(partition.id);
            }
        }
    }
    hosted
}

/// The sizes of these logs, as far as live brokers report them.
async fn sizes(
    client: &Client,
    wanted: BTreeMap<BrokerId, BTreeSet<TopicPartition>>,
    live: &BTreeSet<BrokerId>,
) -> Sizes {
    let of_live = wanted.into_iter().filter(|(id, _)| live.contains(id));
    let asked =
        of_live.map(async |(id, wanted)| (id, client.log_dirs_of(id, &wanted, PATIENCE).await));
    let mut sizes = Sizes::new();
    for (id, answer) in in_parallel(asked).await {
        let dirs = match answer {
            Ok(dirs) => dirs,
            Err(error) => {
                tracing::warn!(broker = id.0, %error, "cannot read the progress of copies");
                continue;
            }
        };
        let replicas = dirs.into_iter().flat_map(LogDirFacts::into_replicas);
        sizes.extend(replicas.map(|(of, size)| ((of, id), size)));
    }
    sizes
}

fn known(seen: &Seen, registered: impl Iterator<Item = BrokerId>) -> BTreeSet<BrokerId> {
    let partitions = seen.topics.values().flat_map(|topic| &topic.partitions);
    let mut known: BTreeSet<BrokerId> = registered.collect();
    for id in partitions.flat_map(|partition| partition.replicas.iter()) {
        if !known.contains(id) {
            known.insert(*id);
        }
    }
    known
}

/// The rates that are set on brokers; a value that is no number is ignored.
fn applied(seen: &Seen) -> BTreeMap<(BrokerId, ReplicationRole), Rate> {
    let mut applied = BTreeMap::new();
    for (resource, set) in &seen.configs {
        let ThrottleResource::Broker(id) = resource else { continue };
        for (key, role) in [
            (Key::LeaderRate, ReplicationRole::Leader),
            (Key::FollowerRate, ReplicationRole::Follower),
        ] {
            let rate = set.get(&key).and_then(|value| value.trim().parse().ok());
            applied.extend(rate.map(|rate| ((*id, role), Rate(rate))));
        }
    }
    applied
}
