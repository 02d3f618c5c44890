//! The requests to a backend and its answers: plain values, with units in their types.

use crate::error::MetricsError;
use mapper::snapshot::ConsumedRates;
use mapper::{BrokerId, Bytes, PartitionId, Rate, Ratio};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A broker and its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Its id.
    pub id: BrokerId,
    /// The host of its listener, as the cluster advertises it; `None` for a broker that is not registered.
    pub host: Option<String>,
}

/// The source of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MetricsSource {
    /// No source, so there are no numbers.
    None,
    /// The sidecar of each broker.
    Sidecar,
    /// Each broker's own page.
    Exporter,
    /// The HTTP API of Prometheus.
    Prometheus,
    /// The HTTP API of Datadog.
    Datadog,
}

impl MetricsSource {
    /// All of them, in the order of preference.
    pub const ALL: [Self; 5] =
        [Self::None, Self::Sidecar, Self::Exporter, Self::Prometheus, Self::Datadog];

    /// As written in `--metrics`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Sidecar => "sidecar",
            Self::Exporter => "exporter",
            Self::Prometheus => "prometheus",
            Self::Datadog => "datadog",
        }
    }
}

impl fmt::Display for MetricsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A number, and its age when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading<T> {
    /// The number.
    pub value: T,
    /// The time since it was valid. For a rate: since the end of the averaged span.
    pub age: Duration,
}

impl<T> Reading<T> {
    /// A number that is valid now.
    pub fn now(value: T) -> Self {
        Self { value, age: Duration::ZERO }
    }
}

/// The known numbers of one broker. A missing number is absent: never zero, never a guess.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BrokerMetrics {
    /// All bytes that it sends: to clients and to other brokers.
    pub tx: Option<Reading<Rate>>,
    /// All bytes that it receives.
    pub rx: Option<Reading<Rate>>,
    /// Bytes that it sends to clients; part of `tx`.
    pub client_out: Option<Reading<Rate>>,
    /// Bytes that it sends to followers; part of `tx`.
    pub replication_out: Option<Reading<Rate>>,
    /// Bytes that it fetches from leaders; part of `rx`.
    pub replication_in: Option<Reading<Rate>>,
    /// The 99th percentile of produce request times.
    pub p99_produce: Option<Reading<Duration>>,
    /// The 99th percentile of consumers' fetch request times.
    pub p99_fetch: Option<Reading<Duration>>,
    /// The share of time in which the request handlers are idle.
    pub request_handler_idle: Option<Reading<Ratio>>,
    /// The CPU that its process takes, in nanocores: 10^9 are one core.
    pub cpu_nanocores: Option<Reading<u64>>,
    /// The CPU that it may take, in nanocores.
    pub cpu_total_nanocores: Option<Reading<u64>>,
    /// The free bytes on its data volumes.
    pub storage_free: Option<Reading<Bytes>>,
    /// The total bytes of its data volumes.
    pub storage_total: Option<Reading<Bytes>>,
    /// The instance type of its machine.
    pub instance_type: Option<String>,
}

/// One round's answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The backend that answered.
    pub source: MetricsSource,
    /// An entry for each requested broker, and for no other.
    pub brokers: BTreeMap<BrokerId, Result<BrokerMetrics, MetricsError>>,
    /// Problems that do not affect any broker's numbers: one sentence each.
    pub notices: Vec<String>,
}

/// The size of one replica of each partition, by topic.
pub type PartitionSizes = BTreeMap<String, BTreeMap<PartitionId, Bytes>>;

/// Adds the size of one replica. Of several replicas, the largest counts. An answer without one of the three says nothing.
pub(crate) fn put_size(
    sizes: &mut PartitionSizes,
    topic: &str,
    partition: Option<&str>,
    bytes: Option<f64>,
) {
    let partition = partition.and_then(|id| id.parse().ok()).map(PartitionId);
    let size = bytes.and_then(Rate::from_f64).map(|size| Bytes(size.0));
    if let (false, Some(partition), Some(size)) = (topic.is_empty(), partition, size) {
        let largest = sizes.entry(topic.to_owned()).or_default().entry(partition).or_default();
        *largest = size.max(*largest);
    }
}

/// What consumers read of topics, as far as a backend knows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Consumed {
    /// Of each broker that tells it of any topic. A topic that no consumer has read is absent.
    pub rates: ConsumedRates,
    /// Problems, including those that made the answer incomplete: one sentence each.
    pub notices: Vec<String>,
}

/// The sizes of partitions that a backend knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Sized {
    /// The backend that answered.
    pub source: MetricsSource,
    /// Unknown sizes are absent.
    pub sizes: PartitionSizes,
    /// Problems, including those that made the answer incomplete: one sentence each.
    pub notices: Vec<String>,
}
