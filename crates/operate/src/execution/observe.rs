//! One look at a cluster: all facts for the next round.
//!
//! A broker that does not answer costs three seconds, and is asked again after 30 seconds. Until then its facts are
//! missing, and no move that needs them is begun.

use super::act::Acted;
use super::missing_topics::gone;
use super::rest::rest;
use crate::error::Error;
use execute::{
    Abandoned, CopyProgress, Cordon, ExecutionHistory, Exposure, Key, Ledger, Losses, Others,
    Running, Seen, Settling, Stall, Stored, Task, ThrottleResource, Watch, throttled_topics,
};
use jiff::Timestamp;
use kafka::admin::{ConfigKeys, ConfigResource, Cordons, LogDirFacts, Topics};
use kafka::{Client, Target, in_parallel};
use mapper::{BrokerId, Bytes, Plan, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The time limit for one request to a broker.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// How long a broker that did not answer is not asked again.
const REST: Duration = Duration::from_secs(30);
/// How long a read of `min.insync.replicas` stays valid.
const MIN_ISR_AGE: Duration = Duration::from_secs(60);
/// The largest number of topics in one request.
const TOPICS: usize = 500;
/// Log dirs of equal size whose free space differs by less than this many bytes count as one volume.
const SAME_VOLUME: u64 = 64 << 20;

/// Looks at a cluster, and caches facts that change slowly.
#[derive(Debug, Default)]
pub struct Observer {
    min_isr: BTreeMap<String, u32>,
    min_isr_read: Option<Instant>,
    resting: BTreeMap<BrokerId, Instant>,
    settling: Settling,
    abandoned: Abandoned,
    watch: Watch,
    pub(super) exposure: Exposure,
    pub(super) losses: Losses,
    /// How long the last look took, with the pause after it, in seconds.
    look_seconds: u64,
    /// The time of the first look: monotonic, and in seconds since 1970.
    began: Option<(Instant, u64)>,
    cordons: BTreeMap<BrokerId, Cordon>,
    /// Brokers that have refused to be cordoned.
    without_cordons: BTreeSet<BrokerId>,
}

/// The result of a look.
#[derive(Debug)]
pub struct Look {
    /// Brokers, topics, reassignments, configs, copies and free disk space: the input of `execute::next`.
    pub seen: Seen,
    /// The copies that receive no data.
    pub stalls: Vec<Stall>,
}

impl Observer {
    /// Reads all facts that the plan and the ledger need. Reads only the topic throttles that the next round needs:
    /// with ZooKeeper, a copying broker has to read each of them from ZooKeeper.
    pub async fn look(
        &mut self,
        client: &Client,
        task: &Task<'_>,
        history: &ExecutionHistory,
        ledger: &Ledger,
    ) -> Result<Look, Error> {
        let plan = task.plan;
        let mut surely = topics_of(ledger);
        surely.extend(plan.moves.iter().map(|m| m.topic.to_string()));
        let mut seen = self.see(client, &surely).await?;
        self.settling.mark(plan, history, &mut seen);
        self.abandoned.mark(&mut seen);
        // Disks come first, because the choice of topics depends on free space and on the bytes copied.
        self.read_disks(client, plan, &mut seen).await;
        let stalls = self.watch.look(plan, &mut seen, task.terms.limits.stalled_after_seconds);
        seen.look_seconds = self.look_seconds;
        self.exposure.look(plan, &seen);
        self.read_copies(client, ledger, &mut seen).await;
        seen.cordonable = self.cordonable(client, plan, &seen.live).await;
        let topics = throttled_topics(task, history, &seen);
        let brokers = plan.moves.iter().flat_map(|m| m.from.iter().chain(&m.to)).copied();
        self.read_configs(client, ledger, topics, brokers.collect(), &mut seen).await?;
        Ok(Look { seen, stalls })
    }

    /// Reads reassignments, brokers and topics, in this order, so that a move that ends during the look counts as
    /// ended. Reads no configs and no disks. Topics in `surely` that are missing are [gone](Seen::gone).
    ///
    /// # Errors
    /// The errors of any call to Kafka; also if it is unknown whether a topic in `surely` exists.
    pub async fn see(&mut self, client: &Client, surely: &BTreeSet<String>) -> Result<Seen, Error> {
        match self.see_what_is_told(client, surely).await? {
            (seen, None) => Ok(seen),
            (_, Some(untold)) => Err(untold.into()),
        }
    }

    /// The same, but a topic in `surely` whose existence is unknown does not end the look: the second value says why
    /// it is unknown.
    ///
    /// # Errors
    /// The errors of any call to Kafka.
    pub async fn see_what_is_told(
        &mut self,
        client: &Client,
        surely: &BTreeSet<String>,
    ) -> Result<(Seen, Option<kafka::Error>), Error> {
        let running = client.reassignments().await?;
        let cluster = client.describe_cluster().await?;
        let mut topics = client.topics().await?;
        let live: BTreeSet<BrokerId> = cluster.live().collect();
        let (gone, untold) = gone(client, surely, &live, &mut topics).await;
        self.read_min_isr(client, &topics).await?;
        for (name, topic) in &mut topics {
            topic.min_insync_replicas = self.min_isr.get(name).copied();
        }
        let running = running.into_iter().map(|(of, moving)| {
            let target = moving.target();
            (of, Running { target, adding: moving.adding })
        });
        let (at_seconds, clock_seconds) = self.now();
        let seen = Seen {
            at_seconds,
            clock_seconds,
            live,
            running: running.collect(),
            settling: BTreeSet::new(),
            abandoned: BTreeSet::new(),
            topics,
            gone,
            configs: BTreeMap::new(),
            free: BTreeMap::new(),
            stored: BTreeMap::new(),
            copies: CopyProgress::default(),
            look_seconds: 0,
            cordons: BTreeMap::new(),
            cordonable: BTreeSet::new(),
            announced: BTreeSet::new(),
            others: Others::None,
        };
        Ok((seen, untold))
    }

    async fn read_min_isr(&mut self, client: &Client, topics: &Topics) -> Result<(), Error> {
        if self.min_isr_read.is_some_and(|read| read.elapsed() < MIN_ISR_AGE) {
            return Ok(());
        }
        let names: Vec<String> = topics.keys().cloned().collect();
        for some in names.chunks(TOPICS) {
            let keys = &ConfigKeys::MinInsyncReplicas;
            let told = client.topic_configs(Target::Any, some, keys).await?;
            let known = told.found.into_iter();
            self.min_isr.extend(known.filter_map(|(name, c)| Some((name, c.min_insync_replicas?))));
        }
        self.min_isr_read = Some(Instant::now());
        Ok(())
    }

    /// Reads the throttle configs of these topics and brokers, and of everything in the ledger.
    ///
    /// # Errors
    /// A missing right, or no answer about topics. If a broker does not answer, only its configs are missing.
    pub async fn read_configs(
        &mut self,
        client: &Client,
        ledger: &Ledger,
        mut topics: BTreeSet<String>,
        mut brokers: BTreeSet<BrokerId>,
        seen: &mut Seen,
    ) -> Result<(), Error> {
        for resource in ledger.resources() {
            match resource {
                ThrottleResource::Topic(name) => drop(topics.insert(name)),
                ThrottleResource::Broker(id) => drop(brokers.insert(id)),
            }
        }
        let there: Vec<ConfigResource> = topics
            .into_iter()
            .filter(|name| seen.topics.contains_key(name))
            .map(ConfigResource::Topic)
            .collect();
        let keys = Key::OF_TOPICS.map(Key::as_str);
        for some in there.chunks(TOPICS) {
            let patience = PATIENCE * 10;
            seen.configs.extend(
                client.configs_set(some, &keys, patience).await?.into_iter().filter_map(known),
            );
        }
        brokers.retain(|id| seen.live.contains(id) && !self.rests(*id));
        let keys = Key::ON_BROKERS.map(Key::as_str);
        let asked = brokers.into_iter().map(async |id| {
            (id, client.configs_set(&[ConfigResource::Broker(id)], &keys, PATIENCE).await)
        });
        for (id, answer) in in_parallel(asked).await {
            match answer {
                Ok(told) => seen.configs.extend(told.into_iter().filter_map(known)),
                Err(error @ kafka::Error::Authorization(_)) => return Err(error.into()),
                Err(error) => self.spare(id, &error),
            }
        }
        Ok(())
    }

    /// Reads free space on destination brokers, and the sizes of new replicas.
    async fn read_disks(&mut self, client: &Client, plan: &Plan, seen: &mut Seen) {
        let mut wanted: BTreeMap<BrokerId, BTreeSet<TopicPartition>> = BTreeMap::new();
        for change in &plan.moves {
            let of = change.of();
            let moves = seen.running.contains_key(&of);
            for broker in change.added().filter(|id| seen.live.contains(id) && !self.rests(*id)) {
                let of_broker = wanted.entry(broker).or_default();
                if moves {
                    of_broker.insert(of.clone());
                }
            }
            for (broker, _) in change.named_log_dirs() {
                if seen.live.contains(&broker) && !self.rests(broker) {
                    wanted.entry(broker).or_default().insert(of.clone());
                }
            }
        }
        let asked = wanted.into_iter().map(async |(id, wanted)| {
            let dirs = client.log_dirs_of(id, &wanted, PATIENCE).await;
            // A broker that does not report log dirs is not asked for cordons either.
            let cordons = match &dirs {
                Ok(_) => Some(client.cordons(id, PATIENCE).await),
                Err(_) => None,
            };
            (id, dirs, cordons)
        });
        for (id, answer, cordons) in in_parallel(asked).await {
            self.take_cordons(id, cordons);
            match answer {
                Ok(dirs) => {
                    seen.free.extend(free(&dirs).map(|bytes| (id, bytes)));
                    seen.stored.insert(id, stored(&dirs));
                    let replicas = dirs.into_iter().flat_map(LogDirFacts::into_replicas);
                    seen.copies.bytes.extend(replicas.map(|(of, size)| ((of, id), size)));
                }
                Err(error) => self.spare(id, &error),
            }
        }
        seen.cordons.clone_from(&self.cordons);
    }

    /// If a cordoned broker does not answer, its cordon probably still exists and stays in effect.
    fn take_cordons(&mut self, id: BrokerId, told: Option<Result<Cordons, kafka::Error>>) {
        match told {
            Some(Ok(Cordons { log_dirs, every })) => {
                let cordon = Cordon { every, log_dirs: log_dirs.into_iter().collect() };
                self.cordons.insert(id, cordon);
                self.cordons.retain(|_, cordon| *cordon != Cordon::default());
            }
            Some(Err(error)) => {
                tracing::warn!(broker = id.0, %error, "whether it is cordoned is not told");
            }
            None => {}
        }
    }

    /// Reads copies between log dirs of one broker, if the ledger has a rate for them; plans of other runs count too.
    async fn read_copies(&mut self, client: &Client, ledger: &Ledger, seen: &mut Seen) {
        let held = ledger.held().filter(|(setting, _)| setting.key == Key::LogDirRate);
        let brokers = held.filter_map(|(setting, _)| match setting.resource {
            ThrottleResource::Broker(id) => Some(id),
            ThrottleResource::Topic(_) => None,
        });
        let brokers: BTreeSet<BrokerId> =
            brokers.filter(|id| seen.live.contains(id) && !self.rests(*id)).collect();
        let asked = brokers
            .into_iter()
            .map(async |id| (id, tokio::time::timeout(PATIENCE * 2, client.log_dirs(id)).await));
        for (id, answer) in in_parallel(asked).await {
            match answer {
                Ok(Ok(dirs)) => drop(seen.stored.insert(id, stored(&dirs))),
                Ok(Err(error)) => self.spare(id, &error),
                Err(_) => drop(seen.stored.remove(&id)),
            }
        }
    }

    /// The time of the look on a clock that never jumps, and the system time, in seconds.
    fn now(&mut self) -> (u64, u64) {
        let clock_seconds = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
        let (began, then) = *self.began.get_or_insert((Instant::now(), clock_seconds));
        (then.saturating_add(began.elapsed().as_secs()), clock_seconds)
    }

    /// A look took this long, and the next one follows after the pause.
    pub(super) fn took(&mut self, look: Duration) {
        self.look_seconds = (look + rest(&Acted::default(), look)).as_secs();
    }

    pub(super) fn refuses_cordons(&mut self, id: BrokerId) {
        self.without_cordons.insert(id);
    }

    pub(super) fn has_refused_cordons(&self, id: BrokerId) -> bool {
        self.without_cordons.contains(&id)
    }

    pub(super) fn rests(&self, id: BrokerId) -> bool {
        self.resting.get(&id).is_some_and(|since| since.elapsed() < REST)
    }

    fn spare(&mut self, id: BrokerId, error: &kafka::Error) {
        tracing::warn!(broker = id.0, %error, "a live broker does not tell of itself");
        self.resting.insert(id, Instant::now());
    }
}

/// The topics in a ledger.
pub fn topics_of(ledger: &Ledger) -> BTreeSet<String> {
    let of_topic = |resource| match resource {
        ThrottleResource::Topic(name) => Some(name),
        ThrottleResource::Broker(_) => None,
    };
    ledger.resources().into_iter().filter_map(of_topic).collect()
}

fn known(
    (resource, set): (ConfigResource, BTreeMap<String, String>),
) -> Option<(ThrottleResource, BTreeMap<Key, String>)> {
    let resource = match resource {
        ConfigResource::Topic(name) => ThrottleResource::Topic(name),
        ConfigResource::Broker(id) => ThrottleResource::Broker(id),
        // An execution neither sets nor reads configs of this resource.
        ConfigResource::EveryBroker => return None,
    };
    let set = set.into_iter().filter_map(|(key, value)| Some((Key::named(&key)?, value)));
    Some((resource, set.collect()))
}

/// The log dir of each replica, and the free space of each dir.
fn stored(dirs: &[LogDirFacts]) -> Stored {
    let mut stored = Stored::default();
    for dir in dirs.iter().filter(|dir| dir.failure.is_none()) {
        stored.free.extend(dir.free.map(|free| (dir.path.clone(), free)));
        let lying = |arriving: bool| {
            let topics = if arriving { &dir.arriving } else { &dir.topics };
            topics.iter().flat_map(|(topic, replicas)| {
                replicas.iter().map(|(partition, _)| TopicPartition {
                    topic: topic.clone(),
                    partition: *partition,
                })
            })
        };
        for of in lying(false) {
            stored.replicas.entry(of).or_default().log_dir = Some(dir.path.clone());
        }
        for of in lying(true) {
            stored.replicas.entry(of).or_default().arriving = Some(dir.path.clone());
        }
    }
    stored
}

/// The free space on all volumes together; `None` unless each dir reports it.
fn free(dirs: &[LogDirFacts]) -> Option<Bytes> {
    let sound = dirs.iter().filter(|dir| dir.failure.is_none());
    let told: Option<Vec<(u64, u64)>> = sound.map(|d| Some((d.total?.0, d.free?.0))).collect();
    let mut told = told.filter(|told| !told.is_empty())?;
    told.sort_unstable();
    told.dedup_by(|one, other| one.0 == other.0 && one.1.abs_diff(other.1) < SAME_VOLUME);
    Some(Bytes(told.iter().map(|(_, free)| free).sum()))
}
