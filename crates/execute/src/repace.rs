//! Changes the rate of what is already paced, when no execution runs that could set it.
//!
//! In: the ledger, the cluster, the rate. Out: the ledger lines to write and the configs to set. Only rates that are
//! ours are changed, and only if they still have the value that we set. Lists stay, and the ledger keeps the original
//! values.

use crate::action::Action;
use crate::config::Key;
use crate::ledger::Ledger;
use crate::reconcile::{Stray, WantedConfigs, WantedRate, reconcile};
use crate::seen::Seen;
use mapper::Rate;
use std::collections::BTreeSet;

/// The result of a rate change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repaced {
    /// [`Action::Account`] and [`Action::Set`] only, the ledger lines first; empty: every rate that is ours has this
    /// value.
    pub actions: Vec<Action>,
    /// Configs that are left alone: changed by other tools since, or on a broker that does not answer.
    pub strays: BTreeSet<Stray>,
}

/// Gives every rate that is ours this value.
pub fn repace(ledger: &Ledger, seen: &Seen, rate: Rate) -> Repaced {
    let mut repaced = Repaced::default();
    for (setting, held) in ledger.held().filter(|(setting, _)| Key::RATES.contains(&setting.key)) {
        let alone = Ledger::replay([held.line(setting)]);
        let rates = [(setting.clone(), WantedRate::At(rate))].into();
        let wanted = WantedConfigs { owner: held.owner.clone(), rates, ..WantedConfigs::default() };
        let holding = reconcile(&wanted, &alone, seen);
        repaced.actions.extend(holding.actions);
        repaced.strays.extend(holding.strays);
    }
    repaced.actions.sort_by_key(|action| !matches!(action, Action::Account(_)));
    repaced
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Setting, ThrottleResource};
    use crate::ledger::LedgerEntry;
    use crate::reconcile::rate_setting;
    use mapper::BrokerId;
    use std::collections::BTreeMap;

    fn held(setting: Setting, ours: &str) -> LedgerEntry {
        let (before, owner) = (Some("7".to_owned()), "p".to_owned().into());
        LedgerEntry::Held {
            setting,
            before,
            found: None,
            ours: [ours.into()].into(),
            met: [].into(),
            owner,
        }
    }

    fn rate(broker: u32) -> Setting {
        rate_setting(BrokerId(broker), Key::FollowerRate)
    }

    /// Broker 1 has our rate, another tool has changed that of 2, and 3 does not answer. The topic has our list.
    fn world() -> (Ledger, Seen) {
        let list = Setting {
            resource: ThrottleResource::Topic("t".to_owned()),
            key: Key::FollowerReplicas,
        };
        let lines = [held(rate(1), "10"), held(rate(2), "10"), held(rate(3), "10")];
        let ledger = Ledger::replay(lines.into_iter().chain([held(list.clone(), "0:1")]));
        let set = |key, value: &str| BTreeMap::from([(key, value.to_owned())]);
        let configs = [
            (rate(1).resource, set(Key::FollowerRate, "10")),
            (rate(2).resource, set(Key::FollowerRate, "99")),
            (list.resource, set(Key::FollowerReplicas, "0:1")),
        ];
        let live = [1, 2, 3].map(BrokerId).into();
        (ledger, Seen { live, configs: configs.into(), ..Seen::default() })
    }

    #[test]
    fn what_is_ours_is_accounted_for_and_set_and_nothing_else_is_touched() {
        let (ledger, seen) = world();
        let repaced = repace(&ledger, &seen, Rate(20));
        let [Action::Account(line), Action::Set { setting, edit }] = &repaced.actions[..] else {
            panic!("{:?}", repaced.actions);
        };
        assert_eq!((setting, edit.after(Some("10")).as_deref()), (&rate(1), Some("20")));
        let mut after = ledger.clone();
        after.apply(line.clone());
        assert_eq!(after.get(&rate(1)).unwrap().before.as_deref(), Some("7"));
        let strays = [
            Stray::ChangedByOthers { setting: rate(2), value: Some("99".to_owned()) },
            Stray::Unreachable { setting: rate(3) },
        ];
        assert_eq!(repaced.strays, strays.into());
    }

    #[test]
    fn the_same_rate_again_changes_nothing() {
        let (ledger, seen) = world();
        assert_eq!(repace(&ledger, &seen, Rate(10)).actions, []);
    }
}
