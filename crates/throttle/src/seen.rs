//! The state of the cluster in one round. A missing fact is absent, never zero.

use crate::port::{PerDirection, ReplicationRole};
use mapper::{BrokerId, Bytes, PartitionId, Rate, Ratio, Replicas, TopicPartition};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The facts of one round.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ThrottleInputs {
    /// The time since any fixed moment, on a clock that never goes back; only differences count. The time may be
    /// earlier than that of the round before (another process, another boot). Then nothing is measured across the two.
    pub at: Duration,
    /// The brokers of the cluster that are known in any way.
    pub brokers: BTreeMap<BrokerId, BrokerSeen>,
    /// The partitions with replicas to fill: in a running reassignment, or out of sync. Their order does not count. If
    /// a partition occurs twice, the first one counts.
    pub copies: Vec<CopySeen>,
    /// The rates that operators, or an execution, have requested.
    pub overrides: RateOverrides,
    /// The replicas on each broker with its own override: they are throttled even while it copies nothing. Brokers
    /// without an override, and topics that must not be touched, are left out.
    pub hosted: BTreeMap<BrokerId, BTreeMap<String, BTreeSet<PartitionId>>>,
    /// The rates that are set in the cluster now, no matter which tool set them. Absent: nothing is set, or the broker
    /// did not answer.
    pub applied: BTreeMap<(BrokerId, ReplicationRole), Rate>,
}

/// The facts about one broker.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BrokerSeen {
    /// It is registered and not fenced.
    pub live: bool,
    /// The capacity of its network in each direction; `None`: not known.
    pub capacity: Option<PerDirection<Rate>>,
    /// The recent traffic through its network; `None`: its metrics are missing.
    pub traffic: Option<BrokerTraffic>,
    /// Its health, as far as it reports it.
    pub health: BrokerHealth,
}

/// The traffic through a broker's network, as an average over a recent window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BrokerTraffic {
    /// All of it.
    pub total: PerDirection<Rate>,
    /// The part of it that is replication, in sync or not; `None`: the broker does not report it.
    pub replication: Option<PerDirection<Rate>>,
    /// The window of the average; zero: since the round before.
    pub window: Duration,
}

/// The health of a broker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BrokerHealth {
    /// The 99th percentile of the time that a produce request takes.
    pub p99_produce: Option<Duration>,
    /// The 99th percentile of the time that a consumer's fetch takes.
    pub p99_fetch: Option<Duration>,
    /// The share of their time in which request handlers wait for work.
    pub request_handler_idle: Option<Ratio>,
    /// How many partitions that it leads have fewer replicas in sync than `min.insync.replicas`.
    pub under_min_isr: Option<u64>,
    /// The times of the canary's small messages; `None`: none is sent, or none has come back yet.
    pub canary: Option<CanaryTimes>,
}

/// The times of the canary's small messages to a broker and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CanaryTimes {
    /// Until the broker has acknowledged a message.
    pub produce: Option<Duration>,
    /// Until the message was read back.
    pub end_to_end: Duration,
    /// The usual time without disturbance; `None`: not known yet.
    pub usual: Option<Duration>,
}

impl CanaryTimes {
    /// Below this round trip a broker is never slow, even if that is slower than usual.
    const NEVER_SLOW: Duration = Duration::from_millis(10);
    /// This many times the usual round trip is slow.
    const TIMES: u32 = 3;

    /// The longest round trip that is not slow: the operator's limit, or a multiple of the usual one.
    pub fn most(&self, asked: Option<Duration>) -> Option<Duration> {
        let times = |usual: Duration| usual.saturating_mul(Self::TIMES).max(Self::NEVER_SLOW);
        asked.or_else(|| self.usual.map(times))
    }

    /// Whether it is slow.
    pub fn is_slow(&self, asked: Option<Duration>) -> bool {
        self.most(asked).is_some_and(|most| self.end_to_end > most)
    }
}

/// One partition with replicas to fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySeen {
    /// The partition.
    pub of: TopicPartition,
    /// Why they are not in sync.
    pub cause: WhyNotInSync,
    /// The broker that feeds them; `None`: no broker does now.
    pub leader: Option<BrokerId>,
    /// Its replicas in sync, with the leader: any of them may lead next.
    pub in_sync: Replicas,
    /// The replicas to fill: target replicas that are not in sync.
    pub destinations: Vec<ReplicaToFill>,
    /// Its effective `min.insync.replicas`; `None`: not known.
    pub min_insync: Option<u32>,
    /// The size of the leader's log. Producers write what it grows by between rounds.
    pub leader_bytes: Option<Bytes>,
    /// What producers write to it, if metrics report it; otherwise measured by `leader_bytes`.
    pub ingest: Option<Rate>,
}

/// Why replicas are not in sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyNotInSync {
    /// A reassignment runs: its copies are always throttled.
    Reassignment,
    /// They fell behind, or lost their disk: throttled from
    /// [`recovery_bytes`](crate::ThrottleTerms::recovery_bytes) on.
    Recovery,
}

/// A replica to fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaToFill {
    /// Its broker.
    pub broker: BrokerId,
    /// The current size of its log; `None`: not known.
    pub done: Option<Bytes>,
}

/// Requested rates. A broker's own rate has priority over the global one, and the global one over a computed rate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateOverrides {
    /// For every broker that copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global: Option<RateOverride>,
    /// For one broker. It also applies while the broker copies nothing, unless it ends with the copies that it paced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub brokers: BTreeMap<BrokerId, RateOverride>,
}

/// One requested rate, for both roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateOverride {
    /// In bytes per second.
    pub rate: Rate,
    /// It ends with the copies that it paced.
    pub autoremove: bool,
}

/// The brokers for which a rate was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverrideScope {
    /// Every broker that copies.
    Global,
    /// This broker.
    Broker,
}

impl RateOverrides {
    /// The requested rate for a broker that copies.
    pub fn of(&self, broker: BrokerId) -> Option<(OverrideScope, Rate)> {
        let own = self.brokers.get(&broker).map(|own| (OverrideScope::Broker, own.rate));
        own.or_else(|| self.global.map(|global| (OverrideScope::Global, global.rate)))
    }

    /// Whether a broker has its own override that also applies while it copies nothing.
    pub fn stays_on(&self, broker: BrokerId) -> bool {
        self.brokers.get(&broker).is_some_and(|own| !own.autoremove)
    }
}
