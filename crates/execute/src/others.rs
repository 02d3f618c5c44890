//! The configs that another process owns in the same cluster: a daemon with its own ledger.
//!
//! They are left as they are, and do not count as original values: the daemon removes them itself.

use crate::config::{Setting, ThrottleValue};
use crate::ledger::Ledger;
use std::collections::{BTreeMap, BTreeSet};

/// The throttles of other processes in the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Others {
    /// No other process is known.
    #[default]
    None,
    /// These configs, with every value, or entry of a list, that may be theirs.
    Known(BTreeMap<Setting, BTreeSet<ThrottleValue>>),
    /// There is another process whose ledger cannot be read: any value that is set may be its own.
    Unread,
}

impl Others {
    /// The configs in a ledger that is not ours.
    pub fn of(ledger: &Ledger) -> Self {
        let held = ledger.held().map(|(setting, held)| (setting.clone(), held.ours.clone()));
        Self::Known(held.collect())
    }

    /// The configs that are theirs by either reading. A ledger that is read before and after a look at the cluster
    /// covers everything that the look has shown.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unread, _) | (_, Self::Unread) => Self::Unread,
            (Self::None, one) | (one, Self::None) => one,
            (Self::Known(mut all), Self::Known(more)) => {
                for (setting, values) in more {
                    all.entry(setting).or_default().extend(values);
                }
                Self::Known(all)
            }
        }
    }

    /// Whether this value of a rate may be theirs.
    pub fn may_have_set(&self, setting: &Setting, value: &ThrottleValue) -> bool {
        match self {
            Self::None => false,
            Self::Known(all) => all.get(setting).is_some_and(|values| values.contains(value)),
            Self::Unread => true,
        }
    }

    /// The entries of a list that may be theirs.
    pub(crate) fn among(
        &self,
        setting: &Setting,
        found: &BTreeSet<ThrottleValue>,
    ) -> BTreeSet<ThrottleValue> {
        let may_be = |entry: &&ThrottleValue| self.may_have_set(setting, entry);
        match setting.key.is_list() {
            true => found.iter().filter(may_be).cloned().collect(),
            false => BTreeSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Key;
    use crate::ledger::LedgerEntry;
    use crate::reconcile::rate_setting;
    use mapper::BrokerId;

    fn known(broker: u32, ours: &str) -> Others {
        Others::of(&Ledger::replay([LedgerEntry::Held {
            setting: setting(broker),
            before: Some("5".to_owned()),
            found: None,
            ours: [ours.into()].into(),
            met: [].into(),
            owner: crate::ledger::Owner::Daemon,
        }]))
    }

    fn setting(broker: u32) -> Setting {
        rate_setting(BrokerId(broker), Key::LeaderRate)
    }

    #[test]
    fn what_stood_there_before_theirs_is_not_theirs() {
        let others = known(1, "7");
        assert!(others.may_have_set(&setting(1), &"7".into()));
        assert!(!others.may_have_set(&setting(1), &"5".into()));
        assert!(!others.may_have_set(&setting(2), &"7".into()));
    }

    #[test]
    fn two_looks_at_a_ledger_know_what_either_knew() {
        let both = Others::None.or(known(1, "7")).or(known(1, "8"));
        assert!(
            both.may_have_set(&setting(1), &"7".into())
                && both.may_have_set(&setting(1), &"8".into())
        );
        assert_eq!(both.or(Others::Unread), Others::Unread);
        assert_eq!(Others::None.or(Others::None), Others::None);
    }
}
