//! What is seen of the cluster in one round.

use crate::config::{Key, ThrottleResource};
use crate::copies::CopyProgress;
use crate::others::Others;
use mapper::snapshot::{EVERY_LOG_DIR, Leader, Partition, Topic};
use mapper::{BrokerId, Bytes, Move, Replicas, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// The facts of one round. Read running moves *before* the topics: a move that ends between the two is then seen as
/// ended, never the other way round.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// The time, in seconds since any fixed moment; only differences count. A change of the system clock does not
    /// affect it.
    pub at_seconds: u64,
    /// The system clock, in seconds since 1970: for `--until` alone.
    pub clock_seconds: u64,
    /// The brokers that are registered and not fenced.
    pub live: BTreeSet<BrokerId>,
    /// Every running reassignment of the cluster (ListPartitionReassignments).
    pub running: BTreeMap<TopicPartition, Running>,
    /// Running reassignments that have waited for dead brokers for too long ([`Abandoned`](crate::Abandoned)). Nothing
    /// waits for them.
    pub abandoned: BTreeSet<TopicPartition>,
    /// Partitions whose moves have ended according to the controller, while some broker still reports the replicas of
    /// both lists ([`Settling`](crate::Settling)).
    pub settling: BTreeSet<TopicPartition>,
    /// Every topic, its partitions in order of id, with leaders and ISR, and the effective `min.insync.replicas` if
    /// known.
    pub topics: BTreeMap<String, Topic>,
    /// Topics of the plan and the ledger that do not exist: a broker has said so by name. A topic that is neither here
    /// nor in `topics` is hidden from us, or no broker reported it. It may exist, so the ledger keeps what is set on
    /// it.
    pub gone: BTreeSet<String>,
    /// The throttle's configs that are set on brokers and topics. An absent resource is unknown: its broker did not
    /// answer. A resource without entries is known: nothing is set.
    pub configs: BTreeMap<ThrottleResource, BTreeMap<Key, String>>,
    /// The free bytes on brokers' disks, where known.
    pub free: BTreeMap<BrokerId, Bytes>,
    /// The log dirs of brokers that the plan or the ledger needs. An absent broker did not report them.
    pub stored: BTreeMap<BrokerId, Stored>,
    /// The new replicas: how far they are, and how fast they get there.
    pub copies: CopyProgress,
    /// How long a look takes, with the pause after it, in seconds. Moves in flight have to last until the next look.
    pub look_seconds: u64,
    /// Brokers with cordoned log dirs, among those to which the plan gives replicas. A broker that did not answer keeps
    /// its last report.
    pub cordons: BTreeMap<BrokerId, Cordon>,
    /// Live brokers that can be cordoned, among those that the plan vacates: their version is Kafka 4.3 or later, and
    /// they have not refused.
    pub cordonable: BTreeSet<BrokerId>,
    /// Moves that the daemon knew of before this look, and paces. With [`Pace::Auto`](crate::Pace::Auto), no other move
    /// begins.
    pub announced: BTreeSet<TopicPartition>,
    /// The configs that another process owns in this cluster.
    pub others: Others,
}

/// The log dirs of one broker, as it reports them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// The free bytes in each.
    pub free: BTreeMap<String, Bytes>,
    /// Where its replicas are. The broker does not have replicas of the plan that are absent here.
    pub replicas: BTreeMap<TopicPartition, Lying>,
}

/// What is cordoned on one broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cordon {
    /// All of its log dirs are cordoned.
    pub every: bool,
    /// The cordoned log dirs, by name.
    pub log_dirs: BTreeSet<String>,
}

/// Where one replica is on its broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lying {
    /// The log dir; none: the replica is not there yet.
    pub log_dir: Option<String>,
    /// The log dir that its broker is copying it to (`isFuture`).
    pub arriving: Option<String>,
}

/// A running reassignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The replica list when it is done.
    pub target: Replicas,
    /// The brokers that it adds.
    pub adding: Replicas,
}

impl Running {
    /// Whether nothing is copied until a dead broker returns.
    pub fn waits_for_the_dead(&self, live: &BTreeSet<BrokerId>) -> bool {
        !self.adding.is_empty() && self.adding.iter().all(|id| !live.contains(id))
    }
}

impl Seen {
    pub(crate) fn is_cordoned(&self, broker: BrokerId) -> bool {
        self.cordons.get(&broker).is_some_and(|cordon| cordon.every)
    }

    pub(crate) fn cordons(&self, broker: BrokerId, log_dir: &str) -> bool {
        let cordon = self.cordons.get(&broker);
        cordon.is_some_and(|cordon| cordon.every || cordon.log_dirs.contains(log_dir))
    }

    /// Whether the broker's config cordons all its log dirs.
    pub fn has_cordon(&self, broker: BrokerId) -> bool {
        let set = self.configs.get(&ThrottleResource::Broker(broker));
        let value = set.and_then(|set| set.get(&Key::CordonedLogDirs));
        value.is_some_and(|value| value == EVERY_LOG_DIR)
    }

    /// The partitions that reassignments copy.
    pub fn copied(&self) -> impl Iterator<Item = &TopicPartition> {
        self.running.iter().filter(|(_, run)| !run.adding.is_empty()).map(|(of, _)| of)
    }

    /// Whether a partition that no broker reported does not exist, rather than being hidden from us.
    pub(crate) fn is_gone(&self, topic: &str) -> bool {
        self.gone.contains(topic) || self.topics.contains_key(topic)
    }

    pub(crate) fn partition(&self, change: &Move) -> Option<&Partition> {
        self.topics.get(&*change.topic)?.partition(change.partition)
    }

    pub(crate) fn partition_of(&self, of: &TopicPartition) -> Option<&Partition> {
        self.topics.get(&of.topic)?.partition(of.partition)
    }

    /// Whether a broker is copying any replica from one of its dirs to another.
    pub(crate) fn copies_between_dirs(&self, broker: BrokerId) -> bool {
        let stored = self.stored.get(&broker);
        stored.is_some_and(|stored| stored.replicas.values().any(|r| r.arriving.is_some()))
    }

    /// Whether the partition has the move's replicas, in their order, and is not being reassigned.
    pub(crate) fn has_arrived(&self, change: &Move) -> bool {
        let there = self.partition(change).is_some_and(|p| p.replicas == change.to);
        there && !self.running.contains_key(&change.of())
    }

    /// Whether the partition is being reassigned as the move says.
    pub(crate) fn runs(&self, change: &Move) -> bool {
        let running = self.running.get(&change.of());
        running.is_some_and(|running| same_set(&running.target, &change.to))
    }

    /// The broker that leads the partition of a move.
    pub fn leader(&self, change: &Move) -> Option<BrokerId> {
        match self.partition(change)?.leader() {
            Leader::Broker(id) => Some(id),
            Leader::None | Leader::Unknown => None,
        }
    }

    pub(crate) fn in_sync(&self, change: &Move) -> &[BrokerId] {
        self.partition(change).map_or(&[], isr)
    }
}

pub(crate) fn isr(partition: &Partition) -> &[BrokerId] {
    partition.facts.as_ref().and_then(|facts| facts.isr.as_deref()).unwrap_or_default()
}

/// The same brokers, in any order.
pub(crate) fn same_set(one: &[BrokerId], other: &[BrokerId]) -> bool {
    one.len() == other.len() && one.iter().all(|id| other.contains(id))
}
