//! Finds remedies: for each rule of a clash, the smallest change that makes a plan possible. The end of a cordon is tried
//! in any case.

use super::remedy::Remedy;
use super::rule::{ClashRule, cordoned, live, lost};
use super::trials::Trials;
use crate::bytes::{Bytes, Ratio};
use crate::ids::BrokerId;
use crate::no_plan::{NoPlan, Refusal};
use crate::request::{RackRule, Request};
use crate::snapshot::Snapshot;
use std::collections::BTreeSet;

/// The most single brokers that are tried for each kind of remedy. It bounds the search; further ones are not tried.
const BROKERS: usize = 12;
/// The most brokers that a remedy adds. If more are needed, the report has no such remedy.
const ADDED: u32 = 8;

/// The remedies that lead to a plan, the smallest change first.
pub(super) fn remedies(trials: &mut Trials<'_>, rules: &[ClashRule], why: &NoPlan) -> Vec<Remedy> {
    let mut found = Vec::new();
    for rule in rules {
        found.extend(of_rule(trials, rule, why));
    }
    // The planners are no exact search, so the clash may omit a cordon that alone is in the way.
    if !rules.iter().any(|rule| matches!(rule, ClashRule::Cordoned { .. })) {
        let brokers = cordoned(&trials.snapshot).collect();
        found.extend(of_rule(trials, &ClashRule::Cordoned { brokers }, why));
    }
    if matches!(why, NoPlan::MissingFact { .. }) {
        found.extend(works(trials, Remedy::ByCount));
    }
    if matches!(trials.request, Request::Replace(_)) {
        found.extend(incoming(trials));
    } else if !rules.is_empty() {
        found.extend(more_brokers(trials, why));
    }
    found.dedup();
    found.retain(|remedy| trials.is_confirmed(|s, r| remedy.applied(s, r)));
    found
}

fn of_rule(trials: &mut Trials<'_>, rule: &ClashRule, why: &NoPlan) -> Vec<Remedy> {
    match rule {
        ClashRule::Racks { spread } => min_rack_ids(trials, *spread).into_iter().collect(),
        ClashRule::Storage { headroom: ratio } => {
            let less = headroom(trials, *ratio);
            less.into_iter().chain(more_storage(trials, why)).collect()
        }
        ClashRule::Lost { .. } => bring_back(trials),
        ClashRule::Cordoned { brokers } => {
            singly(trials, brokers, |brokers| Remedy::Uncordon { brokers })
        }
        ClashRule::Allowed => allow(trials),
        ClashRule::Drained { brokers } => {
            singly(trials, brokers, |brokers| Remedy::KeepUndrained { brokers })
        }
        ClashRule::Replication => replication(trials).into_iter().collect(),
        ClashRule::FixRacks => works(trials, Remedy::WithoutFixRacks).into_iter().collect(),
        ClashRule::Forced => works(trials, Remedy::WithoutForce).into_iter().collect(),
        ClashRule::Pairs => works(trials, Remedy::WithoutPairs).into_iter().collect(),
        ClashRule::Limits => limits(trials, why).into_iter().collect(),
        // No flag drops the rule of hosts. More storage or another broker helps instead.
        ClashRule::Hosts => Vec::new(),
    }
}

fn works(trials: &mut Trials<'_>, remedy: Remedy) -> Option<Remedy> {
    trials.helps(|s, r| remedy.applied(s, r)).then_some(remedy)
}

/// Each broker that helps alone; if there is none, all together.
fn singly(
    trials: &mut Trials<'_>,
    brokers: &[BrokerId],
    remedy: impl Fn(Vec<BrokerId>) -> Remedy,
) -> Vec<Remedy> {
    let alone = brokers.iter().take(BROKERS);
    let found: Vec<Remedy> =
        alone.filter_map(|broker| works(trials, remedy(vec![*broker]))).collect();
    if !found.is_empty() || brokers.len() < 2 {
        return found;
    }
    works(trials, remedy(brokers.to_vec())).into_iter().collect()
}

fn bring_back(trials: &mut Trials<'_>) -> Vec<Remedy> {
    let lost: Vec<BrokerId> = lost(&trials.snapshot, trials.request).into_iter().collect();
    singly(trials, &lost, |brokers| Remedy::BringBack { brokers })
}

/// The most racks for which there is a plan.
fn min_rack_ids(trials: &mut Trials<'_>, spread: RackRule) -> Option<Remedy> {
    if matches!(trials.request, Request::Replace(_)) {
        return None;
    }
    let partitions = trials.snapshot.topics().iter().flat_map(|topic| &topic.partitions);
    let most = partitions.map(|partition| partition.replicas.len()).max().unwrap_or(1);
    let asked = match spread {
        RackRule::Spread => u32::try_from(most).unwrap_or(u32::MAX),
        RackRule::AtLeast(asked) => asked.saturating_sub(1),
    };
    let tried = (1..=asked.min(9)).rev();
    tried.into_iter().find_map(|racks| works(trials, Remedy::MinRackIds { racks }))
}

/// The most headroom, in whole percent, for which there is a plan.
fn headroom(trials: &mut Trials<'_>, asked: Ratio) -> Option<Remedy> {
    let remedy = |percent: u32| Remedy::Headroom { ratio: Ratio::from_percent(percent) };
    let mut fails = asked.ppm().div_ceil(10_000);
    if fails == 0 {
        return None;
    }
    let mut helps = 0;
    let mut best = works(trials, remedy(0))?;
    while fails - helps > 1 {
        let between = helps + (fails - helps) / 2;
        match works(trials, remedy(between)) {
            Some(better) => (best, helps) = (better, between),
            None => fails = between,
        }
    }
    Some(best)
}

/// The brokers that lack room, with the bytes that the first replica lacks there.
fn short(why: &NoPlan) -> Vec<(BrokerId, u64)> {
    let mut short: Vec<(BrokerId, u64)> = match why {
        NoPlan::NoBroker { refusals, .. } => refusals
            .iter()
            .filter_map(|(id, refusal)| match refusal {
                Refusal::NoRoom { missing_bytes, .. } => Some((*id, missing_bytes.0)),
                Refusal::NotLive
                | Refusal::NotAllowed
                | Refusal::Cordoned
                | Refusal::Holds
                | Refusal::FailedLogDir
                | Refusal::RackTaken { .. }
                | Refusal::HostTaken { .. } => None,
            })
            .collect(),
        NoPlan::NoRoomForBothCopies { broker, missing_bytes, .. } => {
            vec![(*broker, missing_bytes.0)]
        }
        NoPlan::Scope(_)
        | NoPlan::TooFewBrokers { .. }
        | NoPlan::TooFewRacks { .. }
        | NoPlan::BeyondLimit { .. }
        | NoPlan::TooLarge { .. }
        | NoPlan::MissingFact { .. }
        | NoPlan::CoarseCpuModel { .. }
        | NoPlan::NoPartner { .. } => Vec::new(),
    };
    short.sort_by_key(|(id, missing)| (*missing, *id));
    short
}

/// The least additional storage, on the first broker for which it helps.
fn more_storage(trials: &mut Trials<'_>, why: &NoPlan) -> Option<Remedy> {
    short(why)
        .into_iter()
        .take(3)
        .find_map(|(broker, missing)| least_storage(trials, broker, missing))
}

fn least_storage(trials: &mut Trials<'_>, broker: BrokerId, missing: u64) -> Option<Remedy> {
    let rack = trials.snapshot.broker(broker).and_then(|known| known.rack.clone());
    let remedy =
        |bytes: u64| Remedy::MoreStorage { broker, rack: rack.clone(), bytes: Bytes(bytes) };
    let sizes = trials.snapshot.topics().iter().flat_map(|topic| &topic.partitions);
    let all: u64 = sizes.filter_map(|partition| Some(partition.size?.0)).sum();
    let most = all.saturating_mul(4).max(missing);
    works(trials, remedy(round_up(most)))?;
    let (mut fails, mut helps) = (0, most);
    let mut guess = missing.max(1);
    // Start from the bytes that one replica lacks, and double: the result is probably near.
    while guess < helps {
        if works(trials, remedy(guess)).is_some() {
            helps = guess;
        } else {
            (fails, guess) = (guess, guess.saturating_mul(2));
        }
    }
    while helps - fails > helps / 256 + 1 {
        let between = fails + (helps - fails) / 2;
        match works(trials, remedy(between)) {
            Some(_) => helps = between,
            None => fails = between,
        }
    }
    works(trials, remedy(round_up(helps)))
}

/// Rounds up to a tenth of the displayed unit, so that the displayed size is enough.
fn round_up(bytes: u64) -> u64 {
    let unit = [1_u64 << 40, 1 << 30, 1 << 20, 1 << 10].into_iter().find(|unit| *unit <= bytes);
    let Some(unit) = unit.map(u128::from) else { return bytes };
    let tenths = (u128::from(bytes) * 10).div_ceil(unit);
    u64::try_from((tenths * unit).div_ceil(10)).unwrap_or(u64::MAX)
}

/// The fewest new brokers, in the first rack where they help.
fn more_brokers(trials: &mut Trials<'_>, why: &NoPlan) -> Option<Remedy> {
    let racks = racks(&trials.snapshot, why);
    let mut count = 1;
    while count <= ADDED {
        for (rack, new_rack) in &racks {
            let storage = typical_storage(&trials.snapshot, rack.as_ref());
            let (rack, new_rack) = (rack.clone(), *new_rack);
            let remedy = Remedy::MoreBrokers { brokers: count, rack, new_rack, storage };
            if let Some(found) = works(trials, remedy) {
                return Some(found);
            }
        }
        count = if count < 4 { count + 1 } else { count * 2 };
    }
    None
}

/// The racks for a new broker: first those that lack space, then the others, then a new rack.
fn racks(snapshot: &Snapshot, why: &NoPlan) -> Vec<(Option<String>, bool)> {
    let known: BTreeSet<&str> =
        snapshot.brokers().iter().filter_map(|broker| broker.rack.as_deref()).collect();
    if known.is_empty() {
        return vec![(None, false)];
    }
    let rack_of = |id: BrokerId| snapshot.broker(id).and_then(|broker| broker.rack.clone());
    let mut racks: Vec<String> = match why {
        NoPlan::NoBroker { shortage, .. } => {
            shortage.iter().filter_map(|short| short.rack.clone()).collect()
        }
        NoPlan::TooFewBrokers { lost, .. } => lost.iter().filter_map(|id| rack_of(*id)).collect(),
        NoPlan::NoRoomForBothCopies { broker, .. } => rack_of(*broker).into_iter().collect(),
        NoPlan::Scope(_)
        | NoPlan::TooFewRacks { .. }
        | NoPlan::BeyondLimit { .. }
        | NoPlan::TooLarge { .. }
        | NoPlan::MissingFact { .. }
        | NoPlan::CoarseCpuModel { .. }
        | NoPlan::NoPartner { .. } => Vec::new(),
    };
    racks.retain(|rack| known.contains(rack.as_str()));
    racks.extend(short(why).into_iter().filter_map(|(id, _)| rack_of(id)));
    let others = known.iter().map(|rack| (*rack).to_owned());
    let mut seen = BTreeSet::new();
    let racks = racks.into_iter().chain(others).filter(|rack| seen.insert(rack.clone()));
    let new = (1..).map(|n| format!("new-rack-{n}")).find(|name| !known.contains(name.as_str()));
    racks.take(BROKERS).map(|rack| (Some(rack), false)).chain([(new, true)]).collect()
}

/// The storage of the rack's smallest broker, or else of the smallest broker of all.
fn typical_storage(snapshot: &Snapshot, rack: Option<&String>) -> Option<Bytes> {
    let live = || snapshot.brokers().iter().filter(|broker| broker.live);
    let of_rack = live().filter(|broker| broker.rack.as_ref() == rack);
    let smallest = of_rack.filter_map(|broker| broker.storage_total).min();
    smallest.or_else(|| live().filter_map(|broker| broker.storage_total).min())
}

/// Each broker that helps alone, or else the fewest of all that are not allowed.
fn allow(trials: &mut Trials<'_>) -> Vec<Remedy> {
    let assignments = &trials.request.terms().assignments;
    let everywhere = |id: &BrokerId| assignments.iter().all(|a| a.brokers.contains(id));
    let other: Vec<BrokerId> =
        live(&trials.snapshot).into_iter().filter(|id| !everywhere(id)).collect();
    let remedy = |brokers: Vec<BrokerId>| Remedy::Allow { brokers };
    let first = other.iter().take(BROKERS).find_map(|id| works(trials, remedy(vec![*id])));
    if first.is_some() || other.len() < 2 {
        return first.into_iter().collect();
    }
    let Some(_) = works(trials, remedy(other.clone())) else {
        return Vec::new();
    };
    let mut kept = other.clone();
    for id in other.iter().rev().take(BROKERS * 2) {
        let without: Vec<BrokerId> = kept.iter().copied().filter(|other| other != id).collect();
        if !without.is_empty() && works(trials, remedy(without.clone())).is_some() {
            kept = without;
        }
    }
    works(trials, remedy(kept)).into_iter().collect()
}

/// The highest replication factor below that of the request.
fn replication(trials: &mut Trials<'_>) -> Option<Remedy> {
    let assignments = &trials.request.terms().assignments;
    let asked = assignments.iter().filter_map(|assignment| assignment.replication).max()?;
    let tried = (1..asked).rev().take(BROKERS);
    tried.into_iter().find_map(|replication| works(trials, Remedy::Replication { replication }))
}

/// Raises the limits to the bytes and replicas that have to be copied.
fn limits(trials: &mut Trials<'_>, why: &NoPlan) -> Option<Remedy> {
    let NoPlan::BeyondLimit { bytes, replicas } = why else { return None };
    let balance = trials.request.balance()?;
    let max_bytes_moved = balance.max_bytes_moved.map(|most| most.max(*bytes));
    let max_moves = balance.max_moves.map(|most| most.max(*replicas));
    works(trials, Remedy::Limits { max_bytes_moved, max_moves })
}

/// Another broker that can take all replicas of the outgoing one. Brokers of its rack come first.
fn incoming(trials: &mut Trials<'_>) -> Option<Remedy> {
    let Request::Replace(replace) = trials.request else { return None };
    let (outgoing, incoming) = (replace.outgoing, replace.incoming);
    let rack = |id: BrokerId| trials.snapshot.broker(id).and_then(|broker| broker.rack.clone());
    let own = rack(outgoing);
    let mut other: Vec<BrokerId> = live(&trials.snapshot).into_iter().collect();
    other.retain(|id| *id != outgoing && *id != incoming);
    other.sort_by_key(|id| (rack(*id) != own, *id));
    let tried = other.into_iter().take(BROKERS);
    tried.into_iter().find_map(|broker| works(trials, Remedy::Incoming { broker }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_rounded_size_is_all_of_it() {
        for bytes in [1, 1_023, 1_025, (1 << 30) + 1, 73_987_654_321, (5 << 40) - 1] {
            let rounded = round_up(bytes);
            assert!(rounded >= bytes);
            let (shown, below) = (Bytes(rounded).to_string(), Bytes(rounded - 1).to_string());
            assert_ne!(shown, below, "{rounded} is not the least that is shown so");
        }
        assert_eq!(Bytes(round_up(73_987_654_321)).to_string(), "69.0 GiB");
    }
}
