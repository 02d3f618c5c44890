//! The canary's topic as it has to be: for each live broker one partition, of which it has the only replica.
//!
//! In: the topic as it is, which of its partitions move, who lives. Out: which partition measures which broker now, and
//! what is to be done. A partition of a broker that is gone is left alone: it may come back. Pure.

use mapper::snapshot::{Partition, Topic};
use mapper::{BrokerId, PartitionId};
use std::collections::{BTreeMap, BTreeSet};

/// What there is, and what there is to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TopicUpkeep {
    /// The partition of each broker that has its own.
    pub(super) in_place: BTreeMap<BrokerId, PartitionId>,
    pub(super) steps: Vec<UpkeepStep>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UpkeepStep {
    /// Makes the topic, with a partition on each of these.
    Create(Vec<BrokerId>),
    /// Adds a partition on each of these to as many as there are.
    Add { from: u32, brokers: Vec<BrokerId> },
    /// Brings partitions to where they measure something.
    Move(Vec<(PartitionId, BrokerId)>),
}

/// No change begins while one of its partitions moves, for any reason.
pub(super) fn keep(
    topic: Option<&Topic>,
    moving: &BTreeSet<PartitionId>,
    live: &BTreeSet<BrokerId>,
) -> TopicUpkeep {
    let Some(topic) = topic else {
        let all: Vec<BrokerId> = live.iter().copied().collect();
        let steps = if all.is_empty() { Vec::new() } else { vec![UpkeepStep::Create(all)] };
        return TopicUpkeep { steps, ..TopicUpkeep::default() };
    };
    let mut kept = TopicUpkeep::default();
    let mut astray = Vec::new();
    for partition in topic.partitions.iter().filter(|partition| !moving.contains(&partition.id)) {
        match partition.replicas[..] {
            [only] if live.contains(&only) && !kept.in_place.contains_key(&only) => {
                kept.in_place.insert(only, partition.id);
            }
            _ if partition.replicas.iter().any(|id| live.contains(id)) => astray.push(partition),
            _ => {}
        }
    }
    if moving.is_empty() {
        kept.steps = steps(topic, live, &kept.in_place, astray);
    }
    kept
}

fn steps(
    topic: &Topic,
    live: &BTreeSet<BrokerId>,
    in_place: &BTreeMap<BrokerId, PartitionId>,
    astray: Vec<&Partition>,
) -> Vec<UpkeepStep> {
    let mut without = live.iter().copied().filter(|id| !in_place.contains_key(id)).peekable();
    let mut moves = Vec::new();
    for partition in astray {
        // One too many stays where it is, with one replica.
        let several = || partition.replicas.iter().copied().find(|id| live.contains(id));
        let to = without.next().or_else(|| several().filter(|_| partition.replicas.len() > 1));
        moves.extend(to.map(|to| (partition.id, to)));
    }
    let mut steps = Vec::new();
    if !moves.is_empty() {
        steps.push(UpkeepStep::Move(moves));
    }
    if without.peek().is_some() {
        let from = u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX);
        steps.push(UpkeepStep::Add { from, brokers: without.collect() });
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::ids;

    fn topic(lists: &[&[u32]]) -> Topic {
        let of = |(id, list): (u32, &&[u32])| Partition::new(PartitionId(id), ids(list));
        Topic { partitions: (0..).zip(lists).map(of).collect(), ..Topic::default() }
    }

    fn of(lists: &[&[u32]], moving: &[u32], live: &[u32]) -> (Vec<(u32, u32)>, Vec<UpkeepStep>) {
        let moving = moving.iter().copied().map(PartitionId).collect();
        let live = live.iter().copied().map(BrokerId).collect();
        let TopicUpkeep { in_place, steps } = keep(Some(&topic(lists)), &moving, &live);
        (in_place.into_iter().map(|(broker, of)| (broker.0, of.0)).collect(), steps)
    }

    fn moves(moves: &[(u32, u32)]) -> UpkeepStep {
        let of = |(of, to): &(u32, u32)| (PartitionId(*of), BrokerId(*to));
        UpkeepStep::Move(moves.iter().map(of).collect())
    }

    #[test]
    fn it_is_made_once_with_a_partition_on_each_live_broker() {
        let live = [BrokerId(7), BrokerId(1001)];
        let kept = keep(None, &BTreeSet::new(), &live.into());
        assert_eq!(kept.steps, [UpkeepStep::Create(live.to_vec())]);
        assert_eq!(keep(None, &BTreeSet::new(), &BTreeSet::new()), TopicUpkeep::default());
        assert_eq!(of(&[&[7], &[1001]], &[], &[7, 1001]), (vec![(7, 0), (1001, 1)], Vec::new()));
    }

    #[test]
    fn a_new_broker_gets_a_partition_and_one_that_is_gone_keeps_its_own() {
        let add = UpkeepStep::Add { from: 2, brokers: vec![BrokerId(3)] };
        assert_eq!(of(&[&[1], &[2]], &[], &[1, 3]), (vec![(1, 0)], vec![add]));
        assert_eq!(of(&[&[1], &[2]], &[], &[1, 2]), (vec![(1, 0), (2, 1)], Vec::new()));
    }

    #[test]
    fn what_was_moved_is_moved_back() {
        assert_eq!(of(&[&[1], &[1], &[3]], &[], &[1, 2, 3]).1, [moves(&[(1, 2)])]);
        assert_eq!(of(&[&[1, 2], &[2, 1], &[3]], &[], &[1, 2, 3]).1, [moves(&[(0, 1), (1, 2)])]);
        // All that is left of the list's brokers is its first live one.
        assert_eq!(of(&[&[1], &[9, 1]], &[], &[1]), (vec![(1, 0)], vec![moves(&[(1, 1)])]));
    }

    #[test]
    fn nothing_is_begun_while_a_partition_moves_and_one_too_many_stays() {
        assert_eq!(of(&[&[1], &[1, 2]], &[1], &[1, 2, 3]), (vec![(1, 0)], Vec::new()));
        assert_eq!(of(&[&[1], &[1]], &[], &[1]), (vec![(1, 0)], Vec::new()));
        assert_eq!(of(&[&[8, 9]], &[], &[]), (Vec::new(), Vec::new()));
    }
}
