//! Counts each topic's replicas after a plan that evens load, and compares the sums with those of the plan.

use super::Violation;
use super::view::CheckedSnapshot;
use crate::ids::BrokerId;
use crate::plan::{Move, Plan};
use crate::snapshot::{Partition, Topic};
use crate::table::Positions;
use std::cmp::Ordering;

/// Wrong sums of topics and replicas; `moves`: in order of topic and partition.
pub(super) fn wrong(view: &CheckedSnapshot<'_>, plan: &Plan, moves: &[&Move]) -> Vec<Violation> {
    let stated = plan.after.uneven_topics.zip(plan.after.misplaced_replicas);
    // Plans that even nothing, and those of an earlier version, do not have them.
    let Some((topics, replicas)) = stated else { return Vec::new() };
    let found = counted(view, moves);
    let sums =
        [("uneven topics", topics, found.0), ("misplaced replicas of topics", replicas, found.1)];
    let wrong = sums.into_iter().filter(|(_, stated, found)| stated != found);
    wrong
        .map(|(what, stated, found)| Violation::Figures { what, broker: None, stated, found })
        .collect()
}

/// The topics that are uneven after these moves, and the replicas that would have to move to even them.
fn counted(view: &CheckedSnapshot<'_>, moves: &[&Move]) -> (u64, u64) {
    let ids: Vec<BrokerId> = view.snapshot.brokers().iter().map(|broker| broker.id).collect();
    let (mut held, mut holders) = (vec![0; ids.len()], Vec::new());
    let positions = Positions::new(ids);
    let (mut left, mut uneven, mut replicas) = (moves, 0, 0);
    for (topic, allowed) in view.in_scope() {
        let own = of_topic(&mut left, topic);
        let mut rest = own.iter().peekable();
        let mut add = |id: BrokerId| {
            if allowed.brokers.contains(id)
                && let Some(at) = positions.of(id)
            {
                let count = &mut held[at as usize];
                if *count == 0 {
                    holders.push(at);
                }
                *count += 1;
            }
        };
        for partition in &topic.partitions {
            list_after(partition, &mut rest).iter().copied().for_each(&mut add);
        }
        let counts = holders.drain(..).map(|at| std::mem::take(&mut held[at as usize]));
        let off = off(&counts.collect::<Vec<u64>>(), allowed.members);
        uneven += u64::from(off > 0);
        replicas += off;
    }
    (uneven, replicas)
}

/// The moves of a topic. Topics come in order of name.
pub(super) fn of_topic<'m>(left: &mut &'m [&'m Move], topic: &Topic) -> &'m [&'m Move] {
    let name = topic.name.as_str();
    let all = *left;
    let first = all.partition_point(|change| (*change.topic).cmp(name) == Ordering::Less);
    let more = all[first..].partition_point(|change| &*change.topic == name);
    *left = &all[first + more..];
    &all[first..first + more]
}

/// The replica list of a partition after the plan.
pub(super) fn list_after<'l>(
    partition: &'l Partition,
    moves: &mut std::iter::Peekable<std::slice::Iter<'l, &'l Move>>,
) -> &'l [BrokerId] {
    while moves.next_if(|change| change.partition < partition.id).is_some() {}
    let own = moves.peek().filter(|change| change.partition == partition.id);
    own.map_or(&partition.replicas, |change| &change.to)
}

/// How many replicas would have to move, from the counts of the brokers that hold any; `members`: all that may.
fn off(counts: &[u64], members: usize) -> u64 {
    let (all, among) = (counts.iter().sum::<u64>(), members.max(1) as u64);
    let (low, high) = (all / among, all.div_ceil(among));
    let above: u64 = counts.iter().map(|count| count.saturating_sub(high)).sum();
    let below: u64 = counts.iter().map(|count| low.saturating_sub(*count)).sum();
    let without = among.saturating_sub(counts.len() as u64);
    above.max(below + low * without)
}
