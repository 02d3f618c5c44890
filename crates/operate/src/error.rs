//! Everything that can end a driver, with its evidence.
//!
//! A new error does not compile until `explain.rs` has its code, its exit status and its hint.

mod explain;
mod words;

use crate::files::FileError;
use crate::words::{counted, few};
use ::topics::DefinitionErrors;
use mapper::maps::Refused;
use mapper::scope::ScopeError;
use mapper::{BrokerId, PlanFileError, SnapshotError, TopicPartition};
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use words::{joined, so_far};

/// How many partitions a sentence names.
const FEW: usize = 5;

/// Why a driver ended otherwise than asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing names a cluster.
    #[error("this command needs a cluster, and no flag names one")]
    NoSource,
    /// A value that only the cluster or another flag could refuse.
    #[error("{flag} {:?}: {problem}", metrics::value_without_login(.value))]
    Flag {
        /// With its dashes: `--throttle`.
        flag: &'static str,
        /// As it was typed, or as it was understood.
        value: String,
        /// Why it is refused.
        problem: String,
    },
    /// Flags that do not go together, or one that needs another.
    #[error("{0}")]
    Flags(String),
    /// An input that cannot be read, an output that cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A plan file, or `--map-string`, that was refused.
    #[error("{name}: {problem}")]
    PlanFile {
        /// The file's path, or the flag with the text.
        name: String,
        /// Why it is no plan or partition map.
        problem: PlanFileError,
    },
    /// A plan file of another tool, where one of ours is needed.
    #[error("{} is a partition map without a plan beside it", .0.display())]
    NotOurs(PathBuf),
    /// A plan that was made for another cluster.
    #[error("the plan is for cluster {plan}, and this is cluster {found}")]
    OtherCluster {
        /// Cluster id in the plan or in `--cluster-id`.
        plan: String,
        /// Cluster id that Kafka reports.
        found: String,
    },
    /// A plan that names no cluster.
    #[error("the plan does not say which cluster it is for")]
    NoClusterId {
        /// Cluster id that Kafka reports; `--cluster-id` has to confirm it.
        found: String,
    },
    /// A journal of another plan.
    #[error("{} is the journal of another plan, {plan}", .path.display())]
    OtherPlan {
        /// The journal.
        path: PathBuf,
        /// SHA-256 of the plan that the journal is for.
        plan: String,
    },
    /// A line of a journal or a ledger that cannot be believed.
    #[error("{}, line {line}: {problem}", .path.display())]
    BrokenLine {
        /// The file, which stays as it is.
        path: PathBuf,
        /// What its lines are.
        kind: LinesKind,
        /// Line number, from 1.
        line: usize,
        /// Why the line is refused.
        problem: String,
    },
    /// A file that was named for a journal or a ledger, and is something else.
    #[error("{} is not {kind}: it seems to be {seems}; it stays as it is", .path.display())]
    NotOurLines {
        /// The file, which stays as it is.
        path: PathBuf,
        /// What it should be.
        kind: LinesKind,
        /// What it looks like, never its content: it may be a secret.
        seems: String,
    },
    /// A journal or a ledger of a newer version of this program.
    #[error("{} is {kind} of version {version}, and this program reads version 1", .path.display())]
    NewerLines {
        /// The file, which stays as it is.
        path: PathBuf,
        /// What its lines are.
        kind: LinesKind,
        /// Version in its lines.
        version: u64,
    },
    /// A disk that takes no lines of a journal or a ledger.
    #[error("the {} {} takes no more lines: {problem}", .kind.name(), .path.display())]
    NotStored {
        /// The file; its earlier lines are whole.
        path: PathBuf,
        /// What its lines are.
        kind: LinesKind,
        /// What the operating system reports.
        problem: io::Error,
    },
    /// A record beside the lock, which no executor of this version has written.
    #[error(
        "the record {name} of the cluster's executors is not understood: {problem}; --sole-executor does without it"
    )]
    Record {
        /// The record's key, or the ConfigMap that holds it.
        name: String,
        /// Why it is refused.
        problem: String,
    },
    /// A file that another process works with.
    #[error("{} is in use by another process", .path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Another process acts on the cluster.
    #[error("the cluster is held by {by} ({})", .path.display())]
    HeldBy {
        /// The ledger of the cluster.
        path: PathBuf,
        /// The process that opened the ledger last.
        by: String,
    },
    /// Nobody decides how fast replicas may be copied.
    #[error("no autothrottle leads at {url}: {problem}")]
    NoDaemon {
        /// Base URL of the daemon's API.
        url: String,
        /// What answered instead, or why nothing did.
        problem: String,
    },
    /// Partitions with no replica to spare.
    #[error("{} cannot stay available while their broker restarts: {}", counted(partitions.len(), "partition"), few(.partitions, FEW))]
    WouldBeUnavailable {
        /// Partitions that would go offline or below min ISR.
        partitions: BTreeSet<TopicPartition>,
    },
    /// A pattern that is no regex, or means no topic.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// Maps that no plan can be made for.
    #[error(transparent)]
    MapFindings(Refused),
    /// Topic definitions that were refused.
    #[error(transparent)]
    Definitions(DefinitionErrors),
    /// What earlier runs have done cannot be read.
    #[error("the state in {place}: {problem}")]
    State {
        /// File or ConfigMap of the state.
        place: String,
        /// Why it is refused.
        problem: StateError,
    },
    /// What earlier runs have done, they did to another cluster.
    #[error("the state in {place} is about cluster {state}, and this is cluster {found}")]
    OtherState {
        /// File or ConfigMap of the state.
        place: String,
        /// Cluster id in the state.
        state: String,
        /// Cluster id of the cluster or snapshot.
        found: String,
    },
    /// What kept other runs away is ours no more: another may be at it, or was.
    #[error("{lock} is ours no more: {why}")]
    LockLost {
        /// Lease, claim, file or znode, in words.
        lock: String,
        /// What ended it.
        why: String,
    },
    /// Another run is at it.
    #[error(transparent)]
    Held(HeldBy),
    /// Kafka did not answer, or not as it should; or the client properties are wrong.
    #[error(transparent)]
    Kafka(Box<kafka::Error>),
    /// The claim on a cluster was not had, or is lost.
    #[error("{0}")]
    Claim(Box<statelog::Error>),
    /// Kubernetes did not answer, or not as it should.
    #[error(transparent)]
    Kubernetes(Box<kubernetes::Error>),
    /// Kubernetes does not let us take the cluster's lock, or keep records beside it.
    #[error(transparent)]
    LockRights(Box<kubernetes::Error>),
    /// Pods with which no plan can be right.
    #[error("{}", joined(.0))]
    Pods(Vec<kubernetes::Finding>),
    /// What Kubernetes says of the brokers does not go with the snapshot.
    #[error("Kafka and Kubernetes describe no one cluster: {problem}")]
    Contradiction {
        /// The contradiction in the combined snapshot.
        problem: SnapshotError,
    },
    /// ZooKeeper did not answer, or not as it should.
    #[error(transparent)]
    ZooKeeper(Box<zookeeper::Error>),
    /// Nothing tells the id of the broker in a pod.
    #[error("nobody knows which broker pod {pod} is: {problem}")]
    NoIdentity {
        /// Its namespace and name.
        pod: String,
        /// Why no id is known, or which ids contradict each other.
        problem: String,
    },
    /// What justified to free a broker's pod holds no more.
    #[error("{what}: {}", so_far(.deleted))]
    Changed {
        /// The fact that changed.
        what: String,
        /// Deletions that were carried out before; empty: none.
        deleted: Vec<String>,
    },
    /// Kafka's answer lacks what a start with an empty disk is judged by.
    #[error("whether broker {broker} may start with an empty disk cannot be told: {problem}")]
    Unproven {
        /// The broker that would start.
        broker: BrokerId,
        /// What Kafka's answer lacks.
        problem: String,
    },
    /// The patience of `--timeout` is over.
    #[error("no answer to act on in {} s: {reason}", .waited.as_secs())]
    NoAnswer {
        /// Time waited.
        waited: Duration,
        /// What the last attempt met.
        reason: String,
    },
    /// The operating system gives us no event loop.
    #[error("cannot wait for servers: {0}")]
    Runtime(io::Error),
    /// stdout, stderr or stdin failed.
    #[error("a standard stream failed: {0}")]
    Stream(io::Error),
    /// A snapshot that was refused.
    #[error("{}: {problem}", .path.display())]
    Snapshot {
        /// The snapshot file.
        path: PathBuf,
        /// Why it is refused.
        problem: SnapshotError,
    },
}

/// What a file of lines is to an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinesKind {
    /// What an execution did. Lost, it loses only history.
    Journal,
    /// What is set in a cluster, and the operator's values from before: nothing else knows those.
    Ledger,
    /// Questions to a running execution, and its answers.
    Requests,
}

impl LinesKind {
    /// As it is called in a sentence.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Ledger => "ledger",
            Self::Requests => "file of requests",
        }
    }
}

impl fmt::Display for LinesKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {}", self.name())
    }
}

/// Another run holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("another run holds {lock}: {holder}")]
pub struct HeldBy {
    /// The lock.
    pub lock: String,
    /// What it says of itself.
    pub holder: String,
}

/// Why a state of `topics apply` was refused.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not JSON, or not of its shape.
    #[error("{0}")]
    Syntax(#[from] serde_json::Error),
    /// Written in a format that this program does not know.
    #[error("it has version {0}, this program reads version 1")]
    Version(u64),
    /// JSON of another file of ours, or of Kafka's tools.
    #[error("it is a snapshot or a plan, and stays as it is")]
    Foreign,
}

impl Error {
    /// Whether another try may do better: a server did not answer.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Kafka(error) if may_pass(error))
    }

    /// Whether another process has what we asked for.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Locked { .. })
    }
}

/// Whether another try at Kafka may do better.
pub fn may_pass(error: &kafka::Error) -> bool {
    match error {
        kafka::Error::Unreachable { .. }
        | kafka::Error::AdvertisedUnreachable { .. }
        | kafka::Error::Timeout { .. }
        | kafka::Error::Closed { .. }
        | kafka::Error::UntoldTopics { .. }
        | kafka::Error::Refused { .. } => true,
        kafka::Error::Config(_)
        | kafka::Error::WrongProtocol { .. }
        | kafka::Error::Tls { .. }
        | kafka::Error::Authentication { .. }
        | kafka::Error::Authorization(_)
        | kafka::Error::HiddenTopics { .. }
        | kafka::Error::Protocol { .. }
        | kafka::Error::Contradictory(_) => false,
    }
}

impl From<kafka::Error> for Error {
    fn from(error: kafka::Error) -> Self {
        Self::Kafka(Box::new(error))
    }
}

impl From<kubernetes::Error> for Error {
    fn from(error: kubernetes::Error) -> Self {
        Self::Kubernetes(Box::new(error))
    }
}

impl From<zookeeper::Error> for Error {
    fn from(error: zookeeper::Error) -> Self {
        Self::ZooKeeper(Box::new(error))
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::MapFindings(refused)
    }
}

impl From<metrics::BadSettings> for Error {
    fn from(bad: metrics::BadSettings) -> Self {
        Self::Flags(bad.to_string())
    }
}
