//! The load of a cluster, as plans state it.

use crate::bytes::Bytes;
use crate::cpu_model::CpuModel;
use crate::ids::BrokerId;
use serde::{Deserialize, Serialize};

/// The load of each broker, and how even it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// The fullest broker's share of storage used; absent where a capacity is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_used_ratio: Option<f64>,
    /// The emptiest broker's share of storage used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_used_ratio: Option<f64>,
    /// The most replicas of a broker, among those that any assignment allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_replicas: Option<u64>,
    /// The fewest replicas of such a broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_replicas: Option<u64>,
    /// Topics in scope whose replicas are not even over the brokers that they may use: one of these has at least two
    /// more than another. Only in plans that even load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uneven_topics: Option<u64>,
    /// The fewest replicas that would have to go to another broker to even all topics, whatever racks and disks allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misplaced_replicas: Option<u64>,
    /// The most partitions of which such a broker is the preferred leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_leaders: Option<u64>,
    /// The fewest such partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_leaders: Option<u64>,
    /// The busiest such broker's traffic, as a share of its network; absent where a rate or capacity is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_network_ratio: Option<f64>,
    /// The same share for the least busy one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_network_ratio: Option<f64>,
    /// The busiest such broker's traffic; absent where a rate is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_traffic_bytes_per_second: Option<u64>,
    /// The least busy such broker's traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_traffic_bytes_per_second: Option<u64>,
    /// The share of its CPU that the replicas of the busiest such broker take; absent where that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cpu_ratio: Option<f64>,
    /// The same share for the least busy one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_cpu_ratio: Option<f64>,
    /// The CPU of the busiest such broker's replicas, in nanocores; absent without a model of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cpu_nanocores: Option<u64>,
    /// The CPU of the least busy such broker's replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_cpu_nanocores: Option<u64>,
    /// How the CPU of a replica was split from that of its broker; absent where no CPU was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_model: Option<CpuModel>,
    /// Leaders, and traffic between zones; only in plans with the goal `leaders-zone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneFigures>,
    /// How full the volumes of brokers with several are; only in plans that even load, and if a broker has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<DiskFigures>,
    /// Partitions in scope that break the rack rule.
    pub rack_violations: usize,
    /// Replicas in scope that are lost.
    pub lost_replicas: usize,
    /// The brokers that hold or may hold replicas in scope, in order of id.
    pub brokers: Vec<BrokerFigures>,
}

/// How full the volumes of brokers with several volumes are.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct DiskFigures {
    /// The fullest volume's share of bytes used.
    pub max_used_ratio: f64,
    /// The most uneven volume's share as a multiple of its broker's. Where all volumes of each broker are as full, it is 1.
    pub max_times_broker: f64,
}

/// Where the partitions in scope are led, if their clients are in one zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ZoneFigures {
    /// Partitions with their preferred leader in the zone.
    pub leaders_inside: u64,
    /// Partitions with their preferred leader elsewhere.
    pub leaders_outside: u64,
    /// Those of them that have no replica in the zone.
    pub without_replica: u64,
    /// The expected bytes between zones: what followers of other racks copy, and what producers and consumers exchange with
    /// leaders outside the zone. Absent if a producer's rate is unknown, or the rates of consumers are known for a part of the
    /// partitions only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crossing_bytes_per_second: Option<u64>,
    /// Whether a rate of consumers is known. Otherwise they do not count.
    pub consumers: bool,
}

/// The load of one broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerFigures {
    /// The broker.
    pub id: BrokerId,
    /// Registered and not fenced at capture.
    pub live: bool,
    /// Its replicas of all topics.
    pub replicas: u64,
    /// The partitions of all topics of which it is the preferred leader.
    pub leaders: u64,
    /// The storage that all topics use; absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_bytes: Option<Bytes>,
    /// Its storage in total; absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_bytes: Option<Bytes>,
    /// The expected traffic of its replicas, in and out; absent if a rate is unknown. A plan's `assumed`
    /// says whether it counts consumers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_bytes_per_second: Option<u64>,
    /// The capacity of its network; absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_bytes_per_second: Option<u64>,
    /// The expected CPU of its replicas, in nanocores, without what an idle broker takes; absent without a model of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_cpu_nanocores: Option<u64>,
    /// The CPU that it may use, in nanocores; absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_nanocores: Option<u64>,
    /// The bytes that the plan copies onto it.
    #[serde(default, skip_serializing_if = "Bytes::is_zero")]
    pub incoming_bytes: Bytes,
    /// The bytes that the plan copies from it: copies are taken from the leader.
    #[serde(default, skip_serializing_if = "Bytes::is_zero")]
    pub outgoing_bytes: Bytes,
}

impl Figures {
    /// The load of one broker, if it is listed.
    pub(crate) fn of_broker(&self, id: BrokerId) -> Option<&BrokerFigures> {
        self.brokers.get(self.brokers.binary_search_by_key(&id, |broker| broker.id).ok()?)
    }
}

impl BrokerFigures {
    /// The used share of its storage; `None` if unknown.
    pub fn used_ratio(&self) -> Option<f64> {
        ratio(self.used_bytes.map(|used| used.0), self.capacity_bytes.map(|all| all.0))
    }

    /// The share of its network that its traffic uses; `None` if unknown.
    pub fn network_ratio(&self) -> Option<f64> {
        ratio(self.traffic_bytes_per_second, self.network_bytes_per_second)
    }

    /// The share of its CPU that its replicas take; `None` if unknown.
    pub fn cpu_ratio(&self) -> Option<f64> {
        ratio(self.replica_cpu_nanocores, self.cpu_nanocores)
    }
}

#[expect(clippy::cast_precision_loss, reason = "for display; no decision rests on it")]
fn ratio(used: Option<u64>, of: Option<u64>) -> Option<f64> {
    let (used, of) = used.zip(of.filter(|of| *of > 0))?;
    Some(used as f64 / of as f64)
}
