//! Cordons of brokers that are being emptied (KIP-1066): Kafka places no new partitions there meanwhile.

use super::{Holding, Stray, told};
use crate::action::Action;
use crate::config::{ConfigEdit, Key, Setting, ThrottleResource, ThrottleValue};
use crate::ledger::{HeldSetting, Ledger, LedgerEntry, Owner};
use crate::seen::Seen;
use mapper::BrokerId;
use std::collections::BTreeSet;

/// The value that cordons every log dir of a broker.
pub(crate) const EVERY: &str = mapper::snapshot::EVERY_LOG_DIR;

/// The config that cordons a broker.
pub(crate) fn cordon_setting(broker: BrokerId) -> Setting {
    Setting { resource: ThrottleResource::Broker(broker), key: Key::CordonedLogDirs }
}

impl Holding {
    /// Cordons a broker, and records what was set before. A cordon of all log dirs that is not in the ledger is an
    /// operator's, and stays. A value that another tool has set since is left alone.
    pub(super) fn hold_cordon(
        &mut self,
        owner: &Owner,
        ledger: &Ledger,
        seen: &Seen,
        broker: BrokerId,
    ) {
        self.clean = false;
        let setting = cordon_setting(broker);
        match (ledger.get(&setting), told(seen, &setting)) {
            (_, Some(Some(EVERY))) => {}
            (Some(_), None) => drop(self.strays.insert(Stray::Unreachable { setting })),
            (None, None) => {}
            (Some(HeldSetting { before, .. }), Some(value)) if value != before.as_deref() => {
                let value = value.map(str::to_owned);
                self.strays.insert(Stray::ChangedByOthers { setting, value });
            }
            (Some(_), Some(_)) => self.set(&setting, ConfigEdit::To(Some(EVERY.to_owned()))),
            (None, Some(before)) => {
                self.account(LedgerEntry::Held {
                    setting: setting.clone(),
                    before: before.map(str::to_owned),
                    found: None,
                    ours: BTreeSet::from([ThrottleValue::from(EVERY)]),
                    met: BTreeSet::new(),
                    owner: owner.clone(),
                });
                self.set(&setting, ConfigEdit::To(Some(EVERY.to_owned())));
            }
        }
    }

    /// Whether this round sets a cordon. No move begins before it is read back.
    pub(crate) fn sets_cordons(&self) -> bool {
        self.actions.iter().any(|action| action.cordons().is_some())
    }

    /// Leaves the cordons that this round would end. The ledger forgets them: they are the operator's from now on.
    pub(crate) fn leave_cordons(&mut self) {
        for action in &mut self.actions {
            if let Action::Set { setting, .. } = action
                && is_cordon(setting)
            {
                let setting = setting.clone();
                *action = Action::Account(LedgerEntry::Released { setting });
            }
        }
    }
}

fn is_cordon(setting: &Setting) -> bool {
    setting.key == Key::CordonedLogDirs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::{WantedConfigs, reconcile};
    use std::collections::BTreeMap;

    const BROKER: BrokerId = BrokerId(3);

    /// Broker 3 answers, and this is set on it.
    fn seen(value: Option<&str>) -> Seen {
        let set = value.map(|value| (Key::CordonedLogDirs, value.to_owned()));
        let configs =
            BTreeMap::from([(ThrottleResource::Broker(BROKER), set.into_iter().collect())]);
        Seen { live: [BROKER].into(), configs, ..Seen::default() }
    }

    fn round(wanted: bool, ledger: &Ledger, seen: &Seen) -> Holding {
        let cordons = if wanted { [BROKER].into() } else { BTreeSet::new() };
        reconcile(&WantedConfigs { cordons, ..WantedConfigs::default() }, ledger, seen)
    }

    /// Carries out a round's actions; a kill is between any two of these rounds.
    fn carried_out(holding: Holding, ledger: &mut Ledger, now: &mut Option<String>) {
        for action in holding.actions {
            if let Action::Account(line) = action {
                ledger.apply(line);
            } else if let Action::Set { edit, .. } = action {
                *now = edit.after(now.as_deref());
            }
        }
    }

    #[test]
    fn whatever_stood_there_is_restored_to_the_letter() {
        for before in [None, Some("/b"), Some("/a, /b"), Some("*")] {
            let (mut ledger, mut now) = (Ledger::default(), before.map(str::to_owned));
            for _ in 0..3 {
                let holding = round(true, &ledger, &seen(now.as_deref()));
                assert!(!holding.clean);
                carried_out(holding, &mut ledger, &mut now);
            }
            assert_eq!(now.as_deref(), Some(EVERY));
            assert_eq!(ledger.is_empty(), before == Some(EVERY), "an operator's own is not ours");
            for _ in 0..2 {
                carried_out(round(false, &ledger, &seen(now.as_deref())), &mut ledger, &mut now);
            }
            assert_eq!(now.as_deref(), before);
            assert!(ledger.is_empty() && round(false, &ledger, &seen(before)).clean);
        }
    }

    #[test]
    fn a_kill_between_the_ledger_and_the_cluster_loses_nothing() {
        let (mut ledger, mut now) = (Ledger::default(), Some("/b".to_owned()));
        for action in round(true, &ledger, &seen(Some("/b"))).actions {
            if let Action::Account(line) = action {
                ledger.apply(line);
            }
        }
        assert!(round(true, &ledger, &seen(Some("/b"))).sets_cordons(), "it is set again");
        carried_out(round(false, &ledger, &seen(Some("/b"))), &mut ledger, &mut now);
        assert!(ledger.is_empty() && now.as_deref() == Some("/b"));
    }

    #[test]
    fn what_another_tool_sets_meanwhile_stays() {
        let (mut ledger, mut now) = (Ledger::default(), None);
        carried_out(round(true, &ledger, &seen(None)), &mut ledger, &mut now);
        let theirs = seen(Some("/a"));
        let holding = round(true, &ledger, &theirs);
        assert!(!holding.sets_cordons() && !holding.strays.is_empty(), "{holding:?}");
        let holding = round(false, &ledger, &theirs);
        assert!(!holding.sets_cordons() && !holding.strays.is_empty(), "{holding:?}");
        carried_out(holding, &mut ledger, &mut now);
        assert!(ledger.is_empty());
    }

    #[test]
    fn a_silent_broker_is_left_alone_and_its_line_stays() {
        let (mut ledger, mut now) = (Ledger::default(), None);
        let silent = Seen { live: [BROKER].into(), ..Seen::default() };
        assert!(round(true, &ledger, &silent).actions.is_empty(), "nothing is known of it");
        carried_out(round(true, &ledger, &seen(None)), &mut ledger, &mut now);
        for wanted in [true, false] {
            let holding = round(wanted, &ledger, &silent);
            assert!(holding.actions.is_empty(), "{holding:?}");
            assert!(matches!(holding.strays.first(), Some(Stray::Unreachable { .. })));
        }
    }

    #[test]
    fn a_cordon_that_is_left_is_the_operators() {
        let (mut ledger, mut now) = (Ledger::default(), None);
        carried_out(round(true, &ledger, &seen(None)), &mut ledger, &mut now);
        let mut holding = round(false, &ledger, &seen(Some(EVERY)));
        holding.leave_cordons();
        carried_out(holding, &mut ledger, &mut now);
        assert!(ledger.is_empty() && now.as_deref() == Some(EVERY));
    }
}
