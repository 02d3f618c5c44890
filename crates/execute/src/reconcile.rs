//! Reconciles the throttle's configs: which of them to set, which to restore, and which to leave alone.
//!
//! In: the [`WantedConfigs`], the ledger, and the cluster. Out: a [`Holding`]:
//! * configs to set once the ledger has them
//! * configs to restore because they are no longer wanted
//! * configs that are not ours
//!
//! An execution wants what its plan needs; the daemon wants what it has decided. Neither loses an operator's value,
//! even if a process is killed at any point.

mod cordoning;
mod stray;
mod wanted;

pub use stray::Stray;
pub use wanted::{List, WantedConfigs, WantedRate};

use crate::action::Action;
use crate::config::{
    ConfigEdit, Key, Setting, ThrottleResource, ThrottleValue, ThrottledEntries, ThrottledReplica,
};
use crate::ledger::{HeldSetting, Ledger, LedgerEntry};
use crate::seen::Seen;
use mapper::{BrokerId, PartitionId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// A ledger line keeps this many values of one rate. Above that, values that are certainly no longer set are forgotten.
const MANY: usize = 32;

/// The result of a reconciliation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    /// The ledger lines to write first, then the configs to set: [`Action::Account`] and [`Action::Set`] only.
    pub actions: Vec<Action>,
    /// Configs that are left alone.
    pub strays: BTreeSet<Stray>,
    /// Whether no config is left that is ours and has to be restored.
    pub clean: bool,
    satisfied: BTreeSet<Setting>,
    lists: BTreeMap<Setting, ThrottledEntries>,
}

/// Reconciles every config that is wanted, or ours. A config that is ours and not wanted is restored. A caller must
/// therefore want the configs of a copy for as long as it is in flight.
pub fn reconcile(wanted: &WantedConfigs, ledger: &Ledger, seen: &Seen) -> Holding {
    let mut holding = Holding { clean: true, ..Holding::default() };
    let unaccounted = wanted.unsettled || seen.copied().any(|of| !accounted(ledger, of));
    for (setting, rate) in &wanted.rates {
        // A dead broker copies nothing; our configs on it are reconciled when it is back.
        if is_live(seen, setting) || ledger.get(setting).is_some() {
            holding.hold_rate(wanted, ledger, seen, setting, *rate, unaccounted);
        }
    }
    for (setting, list) in &wanted.lists {
        holding.hold_list(wanted, ledger, seen, setting, list, unaccounted);
    }
    for broker in &wanted.cordons {
        holding.hold_cordon(&wanted.owner, ledger, seen, *broker);
    }
    for (setting, held) in ledger.held() {
        if !wanted.wants(setting) {
            holding.release(seen, setting, held);
        }
    }
    holding
}

/// The rate that paces the replicas of a list; of any other config, itself.
pub fn rate_of(list: Key) -> Key {
    match list {
        Key::LeaderRate | Key::LeaderReplicas => Key::LeaderRate,
        Key::FollowerRate | Key::FollowerReplicas => Key::FollowerRate,
        Key::LogDirRate | Key::CordonedLogDirs => list,
    }
}

/// The config that holds a broker's rate.
pub fn rate_setting(broker: BrokerId, key: Key) -> Setting {
    Setting { resource: ThrottleResource::Broker(broker), key }
}

fn is_live(seen: &Seen, setting: &Setting) -> bool {
    match setting.resource {
        ThrottleResource::Broker(id) => seen.live.contains(&id),
        ThrottleResource::Topic(_) => false,
    }
}

fn copies(seen: &Seen, setting: &Setting) -> bool {
    match setting.resource {
        ThrottleResource::Broker(id) => seen.copies_between_dirs(id),
        ThrottleResource::Topic(_) => false,
    }
}

/// Whether a move is in flight whose throttle was set before we first saw it, and that no ledger lists.
pub fn meets(ledger: &Ledger, seen: &Seen) -> bool {
    seen.copied().any(|of| named(ledger, of, |held| &held.met))
}

/// Whether these actions would record values that are set in the cluster as an operator's.
pub fn records_what_stands(actions: &[Action], ledger: &Ledger) -> bool {
    actions.iter().any(|action| match action {
        Action::Account(LedgerEntry::Held { setting, before: Some(_), .. }) => {
            ledger.get(setting).is_none()
        }
        Action::Account(_)
        | Action::Write(_)
        | Action::Set { .. }
        | Action::Place { .. }
        | Action::Submit { .. }
        | Action::Cancel { .. }
        | Action::Reorder { .. }
        | Action::Elect { .. }
        | Action::Stop(_) => false,
    })
}

/// Whether the ledger lists this running move, and only entries of our own cover it.
fn accounted(ledger: &Ledger, of: &TopicPartition) -> bool {
    named(ledger, of, |held| &held.ours) && !named(ledger, of, |held| &held.met)
}

/// Whether these entries of a topic's lists in the ledger name a partition.
fn named(
    ledger: &Ledger,
    of: &TopicPartition,
    entries: impl Fn(&HeldSetting) -> &BTreeSet<ThrottleValue>,
) -> bool {
    Key::OF_TOPICS.iter().any(|key| {
        let setting = Setting { resource: ThrottleResource::Topic(of.topic.clone()), key: *key };
        let names = |entry: &ThrottleValue| {
            entry.replica().is_some_and(|replica| replica.partition == of.partition)
        };
        ledger.get(&setting).is_some_and(|held| entries(held).iter().any(names))
    })
}

/// The entries of a list that another tool has set for a move in flight, and removes with it. They are the
/// [`List::in_flight`] of a process that begins no moves. A follower's entry for a broker that the move adds identifies
/// the move. The leaders' entries of its partition belong to it, too.
pub fn passing(seen: &Seen, setting: &Setting) -> BTreeSet<ThrottledReplica> {
    let ThrottleResource::Topic(name) = &setting.resource else { return BTreeSet::new() };
    let entries = |key| {
        let list = Setting { resource: setting.resource.clone(), key };
        ThrottledEntries::parse(told(seen, &list).flatten()).replicas()
    };
    let comes = |replica: &ThrottledReplica| {
        let of = TopicPartition { topic: name.clone(), partition: replica.partition };
        seen.running.get(&of).is_some_and(|run| run.adding.contains(&replica.broker))
    };
    let mut coming = entries(Key::FollowerReplicas);
    coming.retain(comes);
    let moved: BTreeSet<PartitionId> = coming.iter().map(|replica| replica.partition).collect();
    let mut passing = entries(setting.key);
    passing.retain(|replica| match setting.key {
        Key::FollowerReplicas => coming.contains(replica),
        Key::LeaderReplicas => moved.contains(&replica.partition),
        Key::LeaderRate | Key::FollowerRate | Key::LogDirRate | Key::CordonedLogDirs => false,
    });
    passing
}

/// The value that is set; `None`: not known.
fn told<'s>(seen: &'s Seen, setting: &Setting) -> Option<Option<&'s str>> {
    let configs = seen.configs.get(&setting.resource)?;
    Some(configs.get(&setting.key).map(String::as_str))
}

impl Holding {
    /// Whether this round sets a config.
    pub fn sets(&self) -> bool {
        self.actions.iter().any(|action| matches!(action, Action::Set { .. }))
    }

    /// Whether configs that were *read* from the cluster pace the copies of this partition from or to these live
    /// brokers.
    pub(crate) fn paces(
        &self,
        seen: &Seen,
        of: &TopicPartition,
        list: Key,
        brokers: &[BrokerId],
    ) -> bool {
        let resource = ThrottleResource::Topic(of.topic.clone());
        let replica = |id: &BrokerId| ThrottledReplica { partition: of.partition, broker: *id };
        let needed = brokers.iter().map(|id| ThrottleValue::Replica(replica(id))).collect();
        let found = self.lists.get(&Setting { resource, key: list });
        let listed = brokers.is_empty() || found.is_some_and(|found| found.cover(&needed));
        let mut live = brokers.iter().filter(|id| seen.live.contains(id));
        listed && live.all(|id| self.satisfied.contains(&rate_setting(*id, rate_of(list))))
    }

    /// Whether a rate that was *read* from the cluster is as wanted, or is another tool's.
    pub(crate) fn satisfies(&self, setting: &Setting) -> bool {
        self.satisfied.contains(setting)
    }

    fn account(&mut self, line: LedgerEntry) {
        self.actions.push(Action::Account(line));
    }

    fn set(&mut self, setting: &Setting, edit: ConfigEdit) {
        self.actions.push(Action::Set { setting: setting.clone(), edit });
    }

    fn released(&mut self, setting: &Setting) {
        let setting = setting.clone();
        self.actions.push(Action::Account(LedgerEntry::Released { setting }));
    }

    fn hold_rate(
        &mut self,
        wanted: &WantedConfigs,
        ledger: &Ledger,
        seen: &Seen,
        setting: &Setting,
        rate: WantedRate,
        unaccounted: bool,
    ) {
        self.clean = false;
        let held = ledger.get(setting);
        // With the ledger lost, the owner of a rate that paces a copy between a broker's dirs is unknown.
        let unaccounted = unaccounted || (setting.key == Key::LogDirRate && copies(seen, setting));
        let Some(value) = told(seen, setting) else {
            if held.is_some() {
                self.strays.insert(Stray::Unreachable { setting: setting.clone() });
            }
            return;
        };
        let WantedRate::At(rate) = rate else { return };
        let (rate, found) = (ThrottleValue::Rate(rate), value.map(ThrottleValue::from));
        if found.as_ref() == Some(&rate) && held.is_some() {
            self.satisfied.insert(setting.clone());
            return;
        }
        let original = wanted.originals.get(setting).map(String::as_str);
        let before = match (held, value) {
            (None, Some(value)) if seen.others.may_have_set(setting, &value.into()) => {
                let (setting, value) = (setting.clone(), value.to_owned());
                self.satisfied.insert(setting.clone());
                self.strays.insert(Stray::OfAnother { setting, value });
                return;
            }
            (None, Some(value)) if unaccounted && original != Some(value) => {
                let (setting, value) = (setting.clone(), value.to_owned());
                self.satisfied.insert(setting.clone());
                self.strays.insert(Stray::UnknownOwner { setting, value });
                return;
            }
            (Some(held), Some(value)) if !is_known(held, value) => {
                let (setting, value) = (setting.clone(), Some(value.to_owned()));
                self.satisfied.insert(setting.clone());
                self.strays.insert(Stray::ChangedByOthers { setting, value });
                return;
            }
            (_, value) => value.map(str::to_owned),
        };
        if held.is_none_or(|held| !held.ours.contains(&rate)) {
            let many = held.filter(|held| held.ours.len() >= MANY);
            let found = found.filter(|value| many.is_some_and(|held| held.ours.contains(value)));
            let setting = setting.clone();
            let (ours, owner) = ([rate.clone()].into(), wanted.owner.clone());
            let met = BTreeSet::new();
            self.account(LedgerEntry::Held { setting, before, found, ours, met, owner });
        }
        self.set(setting, ConfigEdit::To(Some(rate.into())));
    }

    fn hold_list(
        &mut self,
        wanted: &WantedConfigs,
        ledger: &Ledger,
        seen: &Seen,
        setting: &Setting,
        needed: &List,
        unaccounted: bool,
    ) {
        self.clean = false;
        let Some(value) = told(seen, setting) else { return };
        let list = ThrottledEntries::parse(value);
        let is_readable = ThrottledEntries::is_readable(value);
        let paced = if is_readable { list.clone() } else { ThrottledEntries::parse(None) };
        self.lists.insert(setting.clone(), paced);
        let ThrottledEntries::Some(found) = list else {
            // The star covers every replica; it stays with the tool that wrote it.
            return;
        };
        let passes = |entry: &&ThrottleValue| {
            unaccounted && entry.replica().is_some_and(|of| needed.in_flight.contains(&of))
        };
        let mut met: BTreeSet<ThrottleValue> = found.iter().filter(passes).cloned().collect();
        let values = |replicas: &BTreeSet<ThrottledReplica>| -> BTreeSet<ThrottleValue> {
            replicas.iter().copied().map(ThrottleValue::Replica).collect()
        };
        let ever = values(&needed.ever);
        let passing = &seen.others.among(setting, &found) | &met;
        let (before, ours) = match ledger.get(setting) {
            Some(held) => {
                met.retain(|entry| !held.ours.contains(entry));
                (held.before.clone(), &held.ours | &ever)
            }
            None if !passing.is_empty() => {
                (ThrottledEntries::Some(&found - &passing).value(), ever)
            }
            None => (value.map(str::to_owned), ever),
        };
        let complete = &without(&found, &ours, before.as_deref()) | &values(&needed.now);
        let known = ledger.get(setting).is_some_and(|held| held.ours.is_superset(&ours));
        if !known {
            met.retain(|entry| ours.contains(entry));
            let (setting, owner) = (setting.clone(), wanted.owner.clone());
            self.account(LedgerEntry::Held { setting, before, found: None, ours, met, owner });
        }
        if found != complete || !is_readable {
            let to = ThrottledEntries::Some(complete).value();
            self.set(setting, ConfigEdit::of_list(value, to, false));
        }
    }

    fn release(&mut self, seen: &Seen, setting: &Setting, held: &HeldSetting) {
        let Some(value) = told(seen, setting) else {
            match &setting.resource {
                // Only for a topic that certainly no longer exists: a topic that is hidden from us keeps our entries,
                // and so does the ledger.
                ThrottleResource::Topic(name) if seen.gone.contains(name) => self.released(setting),
                ThrottleResource::Topic(_) | ThrottleResource::Broker(_) => {
                    self.strays.insert(Stray::Unreachable { setting: setting.clone() });
                }
            }
            return;
        };
        let is_list = setting.key.is_list();
        let original = if is_list { without_ours(value, held) } else { held.before.clone() };
        if value == original.as_deref() {
            self.released(setting);
        } else if is_ours(setting, held, value) {
            self.clean = false;
            let exact = original == held.before;
            let edit = match is_list {
                true => ConfigEdit::of_list(value, original, exact),
                false => ConfigEdit::To(original),
            };
            self.set(setting, edit);
        } else {
            let (setting, value) = (setting.clone(), value.map(str::to_owned));
            self.released(&setting);
            self.strays.insert(Stray::ChangedByOthers { setting, value });
        }
    }
}

/// Whether the value is ours or the original one.
fn is_known(held: &HeldSetting, value: &str) -> bool {
    held.ours.contains(&value.into()) || held.before.as_deref() == Some(value)
}

/// Whether we have set this rate. A list always counts, as far as it names entries of ours.
fn is_ours(setting: &Setting, held: &HeldSetting, value: Option<&str>) -> bool {
    match setting.key.is_list() {
        true => ThrottledEntries::parse(value) != ThrottledEntries::All,
        false => value.is_some_and(|value| held.ours.contains(&value.into())),
    }
}

/// The entries that are found, without those that are ours and were not there before. Entries that another tool has
/// removed stay removed: they may have been its own, for a move that it was about to begin.
fn without(
    found: &BTreeSet<ThrottleValue>,
    ours: &BTreeSet<ThrottleValue>,
    before: Option<&str>,
) -> BTreeSet<ThrottleValue> {
    let before = match ThrottledEntries::parse(before) {
        ThrottledEntries::All => BTreeSet::new(),
        ThrottledEntries::Some(before) => before,
    };
    found - &(ours - &before)
}

/// The list as it was before, byte for byte, except for what other tools have added or removed since.
fn without_ours(value: Option<&str>, held: &HeldSetting) -> Option<String> {
    let (ThrottledEntries::Some(found), ThrottledEntries::Some(before)) =
        (ThrottledEntries::parse(value), ThrottledEntries::parse(held.before.as_deref()))
    else {
        return held.before.clone();
    };
    let rest = without(&found, &held.ours, held.before.as_deref());
    let (is_as_before, has_ours) = (rest == before, rest != found);
    let text = ThrottledEntries::Some(rest).value();
    if is_as_before && (held.before != text || value == Some("")) {
        held.before.clone()
    } else if has_ours {
        text
    } else {
        // The list has no entry of ours: keep its order as it is.
        value.map(str::to_owned)
    }
}

#[cfg(test)]
mod tests;
