//! What an operator should know of a round.

use crate::port::Role;
use mapper::{BrokerId, Rate, Ratio, TopicPartition};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// What an operator should know, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// Nobody has told what the broker's network can carry: it gets the least rate, the others go on.
    UnknownCapacity {
        /// Which.
        broker: BrokerId,
    },
    /// The broker's metrics are missing.
    MetricsMissing {
        /// Which.
        broker: BrokerId,
        /// For how many rounds in a row.
        rounds: u32,
        /// What it gets meanwhile.
        fallback: Fallback,
    },
    /// A rate that was asked for is below what producers write: it was raised.
    OverrideRaised {
        /// On which broker.
        broker: BrokerId,
        /// In which role.
        role: Role,
        /// What was asked for, in bytes per second.
        #[serde(rename = "asked_bytes_per_second")]
        asked: Rate,
        /// What it was raised to, in bytes per second.
        #[serde(rename = "floor_bytes_per_second")]
        floor: Rate,
    },
    /// A rate that was asked for is taken as it is, though nobody knows whether producers write more.
    OverrideAboveUnknownFloor {
        /// On which broker.
        broker: BrokerId,
        /// In which role.
        role: Role,
        /// What was asked for, in bytes per second.
        #[serde(rename = "asked_bytes_per_second")]
        asked: Rate,
    },
    /// What producers write alone is more than the network can spare: clients feel this move.
    FloorAboveHeadroom {
        /// On which broker.
        broker: BrokerId,
        /// In which role.
        role: Role,
        /// What new replicas need, in bytes per second.
        #[serde(rename = "floor_bytes_per_second")]
        floor: Rate,
        /// What there is, in bytes per second.
        #[serde(rename = "headroom_bytes_per_second")]
        headroom: Rate,
    },
    /// A broker feels ill: it gets less until it is better.
    Ill {
        /// Which.
        broker: BrokerId,
        /// Of what.
        why: WhyIll,
        /// The share of its headroom that is used now.
        used: Ratio,
    },
    /// Replicas have got nothing for too long.
    Stalled {
        /// The broker whose rate holds them back, as far as rates do.
        broker: BrokerId,
        /// In which role.
        role: Role,
        /// For how long at least, in whole seconds.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        since: Duration,
        /// Which partitions.
        partitions: BTreeSet<TopicPartition>,
    },
    /// Replicas are filled as fast as it goes, before all others.
    Unpaced {
        /// Of which partition.
        of: TopicPartition,
        /// Why.
        why: Unpaced,
    },
    /// Nobody leads this partition: its new replicas wait for one of those in sync to come back.
    NoLeader {
        /// Which.
        of: TopicPartition,
    },
}

/// What a broker without metrics gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// The rate that it had.
    RateBefore,
    /// The least rate.
    MinRate,
}

/// What a broker suffers from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyIll {
    /// Produce requests take too long.
    ProduceLatency,
    /// Fetches take too long.
    FetchLatency,
    /// Its request handlers are too busy.
    RequestHandlers,
    /// More partitions that it leads are under their minimum of replicas in sync than before.
    UnderMinIsr,
    /// Small messages of our own take too long to it and back.
    Canary,
}

/// Why a recovery is not held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unpaced {
    /// Fewer replicas are in sync than `min.insync.replicas`: producers with `acks=all` are turned away.
    UnderMinIsr,
    /// One replica is in sync: its broker's loss would be the data's.
    LastInSync,
}

fn seconds<S: serde::Serializer>(since: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(since.as_secs())
}
