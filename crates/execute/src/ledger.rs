//! The ledger: what was set in the cluster, and which values were there before.
//!
//! A line is written before the cluster is changed. It is removed when a look shows the original value again. A value
//! that the ledger lists is not an original value: a process that finds it, however late, restores the original.

use crate::config::{Key, Setting, ThrottleResource, ThrottleValue, texts};
use mapper::{BrokerId, Rate};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The name with which a daemon signs a ledger and the values that it sets.
pub const DAEMON: &str = "autothrottle";

/// The owner of a config.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Owner {
    /// The daemon, with rates from its measurements.
    #[default]
    Daemon,
    /// An execution.
    Execution {
        /// The hash of its plan; a description if there is no plan.
        plan: String,
    },
}

impl From<String> for Owner {
    fn from(plan: String) -> Self {
        if plan == DAEMON { Self::Daemon } else { Self::Execution { plan } }
    }
}

impl From<Owner> for String {
    fn from(owner: Owner) -> Self {
        match owner {
            Owner::Daemon => DAEMON.to_owned(),
            Owner::Execution { plan } => plan,
        }
    }
}

/// The process that has a ledger, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum LedgerHolder {
    /// A daemon: the text begins with its name.
    Daemon(String),
    /// A process that carries out a plan, or sets a throttle.
    Execution(String),
}

impl From<String> for LedgerHolder {
    fn from(words: String) -> Self {
        if words.starts_with(DAEMON) { Self::Daemon(words) } else { Self::Execution(words) }
    }
}

impl From<LedgerHolder> for String {
    fn from(holder: LedgerHolder) -> Self {
        let (LedgerHolder::Daemon(words) | LedgerHolder::Execution(words)) = holder;
        words
    }
}

impl fmt::Display for LedgerHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Daemon(words) | Self::Execution(words)) = self;
        f.write_str(words)
    }
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ledger", rename_all = "snake_case")]
pub enum LedgerEntry {
    /// A process has opened the ledger.
    Opened {
        /// The process.
        by: LedgerHolder,
    },
    /// A config is about to be set.
    Held {
        /// The config.
        #[serde(flatten)]
        setting: Setting,
        /// The value before; absent: nothing is set. It counts only if the ledger has no older line for the config.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<String>,
        /// Our value that was found there. Other values from older lines are forgotten. Otherwise the ledger would keep
        /// every value of a rate that changes for weeks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        found: Option<ThrottleValue>,
        /// The values that we may set: the rate, or each entry of a list. They add to those of older lines.
        #[serde(serialize_with = "in_order")]
        ours: BTreeSet<ThrottleValue>,
        /// Entries of a list, out of those, that were already set for a move in flight that no ledger lists. Rates that
        /// are set while it runs may belong to it. They add to those of older lines.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty", serialize_with = "in_order")]
        met: BTreeSet<ThrottleValue>,
        /// The owner.
        #[serde(rename = "plan")]
        owner: Owner,
    },
    /// The original value is back, or another tool has changed the config.
    Released {
        /// The config.
        #[serde(flatten)]
        setting: Setting,
    },
    /// An operator asks the daemon for a rate.
    Asked {
        /// The broker; absent: every broker that copies.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        broker: Option<BrokerId>,
        /// The requested rate.
        #[serde(flatten)]
        asked: RequestedRate,
    },
    /// An operator withdraws the request.
    Withdrawn {
        /// The broker; absent: every broker that copies.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        broker: Option<BrokerId>,
    },
}

fn in_order<S: Serializer>(
    values: &BTreeSet<ThrottleValue>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    texts(values).serialize(serializer)
}

/// A rate that an operator asks the daemon for, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedRate {
    /// The rate, in bytes per second.
    pub rate_bytes_per_second: Rate,
    /// The request ends with the copies that it paced.
    pub autoremove: bool,
}

/// A config that is ours at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldSetting {
    /// The value before ours.
    pub before: Option<String>,
    /// The values that we may have set.
    pub ours: BTreeSet<ThrottleValue>,
    /// Entries of a list that another tool had set for a move in flight.
    pub met: BTreeSet<ThrottleValue>,
    /// The latest owner.
    pub owner: Owner,
}

impl HeldSetting {
    /// The one ledger line with all of this.
    pub fn line(&self, setting: &Setting) -> LedgerEntry {
        LedgerEntry::Held {
            setting: setting.clone(),
            before: self.before.clone(),
            found: None,
            ours: self.ours.clone(),
            met: self.met.clone(),
            owner: self.owner.clone(),
        }
    }
}

/// Every config that is ours in one cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    last_holder: Option<LedgerHolder>,
    held: BTreeMap<Setting, HeldSetting>,
    asked: BTreeMap<Option<BrokerId>, RequestedRate>,
}

impl Ledger {
    /// The state after these lines, in their order.
    pub fn replay(entries: impl IntoIterator<Item = LedgerEntry>) -> Self {
        let mut ledger = Self::default();
        entries.into_iter().for_each(|entry| ledger.apply(entry));
        ledger
    }

    /// Applies one more line.
    pub fn apply(&mut self, entry: LedgerEntry) {
        match entry {
            LedgerEntry::Opened { by } => self.last_holder = Some(by),
            LedgerEntry::Held { setting, before, found, ours, met, owner } => {
                let new = || HeldSetting {
                    before,
                    ours: BTreeSet::new(),
                    met: BTreeSet::new(),
                    owner: Owner::default(),
                };
                let held = self.held.entry(setting).or_insert_with(new);
                if let Some(found) = found {
                    held.ours = [found].into();
                }
                held.ours.extend(ours);
                held.met.extend(met);
                held.owner = owner;
            }
            LedgerEntry::Released { setting } => {
                self.held.remove(&setting);
            }
            LedgerEntry::Asked { broker, asked } => drop(self.asked.insert(broker, asked)),
            LedgerEntry::Withdrawn { broker } => drop(self.asked.remove(&broker)),
        }
    }

    /// The fewest lines with the same state.
    pub fn entries(&self) -> Vec<LedgerEntry> {
        let opened = self.last_holder.iter().map(|by| LedgerEntry::Opened { by: by.clone() });
        let held = self.held.iter().map(|(setting, held)| held.line(setting));
        let asked = self.asked.iter();
        let asked =
            asked.map(|(broker, asked)| LedgerEntry::Asked { broker: *broker, asked: *asked });
        opened.chain(held).chain(asked).collect()
    }

    /// The rates that operators ask for: of one broker, or (`None`) of every broker that copies.
    pub fn asked(&self) -> &BTreeMap<Option<BrokerId>, RequestedRate> {
        &self.asked
    }

    /// The process that opened the ledger last.
    pub fn last_holder(&self) -> Option<&LedgerHolder> {
        self.last_holder.as_ref()
    }

    /// The configs that are ours, in order.
    pub fn held(&self) -> impl Iterator<Item = (&Setting, &HeldSetting)> {
        self.held.iter()
    }

    /// Whether no config in the cluster is ours.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether a config that paces copies is ours.
    pub(crate) fn paces(&self) -> bool {
        self.held.keys().any(|setting| setting.key != Key::CordonedLogDirs)
    }

    /// The ledger's record of this config.
    pub fn get(&self, setting: &Setting) -> Option<&HeldSetting> {
        self.held.get(setting)
    }

    /// The brokers and topics with a config of ours.
    pub fn resources(&self) -> BTreeSet<ThrottleResource> {
        self.held.keys().map(|setting| setting.resource.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Key;

    #[test]
    fn what_is_in_the_ledger_is_nobodys_original() {
        let setting =
            || Setting { resource: ThrottleResource::Broker(BrokerId(1)), key: Key::LeaderRate };
        let held = |before: Option<&str>, ours: &str| LedgerEntry::Held {
            setting: setting(),
            before: before.map(str::to_owned),
            found: None,
            ours: [ours.into()].into(),
            met: BTreeSet::new(),
            owner: "p".to_owned().into(),
        };
        let lines = [held(None, "10"), held(Some("10"), "20")];
        let ledger = Ledger::replay(lines.clone());
        let kept = ledger.get(&setting()).unwrap();
        assert_eq!(kept.before, None);
        assert_eq!(kept.ours, ["10".into(), "20".into()].into());

        let text = serde_json::to_string(&lines).unwrap();
        assert_eq!(serde_json::from_str::<Vec<LedgerEntry>>(&text).unwrap(), lines);
        let released = LedgerEntry::Released { setting: setting() };
        assert!(Ledger::replay(lines.into_iter().chain([released])).is_empty());
    }

    #[test]
    fn the_fewest_lines_tell_the_same() {
        let setting =
            || Setting { resource: ThrottleResource::Broker(BrokerId(1)), key: Key::LeaderRate };
        let held = |found: Option<&str>, ours: &str| LedgerEntry::Held {
            setting: setting(),
            before: Some("7".to_owned()),
            found: found.map(Into::into),
            ours: [ours.into()].into(),
            met: BTreeSet::new(),
            owner: "p".to_owned().into(),
        };
        let asked = |rate| RequestedRate { rate_bytes_per_second: Rate(rate), autoremove: true };
        let lines = vec![
            LedgerEntry::Opened { by: "b".to_owned().into() },
            held(None, "10"),
            held(None, "20"),
            held(Some("20"), "30"),
            LedgerEntry::Asked { broker: None, asked: asked(5) },
            LedgerEntry::Asked { broker: Some(BrokerId(1)), asked: asked(6) },
            LedgerEntry::Withdrawn { broker: None },
        ];
        let ledger = Ledger::replay(lines);
        let ours = &ledger.get(&setting()).unwrap().ours;
        assert_eq!(*ours, ["20".into(), "30".into()].into());
        assert_eq!(ledger.asked(), &[(Some(BrokerId(1)), asked(6))].into());
        assert_eq!(Ledger::replay(ledger.entries()), ledger);
    }
}
