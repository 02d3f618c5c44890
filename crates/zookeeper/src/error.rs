//! Errors between us and ZooKeeper, with the evidence: addresses, paths, contents.
//!
//! Every variant is a failure outside the caller's input, except [`Error::NoKafka`], which may be a mistyped chroot.
//! Messages state facts; [`Error::hint`] says what to try next.

use crate::no_session::NoSession;
use mapper::{BrokerId, PartitionId, SnapshotError, joined};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Why ZooKeeper gave no usable answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No server of the ensemble opened a session.
    #[error("no ZooKeeper server opens a session: {}", listed(servers))]
    Unreachable {
        /// The result for each address.
        servers: BTreeMap<String, NoSession>,
    },
    /// The login is wrong, or the server requires one.
    #[error("{}", refused_login(user.as_deref()))]
    LoginRefused {
        /// The user of our login.
        user: Option<String>,
    },
    /// The client library cannot use our certificates.
    #[error("the stores for TLS with ZooKeeper cannot be used: {0}")]
    UnusableTls(#[source] zookeeper_client::Error),
    /// The server has not authenticated this session, so that no znode can belong to it.
    #[error(
        "ZooKeeper lets this session own no znode: it has not authenticated it, so it refuses the ACL of {path}"
    )]
    NotAuthenticated {
        /// The znode.
        path: String,
    },
    /// A request was not answered in time.
    #[error("ZooKeeper gives no answer for {path} within {} s", waited.as_secs_f64())]
    Timeout {
        /// The requested znode.
        path: String,
        /// The deadline that passed.
        waited: Duration,
    },
    /// The session ended, or the server refused the request.
    #[error("ZooKeeper failed the request for {path}: {source}")]
    Failed {
        /// The requested znode.
        path: String,
        /// The client library's error.
        #[source]
        source: zookeeper_client::Error,
    },
    /// The znode's ACL does not give us this right.
    #[error("ZooKeeper denies access to {path}: {source}")]
    Denied {
        /// The requested znode.
        path: String,
        /// "Not authorized" (the znode) or "authentication failed" (the session).
        #[source]
        source: zookeeper_client::Error,
    },
    /// A znode contains something that neither Kafka nor the metrics fetcher writes.
    #[error("{path} is malformed: {wrong}")]
    Malformed {
        /// The znode, by its full path.
        path: String,
        /// What is wrong with it.
        #[source]
        wrong: ZnodeFault,
    },
    /// There is no Kafka cluster under the chroot.
    #[error(
        "no Kafka cluster under {chroot}: there is no {chroot_ids}; the root holds {}",
        names(found)
    )]
    NoKafka {
        /// The requested chroot; `/` is the root.
        chroot: String,
        /// The znode that every Kafka cluster has.
        chroot_ids: String,
        /// The znodes at the root of the ensemble.
        found: BTreeSet<String>,
        /// The chroots that contain a Kafka cluster.
        likely: BTreeSet<String>,
    },
    /// The cluster migrates to `KRaft`, or has migrated (KIP-866). ZooKeeper lists no broker in `KRaft` mode, and its other
    /// facts may be old.
    #[error(
        "KRaft controller {controller} leads this cluster: ZooKeeper does not list brokers in KRaft mode, and may be out of date"
    )]
    Kraft {
        /// The `KRaft` controller.
        controller: BrokerId,
    },
    /// The znodes contradict each other. Reading them one after the other does not explain it.
    #[error("ZooKeeper holds no consistent cluster: {0}")]
    Contradictory(#[source] SnapshotError),
    /// The session that held a lock has ended, so another process may have the lock.
    #[error("the lock at {path} is lost: {source}")]
    LockLost {
        /// The requested znode.
        path: String,
        /// The client library's error.
        #[source]
        source: zookeeper_client::Error,
    },
    /// The data is too large for a znode.
    #[error("{path} would take {bytes} bytes, and ZooKeeper takes less than 1048576 in a znode")]
    TooLarge {
        /// The znode.
        path: String,
        /// The size of the data.
        bytes: usize,
    },
    /// The data cannot be compressed.
    #[error("{path} cannot be compressed: {source}")]
    Unpacked {
        /// The znode.
        path: String,
        /// The compressor's error.
        #[source]
        source: std::io::Error,
    },
    /// There are no stored metrics.
    #[error("{path} does not exist: no metrics are stored there")]
    NoMetrics {
        /// The missing znode.
        path: String,
    },
}

/// What is wrong with a znode's contents.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZnodeFault {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// Not JSON, or without the fields that Kafka writes.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// Not a valid id.
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
    /// A gzip stream that is truncated or damaged.
    #[error("it begins like gzip and does not decompress: {0}")]
    Gzip(#[source] std::io::Error),
    /// A gzip stream whose contents are larger than any cluster's metrics.
    #[error("it decompresses to more than {limit_bytes} bytes")]
    TooLarge {
        /// The limit for decompressed data.
        limit_bytes: u64,
    },
}

impl Error {
    /// What to try next, if there is more to say than the error itself.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { servers } => match servers.values().find_map(NoSession::hint) {
                Some(hint) => hint.to_owned(),
                None => "compare the addresses with zookeeper.connect of a broker; \
                 a cluster in KRaft mode has no ZooKeeper"
                    .to_owned(),
            },
            Self::LoginRefused { user: Some(_) } => {
                "compare user and password in the file of --zookeeper-config with user_NAME in the section Server of the \
                 servers' JAAS file"
                    .to_owned()
            }
            Self::LoginRefused { user: None } => {
                "name a user and its password in a file: --zookeeper-config FILE".to_owned()
            }
            Self::UnusableTls(_) => {
                "certificates must be of X.509 version 3, and the key that of the certificate".to_owned()
            }
            Self::NotAuthenticated { .. } => {
                "do the servers know this kind of login (authProvider.sasl, ssl.clientAuth)? zookeeper.set.acl=false \
                 writes without an ACL"
                    .to_owned()
            }
            Self::Timeout { .. } | Self::Failed { .. } => {
                "has the ensemble a leader? `echo srvr | nc HOST 2181` shows each server's Mode"
                    .to_owned()
            }
            Self::Denied { path, .. } => {
                format!(
                    "the file of --zookeeper-config must have the login that the znode's ACL names: zkCli.sh getAcl {path}"
                )
            }
            Self::Malformed { path, .. } => format!("look at it with `zkCli.sh get {path}`"),
            Self::NoKafka { likely, .. } if likely.is_empty() => {
                "the chroot is the path at the end of a broker's zookeeper.connect".to_owned()
            }
            Self::NoKafka { likely, .. } => {
                format!(
                    "there is a Kafka cluster under {}: give that path after the last server",
                    names(likely)
                )
            }
            Self::Kraft { .. } => "name the brokers: --bootstrap-server HOST:PORT".to_owned(),
            Self::NoMetrics { .. } => {
                "the metrics fetcher writes it; --zk-metrics-prefix names its parent".to_owned()
            }
            Self::TooLarge { .. } => {
                "pack it (--compression true), or raise jute.maxbuffer on servers and clients; snapshots have no limit: \
                 --out-file"
                    .to_owned()
            }
            Self::Contradictory(_) | Self::Unpacked { .. } | Self::LockLost { .. } => return None,
        })
    }

    /// Whether the session has ended. Its requests fail from now on, and other processes can take its locks.
    #[must_use]
    pub fn is_session_over(&self) -> bool {
        use zookeeper_client::Error as Reply;
        match self {
            Self::LockLost { .. } => true,
            Self::Failed { source, .. } => {
                matches!(source, Reply::SessionExpired | Reply::ClientClosed)
            }
            _ => false,
        }
    }

    /// The server's reply to a request.
    pub(crate) fn refused(path: &str, source: zookeeper_client::Error) -> Self {
        use zookeeper_client::Error as Reply;
        let path = path.to_owned();
        match source {
            Reply::NoAuth | Reply::AuthFailed => Self::Denied { path, source },
            Reply::InvalidAcl => Self::NotAuthenticated { path },
            source => Self::Failed { path, source },
        }
    }

    pub(crate) fn malformed(path: &str, wrong: impl Into<ZnodeFault>) -> Self {
        Self::Malformed { path: path.to_owned(), wrong: wrong.into() }
    }
}

fn refused_login(user: Option<&str>) -> String {
    match user {
        Some(user) => format!("ZooKeeper refuses the login of {user}"),
        None => "ZooKeeper requires a login".to_owned(),
    }
}

fn listed(servers: &BTreeMap<String, NoSession>) -> String {
    let each = servers.iter().map(|(address, reason)| format!("{address}: {reason}"));
    each.collect::<Vec<_>>().join("; ")
}

fn names(found: &BTreeSet<String>) -> String {
    if found.is_empty() {
        return "nothing that we may see".to_owned();
    }
    joined(found)
}

fn ids(replicas: &[BrokerId]) -> String {
    format!("[{}]", joined(replicas))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn no_kafka(likely: &[&str]) -> Error {
        let found = set(&["kafka", "zookeeper"]);
        let (chroot, chroot_ids) = ("/".to_owned(), "/brokers/ids".to_owned());
        Error::NoKafka { chroot, chroot_ids, found, likely: set(likely) }
    }

    #[test]
    fn a_wrong_chroot_is_answered_with_what_is_there_and_the_right_one() {
        let error = no_kafka(&["/kafka/prod"]);
        let expected =
            "no Kafka cluster under /: there is no /brokers/ids; the root holds kafka, zookeeper";
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().unwrap().contains("under /kafka/prod"));
        assert!(!no_kafka(&[]).hint().unwrap().contains("there is"));
    }

    #[test]
    fn a_session_that_is_over_is_told_from_a_request_that_failed() {
        let failed = |source| Error::Failed { path: "/a".to_owned(), source };
        assert!(failed(zookeeper_client::Error::SessionExpired).is_session_over());
        assert!(!failed(zookeeper_client::Error::ConnectionLoss).is_session_over());
    }

    #[test]
    fn each_unreachable_address_stands_in_the_message() {
        let silent = NoSession::Silent(Duration::from_secs(2));
        let servers = [("a:2181", NoSession::OnlyTls), ("b:2181", silent)];
        let servers = servers.map(|(address, reason)| (address.to_owned(), reason)).into();
        let error = Error::Unreachable { servers };
        let message = error.to_string();
        assert!(message.ends_with("does not; b:2181: no answer within 2 s"), "{message}");
        assert!(error.hint().unwrap().contains("--zookeeper-config"));
    }
}
