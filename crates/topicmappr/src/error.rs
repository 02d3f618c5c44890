//! Everything that can end a run, with its evidence, its exit code and a hint.

mod from;
mod hint;
mod status;
mod words;

pub(crate) use words::{is_help, ranges};

use crate::executing::Kind;
use crate::files::FileError;
use crate::topics::{HeldBy, StateError};
use crate::views::{Erasures, LostBroker};
use mapper::definitions::DefinitionErrors;
use mapper::explain::ExplainError;
use mapper::maps::{MapsError, Refused};
use mapper::scope::ScopeError;
use mapper::{
    BrokerId, Bytes, Clash, NoPlan, PlanFileError, SnapshotError, TopicPartition, Violation,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use words::{back, clap_message, few, joined, named, onto, so_far};

/// Why a run ended otherwise than asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// clap's own: an unknown flag, a value that does not parse; also help and version.
    #[error("{}", clap_message(.0))]
    Usage(#[from] clap::Error),
    /// The same, for a value that was not typed.
    #[error("{} (from {origin})", clap_message(.error))]
    Layer { error: clap::Error, origin: String },
    /// The file of `--config`.
    #[error("{}: {problem}", .path.display())]
    ConfigFile { path: PathBuf, problem: String },
    /// Nothing names a cluster.
    #[error("this command needs a cluster, and no flag names one")]
    NoSource,
    /// Two places to learn about one cluster.
    #[error("--snapshot and {second} both name a cluster")]
    TwoSources { second: &'static str },
    /// A value that only the cluster or another flag could refuse.
    #[error("{flag} {value:?}: {problem}")]
    Flag { flag: &'static str, value: String, problem: String },
    /// Flags that do not go together, or one that needs another.
    #[error("{0}")]
    Flags(String),
    /// An input that cannot be read, an output that cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A snapshot that was refused.
    #[error("{}: {problem}", .path.display())]
    Snapshot { path: PathBuf, problem: SnapshotError },
    /// A plan file, or `--map-string`, that was refused.
    #[error("{name}: {problem}")]
    PlanFile { name: String, problem: PlanFileError },
    /// A plan file of another tool, where one of ours is needed.
    #[error("{} is a partition map without a plan beside it", .0.display())]
    NotOurs(PathBuf),
    /// A plan that was made for another cluster.
    #[error("the plan is for cluster {plan}, and this is cluster {found}")]
    OtherCluster { plan: String, found: String },
    /// A plan that names no cluster.
    #[error("the plan does not say which cluster it is for")]
    NoClusterId { found: String },
    /// A journal that is there already.
    #[error("{} is the journal of an execution that has begun", .0.display())]
    JournalExists(PathBuf),
    /// A journal of another plan.
    #[error("{} is the journal of another plan, {plan}", .path.display())]
    OtherPlan { path: PathBuf, plan: String },
    /// A line of a journal or a ledger that cannot be believed.
    #[error("{}, line {line}: {problem}", .path.display())]
    BrokenLine { path: PathBuf, kind: Kind, line: usize, problem: String },
    /// A file that was named for a journal or a ledger, and is something else.
    #[error("{} is not {kind}: it seems to be {seems}; it stays as it is", .path.display())]
    NotOurLines { path: PathBuf, kind: Kind, seems: String },
    /// A journal or a ledger of a newer version of this program.
    #[error("{} is {kind} of version {version}, and this program reads version 1", .path.display())]
    NewerLines { path: PathBuf, kind: Kind, version: u64 },
    /// A disk that takes no lines of a journal or a ledger.
    #[error("the {} {} takes no more lines: {problem}", .kind.name(), .path.display())]
    NotStored { path: PathBuf, kind: Kind, problem: io::Error },
    /// A record beside the lock, which no executor of this version has written.
    #[error(
        "the record {name} of the cluster's executors is not understood: {problem}; --sole-executor does without it"
    )]
    Record { name: String, problem: String },
    /// A file that another process works with.
    #[error("{} is in use by another process", .path.display())]
    Locked { path: PathBuf },
    /// Another process acts on the cluster.
    #[error("the cluster is held by {by} ({})", .path.display())]
    HeldBy { path: PathBuf, by: String },
    /// The daemon has the ledger, and with it the rates.
    #[error("the rates are set by {by} ({})", .path.display())]
    DaemonHas { path: PathBuf, by: String },
    /// Nobody decides how fast replicas may be copied.
    #[error("no autothrottle leads at {url}: {problem}")]
    NoDaemon { url: String, problem: String },
    /// Nobody knows what executions have set.
    #[error("there is no ledger of an execution here")]
    NoLedger,
    /// No execution has a rate in the cluster.
    #[error("no execution has a throttle in this cluster: {} is empty", .path.display())]
    NothingPaced { path: PathBuf },
    /// Other tools act on the cluster.
    #[error("other tools are moving {} partition(s): {}", partitions.len(), few(.partitions))]
    OtherTools { partitions: BTreeSet<TopicPartition> },
    /// Brokers that the plan replaces for good have come back.
    #[error("the plan holds for lost what is registered again: {}", back(.brokers))]
    Returned { brokers: BTreeMap<BrokerId, Bytes> },
    /// Brokers that the plan gives replicas were cordoned since, or log dirs of theirs.
    #[error("the plan moves replicas onto brokers that were cordoned since it was made: {}", onto(.brokers))]
    Cordoned { brokers: BTreeMap<BrokerId, usize> },
    /// A broker that Kafka would forget to its harm.
    #[error("broker {broker} is not to be unregistered: {why}")]
    NotUnregistered { broker: BrokerId, why: String },
    /// A broker that replicas would be lost with.
    #[error("broker {broker} is not to be unregistered: it holds {replicas} replica(s) of {}", topics.join(", "))]
    HoldsReplicas { broker: BrokerId, replicas: usize, topics: Vec<String> },
    /// Certificates that a broker must not, or would not, go over to.
    #[error("broker {broker} is not to be reloaded: {why}")]
    NotReloadable { broker: BrokerId, why: String },
    /// Pods that are not restarted by us alone.
    #[error(
        "StatefulSet {set} has updateStrategy {strategy}: its controller restarts pods without looking at Kafka"
    )]
    NotOnDelete { set: String, strategy: String },
    /// Partitions with no replica to spare.
    #[error("{} partition(s) cannot stay available while their broker restarts: {}", partitions.len(), few(.partitions))]
    WouldBeUnavailable { partitions: BTreeSet<TopicPartition> },
    /// Nobody has agreed to change the cluster.
    #[error("the cluster would be changed, and nobody has agreed to it")]
    NotAgreed,
    /// A pattern that is no regex, or means no topic.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// A document of maps that was refused.
    #[error(transparent)]
    Maps(Box<MapsError>),
    /// Maps that no plan can be made for.
    #[error(transparent)]
    MapFindings(Refused),
    /// Topic definitions that were refused.
    #[error(transparent)]
    Definitions(DefinitionErrors),
    /// What earlier runs have done cannot be read.
    #[error("the state in {place}: {problem}")]
    State { place: String, problem: StateError },
    /// What earlier runs have done, they did to another cluster.
    #[error("the state in {place} is about cluster {state}, and this is cluster {found}")]
    OtherState { place: String, state: String, found: String },
    /// What kept other runs away is ours no more: another may be at it, or was.
    #[error("{lock} is ours no more: {why}")]
    LockLost { lock: String, why: String },
    /// Another run is at it.
    #[error(transparent)]
    Held(HeldBy),
    /// `--brokers` names a map that is not there.
    #[error("--brokers names map {name}, and there is no such map")]
    UnknownMap { name: String, known: Vec<String> },
    /// Ids that the cluster does not know.
    #[error("not registered, nor in any replica list: {}", named(.unknown))]
    UnknownBrokers { unknown: Vec<BrokerId>, known: BTreeSet<BrokerId> },
    /// A question about a plan that is wrong itself.
    #[error(transparent)]
    Explain(#[from] ExplainError),
    /// There is no plan that keeps every promise.
    #[error("no plan: {why}")]
    NoPlan {
        why: Box<NoPlan>,
        clash: Option<Box<Clash>>,
        /// What becomes of the lost brokers that the cluster lacks, where Kubernetes tells.
        lost: Vec<LostBroker>,
    },
    /// A plan does not hold what it promises.
    #[error("the plan breaks {} promise(s)", .0.len())]
    Broken(Vec<Violation>),
    /// Kafka did not answer, or not as it should; or the client properties are wrong.
    #[error(transparent)]
    Kafka(Box<kafka::Error>),
    /// The claim on a cluster was not had, or is lost.
    #[error("{0}")]
    Claim(Box<statelog::Error>),
    /// A request that changes the cluster was sent, and nobody said what came of it.
    #[error("{what} may have been carried out: {problem}")]
    Unanswered { what: String, problem: Box<kafka::Error> },
    /// Kubernetes did not answer, or not as it should.
    #[error(transparent)]
    Kubernetes(Box<kubernetes::Error>),
    /// Kubernetes does not let us take the cluster's lock, or keep records beside it.
    #[error(transparent)]
    LockRights(Box<kubernetes::Error>),
    /// Kubernetes does not let `roll` take the cluster's Lease.
    #[error(transparent)]
    LeaseRights(Box<kubernetes::Error>),
    /// Pods with which no plan can be right.
    #[error("{}", joined(.0))]
    Pods(Vec<kubernetes::Finding>),
    /// What Kubernetes says of the brokers does not go with the snapshot.
    #[error("Kafka and Kubernetes describe no one cluster: {problem}")]
    Contradiction { problem: SnapshotError },
    /// ZooKeeper did not answer, or not as it should.
    #[error(transparent)]
    ZooKeeper(Box<zookeeper::Error>),
    /// Metrics systems do not tell what would be written.
    #[error("no metrics system tells {missing}: nothing is written")]
    NoNumbers { missing: &'static str },
    /// Metrics systems tell what cannot be.
    #[error("the numbers of metrics systems do not go with the cluster: {problem}")]
    OddNumbers { problem: SnapshotError },
    /// A log dir that cannot be read, or is not this broker's.
    #[error("{}: {problem}", .path.display())]
    LogDir { path: PathBuf, problem: String },
    /// Nothing tells the id of the broker in a pod.
    #[error("nobody knows which broker pod {pod} is: {problem}")]
    NoIdentity { pod: String, problem: String },
    /// The disk of one broker in the pod of another.
    #[error("{} says broker {owner}, and pod {pod} is broker {id} ({by})", .path.display())]
    OthersDisk { owner: BrokerId, path: PathBuf, pod: String, id: BrokerId, by: String },
    /// A start that would erase the last copy of partitions.
    #[error("{0}")]
    WouldErase(Box<Erasures>),
    /// A broker whose pod is not to be freed: what holds it is not lost.
    #[error("the pod of broker {broker} is not to be freed: {why}")]
    NotLost { broker: BrokerId, why: String },
    /// What justified to free a broker's pod holds no more.
    #[error("{what}: {}", so_far(.deleted))]
    Changed { what: String, deleted: Vec<String> },
    /// Kafka's answer lacks what a start with an empty disk is judged by.
    #[error("whether broker {broker} may start with an empty disk cannot be told: {problem}")]
    Unproven { broker: BrokerId, problem: String },
    /// The patience of `--timeout` is over.
    #[error("no answer to act on in {} s: {reason}", .waited.as_secs())]
    NoAnswer { waited: Duration, reason: String },
    /// The operating system gives us no event loop.
    #[error("cannot wait for servers: {0}")]
    Runtime(io::Error),
    /// stdout, stderr or stdin failed.
    #[error("a standard stream failed: {0}")]
    Stream(io::Error),
}

impl Error {
    /// The text of `--help` or `--version`, which are no failures.
    pub(crate) fn help(&self) -> Option<String> {
        match self {
            Self::Usage(error) if !error.use_stderr() => Some(error.render().to_string()),
            _ => None,
        }
    }
}
