//! What is seen of the cluster in one round.

use crate::config::{Key, Resource};
use crate::cordons::Cordon;
use crate::others::Others;
use mapper::snapshot::{Leader, Partition, Topic};
use mapper::{BrokerId, Bytes, Move, Replicas, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// The facts of one round. Running moves have to be asked for *before* the topics: a move that ends in between is
/// then seen as ended, and never the other way round.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// When, in seconds since any fixed moment; only differences count. A clock that is set has no part in it.
    pub at_seconds: u64,
    /// What the clock says, in seconds since 1970: for `--until` alone.
    pub clock_seconds: u64,
    /// The brokers that are registered and not fenced.
    pub live: BTreeSet<BrokerId>,
    /// Every running reassignment of the cluster (ListPartitionReassignments).
    pub running: BTreeMap<TopicPartition, Running>,
    /// Running reassignments that have waited for dead brokers for so long that nobody waits for them
    /// ([`Abandoned`](crate::Abandoned)).
    pub abandoned: BTreeSet<TopicPartition>,
    /// Partitions of which the controller says that their moves have ended, and some broker that they have both lists' replicas
    /// ([`Settling`](crate::Settling)).
    pub settling: BTreeSet<TopicPartition>,
    /// Every topic, its partitions in order of id, with leaders and ISR, and the effective `min.insync.replicas` where it is known.
    pub topics: BTreeMap<String, Topic>,
    /// Topics of the plan and the ledger that do not exist: brokers say so by name. A topic that is neither here nor in `topics` was
    /// hidden from us, or nobody told of it. Whether it exists is unknown then, and nothing that is set on it is given up.
    pub gone: BTreeSet<String>,
    /// What is set of the throttle's configs on brokers and topics. A resource that is absent was not told: its
    /// broker did not answer. One with nothing in it was told: nothing is set.
    pub configs: BTreeMap<Resource, BTreeMap<Key, String>>,
    /// What is free on brokers' disks, as far as it was told.
    pub free: BTreeMap<BrokerId, Bytes>,
    /// The log dirs of brokers, as far as the plan or the ledger makes them count. A broker that is absent did not tell.
    pub stored: BTreeMap<BrokerId, Stored>,
    /// Brokers with cordoned log dirs, of those that the plan gives replicas. One that did not tell is as it told last.
    pub cordons: BTreeMap<BrokerId, Cordon>,
    /// What the daemon has known of since before this look and paces: where [`Pace::Auto`](crate::Pace::Auto) is asked
    /// for, nothing else is begun.
    pub announced: BTreeSet<TopicPartition>,
    /// What another process accounts for in this cluster.
    pub others: Others,
}

/// What one broker tells of its log dirs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// What is free in each.
    pub free: BTreeMap<String, Bytes>,
    /// Where replicas lie; those of the plan that are absent, the broker does not have.
    pub replicas: BTreeMap<TopicPartition, Lying>,
}

/// Where one replica lies on its broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lying {
    /// The log dir; none: it is not there yet.
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
    /// Nothing is copied before a dead broker returns.
    pub fn waits_for_the_dead(&self, live: &BTreeSet<BrokerId>) -> bool {
        !self.adding.is_empty() && self.adding.iter().all(|id| !live.contains(id))
    }
}

impl Seen {
    /// What reassignments copy.
    pub fn copied(&self) -> impl Iterator<Item = &TopicPartition> {
        self.running.iter().filter(|(_, run)| !run.adding.is_empty()).map(|(of, _)| of)
    }

    /// Whether a partition that nobody has shown does not exist, instead of being hidden from us.
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

    pub(crate) fn leader(&self, change: &Move) -> Option<BrokerId> {
        match self.partition(change)?.leader() {
            Leader::Broker(id) => Some(id),
            Leader::Nobody | Leader::Unknown => None,
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
