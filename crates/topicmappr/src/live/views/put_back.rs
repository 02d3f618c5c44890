//! A config of the throttle that is about to get its original value.

use execute::{Ledger, Setting, Stray};
use serde::Serialize;
use std::fmt;

/// A longer value is cut, to keep its line on the screen.
const LONG: usize = 60;

/// A config that an execution has set, and its original value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PutBack {
    #[serde(flatten)]
    setting: Setting,
    /// Absent if the config was not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
}

impl PutBack {
    /// All configs of the ledger, except those that are left alone.
    pub(crate) fn all(ledger: &Ledger, strays: &[Stray]) -> Vec<Self> {
        let left = |setting: &Setting| {
            strays.iter().any(|stray| match stray {
                Stray::UnknownOwner { setting: other, .. }
                | Stray::OfAnother { setting: other, .. }
                | Stray::ChangedByOthers { setting: other, .. }
                | Stray::Unreachable { setting: other } => other == setting,
            })
        };
        let ours = ledger.held().filter(|(setting, _)| !left(setting));
        ours.map(|(setting, held)| Self { setting: setting.clone(), before: held.before.clone() })
            .collect()
    }
}

impl fmt::Display for PutBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.before {
            None => write!(f, "{}: removed", self.setting),
            Some(value) if value.chars().count() > LONG => {
                let start: String = value.chars().take(LONG).collect();
                write!(f, "{}: {start}...", self.setting)
            }
            Some(value) => write!(f, "{}: {value}", self.setting),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use execute::{Key, LedgerEntry, ThrottleResource};
    use mapper::BrokerId;

    #[test]
    fn what_others_have_changed_since_is_not_put_back() {
        let setting =
            |id| Setting { resource: ThrottleResource::Broker(BrokerId(id)), key: Key::LeaderRate };
        let held = |id, before: Option<&str>| LedgerEntry::Held {
            setting: setting(id),
            before: before.map(str::to_owned),
            found: None,
            ours: ["7".into()].into(),
            met: [].into(),
            owner: "p".to_owned().into(),
        };
        let ledger = Ledger::replay([held(1, None), held(2, Some("5")), held(3, None)]);
        let strays = [Stray::ChangedByOthers { setting: setting(3), value: Some("9".to_owned()) }];
        let told: Vec<String> =
            PutBack::all(&ledger, &strays).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "leader.replication.throttled.rate of broker 1: removed",
                "leader.replication.throttled.rate of broker 2: 5"
            ]
        );
    }
}
