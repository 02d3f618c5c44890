//! A promise that a plan breaks.

use crate::bytes::Bytes;
use crate::counted::{counted, plural};
use crate::ids::{BrokerId, TopicPartition, in_words};
use crate::scope::ScopeError;
use serde::Serialize;

/// Which promise is broken, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "promise", rename_all = "snake_case")]
pub enum Violation {
    /// The plan's own scope cannot be understood against this snapshot.
    #[error("the plan's topics do not fit this snapshot: {0}")]
    Scope(ScopeError),
    /// The snapshot knows no such partition.
    #[error("{of} does not exist")]
    UnknownPartition {
        /// The partition.
        of: TopicPartition,
    },
    /// Two entries for one partition.
    #[error("{of} is changed twice")]
    ChangedTwice {
        /// The partition.
        of: TopicPartition,
    },
    /// A step names a move that is not there.
    #[error("a step names move {index}, which does not exist")]
    NoSuchMove {
        /// The index.
        index: usize,
    },
    /// A move does not stand in one step for each list that it submits.
    #[error("the move of {of} stands in {}, not in {asked}", counted(*times, "step"))]
    Steps {
        /// The partition.
        of: TopicPartition,
        /// In how many.
        times: usize,
        /// In how many it should.
        asked: usize,
    },
    /// A move stands twice in one step.
    #[error("the move of {of} stands twice in step {step}")]
    TwiceInStep {
        /// The partition.
        of: TopicPartition,
        /// The step, from 0.
        step: usize,
    },
    /// A list on the way is one that the request does not ask for, or that the move does not need.
    #[error("{of} goes by way of {}, which leads nowhere", in_words(list))]
    Detour {
        /// The partition.
        of: TopicPartition,
        /// The list.
        list: Vec<BrokerId>,
    },
    /// A list on the way drops a sound replica before another is there for it.
    #[error("{of} would have too few sound replicas on its way: {}", in_words(list))]
    TooFewCopies {
        /// The partition.
        of: TopicPartition,
        /// The list.
        list: Vec<BrokerId>,
    },
    /// A step copies more than the request lets one copy.
    #[error("step {step} copies {bytes}, and {most_bytes} are allowed")]
    StepBytes {
        /// The step, from 0.
        step: usize,
        /// What it copies.
        bytes: Bytes,
        /// What it may copy.
        most_bytes: Bytes,
    },
    /// A broker takes part in more moves of a step than the request lets it.
    #[error("broker {broker} takes part in {moves} moves of step {step}, and {most} are allowed")]
    StepMoves {
        /// The step, from 0.
        step: usize,
        /// The broker.
        broker: BrokerId,
        /// In how many.
        moves: u32,
        /// In how many it may.
        most: u32,
    },
    /// More brokers give up replicas in a step than the request lets.
    #[error(
        "step {step} takes replicas off {}, and {} at a time {} allowed",
        in_words(brokers), counted(*most, "broker"), plural(*most, "is", "are")
    )]
    StepBrokers {
        /// The step, from 0.
        step: usize,
        /// The brokers.
        brokers: Vec<BrokerId>,
        /// How many there may be.
        most: u32,
    },
    /// The request does not cover the topic.
    #[error("{of} moves, but is out of scope")]
    OutOfScope {
        /// The partition.
        of: TopicPartition,
    },
    /// The plan starts from another list than the snapshot's.
    #[error("{of} does not start from its replicas, which are {}", in_words(found))]
    OtherStart {
        /// The partition.
        of: TopicPartition,
        /// The snapshot's replicas.
        found: Vec<BrokerId>,
    },
    /// An empty replica list.
    #[error("{of} would have no replicas")]
    NoReplicas {
        /// The partition.
        of: TopicPartition,
    },
    /// A broker twice in one list.
    #[error("{of} would have broker {broker} twice")]
    Repeated {
        /// The partition.
        of: TopicPartition,
        /// The broker.
        broker: BrokerId,
    },
    /// A replica for a broker that is not live.
    #[error("{of} would get a replica on broker {broker}, which is not live")]
    NotLive {
        /// The partition.
        of: TopicPartition,
        /// The broker.
        broker: BrokerId,
    },
    /// A new replica for a broker whose log dirs are all cordoned.
    #[error("{of} would get a replica on broker {broker}, which is cordoned")]
    Cordoned {
        /// The partition.
        of: TopicPartition,
        /// The broker.
        broker: BrokerId,
    },
    /// A replica for a cordoned log dir: Kafka refuses it.
    #[error("{of} is to go to log dir {log_dir} of broker {broker}, which is cordoned")]
    CordonedLogDir {
        /// The partition.
        of: TopicPartition,
        /// The broker.
        broker: BrokerId,
        /// The log dir.
        log_dir: String,
    },
    /// A replica on a broker that the request does not allow.
    #[error("{of} would have a replica on broker {broker}, which is not allowed for it")]
    NotAllowed {
        /// The partition.
        of: TopicPartition,
        /// The broker.
        broker: BrokerId,
    },
    /// Another replication factor than asked for.
    #[error("{of} would have {found} replicas, not {asked}")]
    Factor {
        /// The partition.
        of: TopicPartition,
        /// Asked for.
        asked: usize,
        /// In the plan.
        found: usize,
    },
    /// The spread over racks gets worse, or breaks the rule that it kept.
    #[error("{of} would spread worse over racks or hosts: {after}, before {before}")]
    Racks {
        /// The partition.
        of: TopicPartition,
        /// The racks before, with their replicas.
        before: String,
        /// The racks after.
        after: String,
    },
    /// A partition without a live leader is submitted.
    #[error("{of} has no live leader and must not be reassigned")]
    NoLeader {
        /// The partition.
        of: TopicPartition,
    },
    /// A running reassignment is submitted over.
    #[error("{of} is being reassigned and must not be submitted again")]
    Reassigning {
        /// The partition.
        of: TopicPartition,
    },
    /// Seats that were right move.
    #[error("{of} moves away from {} without a reason", in_words(brokers))]
    NoReason {
        /// The partition.
        of: TopicPartition,
        /// The brokers that held a right replica.
        brokers: Vec<BrokerId>,
    },
    /// Something wrong in scope stays, unsaid.
    #[error("{of} would keep replicas on {}, which are lost or not allowed", in_words(brokers))]
    Forgotten {
        /// The partition.
        of: TopicPartition,
        /// The brokers.
        brokers: Vec<BrokerId>,
    },
    /// A broker leads that is evacuated, lost or without a healthy replica.
    #[error("{of} would be led by broker {broker}, which is not to lead it")]
    Leads {
        /// The partition.
        of: TopicPartition,
        /// The broker.
        broker: BrokerId,
    },
    /// A partition is left out that could be moved.
    #[error("{of} is left out without a cause")]
    LeftOut {
        /// The partition.
        of: TopicPartition,
    },
    /// A broker is filled beyond its limit, or one of its volumes.
    #[error(
        "{}broker {broker} is filled {over_bytes} beyond its limit in step {step}",
        log_dir.as_ref().map_or_else(String::new, |dir| format!("log dir {dir} of "))
    )]
    Capacity {
        /// The broker.
        broker: BrokerId,
        /// A log dir of the volume; absent where the broker as a whole is.
        #[serde(skip_serializing_if = "Option::is_none")]
        log_dir: Option<String>,
        /// The step, from 0.
        step: usize,
        /// How far beyond.
        over_bytes: Bytes,
    },
    /// The log dirs are not one for each replica.
    #[error("{of} names log dirs that do not go with its replicas: {}", log_dirs.join(", "))]
    LogDirs {
        /// The partition.
        of: TopicPartition,
        /// The log dirs.
        log_dirs: Vec<String>,
    },
    /// A log dir that the broker does not have, or that has failed.
    #[error(
        "{of} is to go to log dir {log_dir} of broker {broker}, which is not there or has failed"
    )]
    NoSuchLogDir {
        /// The partition.
        of: TopicPartition,
        /// The broker.
        broker: BrokerId,
        /// The log dir.
        log_dir: String,
    },
    /// A broker with several volumes gets a replica, and no log dir is named.
    #[error("{of} goes to any log dir of broker {broker}, which has several volumes")]
    AnyLogDir {
        /// The partition.
        of: TopicPartition,
        /// The broker.
        broker: BrokerId,
    },
    /// More bytes are copied than the request allows.
    #[error("the plan copies {bytes}, and {most_bytes} are allowed")]
    TooManyBytes {
        /// What the plan copies.
        bytes: Bytes,
        /// What it may copy.
        most_bytes: Bytes,
    },
    /// More replicas are copied than the request allows.
    #[error("the plan copies {}, and {most} are allowed", counted(*replicas, "replica"))]
    TooManyMoves {
        /// What the plan copies.
        replicas: u64,
        /// What it may copy.
        most: u64,
    },
    /// A replica that moves for balance was to stay in its rack.
    #[error("{of} changes racks for balance, which is to stay inside racks")]
    LeavesItsRack {
        /// The partition.
        of: TopicPartition,
    },
    /// A partition that is too small to move for balance does.
    #[error("{of} moves for balance and is smaller than {least_bytes}")]
    TooSmall {
        /// The partition.
        of: TopicPartition,
        /// The least size.
        least_bytes: Bytes,
    },
    /// The figures after the plan are not what its moves come to.
    #[error(
        "the plan states {stated} for the {what}{}, its moves come to {found}",
        broker.map_or_else(String::new, |id| format!(" of broker {id}"))
    )]
    Figures {
        /// Which figure.
        what: &'static str,
        /// Whose; none: the extreme over all.
        #[serde(skip_serializing_if = "Option::is_none")]
        broker: Option<BrokerId>,
        /// What the plan says.
        stated: u64,
        /// What the snapshot and the moves say.
        found: u64,
    },
    /// The bytes stated are not what the copies come to.
    #[error("the move of {of} states {} bytes, its copies come to {}", known(stated), known(found))]
    Bytes {
        /// The partition.
        of: TopicPartition,
        /// What the plan says.
        stated: Option<Bytes>,
        /// What the snapshot says.
        found: Option<Bytes>,
    },
}

fn known(bytes: &Option<Bytes>) -> String {
    bytes.map_or_else(|| "unknown".to_owned(), |bytes| bytes.0.to_string())
}
