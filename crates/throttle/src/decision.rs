//! The decision of one round.

use crate::note::ThrottleNote;
use crate::port::ReplicationRole;
use crate::seen::OverrideScope;
use mapper::{BrokerId, PartitionId, Rate};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// The rates and lists that the cluster should have. A config that is absent is to be released as soon as nothing that
/// it covers is in flight.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ThrottleDecision {
    /// The rate of every broker that the lists name, for each role in which they name it. A rate within the change
    /// threshold is the current one, and need not be written. Brokers that are not live have a rate, too: write it when
    /// they are back.
    #[serde(serialize_with = "in_order")]
    pub rates: BTreeMap<(BrokerId, ReplicationRole), Decided>,
    /// The throttled replicas, by topic.
    pub lists: BTreeMap<String, ThrottledReplicas>,
    /// Notes for the operator.
    pub notes: BTreeSet<ThrottleNote>,
    /// The global override was to end with the copies that it paced, and they have ended.
    pub global_override_is_over: bool,
    /// Brokers whose own override was to end with the copies that it paced, and they have ended.
    pub broker_overrides_over: BTreeSet<BrokerId>,
}

/// A rate and its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// In bytes per second.
    #[serde(rename = "rate_bytes_per_second")]
    pub rate: Rate,
    /// The reason.
    #[serde(flatten)]
    pub why: RateReason,
    /// The current rate is kept, because the new one differs by less than the change threshold.
    pub kept: bool,
    /// What new replicas may use of this direction, in bytes per second; absent: capacity or traffic is unknown.
    #[serde(rename = "headroom_bytes_per_second", skip_serializing_if = "Option::is_none")]
    pub headroom: Option<Rate>,
    /// The rate below which new replicas never catch up.
    pub floor: RateFloor,
}

/// The reason for a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum RateReason {
    /// Its fair share of the paths through it.
    Share,
    /// All that its network can spare.
    Headroom,
    /// The broker feeds no replica, but would do so at once if a leader failed: all that its network can spare.
    Standby,
    /// The network can spare less than the minimum rate.
    MinRate,
    /// The rate must at least carry what producers write.
    Floor,
    /// An operator or an execution asked for it.
    Override {
        /// The brokers for which it was requested.
        scope: OverrideScope,
        /// The requested rate, in bytes per second. The actual rate is higher if this is below a known floor.
        #[serde(rename = "asked_bytes_per_second")]
        asked: Rate,
    },
    /// The capacity of its network is unknown: the minimum rate.
    CapacityUnknown,
    /// Its metrics have been missing for a short time: the rate that it had.
    MetricsMissing,
    /// Its metrics have been missing for too long: the minimum rate.
    MetricsLost,
    /// It is not live: the rate that it had, or the minimum rate, until its metrics are back.
    NotLive,
}

/// What producers write to the partitions that a rate covers, for each follower that the quota counts, and a margin.
/// The leaders' quota counts in-sync followers, too. Below this rate new replicas starve without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "known", rename_all = "snake_case")]
pub enum RateFloor {
    /// Measured.
    Now {
        /// In bytes per second.
        #[serde(rename = "bytes_per_second")]
        rate: Rate,
    },
    /// Part of it cannot be measured now: the higher of the last known rate and the measured part.
    Before {
        /// In bytes per second.
        #[serde(rename = "bytes_per_second")]
        rate: Rate,
    },
    /// Never measured yet.
    Never,
}

impl RateFloor {
    /// The rate in bytes per second, if known.
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
    /// `leader.replication.throttled.replicas`: the brokers that feed the replicas to fill, or would feed them next.
    pub leaders: BTreeSet<(PartitionId, BrokerId)>,
    /// `follower.replication.throttled.replicas`: the replicas to fill, and no others.
    pub followers: BTreeSet<(PartitionId, BrokerId)>,
}

/// JSON objects cannot have keys with two parts.
fn in_order<S: Serializer>(
    rates: &BTreeMap<(BrokerId, ReplicationRole), Decided>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct BrokerRate<'d> {
        broker: BrokerId,
        role: ReplicationRole,
        #[serde(flatten)]
        decided: &'d Decided,
    }
    let mut list = serializer.serialize_seq(Some(rates.len()))?;
    for ((broker, role), decided) in rates {
        list.serialize_element(&BrokerRate { broker: *broker, role: *role, decided })?;
    }
    list.end()
}
