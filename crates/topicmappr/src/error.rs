//! Everything that can end a run, with its evidence, its exit code and a hint.

use crate::files::FileError;
use crate::status::Status;
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
    BrokenLine { path: PathBuf, line: usize, problem: String },
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

impl From<NoPlan> for Error {
    fn from(reason: NoPlan) -> Self {
        Self::NoPlan { why: Box::new(reason), clash: None, lost: Vec::new() }
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

impl From<MapsError> for Error {
    fn from(error: MapsError) -> Self {
        Self::Maps(Box::new(error))
    }
}

impl Error {
    /// The exit code.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Usage(error) if !error.use_stderr() => Status::Done,
            Self::NoPlan { why, .. } if matches!(**why, NoPlan::TooLarge { .. }) => {
                Status::BadInput
            }
            Self::NoPlan { .. } | Self::Broken(_) | Self::WouldErase(_) | Self::Returned { .. } => {
                Status::NoPlan
            }
            Self::NoNumbers { .. } | Self::OddNumbers { .. } => Status::Outside,
            Self::NotUnregistered { .. }
            | Self::HoldsReplicas { .. }
            | Self::NotOnDelete { .. }
            | Self::WouldBeUnavailable { .. } => Status::NoPlan,
            Self::NotReloadable { .. } => Status::NoPlan,
            Self::Unproven { .. } | Self::NoAnswer { .. } => Status::Outside,
            Self::Held(_) => Status::Held,
            Self::Claim(error)
                if matches!(**error, statelog::Error::Held { .. } | statelog::Error::Lost(_)) =>
            {
                Status::Held
            }
            Self::Claim(_) | Self::Record { .. } => Status::Outside,
            Self::Kafka(error) if matches!(**error, kafka::Error::Config(_)) => Status::BadInput,
            // A mistyped chroot, most likely.
            Self::ZooKeeper(error) if matches!(**error, zookeeper::Error::NoKafka { .. }) => {
                Status::BadInput
            }
            Self::Kubernetes(error)
                if matches!(
                    **error,
                    kubernetes::Error::NoConfig
                        | kubernetes::Error::BadConfig { .. }
                        | kubernetes::Error::NotFound { .. }
                ) =>
            {
                Status::BadInput
            }
            Self::Kafka(_)
            | Self::Unanswered { .. }
            | Self::ZooKeeper(_)
            | Self::Kubernetes(_)
            | Self::LockRights(_)
            | Self::Runtime(_) => Status::Outside,
            Self::Stream(_) | Self::File(FileError::Write { .. }) => Status::Outside,
            Self::Locked { .. }
            | Self::HeldBy { .. }
            | Self::DaemonHas { .. }
            | Self::OtherTools { .. } => Status::Held,
            Self::NothingPaced { .. } | Self::NoDaemon { .. } => Status::NoPlan,
            _ => Status::BadInput,
        }
    }

    /// What scripts tell errors apart by.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) | Self::Layer { .. } | Self::Flag { .. } | Self::Flags(_) => "usage",
            Self::ConfigFile { .. } => "config",
            Self::NoSource | Self::TwoSources { .. } => "source",
            Self::File(FileError::Read { .. }) => "unreadable",
            Self::File(FileError::Unwritable { .. }) => "unwritable",
            Self::File(FileError::Write { .. }) => "write-failed",
            Self::Snapshot { .. } => "snapshot",
            Self::PlanFile { .. } | Self::NotOurs(_) | Self::OtherCluster { .. } => "plan-file",
            Self::Explain(ExplainError::OtherSnapshot { .. } | ExplainError::Request(_)) => {
                "snapshot"
            }
            Self::Explain(ExplainError::UnknownBroker(_)) => "brokers",
            Self::Explain(_) => "partition",
            Self::NoClusterId { .. } => "cluster-id",
            Self::JournalExists(_)
            | Self::OtherPlan { .. }
            | Self::BrokenLine { .. }
            | Self::Record { .. } => "journal",
            Self::Locked { .. }
            | Self::HeldBy { .. }
            | Self::DaemonHas { .. }
            | Self::OtherTools { .. } => "held",
            Self::NoLedger | Self::NothingPaced { .. } => "ledger",
            Self::Returned { .. } => "returned",
            Self::NoDaemon { .. } => "no-autothrottle",
            Self::NotAgreed => "not-agreed",
            Self::NotUnregistered { .. } | Self::HoldsReplicas { .. } => "not-unregistered",
            Self::NotReloadable { .. } => "not-reloadable",
            Self::NotOnDelete { .. } => "update-strategy",
            Self::WouldBeUnavailable { .. } => "unavailable",
            Self::Scope(_) => "topics",
            Self::Maps(_) | Self::MapFindings(_) | Self::UnknownMap { .. } => "maps",
            Self::UnknownBrokers { .. } => "brokers",
            Self::NoPlan { why, .. } if matches!(**why, NoPlan::TooLarge { .. }) => "too-large",
            Self::NoPlan { .. } => "no-plan",
            Self::Definitions(_) => "definitions",
            Self::State { .. } | Self::OtherState { .. } => "state",
            Self::Held(_) => "held",
            Self::Broken(_) => "broken-promise",
            Self::Kafka(_) | Self::Unanswered { .. } => "kafka",
            Self::Claim(_) => "claim",
            Self::NoNumbers { .. } | Self::OddNumbers { .. } => "metrics",
            Self::ZooKeeper(_) => "zookeeper",
            Self::Kubernetes(_) | Self::LockRights(_) => "kubernetes",
            Self::Pods(_) | Self::Contradiction { .. } => "pods",
            Self::LogDir { .. } => "log-dir",
            Self::NoIdentity { .. } | Self::OthersDisk { .. } => "identity",
            Self::WouldErase(_) => "would-erase",
            Self::Unproven { .. } | Self::NoAnswer { .. } => "no-answer",
            Self::Runtime(_) => "runtime",
            Self::Stream(_) => "stream",
        }
    }

    /// What to do about it, where that is not plain.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Usage(error) if is_help(error) => return None,
            Self::Usage(error) | Self::Layer { error, .. } => return clap_hint(error),
            Self::NoSource => "name it with --snapshot FILE or --bootstrap-server HOST:PORT",
            Self::TwoSources { .. } => "leave one of them out",
            Self::NotOurs(_) => "a plan of this program is what --out-file writes",
            Self::File(FileError::Write { .. }) => {
                "nothing was written; make room, or name another place"
            }
            Self::File(FileError::Unwritable { .. }) => {
                "nothing was planned or written; make the folder, or name another place"
            }
            Self::Snapshot { problem: SnapshotError::Version { .. }, .. } => {
                "read it with the version of topicmappr that wrote it, or newer"
            }
            Self::Snapshot { .. } => "capture it again: topicmappr snapshot --out-file FILE",
            Self::State { .. } => {
                "correct it, or begin anew with another --state: nothing is owned then"
            }
            Self::OtherState { .. } => "name this cluster's own state with --state FILE",
            Self::Held(_) => "wait for it to end; a run that was killed holds nothing",
            Self::UnknownMap { known, .. } => return Some(known_maps(known)),
            Self::UnknownBrokers { known, .. } => {
                let known: Vec<BrokerId> = known.iter().copied().collect();
                return Some(format!("the cluster knows {}", ranges(&known)));
            }
            Self::Explain(wrong) => return explain_hint(wrong),
            Self::Kafka(error) => return error.hint(),
            Self::Claim(error) => return error.hint(),
            Self::ZooKeeper(error) => return error.hint(),
            Self::Kubernetes(error) => return error.hint(),
            Self::LockRights(error) => return lock_rights_hint(error),
            Self::Pods(_) => "topicmappr maps resolve shows which pod is which broker",
            Self::NoPlan { lost, .. } if lost.iter().any(|lost| lost.returns().is_some()) => {
                "free the pod of the lost broker: once it is back, there may be nothing to plan"
            }
            // What was tried is better advice than what might help.
            Self::NoPlan { clash: Some(clash), .. } if !clash.remedies.is_empty() => return None,
            Self::NoPlan { why, .. } => return no_plan_hint(why),
            Self::NoIdentity { .. } => {
                "say it by annotation, label or KAFKA_BROKER_ID on the pod, or see --identity and --broker-id-base"
            }
            Self::OthersDisk { owner, .. } => {
                return Some(format!(
                    "give the pod the disk of its own broker; or let it be broker {owner} (annotation broker-id, \
                     --broker-id-base); a disk whose data nobody needs may be emptied, which is then checked against Kafka"
                ));
            }
            Self::Unproven { .. } | Self::NoAnswer { .. } => {
                "keep the broker down until Kafka answers; a cluster that has never run needs --bootstrap-new-cluster"
            }
            Self::Broken(_) => "do not carry this plan out; make a new one from a fresh snapshot",
            other => return other.execution_hint(),
        };
        Some(hint.to_owned())
    }

    /// The same for what ends an execution.
    fn execution_hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoClusterId { found } => {
                return Some(format!("if it is meant for this one, say so: --cluster-id {found}"));
            }
            Self::JournalExists(_) => {
                "--resume goes on with it; to begin anew, name another with --journal FILE"
            }
            Self::OtherPlan { .. } => "name the plan's own journal with --journal FILE",
            Self::BrokenLine { .. } => {
                "a lost journal loses only history: move it away, and run this with --resume"
            }
            Self::Locked { .. } | Self::HeldBy { .. } => {
                "end that process first (SIGTERM: its moves go on), and run this with --resume"
            }
            Self::DaemonHas { .. } => {
                "ask the daemon: curl -X POST 'http://HOST:8080/throttle?rate=50' is 50 MB/s for all that take part"
            }
            Self::NoLedger => "name it with --state-file FILE, or its journal with --journal FILE",
            Self::NothingPaced { .. } => {
                "nothing was changed; topicmappr throttle show tells what is set, and whose it is"
            }
            Self::OtherTools { .. } => {
                "wait for them, or cancel them there; --join goes on beside them (Cruise Control stops the moves of \
                 others by default)"
            }
            Self::NoNumbers { .. } => {
                "topicmappr metrics show tells what is known; --exporter-metric and --prometheus-query say where \
                 storage-free and partition-size stand"
            }
            Self::NoDaemon { .. } => {
                "start autothrottle in this cluster, name its API with --autothrottle URL, or give a rate: --throttle 50MB/s"
            }
            Self::Returned { .. } => {
                "plan again, which copies less; --even-if-returned carries this plan out all the same, cancel takes back \
                 what is in flight"
            }
            Self::NotOnDelete { set, .. } => {
                let (namespace, name) = set.split_once('/').unwrap_or(("default", set));
                return Some(format!(
                    "kubectl patch statefulset {name} --namespace {namespace} --patch '{{\"spec\":{{\"updateStrategy\":{{\"type\":\"OnDelete\",\"rollingUpdate\":null}}}}}}'"
                ));
            }
            Self::WouldBeUnavailable { .. } => {
                "give them more replicas than min.insync.replicas (topicmappr rebuild --replication N), or accept it with \
                 --allow-unavailable"
            }
            Self::HoldsReplicas { broker, .. } => {
                return Some(format!(
                    "give its replicas to others first: topicmappr scale --drain {broker}, or replace --broker {broker}"
                ));
            }
            Self::Unanswered { .. } => {
                "look before you ask for it again: the same command with --dry-run tells what is left to do"
            }
            Self::NotAgreed => {
                "agree at the terminal, or with --yes; --dry-run shows what would be done"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// The text of `--help` or `--version`, which are no failures.
    pub(crate) fn help(&self) -> Option<String> {
        match self {
            Self::Usage(error) if !error.use_stderr() => Some(error.render().to_string()),
            _ => None,
        }
    }
}

/// clap's sentence, without the word that our own rendering puts before it.
fn clap_message(error: &clap::Error) -> String {
    let text = error.render().to_string();
    if is_help(error) {
        return text.trim_end().to_owned();
    }
    let sentence = text.split("\n\n").next().unwrap_or_default();
    let sentence = sentence.strip_prefix("error: ").unwrap_or(sentence);
    let lines: Vec<&str> = sentence.lines().map(str::trim).collect();
    lines.join(" ")
}

/// clap's own proposal, where it has one.
fn clap_hint(error: &clap::Error) -> Option<String> {
    let text = error.render().to_string();
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    let unknown = error.kind() == clap::error::ErrorKind::UnknownArgument;
    let tip = tip.or(unknown.then_some("--help after the command lists its flags"));
    tip.map(str::to_owned)
}

/// The help of a command that was given nothing to do.
pub(crate) fn is_help(error: &clap::Error) -> bool {
    error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

fn known_maps(known: &[String]) -> String {
    if known.is_empty() {
        "give the maps with --maps FILE".to_owned()
    } else {
        format!("the maps are {}", known.join(", "))
    }
}

fn lock_rights_hint(error: &kubernetes::Error) -> Option<String> {
    match error {
        kubernetes::Error::Forbidden { request, .. } => Some(format!(
            "{}, as deploy/manifests/execute.yaml does for --lease kafka/topicmappr-execute; --sole-executor does without",
            request.grant()
        )),
        other => other.hint(),
    }
}

fn explain_hint(wrong: &ExplainError) -> Option<String> {
    let hint = match wrong {
        ExplainError::OtherSnapshot { .. } => {
            "name the snapshot that the plan was made from (--save-snapshot keeps it), with the same --broker-storage; a \
             live cluster must be as it was then, and be asked as then: with the same --maps and --namespace"
        }
        ExplainError::UnknownTopic { near, .. } if !near.is_empty() => {
            return Some(format!("near to it: {}", near.join(", ")));
        }
        ExplainError::NoSuchMove { .. } | ExplainError::UnknownTopic { .. } => {
            "topicmappr plan show PLAN --moves lists what moves"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn no_plan_hint(reason: &NoPlan) -> Option<String> {
    let hint = match reason {
        NoPlan::NoBroker { shortage, .. } if !shortage.is_empty() => {
            "add storage or brokers to the rack that lacks room, or lower --storage-headroom"
        }
        NoPlan::NoBroker { .. } => "allow more brokers for these topics",
        NoPlan::TooFewBrokers { .. } => "allow more live brokers, or ask for fewer replicas",
        NoPlan::TooFewRacks { .. } => "lower --min-rack-ids, or allow brokers of other racks",
        NoPlan::NoRoomForBothCopies { .. } => {
            "make room on that broker first, or lower --storage-headroom"
        }
        NoPlan::MissingFact { fact, .. } if fact.ends_with("_per_second") => {
            "leave network out of --balance, or add the rate to the snapshot"
        }
        NoPlan::MissingFact { .. } => {
            "place by count (--placement count), or give capacities with --broker-storage"
        }
        NoPlan::TooLarge { .. } => {
            "name fewer topics or brokers, or leave it to --solver auto, which says how near it came"
        }
        NoPlan::BeyondLimit { .. } => "raise --max-bytes-moved or --max-moves",
        NoPlan::NoPartner { .. } => "name the incoming broker: --with ID",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn joined(findings: &[kubernetes::Finding]) -> String {
    let all: Vec<String> = findings.iter().map(ToString::to_string).collect();
    all.join("; ")
}

/// The first of them.
fn few(partitions: &BTreeSet<TopicPartition>) -> String {
    const FEW: usize = 5;
    let names: Vec<String> = partitions.iter().take(FEW).map(ToString::to_string).collect();
    let more = partitions.len().saturating_sub(FEW);
    names.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

fn back(brokers: &BTreeMap<BrokerId, Bytes>) -> String {
    let each = brokers.iter().map(|(id, bytes)| format!("{id} (planning again saves {bytes})"));
    each.collect::<Vec<_>>().join(", ")
}

fn named(unknown: &[BrokerId]) -> String {
    let noun = if unknown.len() == 1 { "broker" } else { "brokers" };
    format!("{noun} {}", ranges(unknown))
}

fn ids(ids: &[BrokerId]) -> String {
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

/// Sorted ids, neighbours joined: `1001..1006, 1010`.
pub(crate) fn ranges(ids: &[BrokerId]) -> String {
    let runs = ids.chunk_by(|a, b| a.0 + 1 == b.0);
    let texts: Vec<String> = runs
        .map(|run| match run {
            [first, _, .., last] => format!("{first}..{last}"),
            few => self::ids(few),
        })
        .collect();
    if texts.is_empty() { "no broker".to_owned() } else { texts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_shown_as_ranges() {
        let some: Vec<BrokerId> = [1, 2, 3, 7, 9, 10].map(BrokerId).into();
        assert_eq!(ranges(&some), "1..3, 7, 9, 10");
        assert_eq!(ranges(&[]), "no broker");
    }

    #[test]
    fn a_failed_write_is_an_outside_failure_and_a_missing_folder_wrong_input() {
        let path = PathBuf::from("p");
        let failed =
            FileError::Write { path: path.clone(), problem: io::ErrorKind::StorageFull.into() };
        assert_eq!(Error::from(failed).status(), Status::Outside);
        let problem = "there is no folder".to_owned();
        let missing = FileError::Unwritable { path, problem };
        assert_eq!(Error::from(missing).status(), Status::BadInput);
    }
}
