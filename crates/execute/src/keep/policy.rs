//! What an operator allows `keep` to do.

use super::DAY_SECONDS;
use mapper::{BalanceGoal, Bytes, Rate, Ratio};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// How far `keep` goes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeepMode {
    /// It does not look for this.
    #[default]
    Off,
    /// It makes a plan, which an operator approves or not.
    Propose,
    /// It makes a plan and carries it out.
    Act,
}

/// What calls for a plan, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// A broker that holds replicas is not live.
    LostBroker,
    /// A live broker is cordoned and still holds replicas.
    LeavingBroker,
    /// A disk is fuller than a mark.
    FullDisk,
    /// A disk is expected to be fuller than that mark.
    FillingDisk,
    /// Topics have replicas outside the brokers of their map.
    Drift,
    /// A live broker holds no replica.
    NewBroker,
    /// A load is less even than a plan would make it.
    Imbalance,
    /// Certificates of brokers expire soon. No plan renews them.
    Certificates,
}

impl Trigger {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 8] = [
        Self::LostBroker,
        Self::LeavingBroker,
        Self::FullDisk,
        Self::FillingDisk,
        Self::Drift,
        Self::NewBroker,
        Self::Imbalance,
        Self::Certificates,
    ];

    /// Its name in policies and notes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LostBroker => "lost-broker",
            Self::LeavingBroker => "leaving-broker",
            Self::FullDisk => "full-disk",
            Self::FillingDisk => "filling-disk",
            Self::Drift => "drift",
            Self::NewBroker => "new-broker",
            Self::Imbalance => "imbalance",
            Self::Certificates => "certificates",
        }
    }

    /// Whether data stays where it is if nothing is done. Such a plan begins only after the need has lasted for as long
    /// as its copies take: a load that changes faster than that would be followed for nothing.
    #[must_use]
    pub const fn is_for_evenness(self) -> bool {
        matches!(self, Self::NewBroker | Self::Imbalance)
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an operator allows for one trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TriggerTerms {
    /// How far `keep` goes.
    pub mode: KeepMode,
    /// How long a need has to last before its plan may begin, in seconds.
    pub for_seconds: u64,
    /// The least time since the last plan of this trigger ended, in seconds.
    pub rest_seconds: u64,
    /// The most bytes that one plan copies; `None`: no limit.
    pub max_bytes: Option<Bytes>,
}

/// What an operator allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepPolicy {
    /// By trigger. One that is missing is off.
    pub triggers: BTreeMap<Trigger, TriggerTerms>,
    /// The throttle of executions, for each direction of each broker.
    pub throttle: Rate,
    /// A broker whose node is cordoned is [`Trigger::LeavingBroker`], too.
    pub nodes_leave: bool,
    /// A disk that is fuller than this share of it is [`Trigger::FullDisk`].
    pub full: Ratio,
    /// A plan for [`Trigger::FullDisk`] leaves this share of it used.
    pub relieved: Ratio,
    /// How far [`Trigger::FillingDisk`] looks ahead, in days.
    pub ahead_days: usize,
    /// A certificate that expires within this time is [`Trigger::Certificates`], in seconds.
    pub certificate_seconds: u64,
    /// What [`Trigger::Imbalance`] evens, the most important first.
    pub goals: Vec<BalanceGoal>,
    /// The most loaded broker has to lose at least this share of its load by a plan for [`Trigger::Imbalance`].
    pub band: Ratio,
    /// The share of each volume that plans leave free.
    pub storage_headroom: Ratio,
    /// The most bytes that a plan copies together with those that ended in the last 24 hours; `None`: no limit.
    pub bytes_per_day: Option<Bytes>,
    /// When plans are carried out; `None`: always.
    pub hours: Option<Hours>,
}

impl Default for KeepPolicy {
    /// Nothing is allowed.
    fn default() -> Self {
        Self {
            triggers: BTreeMap::new(),
            throttle: Rate(0),
            nodes_leave: false,
            full: Ratio::from_percent(85),
            relieved: Ratio::from_percent(80),
            ahead_days: 7,
            certificate_seconds: 30 * DAY_SECONDS,
            goals: vec![BalanceGoal::Storage],
            band: Ratio::from_percent(10),
            storage_headroom: Ratio::from_percent(10),
            bytes_per_day: None,
            hours: None,
        }
    }
}

impl KeepPolicy {
    /// The terms of a trigger that is not off.
    pub(super) fn terms(&self, trigger: Trigger) -> Option<&TriggerTerms> {
        self.triggers.get(&trigger).filter(|terms| terms.mode != KeepMode::Off)
    }

    /// How many days ahead `keep` has to know the cluster; `None`: no plan depends on it.
    #[must_use]
    pub fn looks_ahead_days(&self) -> Option<usize> {
        self.terms(Trigger::FillingDisk).map(|_| self.ahead_days)
    }

    /// Certificates that expire within this time are told, in seconds; `None`: they are not looked at.
    #[must_use]
    pub fn tells_certificates_seconds(&self) -> Option<u64> {
        self.terms(Trigger::Certificates).map(|_| self.certificate_seconds)
    }

    /// After how long `keep` replaces a lost broker by itself, in seconds, at least 1; `None`: it does not.
    #[must_use]
    pub fn replaces_lost_after_seconds(&self) -> Option<u64> {
        let terms = self.terms(Trigger::LostBroker);
        terms.filter(|terms| terms.mode == KeepMode::Act).map(|terms| terms.for_seconds.max(1))
    }

    /// The longest time between two looks that counts in full. After a longer one nothing is known of the time between: the
    /// clock may have been set, or the need may have been gone.
    #[must_use]
    pub fn between_looks_seconds(&self) -> u64 {
        let waits = Trigger::ALL.into_iter().filter_map(|trigger| self.terms(trigger));
        let waits = waits.map(|terms| terms.for_seconds).filter(|seconds| *seconds > 0);
        (waits.min().unwrap_or(DAY_SECONDS) / 2).max(1)
    }
}

/// Some hours of each day (UTC). They may go past midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// When they begin, in seconds after midnight.
    pub from_seconds: u64,
    /// When they end, in seconds after midnight.
    pub until_seconds: u64,
}

impl Hours {
    /// The seconds until they end; `None`: they have not begun.
    #[must_use]
    pub fn left_seconds(&self, at_seconds: u64) -> Option<u64> {
        let since = |from: u64, to: u64| (to + DAY_SECONDS - from % DAY_SECONDS) % DAY_SECONDS;
        let length = since(self.from_seconds, self.until_seconds);
        let gone = since(self.from_seconds, at_seconds % DAY_SECONDS);
        // From an hour to the same hour is a whole day.
        let length = if length == 0 { DAY_SECONDS } else { length };
        length.checked_sub(gone).filter(|left| *left > 0)
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |seconds: u64| format!("{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60);
        write!(f, "{}-{} UTC", clock(self.from_seconds), clock(self.until_seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_go_past_midnight() {
        let at = |hour: u64| 10 * DAY_SECONDS + hour * 3600;
        let night = Hours { from_seconds: 22 * 3600, until_seconds: 6 * 3600 };
        assert_eq!(night.left_seconds(at(21)), None);
        assert_eq!(night.left_seconds(at(22)), Some(8 * 3600));
        assert_eq!(night.left_seconds(at(0)), Some(6 * 3600));
        assert_eq!(night.left_seconds(at(6)), None);
        let day = Hours { from_seconds: 8 * 3600, until_seconds: 18 * 3600 };
        assert_eq!(
            [7, 8, 17, 18].map(|hour| day.left_seconds(at(hour)).is_some()),
            [false, true, true, false]
        );
        let always = Hours { from_seconds: 0, until_seconds: 0 };
        assert_eq!(always.left_seconds(at(23)), Some(3600));
        assert_eq!(night.to_string(), "22:00-06:00 UTC");
    }
}
