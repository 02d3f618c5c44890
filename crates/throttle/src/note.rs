//! Notes for the operator about one round.

use crate::port::ReplicationRole;
use mapper::{BrokerId, Rate, Ratio, TopicPartition};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// A note for the operator, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum ThrottleNote {
    /// The capacity of the broker's network is unknown: it gets the minimum rate; the other brokers are not affected.
    UnknownCapacity {
        /// The broker.
        broker: BrokerId,
    },
    /// The broker's metrics are missing.
    MetricsMissing {
        /// The broker.
        broker: BrokerId,
        /// For how many rounds in a row.
        rounds: u32,
        /// What it gets until they are back.
        fallback: Fallback,
    },
    /// A requested rate is below what producers write: it was raised.
    OverrideRaised {
        /// The broker.
        broker: BrokerId,
        /// The role.
        role: ReplicationRole,
        /// The requested rate, in bytes per second.
        #[serde(rename = "asked_bytes_per_second")]
        asked: Rate,
        /// The raised rate, in bytes per second.
        #[serde(rename = "floor_bytes_per_second")]
        floor: Rate,
    },
    /// A requested rate is used unchanged, although it is unknown whether producers write more.
    OverrideAboveUnknownFloor {
        /// The broker.
        broker: BrokerId,
        /// The role.
        role: ReplicationRole,
        /// The requested rate, in bytes per second.
        #[serde(rename = "asked_bytes_per_second")]
        asked: Rate,
    },
    /// What producers write alone is more than the network can spare: this move slows clients down.
    FloorAboveHeadroom {
        /// The broker.
        broker: BrokerId,
        /// The role.
        role: ReplicationRole,
        /// What new replicas need, in bytes per second.
        #[serde(rename = "floor_bytes_per_second")]
        floor: Rate,
        /// What the network can spare, in bytes per second.
        #[serde(rename = "headroom_bytes_per_second")]
        headroom: Rate,
    },
    /// A broker is unhealthy: it gets less until it is better.
    Ill {
        /// The broker.
        broker: BrokerId,
        /// What is wrong.
        why: WhyIll,
        /// The share of its headroom that is used now.
        used: Ratio,
    },
    /// Replicas have made no progress for too long.
    Stalled {
        /// The broker whose rate limits them, as far as rates do.
        broker: BrokerId,
        /// The role.
        role: ReplicationRole,
        /// The least time without progress, in whole seconds.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        since: Duration,
        /// The partitions.
        partitions: BTreeSet<TopicPartition>,
    },
    /// Replicas are filled at full speed, before all others.
    Unpaced {
        /// The partition.
        of: TopicPartition,
        /// The reason.
        why: WhyNotThrottled,
    },
    /// This partition has no leader: its new replicas wait for one of the in-sync replicas to come back.
    NoLeader {
        /// The partition.
        of: TopicPartition,
    },
}

/// What a broker without metrics gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// The rate that it had.
    RateBefore,
    /// The minimum rate.
    MinRate,
}

/// Why a broker is unhealthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyIll {
    /// Produce requests take too long.
    ProduceLatency,
    /// Fetches take too long.
    FetchLatency,
    /// Its request handlers are too busy.
    RequestHandlers,
    /// More of the partitions that it leads are below their min ISR than before.
    UnderMinIsr,
    /// The canary's small messages take too long to it and back.
    Canary,
}

/// Why a recovery is not throttled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyNotThrottled {
    /// Fewer replicas are in sync than `min.insync.replicas`: writes of producers with `acks=all` fail.
    UnderMinIsr,
    /// Only one replica is in sync: if its broker is lost, so is the data.
    LastInSync,
}

fn seconds<S: serde::Serializer>(since: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(since.as_secs())
}
