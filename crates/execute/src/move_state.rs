//! The state of one move: done, moving, ready, hindered or left.

use mapper::{BrokerId, Bytes};
use serde::{Deserialize, Serialize};

/// The progress of one move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoveState {
    /// The partition has the plan's replicas, in the plan's order and in the log dirs that the plan names. It is not
    /// being reassigned.
    Done,
    /// The partition is being reassigned to the plan's replicas, or a broker is copying its replica to the log dir.
    Moving,
    /// It can be submitted.
    Ready,
    /// It cannot be submitted now.
    Hindered(MoveHindrance),
    /// It will not be carried out.
    Left(WhyLeft),
}

/// What keeps a move from being submitted for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "hindrance", rename_all = "snake_case")]
pub enum MoveHindrance {
    /// The partition has no live leader. Kafka would accept the move, but it would never progress. In KRaft it could
    /// not even be cancelled.
    NoLeader {
        /// The brokers of which one has to return.
        heals: Vec<BrokerId>,
    },
    /// Brokers that get a replica are not live, or do not report their log dirs where the plan names one. Or Kafka
    /// refuses the list because of other brokers that are not live.
    DeadReplicas {
        /// The brokers.
        brokers: Vec<BrokerId>,
    },
    /// It is unknown whether its topic still exists.
    Untold,
    /// Brokers that get a replica, or the log dir that the plan names, were cordoned after the plan was made.
    Cordoned {
        /// The brokers.
        brokers: Vec<BrokerId>,
        /// The log dir, if the broker as a whole is not cordoned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log_dir: Option<String>,
    },
    /// Another submission for the same partition, of an earlier step, comes first.
    NotItsTurn,
    /// Another tool is moving the partition.
    MovedByOthers {
        /// The target of that move.
        target: Vec<BrokerId>,
    },
    /// A disk has too little room.
    NoRoom {
        /// The broker.
        broker: BrokerId,
        /// The log dir, if the plan names one and the broker has room in another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log_dir: Option<String>,
        /// How many bytes are missing.
        missing_bytes: Bytes,
    },
    /// An earlier move that makes room on the same broker is not done, and the free space is unknown.
    RoomNotFreed {
        /// The broker.
        broker: BrokerId,
    },
}

/// Why a move will not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum WhyLeft {
    /// The partition no longer has the replicas that it had when the plan was made.
    Changed {
        /// The replicas that it has.
        found: Vec<BrokerId>,
    },
    /// Its topic was deleted, or recreated with fewer partitions.
    Gone,
    /// It was in flight, and another tool has cancelled it. Another run (`--resume`) tries it again.
    CancelledByOthers,
    /// Kafka refuses it.
    Refused {
        /// Kafka's message.
        problem: String,
    },
}
