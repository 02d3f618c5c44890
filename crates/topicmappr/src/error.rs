//! All errors that can end a command, with their evidence.
//!
//! A new error does not compile until `explain.rs` has its code, its exit status and its hint.

mod explain;
// What fails at a live cluster; a build without one cannot make such an error.
#[cfg_attr(not(feature = "live"), path = "error/files_only.rs")]
mod live;
mod words;

pub(crate) use live::Beyond;

use crate::lost::LostBroker;
use local::files::FileError;
use local::words::{counted, few};
use mapper::explain::ExplainError;
use mapper::maps::{MapsError, Refused};
use mapper::scope::ScopeError;
use mapper::{BrokerId, Bytes, Clash, NoPlan, SnapshotError, TopicPartition, Violation};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use words::{back, named, onto};

/// The most partitions that a sentence names.
const FEW: usize = 5;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line is invalid.
    #[error(transparent)]
    Console(#[from] console::Error),
    /// A live cluster, its drivers or other runs.
    #[error(transparent)]
    Live(Beyond),
    /// A command or a flag that this build leaves out: it plans from files only.
    #[error("{0}")]
    FilesOnly(String),
    /// A flag, a file or a standard stream.
    #[error(transparent)]
    Local(#[from] local::Error),
    /// Two sources for the facts of one cluster.
    #[error("--snapshot and {second} both name a cluster")]
    TwoSources { second: &'static str },
    /// The journal already exists.
    #[error("{} is the journal of an execution that has begun", .0.display())]
    JournalExists(PathBuf),
    /// Without a ledger it is unknown what executions have set.
    #[error("there is no ledger of an execution here")]
    NoLedger,
    /// No execution has a rate in the cluster.
    #[error("no execution has a throttle in this cluster: {} is empty", .path.display())]
    NothingPaced { path: PathBuf },
    /// Other tools act on the cluster.
    #[error("other tools are moving {}: {}", counted(partitions.len(), "partition"), few(.partitions, FEW))]
    OtherTools { partitions: BTreeSet<TopicPartition> },
    /// Brokers that the plan treats as lost have come back.
    #[error("the plan holds for lost what is registered again: {}", back(.brokers))]
    Returned { brokers: BTreeMap<BrokerId, Bytes> },
    /// Brokers to which the plan gives replicas, or their log dirs, were cordoned after it was made.
    #[error("the plan moves replicas onto brokers that were cordoned since it was made: {}", onto(.brokers))]
    Cordoned { brokers: BTreeMap<BrokerId, usize> },
    /// It would be harmful if Kafka forgot this broker.
    #[error("broker {broker} is not to be unregistered: {why}")]
    NotUnregistered { broker: BrokerId, why: String },
    /// Replicas would be lost with this broker.
    #[error("broker {broker} is not to be unregistered: it holds {} of {}", counted(*replicas, "replica"), topics.join(", "))]
    HoldsReplicas { broker: BrokerId, replicas: usize, topics: Vec<String> },
    /// A broker must not, or would not, load these certificates.
    #[error("broker {broker} is not to be reloaded: {why}")]
    NotReloadable { broker: BrokerId, why: String },
    /// Another controller also restarts these pods.
    #[error(
        "StatefulSet {set} has updateStrategy {strategy}: its controller restarts pods without looking at Kafka"
    )]
    NotOnDelete { set: String, strategy: String },
    /// A map's brokers are pods of Strimzi.
    #[error(
        "map {map} names the KafkaNodePool {namespace}/{pool}: only Strimzi's operator restarts its pods"
    )]
    NodePool { map: String, namespace: String, pool: String },
    /// Recorded load covers too few hours.
    #[error("a forecast needs records of {needed} hours, and those in {} span {hours}", folder.display())]
    FewRecords { folder: PathBuf, hours: i64, needed: i64 },
    /// The operator has not agreed to change the cluster.
    #[error("the cluster would be changed, and nobody has agreed to it")]
    NotAgreed,
    /// A document of maps is invalid.
    #[error(transparent)]
    Maps(Box<MapsError>),
    /// `--brokers` names a map that does not exist.
    #[error("--brokers names map {name}, and there is no such map")]
    UnknownMap { name: String, known: Vec<String> },
    /// Ids that the cluster does not know.
    #[error("not registered, nor in any replica list: {}", named(.unknown))]
    UnknownBrokers { unknown: Vec<BrokerId>, known: BTreeSet<BrokerId> },
    /// A question about a plan is itself wrong.
    #[error(transparent)]
    Explain(#[from] ExplainError),
    /// No plan keeps every promise.
    #[error("no plan: {why}")]
    NoPlan {
        why: Box<NoPlan>,
        clash: Option<Box<Clash>>,
        /// The state of lost brokers that the cluster lacks, if Kubernetes reports it.
        lost: Vec<LostBroker>,
    },
    /// A plan breaks its promises.
    #[error("the plan breaks {}", counted(.0.len(), "promise"))]
    Broken(Vec<Violation>),
    /// Metrics systems do not report the values to write.
    #[error("no metrics system tells {missing}: nothing is written")]
    NoNumbers { missing: &'static str },
    /// Metrics systems report impossible values.
    #[error("the numbers of metrics systems do not go with the cluster: {problem}")]
    OddNumbers { problem: SnapshotError },
    /// A log dir cannot be read, or belongs to another broker.
    #[error("{}: {problem}", .path.display())]
    LogDir { path: PathBuf, problem: String },
    /// The disk of one broker is mounted in the pod of another.
    #[error("{} says broker {owner}, and pod {pod} is broker {id} ({by})", .path.display())]
    OthersDisk { owner: BrokerId, path: PathBuf, pod: String, id: BrokerId, by: String },
    /// The pod of this broker must not be freed: its node is not lost, or not for long enough.
    #[error("the pod of broker {broker} is not to be freed: {why}")]
    NotLost { broker: BrokerId, why: String },
}

impl Error {
    /// Flags that exclude each other, or a flag that needs another.
    pub(crate) fn flags(message: impl Into<String>) -> Self {
        local::Error::Flags(message.into()).into()
    }

    /// A standard stream has failed.
    pub(crate) fn stream(error: io::Error) -> Self {
        local::Error::Stream(error).into()
    }

    /// The text of `--help` or `--version`, which are not failures.
    pub(crate) fn help(&self) -> Option<String> {
        match self {
            Self::Console(error) => error.help(),
            _ => None,
        }
    }
}

local::convert_through!(local::Error => Error: FileError, Refused, ScopeError);

impl From<clap::Error> for Error {
    fn from(error: clap::Error) -> Self {
        Self::Console(error.into())
    }
}

impl From<MapsError> for Error {
    fn from(error: MapsError) -> Self {
        Self::Maps(Box::new(error))
    }
}

impl From<NoPlan> for Error {
    fn from(reason: NoPlan) -> Self {
        Self::NoPlan { why: Box::new(reason), clash: None, lost: Vec::new() }
    }
}
