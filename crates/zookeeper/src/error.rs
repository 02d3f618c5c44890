//! What can go wrong between us and ZooKeeper, with the evidence: addresses, paths, what was found.
//!
//! Every variant is a failure outside of the caller's input, except [`Error::NoKafka`], which may
//! be a mistyped chroot. Messages state facts; what to try next is [`Error::hint`].

use mapper::{BrokerId, PartitionId, SnapshotError};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Why ZooKeeper gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No server of the ensemble opened a session.
    #[error("no ZooKeeper server opens a session: {}", listed(servers))]
    Unreachable {
        /// Each address, and what happened there.
        servers: BTreeMap<String, String>,
    },
    /// A request was not answered in time.
    #[error("ZooKeeper gives no answer for {path} within {} s", waited.as_secs_f64())]
    Timeout {
        /// The znode asked for.
        path: String,
        /// The deadline that passed.
        waited: Duration,
    },
    /// The session ended, or the server refused the request.
    #[error("reading {path} from ZooKeeper fails")]
    Failed {
        /// The znode asked for.
        path: String,
        /// What the client library says.
        #[source]
        source: zookeeper_client::Error,
    },
    /// The znode's access list does not let us read it, or the session needs a login.
    #[error("ZooKeeper refuses to let us read {path}: {source}")]
    Denied {
        /// The znode asked for.
        path: String,
        /// "Not authorized" (the znode) or "authentication failed" (the session).
        #[source]
        source: zookeeper_client::Error,
    },
    /// A znode holds something else than Kafka (or the metrics fetcher) writes there.
    #[error("{path} is malformed: {wrong}")]
    Malformed {
        /// The znode, by its full path.
        path: String,
        /// What is wrong with it.
        #[source]
        wrong: Wrong,
    },
    /// There is no Kafka cluster under the chroot.
    #[error(
        "no Kafka cluster under {chroot}: there is no {chroot_ids}; the root holds {}",
        names(found)
    )]
    NoKafka {
        /// The chroot asked for; `/` is the root.
        chroot: String,
        /// The znode that every Kafka cluster has.
        chroot_ids: String,
        /// What the root of the ensemble holds.
        found: BTreeSet<String>,
        /// The chroots under which there is a Kafka cluster.
        likely: BTreeSet<String>,
    },
    /// The znodes deny each other in a way that does not come from reading them one by one.
    #[error("ZooKeeper holds no consistent cluster")]
    Contradictory(#[source] SnapshotError),
    /// There are no stored metrics.
    #[error("{path} does not exist: no metrics are stored there")]
    NoMetrics {
        /// The znode looked for.
        path: String,
    },
}

/// What is wrong with the contents of a znode.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Wrong {
    /// It has no contents.
    #[error("it is empty")]
    Empty,
    /// No JSON, or not the fields that Kafka writes.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// An id that is no number of the kind expected.
    #[error("{0:?} is no id")]
    Id(String),
    /// A partition without replicas, or with one broker twice.
    #[error("partition {partition} has no valid replica list: {}", ids(replicas))]
    Replicas {
        /// The partition's number.
        partition: PartitionId,
        /// Its brokers.
        replicas: Vec<BrokerId>,
    },
    /// A size that is negative, infinite or beyond 2^63 bytes.
    #[error("{0} is no size in bytes")]
    Size(f64),
    /// A gzip stream that is cut off or damaged.
    #[error("it begins like gzip and does not decompress: {0}")]
    Gzip(#[source] std::io::Error),
    /// A gzip stream that unpacks to more than a cluster's metrics can be.
    #[error("it decompresses to more than {limit_bytes} bytes")]
    TooLarge {
        /// The most that is unpacked.
        limit_bytes: u64,
    },
}

impl Error {
    /// A stable name for machines, as in `{"error": {"code": ...}}`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "zookeeper-unreachable",
            Self::Timeout { .. } => "zookeeper-timeout",
            Self::Failed { .. } => "zookeeper-failed",
            Self::Denied { .. } => "zookeeper-denied",
            Self::Malformed { .. } => "zookeeper-malformed",
            Self::NoKafka { .. } => "zookeeper-no-kafka",
            Self::Contradictory(_) => "zookeeper-contradictory",
            Self::NoMetrics { .. } => "zookeeper-no-metrics",
        }
    }

    /// What the operator may try next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unreachable { .. } => {
                "check the addresses against zookeeper.connect of a broker; a cluster in KRaft mode has no ZooKeeper".into()
            }
            Self::Timeout { .. } | Self::Failed { .. } => {
                "check that the ensemble has a leader (`echo srvr | nc HOST 2181` shows its Mode), then try again".into()
            }
            Self::Denied { .. } => {
                "the znode is readable only with a login, which is not supported here: use --bootstrap-server".into()
            }
            Self::Malformed { path, .. } => {
                format!("look at it with `zkCli.sh get {path}`; is the address that of Kafka's ZooKeeper?")
            }
            Self::NoKafka { likely, .. } if likely.is_empty() => {
                "the chroot is the path at the end of zookeeper.connect of a broker; a cluster in KRaft mode has none".into()
            }
            Self::NoKafka { likely, .. } => {
                format!("there is a Kafka cluster under {}: append that path to the address", names(likely))
            }
            Self::Contradictory(_) => "capture again; if it stays, look at the znodes of the partitions named".into(),
            Self::NoMetrics { .. } => {
                "the metrics fetcher writes it; --zk-metrics-prefix names its parent when that is not topicmappr".into()
            }
        }
    }

    pub(crate) fn malformed(path: &str, wrong: impl Into<Wrong>) -> Self {
        Self::Malformed {
            path: path.to_owned(),
            wrong: wrong.into(),
        }
    }
}

fn listed(servers: &BTreeMap<String, String>) -> String {
    let each = servers
        .iter()
        .map(|(address, reason)| format!("{address}: {reason}"));
    each.collect::<Vec<_>>().join("; ")
}

fn names(found: &BTreeSet<String>) -> String {
    if found.is_empty() {
        return "nothing".to_owned();
    }
    found
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

fn ids(replicas: &[BrokerId]) -> String {
    let each: Vec<_> = replicas.iter().map(ToString::to_string).collect();
    format!("[{}]", each.join(", "))
}
