//! The throttle: what has to be set before a move, and what may go after it.
//!
//! In: which moves are in flight or about to be submitted. Out: the configs to set, after the ledger has them; the
//! configs to put back, once nothing that they cover is in flight; and which moves are covered, by what was *read*
//! from the cluster, not by what was sent to it. A list names the sources of a move on the leaders' side, and on the
//! followers' side only who is about to get a replica: what is in sync is never held back.

use crate::action::Action;
use crate::config::{Entries, Key, Resource, Setting, entry, read_entry};
use crate::ledger::{Held, Ledger, LedgerEntry};
use crate::seen::{Seen, same_set};
use crate::task::{Pace, Task};
use mapper::{BrokerId, Move, TopicPartition};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

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
    /// Somebody else has changed it since we set it.
    ChangedByOthers {
        /// Which.
        #[serde(flatten)]
        setting: Setting,
        /// What it says now; absent: nothing is set.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },
    /// It is ours, and its broker does not answer: it can be put back when the broker does.
    Unreachable {
        /// Which.
        #[serde(flatten)]
        setting: Setting,
    },
}

/// The state of the throttle.
pub(crate) struct Pacing<'p> {
    moves_of: BTreeMap<&'p str, Vec<&'p Move>>,
    /// What to write and to set.
    pub(crate) actions: Vec<Action>,
    /// What is left alone.
    pub(crate) strays: BTreeSet<Stray>,
    satisfied: BTreeSet<Setting>,
    lists: BTreeMap<Setting, Entries>,
    /// Whether anything is still ours that could be put back.
    pub(crate) clean: bool,
}

type Needs = BTreeMap<Setting, BTreeSet<String>>;

/// Looks at every config that is needed, or ours. `about` are the moves to be submitted; brokers in `keep` keep the
/// rate that they have until all is over.
pub(crate) fn pace<'p>(
    task: &Task<'p>,
    ledger: &Ledger,
    seen: &Seen,
    about: &[usize],
    keep: &BTreeSet<BrokerId>,
) -> Pacing<'p> {
    let mut moves_of: BTreeMap<&str, Vec<&Move>> = BTreeMap::new();
    for change in &task.plan.moves {
        moves_of.entry(&change.topic).or_default().push(change);
    }
    let mut pacing = Pacing {
        moves_of,
        actions: Vec::new(),
        strays: BTreeSet::new(),
        satisfied: BTreeSet::new(),
        lists: BTreeMap::new(),
        clean: true,
    };
    let lists = needed_lists(task, ledger, seen, about);
    let rates = needed_rates(task, ledger, seen, &lists, keep);
    let unaccounted =
        seen.running.iter().any(|(of, run)| !run.adding.is_empty() && !accounted(ledger, of));
    for setting in &rates {
        pacing.hold_rate(task, ledger, seen, setting, unaccounted);
    }
    for (setting, entries) in &lists {
        pacing.hold_list(task, ledger, seen, setting, entries, unaccounted);
    }
    for (setting, held) in ledger.held() {
        if !rates.contains(setting) && !lists.contains_key(setting) {
            pacing.release(seen, setting, held);
        }
    }
    pacing
}

/// A move's entries, by side.
fn entries(change: &Move) -> [(Key, Vec<BrokerId>); 2] {
    let sources = if change.added().next().is_some() { change.from.to_vec() } else { Vec::new() };
    [(Key::LeaderReplicas, sources), (Key::FollowerReplicas, change.added().collect())]
}

/// The lists of everything in flight, and of what is about to be.
fn needed_lists(task: &Task<'_>, ledger: &Ledger, seen: &Seen, about: &[usize]) -> Needs {
    let mut needs = Needs::new();
    if let Pace::BytesPerSecond(_) = task.pace {
        let about = about.iter().filter_map(|index| task.of(*index));
        let running =
            task.plan.moves.iter().filter(|change| seen.running.contains_key(&change.of()));
        for change in running.chain(about) {
            for (key, brokers) in entries(change).into_iter().filter(|(_, all)| !all.is_empty()) {
                let resource = Resource::Topic(change.topic.to_string());
                let names = brokers.into_iter().map(|id| entry(change.partition, id));
                needs.entry(Setting { resource, key }).or_default().extend(names);
            }
        }
    }
    // What is covered stays covered, whoever covered it and whatever is asked for now.
    for (setting, held) in ledger.held() {
        let Resource::Topic(topic) = &setting.resource else { continue };
        let runs = |text: &&String| {
            read_entry(text).is_some_and(|(partition, _)| {
                seen.running.contains_key(&TopicPartition { topic: topic.clone(), partition })
            })
        };
        let running: BTreeSet<String> = held.ours.iter().filter(runs).cloned().collect();
        if !running.is_empty() {
            needs.entry(setting.clone()).or_default().extend(running);
        }
    }
    needs
}

/// The rates of every live broker that the lists name.
fn needed_rates(
    task: &Task<'_>,
    ledger: &Ledger,
    seen: &Seen,
    lists: &Needs,
    keep: &BTreeSet<BrokerId>,
) -> BTreeSet<Setting> {
    let mut rates = BTreeSet::new();
    for (setting, entries) in lists {
        let key = match setting.key {
            Key::LeaderRate | Key::LeaderReplicas => Key::LeaderRate,
            Key::FollowerRate | Key::FollowerReplicas => Key::FollowerRate,
        };
        let brokers = entries.iter().filter_map(|text| read_entry(text)).map(|(_, id)| id);
        let rate = |id| Setting { resource: Resource::Broker(id), key };
        rates.extend(brokers.map(rate));
    }
    if let Pace::BytesPerSecond(_) = task.pace {
        let both = |id: &BrokerId| {
            let resource = Resource::Broker(*id);
            Key::OF_BROKERS.map(|key| Setting { resource: resource.clone(), key })
        };
        rates.extend(keep.iter().flat_map(both));
    }
    // A dead broker copies nothing; what is ours on it is dealt with when it is back.
    rates.retain(|setting| match setting.resource {
        Resource::Broker(id) => seen.live.contains(&id) || ledger.get(setting).is_some(),
        Resource::Topic(_) => false,
    });
    rates
}

/// Whether the ledger knows that this running move is covered.
fn accounted(ledger: &Ledger, of: &TopicPartition) -> bool {
    Key::OF_TOPICS.iter().any(|key| {
        let setting = Setting { resource: Resource::Topic(of.topic.clone()), key: *key };
        let names = |text: &String| read_entry(text).is_some_and(|(p, _)| p == of.partition);
        ledger.get(&setting).is_some_and(|held| held.ours.iter().any(names))
    })
}

fn runs_as_planned(seen: &Seen, change: &Move) -> bool {
    seen.running.get(&change.of()).is_some_and(|running| same_set(&running.target, &change.to))
}

/// What is set; `None`: not told.
fn told<'s>(seen: &'s Seen, setting: &Setting) -> Option<Option<&'s str>> {
    let configs = seen.configs.get(&setting.resource)?;
    Some(configs.get(&setting.key).map(String::as_str))
}

impl Pacing<'_> {
    /// Whether a config is set in this round.
    pub(crate) fn sets(&self) -> bool {
        self.actions.iter().any(|action| matches!(action, Action::Set { .. }))
    }

    /// Whether a move may be submitted: everything that paces it was read back from the cluster.
    pub(crate) fn covers(&self, task: &Task<'_>, seen: &Seen, change: &Move) -> bool {
        if task.pace == Pace::Unthrottled {
            return true;
        }
        entries(change).into_iter().all(|(key, brokers)| {
            let resource = Resource::Topic(change.topic.to_string());
            let needed = brokers.iter().map(|id| entry(change.partition, *id)).collect();
            let list = self.lists.get(&Setting { resource, key });
            let listed = brokers.is_empty() || list.is_some_and(|list| list.cover(&needed));
            let rate = match key {
                Key::LeaderRate | Key::LeaderReplicas => Key::LeaderRate,
                Key::FollowerRate | Key::FollowerReplicas => Key::FollowerRate,
            };
            let mut live = brokers.iter().filter(|id| seen.live.contains(id));
            let paced = |id: &BrokerId| {
                self.satisfied.contains(&Setting { resource: Resource::Broker(*id), key: rate })
            };
            listed && live.all(paced)
        })
    }

    fn account(
        &mut self,
        task: &Task<'_>,
        setting: &Setting,
        before: Option<String>,
        ours: BTreeSet<String>,
    ) {
        let (setting, plan) = (setting.clone(), task.plan_id.to_owned());
        self.actions.push(Action::Account(LedgerEntry::Held { setting, before, ours, plan }));
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
        task: &Task<'_>,
        ledger: &Ledger,
        seen: &Seen,
        setting: &Setting,
        unaccounted: bool,
    ) {
        self.clean = false;
        let held = ledger.get(setting);
        let Some(value) = told(seen, setting) else {
            if held.is_some() {
                self.strays.insert(Stray::Unreachable { setting: setting.clone() });
            }
            return;
        };
        let Pace::BytesPerSecond(rate) = task.pace else { return };
        let rate = rate.to_string();
        if value == Some(rate.as_str()) && held.is_some() {
            self.satisfied.insert(setting.clone());
            return;
        }
        let before = match (held, value) {
            (None, Some(value)) if unaccounted => {
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
            self.account(task, setting, before, [rate.clone()].into());
        }
        self.set(setting, Some(rate));
    }

    fn hold_list(
        &mut self,
        task: &Task<'_>,
        ledger: &Ledger,
        seen: &Seen,
        setting: &Setting,
        needed: &BTreeSet<String>,
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
        let planned = self.planned(setting, |_| true);
        let (before, ours) = match ledger.get(setting) {
            Some(held) => (held.before.clone(), &held.ours | &planned),
            None if unaccounted => {
                // Those of this plan's moves in flight are our own, of which the ledger was lost.
                let own = self.planned(setting, |change| runs_as_planned(seen, change));
                let before = match found.is_disjoint(&own) {
                    true => value.map(str::to_owned),
                    false => Entries::Some(&found - &own).value(),
                };
                (before, planned)
            }
            None => (value.map(str::to_owned), planned),
        };
        let others = match Entries::parse(before.as_deref()) {
            Entries::All => BTreeSet::new(),
            Entries::Some(before) => before,
        };
        let wanted = &(&(&found - &ours) | &others) | needed;
        let known = ledger.get(setting).is_some_and(|held| held.ours.is_superset(&ours));
        if !known {
            self.account(task, setting, before, ours);
        }
        if found != wanted {
            self.set(setting, Entries::Some(wanted).value());
        }
    }

    /// Every entry that the plan may put into a list.
    fn planned(&self, setting: &Setting, which: impl Fn(&Move) -> bool) -> BTreeSet<String> {
        let Resource::Topic(topic) = &setting.resource else { return BTreeSet::new() };
        let moves = self.moves_of.get(topic.as_str()).into_iter().flatten();
        let moves = moves.filter(|change| which(change));
        let names = moves.flat_map(|change| {
            let of_side = entries(change).into_iter().filter(|(key, _)| *key == setting.key);
            of_side.flat_map(|(_, brokers)| brokers).map(|id| entry(change.partition, id))
        });
        names.collect()
    }

    fn release(&mut self, seen: &Seen, setting: &Setting, held: &Held) {
        let Some(value) = told(seen, setting) else {
            match &setting.resource {
                Resource::Topic(name) if !seen.topics.contains_key(name) => self.released(setting),
                Resource::Topic(_) | Resource::Broker(_) => {
                    self.strays.insert(Stray::Unreachable { setting: setting.clone() });
                }
            }
            return;
        };
        let original = match setting.key {
            Key::LeaderRate | Key::FollowerRate => held.before.clone(),
            Key::LeaderReplicas | Key::FollowerReplicas => without_ours(value, held),
        };
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
    held.ours.contains(value) || held.before.as_deref() == Some(value)
}

/// A rate that we have set; a list always is, as far as it names what is ours.
fn is_ours(setting: &Setting, held: &Held, value: Option<&str>) -> bool {
    match setting.key {
        Key::LeaderRate | Key::FollowerRate => value.is_some_and(|value| held.ours.contains(value)),
        Key::LeaderReplicas | Key::FollowerReplicas => Entries::parse(value) != Entries::All,
    }
}

/// The list as it was before, to the letter, but for what others have added since.
fn without_ours(value: Option<&str>, held: &Held) -> Option<String> {
    let (Entries::Some(found), Entries::Some(before)) =
        (Entries::parse(value), Entries::parse(held.before.as_deref()))
    else {
        return held.before.clone();
    };
    let rest = &(&found - &held.ours) | &before;
    if rest == before { held.before.clone() } else { Entries::Some(rest).value() }
}
