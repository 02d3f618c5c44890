//! What has to be set before a move begins, and what may be removed after it.
//!
//! In: the moves that are in flight or about to be submitted. Out: the [`Holding`] of the configs that they need, and
//! which moves are covered. Only configs that were *read* from the cluster count, not those that were sent to it. On
//! the leaders' side a list names the sources of a move. On the followers' side it names only the replicas to fill: a
//! replica that is in sync is never throttled.

use crate::config::{Key, Setting, ThrottleResource, ThrottleValue, ThrottledReplica};
use crate::covered;
use crate::dirs;
use crate::ledger::{Ledger, Owner};
use crate::reconcile::{
    Holding, List, WantedConfigs, WantedRate, rate_of, rate_setting, reconcile,
};
use crate::seen::Seen;
use crate::task::{Pace, Task};
use mapper::{BrokerId, Move, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

type NeededLists = BTreeMap<Setting, BTreeSet<ThrottledReplica>>;

/// Brokers whose configs stay between one move and the next.
#[derive(Debug, Default)]
pub(crate) struct Keep {
    /// Those that keep their rates.
    pub(crate) rates: BTreeSet<BrokerId>,
    /// Those that are cordoned, where Kafka has cordons.
    pub(crate) cordons: BTreeSet<BrokerId>,
}

/// Reconciles every config that is needed, or ours. `about` are the moves to submit.
pub(crate) fn pace(
    task: &Task<'_>,
    ledger: &Ledger,
    seen: &Seen,
    about: &[usize],
    keep: &Keep,
) -> Holding {
    let needs = needed_lists(task, ledger, seen, about);
    let rate = match task.terms.pace {
        Pace::BytesPerSecond(rate) => WantedRate::At(rate),
        Pace::Unthrottled | Pace::Auto => WantedRate::LeaveAsItIs,
    };
    let mut rates = needed_rates(task, &needs, &keep.rates);
    rates.extend(log_dir_rates(task, ledger, seen, about));
    let rates = rates.into_iter().map(|setting| (setting, rate)).collect();
    let lists = lists(task, seen, needs);
    let owner = Owner::Execution { plan: task.plan_id.to_owned() };
    let cordons = keep.cordons.intersection(&seen.cordonable).copied().collect();
    let wanted = WantedConfigs { owner, rates, lists, cordons, ..WantedConfigs::default() };
    reconcile(&wanted, ledger, seen)
}

/// Whether a move may be submitted: every config that paces it was read back from the cluster.
pub(crate) fn covers(
    holding: &Holding,
    task: &Task<'_>,
    ledger: &Ledger,
    seen: &Seen,
    change: &Move,
) -> bool {
    match task.terms.pace {
        Pace::BytesPerSecond(_) => {}
        Pace::Unthrottled => return true,
        // Rates of an earlier run are restored when its moves are over. Until then nothing begins that could depend on
        // them.
        Pace::Auto => return !ledger.paces() && covered::covers(seen, change),
    }
    if seen.has_arrived(change) {
        let mut copying = dirs::copying(seen, change);
        return copying.all(|id| holding.satisfies(&rate_setting(id, Key::LogDirRate)));
    }
    let mut sides = entries(change).into_iter();
    sides.all(|(key, brokers)| holding.paces(seen, &change.of(), key, &brokers))
}

/// The rates of brokers that copy from one of their dirs to another, or are about to.
fn log_dir_rates(
    task: &Task<'_>,
    ledger: &Ledger,
    seen: &Seen,
    about: &[usize],
) -> BTreeSet<Setting> {
    let mut rates = BTreeSet::new();
    if let Pace::BytesPerSecond(_) = task.terms.pace {
        let copies = |id: &BrokerId| seen.copies_between_dirs(*id);
        let all = task.plan.moves.iter();
        let under_way = all.flat_map(|change| dirs::copying(seen, change)).filter(copies);
        let about = about.iter().filter_map(|index| task.of(*index));
        let about = about.filter(|change| seen.has_arrived(change));
        let brokers = under_way.chain(about.flat_map(|change| dirs::copying(seen, change)));
        rates.extend(brokers.map(|id| rate_setting(id, Key::LogDirRate)));
    }
    // A paced copy stays paced, no matter which run set its rate. A copy that its broker does not report may still be
    // in flight.
    let held = ledger.held().filter(|(setting, _)| setting.key == Key::LogDirRate);
    let goes_on = |setting: &&Setting| match setting.resource {
        ThrottleResource::Broker(id) => {
            !seen.stored.contains_key(&id) || seen.copies_between_dirs(id)
        }
        ThrottleResource::Topic(_) => false,
    };
    rates.extend(held.map(|(setting, _)| setting).filter(goes_on).cloned());
    rates
}

/// A move's entries, by side.
fn entries(change: &Move) -> [(Key, Vec<BrokerId>); 2] {
    let sources = if change.added().next().is_some() { change.from.to_vec() } else { Vec::new() };
    [(Key::LeaderReplicas, sources), (Key::FollowerReplicas, change.added().collect())]
}

/// Replicas of a move's partition on these brokers.
fn listed(
    change: &Move,
    brokers: impl IntoIterator<Item = BrokerId>,
) -> impl Iterator<Item = ThrottledReplica> {
    let partition = change.partition;
    brokers.into_iter().map(move |broker| ThrottledReplica { partition, broker })
}

/// The lists for everything in flight, and for the moves that are about to begin.
fn needed_lists(task: &Task<'_>, ledger: &Ledger, seen: &Seen, about: &[usize]) -> NeededLists {
    let mut needs = NeededLists::new();
    if let Pace::BytesPerSecond(_) = task.terms.pace {
        let about = about.iter().filter_map(|index| task.of(*index));
        let about = about.filter(|change| !seen.has_arrived(change));
        for change in task.running(seen).chain(about) {
            for (key, brokers) in entries(change).into_iter().filter(|(_, all)| !all.is_empty()) {
                let resource = ThrottleResource::Topic(change.topic.to_string());
                let names = listed(change, brokers);
                needs.entry(Setting { resource, key }).or_default().extend(names);
            }
        }
    }
    // A covered move stays covered, no matter which run covered it and what is requested now.
    for (setting, held) in ledger.held() {
        let ThrottleResource::Topic(topic) = &setting.resource else { continue };
        let runs = |ThrottledReplica { partition, .. }: &ThrottledReplica| {
            let of = TopicPartition { topic: topic.clone(), partition: *partition };
            seen.running.contains_key(&of)
        };
        let ours = held.ours.iter().filter_map(ThrottleValue::replica);
        let running: BTreeSet<ThrottledReplica> = ours.filter(runs).collect();
        if !running.is_empty() {
            needs.entry(setting.clone()).or_default().extend(running);
        }
    }
    needs
}

/// The rates of every broker that the lists name, or that keeps its rate.
fn needed_rates(
    task: &Task<'_>,
    lists: &NeededLists,
    keep: &BTreeSet<BrokerId>,
) -> BTreeSet<Setting> {
    let mut rates = BTreeSet::new();
    for (setting, entries) in lists {
        let rate = |of: &ThrottledReplica| rate_setting(of.broker, rate_of(setting.key));
        rates.extend(entries.iter().map(rate));
    }
    if let Pace::BytesPerSecond(_) = task.terms.pace {
        let both = |id: &BrokerId| Key::OF_BROKERS.map(|key| rate_setting(*id, key));
        rates.extend(keep.iter().flat_map(both));
    }
    rates
}

/// The lists with every entry that the plan may put into them.
fn lists(task: &Task<'_>, seen: &Seen, needs: NeededLists) -> BTreeMap<Setting, List> {
    let mut moves_of: BTreeMap<&str, Vec<&Move>> = BTreeMap::new();
    for change in &task.plan.moves {
        moves_of.entry(&change.topic).or_default().push(change);
    }
    let list = |(setting, now): (Setting, BTreeSet<ThrottledReplica>)| {
        let moves = match &setting.resource {
            ThrottleResource::Topic(topic) => moves_of.get(topic.as_str()),
            ThrottleResource::Broker(_) => None,
        };
        let mut list = List { now, ..List::default() };
        for change in moves.into_iter().flatten() {
            let of_side = entries(change).into_iter().filter(|(key, _)| *key == setting.key);
            let brokers = of_side.flat_map(|(_, brokers)| brokers);
            let names: Vec<ThrottledReplica> = listed(change, brokers).collect();
            if seen.runs(change) {
                list.in_flight.extend(&names);
            }
            list.ever.extend(names);
        }
        (setting, list)
    };
    needs.into_iter().map(list).collect()
}
