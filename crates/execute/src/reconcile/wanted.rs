//! What the configs of a throttle, and the cordons, have to say.

use super::cordoning::cordon_setting;
use crate::config::{Setting, ThrottledReplica};
use crate::ledger::Owner;
use mapper::{BrokerId, Rate};
use std::collections::{BTreeMap, BTreeSet};

/// What the throttle's configs have to say now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedConfigs {
    /// The owner of these configs.
    pub owner: Owner,
    /// The rates of brokers.
    pub rates: BTreeMap<Setting, WantedRate>,
    /// The lists of topics.
    pub lists: BTreeMap<Setting, List>,
    /// Brokers whose log dirs are all cordoned.
    pub cordons: BTreeSet<BrokerId>,
    /// Values that were set while nothing moved. Each is an original value, even if a move that no ledger lists runs
    /// now.
    pub originals: BTreeMap<Setting, String>,
    /// Moves of other tools have just ended, and their rates may still be set.
    pub unsettled: bool,
}

impl WantedConfigs {
    pub(super) fn wants(&self, setting: &Setting) -> bool {
        let cordoned = || self.cordons.iter().any(|broker| cordon_setting(*broker) == *setting);
        self.rates.contains_key(setting) || self.lists.contains_key(setting) || cordoned()
    }
}

/// The rate that a broker has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedRate {
    /// This rate.
    At(Rate),
    /// Keep the rate that is set, no matter which tool set it.
    LeaveAsItIs,
}

/// What one list has to name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// Entries that are needed now.
    pub now: BTreeSet<ThrottledReplica>,
    /// Entries that are needed now or later: if one is found and not needed, it is ours to remove.
    pub ever: BTreeSet<ThrottledReplica>,
    /// Entries of moves in flight that are certainly ours, although the ledger may be lost. Or entries of another tool
    /// that removes them with its move. Neither is an original value.
    pub in_flight: BTreeSet<ThrottledReplica>,
}
