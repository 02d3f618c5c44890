//! A promise that a plan breaks.

use crate::bytes::Bytes;
use crate::counted::{counted, plural};
use crate::ids::{BrokerId, TopicPartition, in_words};
use crate::scope::ScopeError;
use serde::Serialize;

/// A broken promise, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "promise", rename_all = "snake_case")]
pub enum Violation {
    /// The plan's own scope does not fit this snapshot.
    #[error("the plan's topics do not fit this snapshot: {0}")]
    Scope(ScopeError),
    /// The snapshot has no such partition.
    #[error("{of} does not exist")]
    UnknownPartition {
        /// The partition.
        of: TopicPartition,
    },
    /// One partition has two entries.
    #[error("{of} is changed twice")]
    ChangedTwice {
        /// The partition.
        of: TopicPartition,
    },
    /// A step names a move that does not exist.
    #[error("a step names move {index}, which does not exist")]
    NoSuchMove {
        /// The index.
        index: usize,
    },
    /// A move does not have exactly one step for each list that it submits.
    #[error("the move of {of} stands in {}, not in {asked}", counted(*times, "step"))]
    Steps {
        /// The partition.
        of: TopicPartition,
        /// The number of its steps.
        times: usize,
        /// The number that it should have.
        asked: usize,
    },
    /// A move is twice in one step.
    #[error("the move of {of} stands twice in step {step}")]
    TwiceInStep {
        /// The partition.
        of: TopicPartition,
        /// The step, from 0.
        step: usize,
    },
    /// A list between the ends of a move that the request does not ask for, or that the move does not need.
    #[error("{of} goes by way of {}, which leads nowhere", in_words(list))]
    Detour {
        /// The partition.
        of: TopicPartition,
        /// The list.
        list: Vec<BrokerId>,
    },
    /// A list between the ends of a move drops a healthy replica before another one has replaced it.
    #[error("{of} would have too few sound replicas on its way: {}", in_words(list))]
    TooFewCopies {
        /// The partition.
        of: TopicPartition,
        /// The list.
        list: Vec<BrokerId>,
    },
    /// A step copies more bytes than the request allows.
    #[error("step {step} copies {bytes}, and {most_bytes} are allowed")]
    StepBytes {
        /// The step, from 0.
        step: usize,
        /// The bytes that it copies.
        bytes: Bytes,
        /// The bytes that it may copy.
        most_bytes: Bytes,
    },
    /// A broker has more moves in a step than the request allows.
    #[error("broker {broker} takes part in {moves} moves of step {step}, and {most} are allowed")]
    StepMoves {
        /// The step, from 0.
        step: usize,
        /// The broker.
        broker: BrokerId,
        /// The number of its moves.
        moves: u32,
        /// The number that is allowed.
        most: u32,
    },
    /// More brokers give up replicas in a step than the request allows.
    #[error(
        "step {step} takes replicas off {}, and {} at a time {} allowed",
        in_words(brokers), counted(*most, "broker"), plural(*most, "is", "are")
    )]
    StepBrokers {
        /// The step, from 0.
        step: usize,
        /// The brokers.
        brokers: Vec<BrokerId>,
        /// The number that is allowed.
        most: u32,
    },
    /// The request does not cover the topic.
    #[error("{of} moves, but is out of scope")]
    OutOfScope {
        /// The partition.
        of: TopicPartition,
    },
    /// The plan starts from another list than the snapshot has.
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
    /// A broker is twice in one list.
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
    /// The replication factor is not the requested one.
    #[error("{of} would have {found} replicas, not {asked}")]
    Factor {
        /// The partition.
        of: TopicPartition,
        /// The requested factor.
        asked: usize,
        /// The plan's factor.
        found: usize,
    },
    /// The spread over racks gets worse, or newly breaks the rule.
    #[error("{of} would spread worse over racks or hosts: {after}, before {before}")]
    Racks {
        /// The partition.
        of: TopicPartition,
        /// The racks before, with their replicas.
        before: String,
        /// The racks after.
        after: String,
    },
    /// A move of a partition without a live leader is submitted.
    #[error("{of} has no live leader and must not be reassigned")]
    NoLeader {
        /// The partition.
        of: TopicPartition,
    },
    /// A move is submitted over a running reassignment.
    #[error("{of} is being reassigned and must not be submitted again")]
    Reassigning {
        /// The partition.
        of: TopicPartition,
    },
    /// A topic moves whose data is not in brokers' logs.
    #[error("{of} must not be moved: what a move does to a topic with {config} is unknown")]
    Diskless {
        /// The partition.
        of: TopicPartition,
        /// The topic's config.
        config: String,
    },
    /// Healthy seats move without a reason.
    #[error("{of} moves away from {} without a reason", in_words(brokers))]
    NoReason {
        /// The partition.
        of: TopicPartition,
        /// The brokers with a healthy replica.
        brokers: Vec<BrokerId>,
    },
    /// Something wrong in scope stays, and the plan does not report it.
    #[error("{of} would keep replicas on {}, which are lost or not allowed", in_words(brokers))]
    Forgotten {
        /// The partition.
        of: TopicPartition,
        /// The brokers.
        brokers: Vec<BrokerId>,
    },
    /// The preferred leader is evacuated, lost or without a healthy replica.
    #[error("{of} would be led by broker {broker}, which is not to lead it")]
    Leads {
        /// The partition.
        of: TopicPartition,
        /// The broker.
        broker: BrokerId,
    },
    /// A partition is left out although it could be moved.
    #[error("{of} is left out without a cause")]
    LeftOut {
        /// The partition.
        of: TopicPartition,
    },
    /// A broker, or one of its volumes, is filled beyond its limit.
    #[error(
        "{}broker {broker} is filled {over_bytes} beyond its limit in step {step}",
        log_dir.as_ref().map_or_else(String::new, |dir| format!("log dir {dir} of "))
    )]
    Capacity {
        /// The broker.
        broker: BrokerId,
        /// A log dir of the volume; absent for the broker as a whole.
        #[serde(skip_serializing_if = "Option::is_none")]
        log_dir: Option<String>,
        /// The step, from 0.
        step: usize,
        /// By how many bytes.
        over_bytes: Bytes,
    },
    /// The number of log dirs differs from the number of replicas.
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
    /// A broker with several volumes gets a replica, but no log dir is named.
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
        /// The bytes that the plan copies.
        bytes: Bytes,
        /// The bytes that it may copy.
        most_bytes: Bytes,
    },
    /// More replicas are copied than the request allows.
    #[error("the plan copies {}, and {most} are allowed", counted(*replicas, "replica"))]
    TooManyMoves {
        /// The replicas that the plan copies.
        replicas: u64,
        /// The number that it may copy.
        most: u64,
    },
    /// A replica that moves for balance leaves its rack, although it should stay there.
    #[error("{of} changes racks for balance, which is to stay inside racks")]
    LeavesItsRack {
        /// The partition.
        of: TopicPartition,
    },
    /// A partition moves for balance although it is too small.
    #[error("{of} moves for balance and is smaller than {least_bytes}")]
    TooSmall {
        /// The partition.
        of: TopicPartition,
        /// The least size.
        least_bytes: Bytes,
    },
    /// The bytes between volumes in the plan do not match its copies.
    #[error("the move of {of} states {stated} between volumes, its copies come to {found}")]
    DiskBytes {
        /// The partition.
        of: TopicPartition,
        /// The plan's value.
        stated: Bytes,
        /// The value from the snapshot.
        found: Bytes,
    },
    /// The figures after the plan do not match its moves.
    #[error(
        "the plan states {stated} for the {what}{}, its moves come to {found}",
        broker.map_or_else(String::new, |id| format!(" of broker {id}"))
    )]
    Figures {
        /// The figure.
        what: &'static str,
        /// Its broker; none: the extreme over all brokers.
        #[serde(skip_serializing_if = "Option::is_none")]
        broker: Option<BrokerId>,
        /// The plan's value.
        stated: u64,
        /// The value from the snapshot and the moves.
        found: u64,
    },
    /// The bytes in the plan do not match its copies.
    #[error("the move of {of} states {} bytes, its copies come to {}", known(stated), known(found))]
    Bytes {
        /// The partition.
        of: TopicPartition,
        /// The plan's value.
        stated: Option<Bytes>,
        /// The value from the snapshot.
        found: Option<Bytes>,
    },
}

fn known(bytes: &Option<Bytes>) -> String {
    bytes.map_or_else(|| "unknown".to_owned(), |bytes| bytes.0.to_string())
}
