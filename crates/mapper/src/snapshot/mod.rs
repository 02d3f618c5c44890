//! A cluster at one moment.
//!
//! In: the parts that an edge gathered, or a file's JSON. Out: a [`Snapshot`] without contradictions, or every
//! contradiction by name. *Missing is not zero*: an unknown fact is absent, never 0.

mod broker;
mod consumed_rates;
mod contradiction;
mod cordon;
mod edit;
mod halves;
mod hash;
mod measured_rates;
mod partition;
mod plain;
mod rare;
mod relaxed;
mod volume;
mod what_if;
mod wire;

pub use broker::{Broker, KubernetesFacts, LogDir};
pub use consumed_rates::ConsumedRates;
pub use contradiction::Contradiction;
pub use cordon::EVERY_LOG_DIR;
pub use hash::SnapshotHash;
pub use measured_rates::{MeasuredRates, ProducedRate, Unmeasured, UnmeasuredPartitions};
pub use rare::{Rare, RareFacts};
pub use volume::Volume;

use crate::both::both;
use crate::bytes::Bytes;
use crate::counted::counted;
use crate::cpu_model::CpuModel;
use crate::ids::{BrokerId, PartitionId, Replicas};
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// Kafka's internal topics, for snapshots without the `internal` flag.
const INTERNAL_TOPICS: [&str; 3] =
    ["__consumer_offsets", "__share_group_state", "__transaction_state"];

/// The topic config of tiered storage (KIP-405).
pub const TIERED: &str = "remote.storage.enable";

/// The topic config that KIP-1150 names, and that of its first implementation.
pub const DISKLESS: [&str; 2] = ["diskless.enable", "inkless.enable"];

/// Topics for the shared state of our programs. Kafka treats them like any other topic.
pub const OWN_TOPICS: [&str; 2] = ["__mappr_canary", "__mappr_state"];

/// All known facts about a cluster at one moment: a value that is built as a whole and never changed.
///
/// Brokers are in order of id, topics of name, partitions of id, so that equal clusters are equal values.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    parts: Parts,
}

/// The parts of a snapshot before the check for contradictions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parts {
    /// Kafka's cluster id, where known.
    pub cluster_id: Option<String>,
    /// When it was captured: RFC 3339, UTC.
    pub captured_at: Option<String>,
    /// The source: `kafka`, `zookeeper`, or the name of a generator.
    pub source: Option<String>,
    /// What brokers' CPU is spent on, where measured.
    pub cpu_model: Option<CpuModel>,
    /// The registered brokers. A lost broker is listed with `live: false`, or not at all.
    pub brokers: Vec<Broker>,
    /// The topics.
    pub topics: Vec<Topic>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Kafka's own flag, where known.
    pub internal: Option<bool>,
    /// The configs set on the topic itself.
    pub config: BTreeMap<String, String>,
    /// The effective `min.insync.replicas`, from any level of configuration.
    pub min_insync_replicas: Option<u32>,
    /// The paths to which [`PartitionFacts::log_dirs`] refers.
    pub log_dir_paths: Vec<String>,
    /// Its partitions.
    pub partitions: Vec<Partition>,
}

impl Topic {
    /// Whether Kafka made the topic for itself (by its flag, else by its name), or our programs did ([`OWN_TOPICS`]).
    pub fn is_internal(&self) -> bool {
        let name = self.name.as_str();
        OWN_TOPICS.contains(&name)
            || self.internal.unwrap_or_else(|| INTERNAL_TOPICS.contains(&name))
    }

    /// Whether its older segments are in remote storage (KIP-405). Brokers then hold only its newest ones.
    pub fn is_tiered(&self) -> bool {
        self.config.get(TIERED).is_some_and(|value| value == "true")
    }

    /// The config that keeps its data out of brokers' logs (KIP-1150), if it has one. It is unknown what a move of such
    /// a topic does.
    pub fn diskless(&self) -> Option<&str> {
        let key = DISKLESS.iter().find(|key| self.config.get(**key).is_some_and(|v| v == "true"));
        key.copied()
    }

    /// One partition, if it exists. Partitions are in order of id.
    pub fn partition(&self, id: PartitionId) -> Option<&Partition> {
        // Kafka numbers them without gaps.
        let at = usize::try_from(id.0).ok().and_then(|at| self.partitions.get(at));
        at.filter(|partition| partition.id == id).or_else(|| {
            let at = self.partitions.binary_search_by_key(&id, |partition| partition.id).ok()?;
            self.partitions.get(at)
        })
    }

    /// The index of a log dir's path in this topic. A new path is added.
    ///
    /// # Errors
    /// The topic already has 4,096 different paths.
    pub fn log_dir(&mut self, path: &str) -> Result<LogDirIndex, TooManyLogDirs> {
        let found = self.log_dir_paths.iter().position(|known| known == path);
        let index = found.unwrap_or(self.log_dir_paths.len());
        let narrow = u16::try_from(index).ok().filter(|index| *index < MOST_LOG_DIRS);
        let narrow = narrow.ok_or(TooManyLogDirs)?;
        if found.is_none() {
            self.log_dir_paths.push(path.to_owned());
        }
        Ok(LogDirIndex(narrow))
    }
}

/// The most log dir paths of a topic; beyond it the snapshot is refused. Each replica's path is searched for among them,
/// so more would cost minutes. Brokers usually have about a dozen, with the same names.
const MOST_LOG_DIRS: u16 = 4096;

/// A topic has replicas in more than 4,096 differently named log dirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {MOST_LOG_DIRS} log dir paths in one topic")]
pub struct TooManyLogDirs;

/// A position in [`Topic::log_dir_paths`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogDirIndex(pub u16);

/// One partition.
#[derive(Debug, Clone, PartialEq)]
pub struct Partition {
    /// Its number.
    pub id: PartitionId,
    /// Its replica list. During a reassignment it is the target list, without the replicas that are being removed.
    pub replicas: Replicas,
    /// The bytes that a new replica comes to hold: the leader's size, else that of the largest live replica. A copy
    /// transfers them, or less ([`RareFacts::copied`]). Never includes remote storage.
    pub size: Option<Bytes>,
    /// Facts that only a live cluster reports. Boxed, because plans over a million partitions rarely have them.
    pub facts: Option<Box<PartitionFacts>>,
}

impl Partition {
    /// A partition with only its replica list known.
    pub fn new(id: PartitionId, replicas: impl IntoIterator<Item = BrokerId>) -> Self {
        Self { id, replicas: replicas.into_iter().collect(), size: None, facts: None }
    }

    /// Its leader.
    pub fn leader(&self) -> Leader {
        self.facts.as_ref().map_or(Leader::Unknown, |facts| facts.leader)
    }

    /// Replicas in a failed log dir, whether or not their broker is live.
    pub fn offline(&self) -> &[BrokerId] {
        self.facts.as_ref().map_or(&[], |facts| &facts.rare.offline)
    }

    /// Whether a running reassignment changes it.
    pub fn is_moving(&self) -> bool {
        let rare = self.facts.as_ref().map(|facts| &facts.rare);
        rare.is_some_and(|rare| !rare.adding.is_empty() || !rare.removing.is_empty())
    }

    /// The brokers of which one must return before it has a leader again, by id: those in sync or eligible (KIP-966), else
    /// the last leader, else all that hold a replica.
    pub fn heals(&self) -> Vec<BrokerId> {
        let facts = self.facts.as_deref();
        let in_sync = facts.and_then(|facts| facts.isr.as_deref()).unwrap_or_default();
        let may_lead = in_sync.iter().chain(facts.into_iter().flat_map(|facts| &facts.rare.elr));
        let last = facts.map_or(&[][..], |facts| &facts.rare.last_known_elr);
        let mut known: Vec<BrokerId> = may_lead.copied().collect();
        if known.is_empty() {
            known = if last.is_empty() { self.replicas.to_vec() } else { last.to_vec() };
        }
        known.sort_unstable();
        known.dedup();
        known
    }

    /// The bytes that a new replica copies of a log of this size.
    pub fn copied(&self, whole: Bytes) -> Bytes {
        let copied = self.facts.as_ref().and_then(|facts| facts.rare.copied);
        copied.map_or(whole, |copied| copied.min(whole))
    }

    /// The bytes that this broker's replica takes of its usable storage, where known: its own size, else the partition's.
    /// Zero if the replica is in a failed log dir.
    pub fn size_on(&self, broker: BrokerId) -> Option<Bytes> {
        let index = self.replicas.iter().position(|id| *id == broker)?;
        if self.offline().contains(&broker) {
            return Some(Bytes(0));
        }
        let own = self.facts.as_ref().and_then(|f| f.replica_sizes.get(index).copied().flatten());
        own.or(self.size)
    }
}

/// Facts that a live cluster reports about a partition, beyond its replica list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartitionFacts {
    /// The in-sync replicas; `None` if unknown.
    pub isr: Option<Replicas>,
    /// The leader.
    pub leader: Leader,
    /// The size of each replica, in the order of the list; empty if none is known.
    pub replica_sizes: SmallVec<[Option<Bytes>; 3]>,
    /// The log dir of each replica, in the order of the list; empty if none is known.
    pub log_dirs: SmallVec<[Option<LogDirIndex>; 4]>,
    /// The rate at which producers write to it, in bytes per second. Each replica receives it.
    pub bytes_in: Option<u64>,
    /// The records that producers write to it, per second.
    pub records_in: Option<u64>,
    /// The rate at which consumers read it, in bytes per second. The leader sends it.
    pub bytes_out: Option<u64>,
    /// What few partitions have.
    pub rare: Rare,
}

/// The leader of a partition. "No leader" and "leader unknown" are different facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Leader {
    /// The leader is unknown.
    #[default]
    Unknown,
    /// The partition has no leader (Kafka's -1).
    None,
    /// This broker.
    Broker(BrokerId),
}

/// Why a snapshot was refused.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Not JSON, or not of the snapshot's shape.
    #[error("not a snapshot: {0}")]
    Syntax(#[from] serde_json::Error),
    /// The file has a format version that this program does not know.
    #[error("the snapshot has version {found}, this program reads version 1")]
    Version {
        /// The version that the file names.
        found: u64,
    },
    /// The parts contradict each other.
    #[error("the snapshot contradicts itself in {}: {}", counted(.0.len(), "place"), first_few(.0))]
    Contradictions(Vec<Contradiction>),
}

/// Sorts each topic's parts, and returns the contradictions inside single topics.
fn settle(topics: &mut [Topic]) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for topic in topics {
        topic.partitions.sort_by_key(|partition| partition.id);
        for partition in &mut topic.partitions {
            // Equal clusters must be equal values, so facts without content become no facts.
            let empty = |facts: &mut Box<PartitionFacts>| **facts == PartitionFacts::default();
            partition.facts.take_if(empty);
        }
        contradiction::within(topic, &mut found);
    }
    found
}

fn first_few(all: &[Contradiction]) -> String {
    let shown: Vec<String> = all.iter().take(20).map(ToString::to_string).collect();
    let more =
        if all.len() > 20 { format!("; and {} more", all.len() - 20) } else { String::new() };
    shown.join("; ") + &more
}

impl Snapshot {
    /// Sorts the parts and accepts them if they do not contradict each other.
    ///
    /// # Errors
    /// [`SnapshotError::Contradictions`] with every contradiction.
    pub fn new(mut parts: Parts) -> Result<Self, SnapshotError> {
        parts.brokers.sort_by_key(|broker| broker.id);
        for broker in &mut parts.brokers {
            broker.sum_up_volumes();
            broker.cordoned_log_dirs.sort_unstable();
            broker.cordoned_log_dirs.dedup();
        }
        parts.topics.sort_by(|a, b| a.name.cmp(&b.name));
        let middle = parts.topics.len() / 2;
        let (first, second) = parts.topics.split_at_mut(middle);
        let partitions = first.iter().chain(&*second).map(|topic| topic.partitions.len()).sum();
        let (of_first, of_second) = both(partitions, || settle(first), || settle(second));
        let mut found = contradiction::around(&parts);
        found.extend(of_first.into_iter().chain(of_second));
        if found.is_empty() {
            Ok(Self { parts })
        } else {
            Err(SnapshotError::Contradictions(found))
        }
    }

    /// Reads the JSON of format version 1. Unknown keys are ignored.
    ///
    /// # Errors
    /// [`SnapshotError`]: what is wrong with the text, or with the cluster in it.
    pub fn from_json(text: &[u8]) -> Result<Self, SnapshotError> {
        Self::new(wire::read(text)?)
    }

    /// Writes the JSON of format version 1, one topic per line, with a newline at the end.
    ///
    /// # Errors
    /// Only those of `out`.
    pub fn write_json(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        wire::write(&self.parts, out)
    }

    /// The parts, to build another snapshot from.
    pub fn into_parts(self) -> Parts {
        self.parts
    }

    /// Kafka's cluster id, where known.
    pub fn cluster_id(&self) -> Option<&str> {
        self.parts.cluster_id.as_deref()
    }

    /// When it was captured (RFC 3339, UTC), where known.
    pub fn captured_at(&self) -> Option<&str> {
        self.parts.captured_at.as_deref()
    }

    /// The source, where known.
    pub fn source(&self) -> Option<&str> {
        self.parts.source.as_deref()
    }

    /// What brokers' CPU is spent on, where measured.
    pub fn cpu_model(&self) -> Option<CpuModel> {
        self.parts.cpu_model
    }

    /// The brokers, in order of id.
    pub fn brokers(&self) -> &[Broker] {
        &self.parts.brokers
    }

    /// The topics, in order of name.
    pub fn topics(&self) -> &[Topic] {
        &self.parts.topics
    }

    /// One broker, if it is listed.
    pub fn broker(&self, id: BrokerId) -> Option<&Broker> {
        let index = self.parts.brokers.binary_search_by_key(&id, |broker| broker.id).ok()?;
        self.parts.brokers.get(index)
    }

    /// Whether the broker is listed and live.
    pub fn is_live(&self, id: BrokerId) -> bool {
        self.broker(id).is_some_and(|broker| broker.live)
    }

    /// One topic, if it exists.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        let index = self.parts.topics.binary_search_by(|t| t.name.as_str().cmp(name)).ok()?;
        self.parts.topics.get(index)
    }

    /// One partition, if it exists.
    pub fn partition(&self, topic: &str, id: PartitionId) -> Option<&Partition> {
        self.topic(topic)?.partition(id)
    }
}
