//! What a backend is asked, and what it answers: plain values, with units in their types.

use crate::error::MetricsError;
use mapper::{BrokerId, Bytes, PartitionId, Rate, Ratio};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A broker, and where it is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Its id.
    pub id: BrokerId,
    /// The host of its listener, as the cluster advertises it; `None` for a broker that is not registered.
    pub host: Option<String>,
}

/// Where numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Source {
    /// Nowhere: there are no numbers.
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

impl Source {
    /// As `--metrics` spells it.
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

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A number, and how old it was when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading<T> {
    /// The number.
    pub value: T,
    /// The time since it was true: for a rate, since the end of the span that it is the mean of.
    pub age: Duration,
}

impl<T> Reading<T> {
    /// A number that is true now.
    pub fn now(value: T) -> Self {
        Self { value, age: Duration::ZERO }
    }
}

/// What is known of one broker. Absent is absent: never zero, never a guess.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BrokerMetrics {
    /// All that it sends: to clients and to other brokers.
    pub tx: Option<Reading<Rate>>,
    /// All that it receives.
    pub rx: Option<Reading<Rate>>,
    /// What it sends to followers; part of `tx`.
    pub replication_out: Option<Reading<Rate>>,
    /// What it fetches from leaders; part of `rx`.
    pub replication_in: Option<Reading<Rate>>,
    /// The time that one produce request of a hundred exceeds.
    pub p99_produce: Option<Reading<Duration>>,
    /// The time that one fetch request of consumers in a hundred exceeds.
    pub p99_fetch: Option<Reading<Duration>>,
    /// The part of their time that the request handlers wait for work.
    pub request_handler_idle: Option<Reading<Ratio>>,
    /// What is free on its data volumes.
    pub storage_free: Option<Reading<Bytes>>,
    /// What its data volumes hold.
    pub storage_total: Option<Reading<Bytes>>,
    /// The type of the machine that it runs on.
    pub instance_type: Option<String>,
}

/// One round's answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Who answered.
    pub source: Source,
    /// An entry for each broker that was asked about, and for no other.
    pub brokers: BTreeMap<BrokerId, Result<BrokerMetrics, MetricsError>>,
    /// What is odd and keeps no broker from its numbers: a sentence each.
    pub notices: Vec<String>,
}

/// The size of one replica of each partition, by topic.
pub type PartitionSizes = BTreeMap<String, BTreeMap<PartitionId, Bytes>>;

/// The sizes of partitions, as far as a backend knows them.
#[derive(Debug, Clone, PartialEq)]
pub struct Sized {
    /// Who answered.
    pub source: Source,
    /// What is not known is absent.
    pub sizes: PartitionSizes,
    /// What is odd, or kept part of the answer away: a sentence each.
    pub notices: Vec<String>,
}
