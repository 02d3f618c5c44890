//! What is seen of the cluster in one round. What is missing is absent, never zero.

use crate::port::{Ports, Role};
use mapper::{BrokerId, Bytes, PartitionId, Rate, Ratio, Replicas, TopicPartition};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The facts of one round.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// When, since any fixed moment, on a clock that never goes back; only differences count. A moment before that of
    /// the round before (another process, another boot) only means that nothing is measured across the two.
    pub at: Duration,
    /// The brokers of the cluster, as far as anything is known of them.
    pub brokers: BTreeMap<BrokerId, BrokerSeen>,
    /// The partitions with replicas to be filled: in a running reassignment, or out of sync. Their order does not
    /// count; of two with one partition the first counts.
    pub copies: Vec<CopySeen>,
    /// What operators, or an execution, have asked for.
    pub overrides: Overrides,
    /// The replicas on each broker that has an override of its own: what is throttled on it while it takes part in
    /// nothing. Brokers without one, and topics that must not be touched, are left out.
    pub hosted: BTreeMap<BrokerId, BTreeMap<String, BTreeSet<PartitionId>>>,
    /// The rates that stand in the cluster now, whoever set them. Absent: nothing is set, or the broker did not tell.
    pub applied: BTreeMap<(BrokerId, Role), Rate>,
}

/// What is known of one broker.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BrokerSeen {
    /// It is registered and not fenced.
    pub live: bool,
    /// What its network can carry in each direction; `None`: nobody has told.
    pub capacity: Option<Ports<Rate>>,
    /// What went through its network lately; `None`: its metrics are lost.
    pub traffic: Option<Traffic>,
    /// How it feels, as far as it tells.
    pub health: Health,
}

/// What goes through a broker's network, as an average over the last moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// All of it.
    pub total: Ports<Rate>,
    /// What of it is replication, in sync or not; `None`: the broker does not report it.
    pub replication: Option<Ports<Rate>>,
    /// Over how long the average goes; zero: since the round before.
    pub window: Duration,
}

/// How a broker feels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    /// The 99th percentile of the time that a produce request takes.
    pub p99_produce: Option<Duration>,
    /// The 99th percentile of the time that a consumer's fetch takes.
    pub p99_fetch: Option<Duration>,
    /// The share of their time in which request handlers wait for work.
    pub request_handler_idle: Option<Ratio>,
    /// How many partitions that it leads have fewer replicas in sync than `min.insync.replicas`.
    pub under_min_isr: Option<u64>,
    /// What small messages of our own take; `None`: nobody sends any, or none has come back yet.
    pub canary: Option<Canary>,
}

/// What small messages of our own take to a broker and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canary {
    /// Until the broker has acknowledged one.
    pub produce: Option<Duration>,
    /// Until it was read back.
    pub end_to_end: Duration,
    /// What that takes when nothing disturbs; `None`: not known yet.
    pub usual: Option<Duration>,
}

impl Canary {
    /// Below this, in time to the broker and back, it is never slow for being slower than usual.
    const NEVER_SLOW: Duration = Duration::from_millis(10);
    /// So many times what is usual is slow.
    const TIMES: u32 = 3;

    /// From when on it is slow: what an operator says, else so many times what is usual.
    pub fn most(&self, asked: Option<Duration>) -> Option<Duration> {
        let times = |usual: Duration| usual.saturating_mul(Self::TIMES).max(Self::NEVER_SLOW);
        asked.or_else(|| self.usual.map(times))
    }

    /// Whether it is slow.
    pub fn is_slow(&self, asked: Option<Duration>) -> bool {
        self.most(asked).is_some_and(|most| self.end_to_end > most)
    }
}

/// One partition with replicas to be filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySeen {
    /// Which.
    pub of: TopicPartition,
    /// Why they are not in sync.
    pub cause: Cause,
    /// Who feeds them; `None`: nobody does, for now.
    pub leader: Option<BrokerId>,
    /// Its replicas in sync, the leader among them: any of them may lead next.
    pub in_sync: Replicas,
    /// Who is to be filled: target replicas that are not in sync.
    pub destinations: Vec<Destination>,
    /// Its effective `min.insync.replicas`; `None`: not told.
    pub min_insync: Option<u32>,
    /// The size of the leader's log. Its growth between rounds is what producers write.
    pub leader_bytes: Option<Bytes>,
    /// What producers write to it, where metrics tell; else it is measured by `leader_bytes`.
    pub ingest: Option<Rate>,
}

/// Why replicas are not in sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A reassignment runs: its copies are always paced.
    Reassignment,
    /// They fell behind, or lost their disk: paced from [`Terms::recovery_bytes`](crate::Terms::recovery_bytes) on.
    Recovery,
}

/// A replica that is to be filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination {
    /// Where.
    pub broker: BrokerId,
    /// The size of its log by now; `None`: not told.
    pub done: Option<Bytes>,
}

/// Rates that were asked for. A broker's own goes before the global one, and that before what is computed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrides {
    /// For every broker that takes part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global: Option<Override>,
    /// For one broker; also while it takes part in nothing, unless it ends with the copies that it paced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub brokers: BTreeMap<BrokerId, Override>,
}

/// One rate that was asked for, for both roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// In bytes per second.
    pub rate: Rate,
    /// It ends with the copies that it paced.
    pub autoremove: bool,
}

/// For whom a rate was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverrideScope {
    /// For all that take part.
    Global,
    /// For this broker.
    Broker,
}

impl Overrides {
    /// The rate that was asked for on a broker that takes part.
    pub fn of(&self, broker: BrokerId) -> Option<(OverrideScope, Rate)> {
        let own = self.brokers.get(&broker).map(|own| (OverrideScope::Broker, own.rate));
        own.or_else(|| self.global.map(|global| (OverrideScope::Global, global.rate)))
    }

    /// Whether a broker has an override of its own that is meant for it also while it takes part in nothing.
    pub fn stays_on(&self, broker: BrokerId) -> bool {
        self.brokers.get(&broker).is_some_and(|own| !own.autoremove)
    }
}
