//! Partitions that cannot take acknowledged writes: without a leader, or below their min ISR.

use crate::seen::{Seen, isr};
use crate::task::{PauseOn, Task};
use mapper::snapshot::{Leader, Partition, Topic};
use mapper::{Move, PartitionId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ill {
    /// It has no leader.
    Offline,
    /// Fewer of its replicas are in sync than `min.insync.replicas` asks for.
    UnderMinIsr,
}

/// Every unhealthy partition of the cluster.
pub(crate) fn ill(seen: &Seen) -> BTreeMap<TopicPartition, Ill> {
    let of_topic = |topic: &Topic| {
        let min = topic.min_insync_replicas;
        let name = topic.name.clone();
        let found: Vec<_> = topic
            .partitions
            .iter()
            .filter_map(|p| {
                let of = TopicPartition { topic: name.clone(), partition: p.id };
                illness(p, min).map(|ill| (of, ill))
            })
            .collect();
        found
    };
    seen.topics.values().flat_map(of_topic).collect()
}

/// Whether fewer replicas of the move's partition are in sync than `min.insync.replicas` asks for.
pub(crate) fn is_under_min_isr(seen: &Seen, change: &Move) -> bool {
    let min = min_isr(seen, change);
    seen.partition(change).is_some_and(|p| illness(p, min) == Some(Ill::UnderMinIsr))
}

/// How many more replicas in sync the move's partition needs for `min.insync.replicas`.
pub(crate) fn missing_to_min_isr(seen: &Seen, change: &Move) -> usize {
    min_isr(seen, change).map_or(0, |min| (min as usize).saturating_sub(seen.in_sync(change).len()))
}

fn min_isr(seen: &Seen, change: &Move) -> Option<u32> {
    seen.topics.get(&*change.topic)?.min_insync_replicas
}

fn illness(partition: &Partition, min: Option<u32>) -> Option<Ill> {
    match partition.leader() {
        Leader::None => Some(Ill::Offline),
        Leader::Broker(_) | Leader::Unknown => {
            let in_sync = partition.facts.as_ref()?.isr.as_ref()?.len();
            let min = usize::try_from(min?).ok()?;
            (in_sync < min).then_some(Ill::UnderMinIsr)
        }
    }
}

/// The unhealthy partitions that stop new moves.
pub(crate) fn reasons_to_pause(
    task: &Task<'_>,
    at_start: &BTreeSet<TopicPartition>,
    seen: &Seen,
) -> BTreeMap<TopicPartition, Ill> {
    if task.terms.pause_on == PauseOn::Never {
        return BTreeMap::new();
    }
    let mut found = ill(seen);
    if task.terms.pause_on == PauseOn::New {
        found.retain(|of, _| !at_start.contains(of));
    }
    if found.is_empty() {
        return found;
    }
    let moves: BTreeMap<(&str, PartitionId), &Move> =
        task.plan.moves.iter().map(|m| ((&*m.topic, m.partition), m)).collect();
    found.retain(|of, _| {
        let change = moves.get(&(of.topic.as_str(), of.partition));
        !change.is_some_and(|change| heals(seen, change))
    });
    found
}

/// Whether enough replicas are in sync once the move is done.
pub(crate) fn heals(seen: &Seen, change: &Move) -> bool {
    let Some(min) = seen.topics.get(&*change.topic).and_then(|topic| topic.min_insync_replicas)
    else {
        return false;
    };
    let Some(partition) = seen.partition(change) else {
        return false;
    };
    let stay = isr(partition).iter().filter(|id| change.to.contains(id));
    let come = change.added().filter(|id| !isr(partition).contains(id));
    let in_sync = stay.count() + come.count();
    partition.leader() != Leader::None && u32::try_from(in_sync).is_ok_and(|n| n >= min)
}
