//! All errors of drivers, each with its evidence.
//!
//! A new variant does not compile until `explain.rs` gives it a code, an exit status and a hint.

mod explain;
mod words;

use crate::files::FileError;
use crate::words::{counted, few};
use ::topics::DefinitionErrors;
use coordination::LinesError;
use execute::controllers::VotersRefusal;
use mapper::maps::Refused;
use mapper::scope::ScopeError;
use mapper::{BrokerId, SnapshotError, TopicPartition};
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use words::{joined, so_far};

/// The number of partitions that a message names; the rest are counted.
const FEW: usize = 5;

/// Why a driver failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag, a file or a standard stream.
    #[error(transparent)]
    Local(#[from] local::Error),
    /// A plan that names no cluster.
    #[error("the plan does not say which cluster it is for")]
    NoClusterId {
        /// Cluster id that Kafka reports; `--cluster-id` has to confirm it.
        found: String,
    },
    /// A journal that belongs to another plan.
    #[error("{} is the journal of another plan, {plan}", .path.display())]
    OtherPlan {
        /// The journal.
        path: PathBuf,
        /// SHA-256 of the plan that the journal is for.
        plan: String,
    },
    /// A journal, a ledger or the file of a store that is refused, or that takes no more lines.
    #[error(transparent)]
    Lines(#[from] LinesError),
    /// A record of an execution or a daemon that no program of this version has written.
    #[error("the record {name} is not understood: {problem}; --sole-executor does without it")]
    Record {
        /// The record and its store, or the ConfigMap that holds it.
        name: String,
        /// Why it is refused.
        problem: String,
    },
    /// Another process changes this cluster.
    #[error("the cluster is held by {by} ({})", .path.display())]
    HeldBy {
        /// The ledger file of the cluster.
        path: PathBuf,
        /// The process that opened the ledger last.
        by: String,
    },
    /// No daemon sets the throttle rates.
    #[error("no autothrottle leads at {url}: {problem}")]
    NoDaemon {
        /// Base URL of the daemon's API.
        url: String,
        /// The unexpected answer, or why there was none.
        problem: String,
    },
    /// Brokers were lost during a plan for something else.
    #[error("broker {} has been lost for {lost_for:?}: the plan is left as it is", mapper::joined(.brokers))]
    BrokersLost {
        /// The brokers.
        brokers: BTreeSet<BrokerId>,
        /// For how long.
        lost_for: Duration,
    },
    /// The cluster runs on ZooKeeper.
    #[error("this cluster keeps its metadata in ZooKeeper: it has no quorum of controllers")]
    NoQuorum,
    /// The voters of a static quorum come from the configuration of the nodes.
    #[error("the quorum of controllers is static (kraft.version 0): no command changes its voters")]
    StaticQuorum,
    /// The voters that the operator wants are refused.
    #[error("the voters stay as they are: {0}")]
    Voters(VotersRefusal),
    /// No controller told of the listeners of one that is to get a vote.
    #[error("where controller {id} listens is not known: no controller answers: {problem}")]
    NoListeners {
        /// The controller that is to get a vote.
        id: BrokerId,
        /// Why the controllers did not answer.
        problem: String,
    },
    /// Partitions that have no replica to spare.
    #[error("{} cannot stay available while their broker restarts: {}", counted(partitions.len(), "partition"), few(.partitions, FEW))]
    WouldBeUnavailable {
        /// Partitions that would go offline or below min ISR.
        partitions: BTreeSet<TopicPartition>,
    },
    /// Topic definitions that are not valid.
    #[error(transparent)]
    Definitions(DefinitionErrors),
    /// The state of earlier runs cannot be read.
    #[error("the state in {place}: {problem}")]
    State {
        /// File or ConfigMap of the state.
        place: String,
        /// Why it is refused.
        problem: StateError,
    },
    /// The state of earlier runs belongs to another cluster.
    #[error("the state in {place} is about cluster {state}, and this is cluster {found}")]
    OtherState {
        /// File or ConfigMap of the state.
        place: String,
        /// Cluster id in the state.
        state: String,
        /// Cluster id of the cluster or snapshot.
        found: String,
    },
    /// Another process has written a record since it was read.
    #[error("{name} of {place} has changed since it was read: nothing was written")]
    OtherRecord {
        /// The record.
        name: String,
        /// The store, in words.
        place: String,
    },
    /// This run has lost its lock: another run may act now, or has acted.
    #[error("{lock} is ours no more: {why}")]
    LockLost {
        /// Lease, claim, file or znode, in words.
        lock: String,
        /// Why the lock ended.
        why: String,
    },
    /// Another run holds the lock.
    #[error(transparent)]
    Held(HeldBy),
    /// Kafka did not answer, or answered with an error; or the client properties are wrong.
    #[error(transparent)]
    Kafka(Box<kafka::Error>),
    /// The store of the lock, or of the records under it, did not answer in time.
    #[error("{store}: {why}")]
    Silent {
        /// The store in words.
        store: String,
        /// What was not answered.
        why: String,
    },
    /// The claim on a cluster was not obtained.
    #[error("{0}")]
    Claim(Box<statelog::Error>),
    /// Kubernetes did not answer, or answered with an error.
    #[error(transparent)]
    Kubernetes(Box<kubernetes::Error>),
    /// A right is missing in Kubernetes for the cluster's lock, or for the records next to it.
    #[error(transparent)]
    LockRights(Box<kubernetes::Error>),
    /// Pods whose faults rule out a correct plan.
    #[error("{}", joined(.0))]
    Pods(Vec<kubernetes::Finding>),
    /// Kubernetes and the snapshot contradict each other about the brokers.
    #[error("Kafka and Kubernetes describe no one cluster: {problem}")]
    Contradiction {
        /// The contradiction in the combined snapshot.
        problem: SnapshotError,
    },
    /// ZooKeeper did not answer, or answered with an error.
    #[error(transparent)]
    ZooKeeper(Box<zookeeper::Error>),
    /// The id of the broker in a pod is unknown.
    #[error("nobody knows which broker pod {pod} is: {problem}")]
    NoIdentity {
        /// Its namespace and name.
        pod: String,
        /// Why no id is known, or which ids contradict each other.
        problem: String,
    },
    /// The facts that justified deleting a broker's pod no longer hold.
    #[error("{what}: {}", so_far(.deleted))]
    Changed {
        /// The fact that changed.
        what: String,
        /// Deletions that this run had already made; empty: none.
        deleted: Vec<String>,
    },
    /// Kafka's answer lacks facts that a start with an empty disk is judged by.
    #[error("whether broker {broker} may start with an empty disk cannot be told: {problem}")]
    Unproven {
        /// The broker that would start.
        broker: BrokerId,
        /// The missing fact.
        problem: String,
    },
    /// The time of `--timeout` is over.
    #[error("no answer to act on in {} s: {reason}", .waited.as_secs())]
    NoAnswer {
        /// Time waited.
        waited: Duration,
        /// Why the last attempt failed.
        reason: String,
    },
    /// The operating system provides no event loop.
    #[error("cannot wait for servers: {0}")]
    Runtime(io::Error),
}

/// The lock of another run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("another run holds {lock}: {holder}")]
pub struct HeldBy {
    /// The lock.
    pub lock: String,
    /// The other run, by the name that it gave itself.
    pub holder: String,
}

/// Why a state of `topics apply` is refused.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// No JSON, or JSON of another shape.
    #[error("{0}")]
    Syntax(#[from] serde_json::Error),
    /// A format version that this program does not know.
    #[error("it has version {0}, this program reads version 1")]
    Version(u64),
    /// JSON of another file of this program, or of Kafka's tools.
    #[error("it is a snapshot or a plan, and stays as it is")]
    Foreign,
}

impl Error {
    /// Whether a retry may succeed: a server did not answer.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Kafka(error) if may_pass(error))
    }
}

/// Whether a retry of a call to Kafka may succeed.
pub fn may_pass(error: &kafka::Error) -> bool {
    match error {
        kafka::Error::Unreachable { .. }
        | kafka::Error::AdvertisedUnreachable { .. }
        | kafka::Error::Timeout { .. }
        | kafka::Error::Closed { .. }
        | kafka::Error::UntoldTopics { .. }
        | kafka::Error::Refused { .. } => true,
        kafka::Error::Token { may_pass, .. } => *may_pass,
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

local::convert_boxed!(Error: Kafka(kafka::Error), Kubernetes(kubernetes::Error), ZooKeeper(zookeeper::Error));

impl From<metrics::BadSettings> for Error {
    fn from(bad: metrics::BadSettings) -> Self {
        local::Error::Flags(bad.to_string()).into()
    }
}

local::convert_through!(local::Error => Error: FileError, Refused, ScopeError);
