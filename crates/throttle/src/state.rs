//! What one round has to remember for the next.

use crate::peak::Peak;
use crate::port::PerDirection;
use crate::watch::WatchedPartition;
use mapper::{BrokerId, Rate, Ratio};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What one round has to remember for the next. It grows with the brokers that copy, and the partitions with replicas
/// to fill. A daemon that starts without it has the same knowledge after two rounds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThrottleMemory {
    /// When the round before was; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_milliseconds: Option<u64>,
    #[serde(default)]
    pub(crate) brokers: BTreeMap<BrokerId, BrokerMemory>,
    /// In order of partition.
    #[serde(default)]
    pub(crate) copies: Vec<WatchedPartition>,
    /// In order of their ends.
    #[serde(default)]
    pub(crate) paths: Vec<PathMemory>,
    /// The global override has paced a copy.
    #[serde(default)]
    pub(crate) global_override_paced: bool,
    /// Brokers whose own override ends with the copies that it paces, and has paced one.
    #[serde(default)]
    pub(crate) passing_overrides: BTreeSet<BrokerId>,
}

impl ThrottleMemory {
    /// The time since the round before, in milliseconds; `None` if nothing can be measured from it.
    pub(crate) fn elapsed(&self, now: u64) -> Option<u64> {
        now.checked_sub(self.at_milliseconds?).filter(|elapsed| *elapsed > 0)
    }
}

/// What is remembered of one broker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BrokerMemory {
    pub(crate) ports: PerDirection<PortMemory>,
    /// For how many rounds in a row its metrics were missing.
    #[serde(default)]
    pub(crate) missing_rounds: u32,
    #[serde(default)]
    pub(crate) wellbeing: Wellbeing,
}

/// How much of its headroom a broker may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wellbeing {
    pub(crate) used_ratio: Ratio,
    /// When that last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) changed_milliseconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) under_min_isr: Option<u64>,
}

impl Default for Wellbeing {
    fn default() -> Self {
        Self { used_ratio: Ratio::ONE, changed_milliseconds: None, under_min_isr: None }
    }
}

/// What is remembered of one broker in one role. Rates in bytes per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PortMemory {
    /// The decided rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<Rate>,
    /// The last known floor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) floor: Option<Rate>,
    /// Traffic that no throttle limits: clients, and what keeps followers in sync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) protected: Option<Rate>,
    /// Its recent peak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) peak: Option<Peak>,
    /// All traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) total: Option<Rate>,
    /// The traffic that keeps followers in sync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) in_sync: Option<Rate>,
    /// What new replicas got, as an average over the window of the traffic's metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) moved: Option<Rate>,
}

/// What is remembered of what one broker sends to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PathMemory {
    pub(crate) from: BrokerId,
    pub(crate) to: BrokerId,
    /// Its share, in bytes per second.
    pub(crate) share: Rate,
    /// What it uses of its share, as an average over some time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) used: Option<Rate>,
}
