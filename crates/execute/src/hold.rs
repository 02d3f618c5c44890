//! Holding configs of the throttle: from what has to stand there to what is set, put back, and left alone.
//!
//! In: what is [`Wanted`], the ledger, and what is seen. Out: a [`Holding`]: configs to set, after the ledger has them;
//! those that are no longer wanted, to be put back as they were; and what is not ours to touch. An execution wants what
//! its plan needs, the daemon what it has decided: neither loses an operator's value, whoever is killed when.

use crate::action::Action;
use crate::config::{Entries, Key, Resource, Setting, ThrottleValue, ThrottledReplica};
use crate::ledger::{Held, Ledger, LedgerEntry, Owner};
use crate::seen::Seen;
use mapper::{BrokerId, PartitionId, Rate, TopicPartition};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// So many values of one rate are remembered before those that are gone for certain are forgotten.
const MANY: usize = 32;

/// What the throttle's configs have to say now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// On whose behalf.
    pub owner: Owner,
    /// The rates of brokers.
    pub rates: BTreeMap<Setting, WantedRate>,
    /// The lists of topics.
    pub lists: BTreeMap<Setting, List>,
    /// Values that stood there while nothing moved: somebody's own, even if moves run now that nobody accounts for.
    pub originals: BTreeMap<Setting, String>,
    /// Moves of others have ended a moment ago, and the rates that they were paced by may stand yet.
    pub unsettled: bool,
}

/// What a broker's rate has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedRate {
    /// This one.
    At(Rate),
    /// The rate that is set stays, whoever set it.
    LeaveAsItIs,
}

/// What one list has to name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// Now.
    pub now: BTreeSet<ThrottledReplica>,
    /// Now or later: every entry that is ours where it is found and not needed.
    pub ever: BTreeSet<ThrottledReplica>,
    /// Of moves in flight that are our own for certain, though the ledger may have been lost; or that are somebody's who
    /// takes them away with the move: nobody's original either way.
    pub in_flight: BTreeSet<ThrottledReplica>,
}

/// A config that is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "stray", rename_all = "snake_case")]
pub enum Stray {
    /// It was set while moves ran that nobody has accounted for: nobody knows whose it is.
    UnknownOwner {
        /// Which.
        #[serde(flatten)]
        setting: Setting,
        /// What it says.
        value: String,
    },
    /// Another process accounts for it, or may: a daemon that keeps its ledger elsewhere.
    OfAnother {
        /// Which.
        #[serde(flatten)]
        setting: Setting,
        /// What it says.
        value: String,
    },
    /// Somebody else has changed it since we set it.
    ChangedByOthers {
        /// Which.
        #[serde(flatten)]
        setting: Setting,
        /// What it says now; absent: nothing is set.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },
    /// It is ours, and cannot be read: its broker does not answer, or its topic is hidden from us. It can be put back once it
    /// can be read.
    Unreachable {
        /// Which.
        #[serde(flatten)]
        setting: Setting,
    },
}

/// What comes of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    /// What to account for, and then to set: [`Action::Account`] and [`Action::Set`] only.
    pub actions: Vec<Action>,
    /// What is left alone.
    pub strays: BTreeSet<Stray>,
    /// Whether nothing is ours any more that could be put back.
    pub clean: bool,
    satisfied: BTreeSet<Setting>,
    lists: BTreeMap<Setting, Entries>,
}

/// Looks at every config that is wanted, or ours. What is ours and not wanted is put back: whoever calls this wants
/// what covers a copy for as long as the copy is in flight.
pub fn hold(wanted: &Wanted, ledger: &Ledger, seen: &Seen) -> Holding {
    let mut holding = Holding { clean: true, ..Holding::default() };
    let unaccounted = wanted.unsettled || seen.copied().any(|of| !accounted(ledger, of));
    for (setting, rate) in &wanted.rates {
        // A dead broker copies nothing; what is ours on it is dealt with when it is back.
        if is_live(seen, setting) || ledger.get(setting).is_some() {
            holding.hold_rate(wanted, ledger, seen, setting, *rate, unaccounted);
        }
    }
    for (setting, list) in &wanted.lists {
        holding.hold_list(wanted, ledger, seen, setting, list, unaccounted);
    }
    for (setting, held) in ledger.held() {
        if !wanted.rates.contains_key(setting) && !wanted.lists.contains_key(setting) {
            holding.release(seen, setting, held);
        }
    }
    holding
}

/// The side whose rate paces what a list names.
pub fn rate_of(list: Key) -> Key {
    match list {
        Key::LeaderRate | Key::LeaderReplicas => Key::LeaderRate,
        Key::FollowerRate | Key::FollowerReplicas => Key::FollowerRate,
        Key::LogDirRate => Key::LogDirRate,
    }
}

/// The config that holds a broker's rate.
pub fn rate_setting(broker: BrokerId, key: Key) -> Setting {
    Setting { resource: Resource::Broker(broker), key }
}

fn is_live(seen: &Seen, setting: &Setting) -> bool {
    match setting.resource {
        Resource::Broker(id) => seen.live.contains(&id),
        Resource::Topic(_) => false,
    }
}

fn copies(seen: &Seen, setting: &Setting) -> bool {
    match setting.resource {
        Resource::Broker(id) => seen.copies_between_dirs(id),
        Resource::Topic(_) => false,
    }
}

/// Whether a move is in flight whose throttle stood there when we first saw it, and that nobody accounts for.
pub fn meets(ledger: &Ledger, seen: &Seen) -> bool {
    seen.copied().any(|of| named(ledger, of, |held| &held.met))
}

/// Whether these would make what stands in the cluster an operator's.
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

/// Whether the ledger knows that this running move is covered, and by nobody else.
fn accounted(ledger: &Ledger, of: &TopicPartition) -> bool {
    named(ledger, of, |held| &held.ours) && !named(ledger, of, |held| &held.met)
}

/// Whether these entries of what is held of a topic's lists name a partition.
fn named(
    ledger: &Ledger,
    of: &TopicPartition,
    entries: impl Fn(&Held) -> &BTreeSet<ThrottleValue>,
) -> bool {
    Key::OF_TOPICS.iter().any(|key| {
        let setting = Setting { resource: Resource::Topic(of.topic.clone()), key: *key };
        let names = |entry: &ThrottleValue| {
            entry.replica().is_some_and(|replica| replica.partition == of.partition)
        };
        ledger.get(&setting).is_some_and(|held| entries(held).iter().any(names))
    })
}

/// The entries of a list that somebody has set for a move in flight, and will take away with it: [`List::in_flight`] for who
/// begins no moves. A follower's entry whose broker the move adds tells of it; what the leaders' list says of its partition
/// belongs to it.
pub fn passing(seen: &Seen, setting: &Setting) -> BTreeSet<ThrottledReplica> {
    let Resource::Topic(name) = &setting.resource else { return BTreeSet::new() };
    let entries = |key| {
        let list = Setting { resource: setting.resource.clone(), key };
        Entries::parse(told(seen, &list).flatten()).replicas()
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
        Key::LeaderRate | Key::FollowerRate | Key::LogDirRate => false,
    });
    passing
}

/// What is set; `None`: not told.
fn told<'s>(seen: &'s Seen, setting: &Setting) -> Option<Option<&'s str>> {
    let configs = seen.configs.get(&setting.resource)?;
    Some(configs.get(&setting.key).map(String::as_str))
}

impl Holding {
    /// Whether a config is set in this round.
    pub fn sets(&self) -> bool {
        self.actions.iter().any(|action| matches!(action, Action::Set { .. }))
    }

    /// Whether it was *read* from the cluster that copies of this partition from or to these live brokers are paced.
    pub(crate) fn paces(
        &self,
        seen: &Seen,
        of: &TopicPartition,
        list: Key,
        brokers: &[BrokerId],
    ) -> bool {
        let resource = Resource::Topic(of.topic.clone());
        let replica = |id: &BrokerId| ThrottledReplica { partition: of.partition, broker: *id };
        let needed = brokers.iter().map(|id| ThrottleValue::Replica(replica(id))).collect();
        let found = self.lists.get(&Setting { resource, key: list });
        let listed = brokers.is_empty() || found.is_some_and(|found| found.cover(&needed));
        let mut live = brokers.iter().filter(|id| seen.live.contains(id));
        listed && live.all(|id| self.satisfied.contains(&rate_setting(*id, rate_of(list))))
    }

    /// Whether it was *read* from the cluster that this rate is as wanted, or is somebody else's.
    pub(crate) fn satisfies(&self, setting: &Setting) -> bool {
        self.satisfied.contains(setting)
    }

    fn account(&mut self, line: LedgerEntry) {
        self.actions.push(Action::Account(line));
    }

    fn set(&mut self, setting: &Setting, value: Option<String>) {
        self.actions.push(Action::Set { setting: setting.clone(), value });
    }

    fn released(&mut self, setting: &Setting) {
        let setting = setting.clone();
        self.actions.push(Action::Account(LedgerEntry::Released { setting }));
    }

    fn hold_rate(
        &mut self,
        wanted: &Wanted,
        ledger: &Ledger,
        seen: &Seen,
        setting: &Setting,
        rate: WantedRate,
        unaccounted: bool,
    ) {
        self.clean = false;
        let held = ledger.get(setting);
        // With the ledger lost, nobody knows whose a rate is that paces a copy between a broker's dirs.
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
        self.set(setting, Some(rate.into()));
    }

    fn hold_list(
        &mut self,
        wanted: &Wanted,
        ledger: &Ledger,
        seen: &Seen,
        setting: &Setting,
        needed: &List,
        unaccounted: bool,
    ) {
        self.clean = false;
        let Some(value) = told(seen, setting) else { return };
        let list = Entries::parse(value);
        self.lists.insert(setting.clone(), list.clone());
        let Entries::Some(found) = list else {
            // Everything is covered; whoever wrote the star keeps it.
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
            None if !passing.is_empty() => (Entries::Some(&found - &passing).value(), ever),
            None => (value.map(str::to_owned), ever),
        };
        let complete = &without(&found, &ours, before.as_deref()) | &values(&needed.now);
        let known = ledger.get(setting).is_some_and(|held| held.ours.is_superset(&ours));
        if !known {
            met.retain(|entry| ours.contains(entry));
            let (setting, owner) = (setting.clone(), wanted.owner.clone());
            self.account(LedgerEntry::Held { setting, before, found: None, ours, met, owner });
        }
        if found != complete {
            self.set(setting, Entries::Some(complete).value());
        }
    }

    fn release(&mut self, seen: &Seen, setting: &Setting, held: &Held) {
        let Some(value) = told(seen, setting) else {
            match &setting.resource {
                // Only what is gone for certain: a topic that is hidden from us keeps what is ours, and so does the ledger.
                Resource::Topic(name) if seen.gone.contains(name) => self.released(setting),
                Resource::Topic(_) | Resource::Broker(_) => {
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
            self.set(setting, original);
        } else {
            let (setting, value) = (setting.clone(), value.map(str::to_owned));
            self.released(&setting);
            self.strays.insert(Stray::ChangedByOthers { setting, value });
        }
    }
}

/// Ours, or what was before.
fn is_known(held: &Held, value: &str) -> bool {
    held.ours.contains(&value.into()) || held.before.as_deref() == Some(value)
}

/// A rate that we have set; a list always is, as far as it names what is ours.
fn is_ours(setting: &Setting, held: &Held, value: Option<&str>) -> bool {
    match setting.key.is_list() {
        true => Entries::parse(value) != Entries::All,
        false => value.is_some_and(|value| held.ours.contains(&value.into())),
    }
}

/// What is found, but for what is ours and did not stand there before. What others have taken away stays away: it may have
/// been their own, for a move that they were about to begin.
fn without(
    found: &BTreeSet<ThrottleValue>,
    ours: &BTreeSet<ThrottleValue>,
    before: Option<&str>,
) -> BTreeSet<ThrottleValue> {
    let before = match Entries::parse(before) {
        Entries::All => BTreeSet::new(),
        Entries::Some(before) => before,
    };
    found - &(ours - &before)
}

/// The list as it was before, to the letter, but for what others have added or taken away since.
fn without_ours(value: Option<&str>, held: &Held) -> Option<String> {
    let (Entries::Some(found), Entries::Some(before)) =
        (Entries::parse(value), Entries::parse(held.before.as_deref()))
    else {
        return held.before.clone();
    };
    let rest = without(&found, &held.ours, held.before.as_deref());
    let (is_as_before, has_ours) = (rest == before, rest != found);
    let text = Entries::Some(rest).value();
    if is_as_before && held.before != text {
        held.before.clone()
    } else if has_ours {
        text
    } else {
        // Nothing of ours stands there: its order is somebody else's.
        value.map(str::to_owned)
    }
}

#[cfg(test)]
mod tests;
