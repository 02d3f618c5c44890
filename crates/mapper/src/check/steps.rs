//! The promises of a plan about its steps: each is safe by itself and keeps the requested pacing, and none is wasted.

use super::Violation;
use super::submissions::{Submission, by_step, of_move};
use super::view::CheckedSnapshot;
use crate::bytes::{Bytes, Ratio};
use crate::ids::{BrokerId, Replicas};
use crate::plan::{Move, Plan};
use crate::request::PlanTerms;
use crate::snapshot::{Leader, Partition};
use crate::table::IdSet;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn broken(view: &CheckedSnapshot<'_>, plan: &Plan) -> Vec<Violation> {
    let mut broken = every_list_has_its_step(plan);
    let terms = plan.request.terms();
    for change in plan.moves.iter().filter(|change| !change.via.is_empty()) {
        if let Some(partition) = view.find.partition(&change.topic, change.partition) {
            broken.extend(on_the_way(view, terms, partition, change));
        }
    }
    if !terms.pacing.is_default() {
        broken.extend(pacing(view, terms, &by_step(plan)));
    }
    broken
}

/// Checks that every list of every move is submitted, each in a separate step.
fn every_list_has_its_step(plan: &Plan) -> Vec<Violation> {
    // For each move: the number of its steps, and the last of them, counted from 1.
    let mut steps_of = vec![(0_u32, 0_u32); plan.moves.len()];
    let mut broken = Vec::new();
    for ((step, indices), number) in plan.steps.iter().enumerate().zip(1..) {
        for index in indices {
            match steps_of.get_mut(*index) {
                None => broken.push(Violation::NoSuchMove { index: *index }),
                Some((_, last)) if *last == number => {
                    broken.push(Violation::TwiceInStep { of: plan.moves[*index].of(), step });
                }
                Some((times, last)) => (*times, *last) = (*times + 1, number),
            }
        }
    }
    for (change, (times, _)) in plan.moves.iter().zip(steps_of) {
        let (times, asked) = (times as usize, change.via.len() + 1);
        if times != asked {
            broken.push(Violation::Steps { of: change.of(), times, asked });
        }
    }
    broken
}

/// The checks for every list between the first and the last.
fn on_the_way(
    view: &CheckedSnapshot<'_>,
    terms: &PlanTerms,
    partition: &Partition,
    change: &Move,
) -> Vec<Violation> {
    let mut broken = Vec::new();
    let sound = |id: &&BrokerId| view.is_live(**id) && !partition.offline().contains(id);
    let sound_of = |list: &Replicas| list.iter().filter(sound).count();
    let least = sound_of(&change.from).min(sound_of(&change.to));
    for (at, list) in change.via.iter().enumerate() {
        let of = || change.of();
        if let Some(broker) = super::repeated(list) {
            broken.push(Violation::Repeated { of: of(), broker });
        }
        if is_detour(terms, change, list) {
            broken.push(Violation::Detour { of: of(), list: list.to_vec() });
        }
        if sound_of(list) < least || list.is_empty() {
            broken.push(Violation::TooFewCopies { of: of(), list: list.to_vec() });
        }
        let dead = |id: &&BrokerId| !view.is_live(**id) && !change.to.contains(id);
        for broker in list.iter().filter(dead) {
            broken.push(Violation::NotLive { of: of(), broker: *broker });
        }
        let next = change.via.get(at + 1).unwrap_or(&change.to);
        broken.extend(racks_on_the_way(view, change, list, next));
    }
    let copies: usize = of_move(change).map(|part| part.added().count()).sum();
    if copies != change.added().count() || of_move(change).any(|part| part.from == part.to) {
        broken.push(Violation::Detour { of: change.of(), list: change.to.to_vec() });
    }
    broken
}

/// Whether the list was not requested, is longer than requested, or has brokers of neither end of the move.
fn is_detour(terms: &PlanTerms, change: &Move, list: &Replicas) -> bool {
    let pacing = &terms.pacing;
    let longest = change.from.len().max(change.to.len()) + usize::from(pacing.phased);
    let known = |id: &BrokerId| change.from.contains(id) || change.to.contains(id);
    let asked = pacing.phased || pacing.chunk_brokers.is_some();
    !asked || list.len() > longest || !list.iter().all(known)
}

/// A list that contains all of a list that keeps the rule is as safe as that one; the next list is checked separately.
fn racks_on_the_way(
    view: &CheckedSnapshot<'_>,
    change: &Move,
    list: &Replicas,
    next: &Replicas,
) -> Option<Violation> {
    let holds = |all: &Replicas| all.iter().all(|id| list.contains(id));
    if holds(&change.from) || holds(next) {
        return None;
    }
    let (before, after) = view.racks_are_worse_between(change, list)?;
    Some(Violation::Racks { of: change.of(), before, after })
}

/// Checks that no step is larger than requested.
fn pacing(
    view: &CheckedSnapshot<'_>,
    terms: &PlanTerms,
    steps: &[Vec<Submission<'_>>],
) -> Vec<Violation> {
    let mut broken = Vec::new();
    let pacing = &terms.pacing;
    for (step, parts) in steps.iter().enumerate() {
        if let Some(most_bytes) = pacing.max_bytes {
            let bytes = |s: &Submission<'_>| s.bytes().map(|bytes| bytes.plus(s.disk_bytes()));
            let copying: Vec<Bytes> =
                parts.iter().filter_map(bytes).filter(|bytes| bytes.0 > 0).collect();
            let bytes = copying.iter().copied().sum();
            // A single partition is never divided.
            if bytes > most_bytes && copying.len() > 1 {
                broken.push(Violation::StepBytes { step, bytes, most_bytes });
            }
        }
        if let Some(most) = pacing.max_moves_per_broker {
            let of = partaking(view, parts).into_iter().filter(|(_, moves)| *moves > most);
            broken.extend(of.map(|(broker, moves)| Violation::StepMoves {
                step,
                broker,
                moves,
                most,
            }));
        }
        if let Some(most) = pacing.chunk_brokers {
            let brokers = giving(view, parts);
            if brokers.len() > most.max(1) as usize {
                let brokers = brokers.into_iter().collect();
                broken.push(Violation::StepBrokers { step, brokers, most });
            }
        }
    }
    broken
}

/// For each broker: the number of partitions that it receives, sends or copies to another of its volumes.
fn partaking(view: &CheckedSnapshot<'_>, parts: &[Submission<'_>]) -> BTreeMap<BrokerId, u32> {
    let mut moves = BTreeMap::new();
    for part in parts {
        let mut brokers: BTreeSet<BrokerId> = part.added().collect();
        if !brokers.is_empty() {
            brokers.extend(copied_from(view, *part));
        }
        brokers.extend(between_dirs(view, *part).map(|(id, ..)| id));
        for broker in brokers {
            *moves.entry(broker).or_default() += 1;
        }
    }
    moves
}

/// The leader while it is in the list, otherwise the first replica that can lead.
fn copied_from(view: &CheckedSnapshot<'_>, part: Submission<'_>) -> Option<BrokerId> {
    let partition = view.find.partition(&part.change.topic, part.change.partition)?;
    match partition.leader() {
        Leader::Broker(id) if part.from.contains(&id) => Some(id),
        Leader::Broker(_) | Leader::None | Leader::Unknown => {
            let can_lead = |id: &&BrokerId| view.is_live(**id) && !partition.offline().contains(id);
            part.from.iter().find(can_lead).copied()
        }
    }
}

/// Brokers that give up healthy replicas.
fn giving(view: &CheckedSnapshot<'_>, parts: &[Submission<'_>]) -> BTreeSet<BrokerId> {
    let of = |part: &Submission<'_>| {
        let partition = view.find.partition(&part.change.topic, part.change.partition);
        let offline = partition.map(Partition::offline).unwrap_or_default();
        let sound = |id: &BrokerId| view.is_live(*id) && !offline.contains(id);
        part.removed().filter(sound).collect::<Vec<BrokerId>>()
    };
    parts.iter().flat_map(of).collect()
}

/// Checks that no step fills a broker beyond its limit, with both copies of moving replicas counted.
pub(super) fn capacity(
    view: &CheckedSnapshot<'_>,
    headroom: Ratio,
    steps: &[Vec<Submission<'_>>],
) -> Vec<Violation> {
    let mut broken = Vec::new();
    let mut disks = view.disks(headroom);
    for (step, parts) in steps.iter().enumerate() {
        let mut grown = IdSet::default();
        let mut grown_dirs: BTreeSet<(BrokerId, &str)> = BTreeSet::new();
        for part in parts {
            let partition = view.find.partition(&part.change.topic, part.change.partition);
            let each = part.change.held_bytes(partition).unwrap_or_default().0;
            for id in part.added().filter(|_| each > 0) {
                let log_dir = part.change.log_dir(id);
                disks.add(id, log_dir, each);
                grown.insert(id);
                grown_dirs.extend(log_dir.map(|log_dir| (id, log_dir)));
            }
            for (id, to, _, size) in between_dirs(view, *part).filter(|(.., size)| *size > 0) {
                disks.add(id, Some(to), size);
                grown.insert(id);
                grown_dirs.insert((id, to));
            }
        }
        let whole = grown.into_sorted().into_iter().map(|id| (id, None));
        let dirs = grown_dirs.into_iter().map(|(id, log_dir)| (id, Some(log_dir)));
        let mut grown: Vec<(BrokerId, Option<&str>)> = whole.chain(dirs).collect();
        grown.sort_unstable();
        for (broker, log_dir) in grown {
            if let Some(over_bytes) = disks.over(broker, log_dir) {
                let log_dir = log_dir.map(str::to_owned);
                broken.push(Violation::Capacity { broker, log_dir, step, over_bytes });
            }
        }
        for part in parts {
            let Some(topic) = view.find.topic(&part.change.topic) else { continue };
            let Some(partition) = topic.partition(part.change.partition) else { continue };
            for id in part.removed() {
                let gone = partition.size_on(id).unwrap_or_default();
                disks.remove(id, topic.log_dir_of(partition, id), gone.0);
            }
            between_dirs(view, *part).for_each(|(id, _, from, size)| disks.remove(id, from, size));
        }
    }
    broken
}

/// The replicas that stay on their broker and change its log dir once the last list is in place. For each: the broker,
/// the new dir, the old dir, and the bytes that exist twice during the copy.
fn between_dirs<'v>(
    view: &CheckedSnapshot<'v>,
    part: Submission<'v>,
) -> impl Iterator<Item = (BrokerId, &'v str, Option<&'v str>, u64)> {
    let change = part.change;
    let asked = !change.log_dirs.is_empty() && *part.to == change.to;
    let topic = asked.then(|| view.find.topic(&change.topic)).flatten();
    let found = topic.and_then(|topic| Some((topic, topic.partition(change.partition)?)));
    let named =
        found.into_iter().flat_map(|found| change.named_log_dirs().map(move |n| (found, n)));
    named.filter_map(|((topic, partition), (id, to))| {
        let from = topic.log_dir_of(partition, id);
        let goes = change.from.contains(&id) && from != Some(to);
        goes.then(|| (id, to, from, partition.size_on(id).unwrap_or_default().0))
    })
}
