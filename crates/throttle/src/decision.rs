//! What is decided in one round.

use crate::note::Note;
use crate::port::Role;
use crate::seen::OverrideScope;
use mapper::{BrokerId, PartitionId, Rate};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// The rates and lists that are to stand in the cluster. What is absent is to be released, as soon as nothing that it
/// covers is in flight.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The rate of every broker that the lists name, in the role in which they name it. One that need not be written
    /// (within the change threshold) is the one that stands already. Brokers that are not live have theirs, too: it is
    /// to be written when they are back.
    #[serde(serialize_with = "in_order")]
    pub rates: BTreeMap<(BrokerId, Role), Decided>,
    /// The throttled replicas, by topic.
    pub lists: BTreeMap<String, ThrottledReplicas>,
    /// What an operator should know.
    pub notes: BTreeSet<Note>,
    /// The global override was to end with the copies that it paced, and they are over.
    pub global_override_is_over: bool,
    /// Brokers whose own override was to end with the copies that it paced, and they are over.
    pub broker_overrides_over: BTreeSet<BrokerId>,
}

/// A rate, and why it is this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// In bytes per second.
    #[serde(rename = "rate_bytes_per_second")]
    pub rate: Rate,
    /// What it follows from.
    #[serde(flatten)]
    pub why: Why,
    /// It would be a little different, by less than the change threshold: what stands is kept.
    pub kept: bool,
    /// What new replicas may have of this direction, in bytes per second; absent: capacity or traffic is unknown.
    #[serde(rename = "headroom_bytes_per_second", skip_serializing_if = "Option::is_none")]
    pub headroom: Option<Rate>,
    /// Below it, new replicas never catch up.
    pub floor: Floor,
}

/// What a rate follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// Its fair share of the paths through it.
    Share,
    /// All that its network can spare.
    Headroom,
    /// It feeds nobody, and would at once if a leader failed: all that its network can spare.
    Standby,
    /// The network can spare less than the least rate.
    MinRate,
    /// What producers write has to fit through.
    Floor,
    /// It was asked for.
    Override {
        /// For whom.
        scope: OverrideScope,
        /// In bytes per second; the rate is higher where this is below a known floor.
        #[serde(rename = "asked_bytes_per_second")]
        asked: Rate,
    },
    /// What its network can carry is unknown: the least rate.
    CapacityUnknown,
    /// Its metrics are missing, not for long: the rate that it had.
    MetricsMissing,
    /// Its metrics are missing for too long: the least rate.
    MetricsLost,
    /// It is not live: the rate that it had, or the least one, until its metrics are back.
    NotLive,
}

/// What producers write to the partitions that a rate covers, for each follower that it counts, and a margin: the
/// leaders' quota counts what is in sync, too, and below this new replicas starve without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "known", rename_all = "snake_case")]
pub enum Floor {
    /// Measured.
    Now {
        /// In bytes per second.
        #[serde(rename = "bytes_per_second")]
        rate: Rate,
    },
    /// Some of it cannot be measured now: the higher one of the last that was known and of what is measured.
    Before {
        /// In bytes per second.
        #[serde(rename = "bytes_per_second")]
        rate: Rate,
    },
    /// Never measured yet.
    Never,
}

impl Floor {
    /// In bytes per second, where it is known.
    pub const fn rate(self) -> Option<Rate> {
        match self {
            Self::Now { rate } | Self::Before { rate } => Some(rate),
            Self::Never => None,
        }
    }
}

/// The throttled replicas of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ThrottledReplicas {
    /// `leader.replication.throttled.replicas`: who feeds the replicas that are to be filled, or would next.
    pub leaders: BTreeSet<(PartitionId, BrokerId)>,
    /// `follower.replication.throttled.replicas`: the replicas that are to be filled, and no others.
    pub followers: BTreeSet<(PartitionId, BrokerId)>,
}

/// JSON has no maps with keys of two parts.
fn in_order<S: Serializer>(
    rates: &BTreeMap<(BrokerId, Role), Decided>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct OfBroker<'d> {
        broker: BrokerId,
        role: Role,
        #[serde(flatten)]
        decided: &'d Decided,
    }
    let mut list = serializer.serialize_seq(Some(rates.len()))?;
    for ((broker, role), decided) in rates {
        list.serialize_element(&OfBroker { broker: *broker, role: *role, decided })?;
    }
    list.end()
}
