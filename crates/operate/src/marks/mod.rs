//! Identifies the daemons that set rates in a cluster, in the common place that all our processes find ([`Common`]).
//!
//! A daemon that keeps its ledger there is known by that ledger ([`Kept`]). A daemon that keeps its ledger in a file
//! leaves a mark: its name, and the path of that file. A mark is no lock: it remains after a daemon was killed, and
//! so do the daemon's rates.

mod config_map;
mod left;
pub mod line;
pub mod lines;
mod topic;
mod zookeeper;

pub use left::{Kept, Left};

use crate::error::{Error, HeldBy};
use crate::runtime;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const VERSION: u64 = 1;

/// The daemons' default Lease.
pub const LEASE: &str = "autothrottle";
/// The daemons' claim in the state topic. The executors' claim is another one: both may act, each on its own configs.
pub const CLAIM: &str = "autothrottle";
/// After this time without a sign of life, the holder of that claim counts as dead.
pub const SILENCE: Duration = Duration::from_secs(10);

/// A mark: a daemon that keeps its ledger elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    version: u64,
    /// The daemon, by its name in its ledger.
    name: String,
    host: String,
    process: u32,
    /// The absolute path of its ledger on that host.
    file: PathBuf,
    cluster_id: String,
    /// The time of the mark: RFC 3339, UTC.
    since: String,
}

impl Mark {
    /// A mark of this process, as of now.
    #[must_use]
    pub fn now(name: String, host: String, file: PathBuf, cluster_id: String) -> Self {
        let (process, since) = (std::process::id(), runtime::now());
        Self { version: VERSION, name, host, process, file, cluster_id, since }
    }

    /// The id of the cluster.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The daemon that left the mark.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The path of its ledger.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether it certainly names the same file: this path on this host.
    #[must_use]
    pub fn is_at(&self, host: &str, file: &Path) -> bool {
        self.host == host && self.file == file
    }

    /// Whether the daemon ran on this host.
    #[must_use]
    pub(crate) fn is_of(&self, host: &str) -> bool {
        self.host == host
    }

    fn written(&self) -> Vec<u8> {
        // The value has only texts and numbers, which JSON can always represent.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Parses the mark in `place`.
    ///
    /// # Errors
    /// [`MarkError::Unread`].
    pub fn read(place: &str, data: &[u8]) -> Result<Self, MarkError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        let unread = |problem: String| MarkError::Unread { place: place.to_owned(), problem };
        let odd = |error: serde_json::Error| unread(error.to_string());
        let Versioned { version } = serde_json::from_slice(data).map_err(odd)?;
        if version > VERSION {
            return Err(unread(format!("it has version {version}, this program reads version 1")));
        }
        serde_json::from_slice(data).map_err(odd)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, host, file, since, .. } = self;
        write!(f, "{name}, with its ledger in {} on {host} since {since}", file.display())
    }
}

/// The common place: all our processes look there for the marks of a cluster.
#[derive(Debug, Clone)]
pub enum Common {
    /// The state topic of the cluster.
    Topic(statelog::Access),
    /// A ZooKeeper ensemble.
    ZooKeeper(::zookeeper::Address),
    /// A namespace of Kubernetes; `None`: our own.
    Kubernetes(::kubernetes::Access, Option<String>),
}

/// Why a mark cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// The cluster did not answer, or refused.
    #[error(transparent)]
    Kafka(Box<kafka::Error>),
    /// The cluster reports no id.
    #[error("the cluster does not tell its id: it is older than Kafka 0.10.1")]
    Nameless,
    /// An error of the state topic.
    #[error(transparent)]
    Topic(#[from] Box<statelog::Error>),
    /// An error of ZooKeeper.
    #[error(transparent)]
    ZooKeeper(Box<::zookeeper::Error>),
    /// An error of Kubernetes.
    #[error(transparent)]
    Kubernetes(Box<::kubernetes::Error>),
    /// The place does not answer in time, or another process writes there.
    #[error("{place}: {why}")]
    Busy {
        /// The place or lock.
        place: String,
        /// What happened instead.
        why: String,
    },
    /// The record there is no mark that this program knows.
    #[error("the mark in {place} is not understood: {problem}")]
    Unread {
        /// The place.
        place: String,
        /// Why it is refused.
        problem: String,
    },
    /// The ledger there is none that this program knows.
    #[error("the daemon's ledger in {place} is not understood: {problem}")]
    Ledger {
        /// The place.
        place: String,
        /// Why it is refused.
        problem: String,
    },
}

impl MarkError {
    /// Whether a right in Kubernetes is missing.
    pub(crate) fn is_missing_right(&self) -> bool {
        let Self::Kubernetes(error) = self else { return false };
        matches!(**error, ::kubernetes::Error::Forbidden { .. })
    }
}

impl From<kafka::Error> for MarkError {
    fn from(error: kafka::Error) -> Self {
        Self::Kafka(Box::new(error))
    }
}

impl From<::zookeeper::Error> for MarkError {
    fn from(error: ::zookeeper::Error) -> Self {
        Self::ZooKeeper(Box::new(error))
    }
}

impl From<::kubernetes::Error> for MarkError {
    fn from(error: ::kubernetes::Error) -> Self {
        Self::Kubernetes(Box::new(error))
    }
}

impl Common {
    /// Reads the mark and the ledger there. Only reads.
    pub async fn left(&self, client: &kafka::Client) -> Result<Left, MarkError> {
        match self {
            Self::Topic(access) => topic::read(client, access).await,
            Self::ZooKeeper(address) => zookeeper::read(address, &id(client)?).await,
            Self::Kubernetes(access, namespace) => {
                config_map::read(access, namespace.as_deref(), &id(client)?).await
            }
        }
    }

    /// Writes a mark, unless another daemon's mark is there; then returns that mark. `is_ours` tells whether a mark
    /// belongs to the same ledger.
    ///
    /// # Errors
    /// The write fails.
    pub async fn leave(
        &self,
        client: &kafka::Client,
        mark: &Mark,
        is_ours: impl Fn(&Mark) -> bool + Send,
    ) -> Result<Option<Mark>, MarkError> {
        self.change(client, mark, Some(mark), is_ours).await
    }

    /// Removes the mark, if it is this one.
    ///
    /// # Errors
    /// The write fails.
    pub async fn remove(&self, client: &kafka::Client, mark: &Mark) -> Result<(), MarkError> {
        self.change(client, mark, None, |there| there == mark).await.map(drop)
    }

    async fn change(
        &self,
        client: &kafka::Client,
        by: &Mark,
        mark: Option<&Mark>,
        is_ours: impl Fn(&Mark) -> bool + Send,
    ) -> Result<Option<Mark>, MarkError> {
        match self {
            Self::Topic(access) => topic::change(client, access, by, mark, is_ours).await,
            Self::ZooKeeper(address) => zookeeper::change(address, by, mark, is_ours).await,
            Self::Kubernetes(access, namespace) => {
                config_map::change(access, namespace.as_deref(), by, mark, is_ours).await
            }
        }
    }

    /// The command with which an operator removes the mark of a daemon that will not return.
    #[must_use]
    pub fn how_to_remove(&self, mark: &Mark) -> String {
        match self {
            Self::Topic(_) => topic::how_to_remove(),
            Self::ZooKeeper(_) => zookeeper::how_to_remove(&mark.cluster_id),
            Self::Kubernetes(..) => config_map::how_to_remove(&mark.cluster_id),
        }
    }
}

/// The name of this machine, as marks have it.
#[must_use]
pub fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "this machine".to_owned(),
        name => name.to_owned(),
    }
}

/// The cluster's id.
fn id(client: &kafka::Client) -> Result<String, MarkError> {
    client.cluster().id.clone().ok_or(MarkError::Nameless)
}

/// A cluster's id in characters that all places allow in names.
fn plain(cluster_id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    cluster_id.chars().map(plain).collect()
}

impl From<MarkError> for Error {
    fn from(error: MarkError) -> Self {
        match error {
            MarkError::Kafka(error) => Self::Kafka(error),
            MarkError::Topic(error) => Self::Claim(error),
            MarkError::ZooKeeper(error) => Self::ZooKeeper(error),
            MarkError::Kubernetes(error) => Self::Kubernetes(error),
            error @ MarkError::Nameless => Self::Flags(error.to_string()),
            MarkError::Busy { place, why } => Self::Held(HeldBy { lock: place, holder: why }),
            MarkError::Unread { place, problem } | MarkError::Ledger { place, problem } => {
                Self::Record { name: place, problem }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        let text = |text: &str| text.to_owned();
        let file = PathBuf::from("/var/lib/autothrottle/state");
        let mark = Mark::now(text("autothrottle, process 7 of a"), text("a"), file, text("c"));
        Mark { since: text("2026-11-21T07:00:00Z"), ..mark }
    }

    #[test]
    fn a_mark_is_read_as_it_was_left() {
        assert_eq!(Mark::read("p", &mark().written()).unwrap(), mark());
    }

    #[test]
    fn a_mark_of_a_later_program_and_what_is_none_are_named() {
        let told = |text: &str| Mark::read("p", text.as_bytes()).unwrap_err().to_string();
        let newer =
            "the mark in p is not understood: it has version 2, this program reads version 1";
        assert_eq!(told(r#"{"version":2}"#), newer);
        for odd in ["", "[]", "{}", r#"{"version":1,"name":"a"}"#] {
            assert!(told(odd).starts_with("the mark in p is not understood: "), "{odd}");
        }
    }

    #[test]
    fn one_path_on_two_hosts_is_two_files() {
        let file = Path::new("/var/lib/autothrottle/state");
        assert!(mark().is_at("a", file));
        assert!(!mark().is_at("b", file) && !mark().is_at("a", Path::new("/x")));
    }

    #[test]
    fn how_a_mark_is_removed_names_where_it_stands() {
        let address = "zk1:2181".parse().unwrap();
        let told = Common::ZooKeeper(address).how_to_remove(&mark());
        assert!(told.contains("/topicmappr/daemons/c/records/mark"), "{told}");
        let access = statelog::Access::new([("bootstrap.servers", "a:1")]);
        let told = Common::Topic(access).how_to_remove(&mark());
        assert!(told.contains("autothrottle/mark") && told.contains("__mappr_state"), "{told}");
    }
}
