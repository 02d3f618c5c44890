//! Which replicas are being copied, from the state of the cluster.
//!
//! In: what is seen of moves and topics, and the sizes of logs. Out: one copy for each partition that has a replica to be
//! filled, whether a reassignment asks for it or a broker has fallen behind. Pure.

use execute::{Running, Seen};
use mapper::snapshot::{Leader, Partition};
use mapper::{BrokerId, Bytes, Replicas, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};
use throttle::{CopySeen, ReplicaToFill, WhyNotInSync};

/// The size of each log that was asked for.
pub(crate) type Sizes = BTreeMap<(TopicPartition, BrokerId), Bytes>;

/// All copies, still without sizes.
pub fn copies(seen: &Seen) -> Vec<CopySeen> {
    let mut copies = Vec::new();
    for topic in seen.topics.values() {
        for partition in &topic.partitions {
            let of = TopicPartition { topic: topic.name.clone(), partition: partition.id };
            let found = match seen.running.get(&of) {
                Some(running) => Some(moved(of, partition, running)),
                None => fallen_behind(of, partition, &seen.live),
            };
            let found = found.filter(|copy| !copy.destinations.is_empty());
            copies.extend(
                found.map(|copy| CopySeen { min_insync: topic.min_insync_replicas, ..copy }),
            );
        }
    }
    copies
}

fn moved(of: TopicPartition, partition: &Partition, running: &Running) -> CopySeen {
    copy(of, partition, WhyNotInSync::Reassignment, running.target.iter().copied())
}

/// A dead broker receives nothing; its replicas count when it is back.
fn fallen_behind(
    of: TopicPartition,
    partition: &Partition,
    live: &BTreeSet<BrokerId>,
) -> Option<CopySeen> {
    partition.facts.as_ref()?.isr.as_ref()?;
    let offline = partition.offline();
    let able = |id: &BrokerId| live.contains(id) && !offline.contains(id);
    Some(copy(
        of,
        partition,
        WhyNotInSync::Recovery,
        partition.replicas.iter().copied().filter(able),
    ))
}

fn copy(
    of: TopicPartition,
    partition: &Partition,
    cause: WhyNotInSync,
    wanted: impl Iterator<Item = BrokerId>,
) -> CopySeen {
    let in_sync = in_sync(partition);
    let missing = wanted.filter(|id| !in_sync.contains(id));
    let destinations = missing.map(|broker| ReplicaToFill { broker, done: None }).collect();
    let leader = match partition.leader() {
        Leader::Broker(id) => Some(id),
        Leader::None | Leader::Unknown => None,
    };
    CopySeen {
        of,
        cause,
        leader,
        in_sync,
        destinations,
        min_insync: None,
        leader_bytes: None,
        ingest: None,
    }
}

fn in_sync(partition: &Partition) -> Replicas {
    let facts = partition.facts.as_deref();
    facts.and_then(|facts| facts.isr.clone()).unwrap_or_default()
}

/// The logs whose sizes show the progress of copies, by broker.
pub(crate) fn logs(copies: &[CopySeen]) -> BTreeMap<BrokerId, BTreeSet<TopicPartition>> {
    let mut wanted: BTreeMap<BrokerId, BTreeSet<TopicPartition>> = BTreeMap::new();
    for copy in copies {
        let destinations = copy.destinations.iter().map(|destination| destination.broker);
        for broker in destinations.chain(copy.leader) {
            wanted.entry(broker).or_default().insert(copy.of.clone());
        }
    }
    wanted
}

/// Adds the sizes.
pub(crate) fn with_sizes(copies: &mut [CopySeen], sizes: &Sizes) {
    for copy in copies {
        let size = |broker: BrokerId| sizes.get(&(copy.of.clone(), broker)).copied();
        copy.leader_bytes = copy.leader.and_then(size);
        for destination in &mut copy.destinations {
            destination.done = size(destination.broker);
        }
    }
}

/// How many partitions each broker leads that have fewer replicas in sync than they need.
pub(crate) fn under_min_isr(seen: &Seen) -> BTreeMap<BrokerId, u64> {
    let mut found: BTreeMap<BrokerId, u64> = BTreeMap::new();
    for topic in seen.topics.values() {
        let Some(min) = topic.min_insync_replicas.and_then(|min| usize::try_from(min).ok()) else {
            continue;
        };
        for partition in &topic.partitions {
            let known = partition.facts.as_ref().and_then(|facts| facts.isr.as_ref());
            if let (Leader::Broker(leader), Some(isr)) = (partition.leader(), known) {
                *found.entry(leader).or_default() += u64::from(isr.len() < min);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ids, partition, seen_of};

    #[test]
    fn a_running_move_fills_the_targets_that_are_not_in_sync() {
        let mut seen = seen_of("t", vec![partition(0, &[1, 2, 3, 4], &[1, 2], 1)]);
        let of = TopicPartition { topic: "t".to_owned(), partition: mapper::PartitionId(0) };
        seen.running.insert(of, Running { target: ids(&[3, 2]), adding: ids(&[3]) });
        let copies = copies(&seen);
        assert_eq!(copies.len(), 1);
        assert_eq!(copies[0].cause, WhyNotInSync::Reassignment);
        let to: Vec<u32> = copies[0].destinations.iter().map(|d| d.broker.0).collect();
        assert_eq!((to, copies[0].leader), (vec![3], Some(BrokerId(1))));
    }

    #[test]
    fn a_replica_that_fell_behind_is_filled_while_its_broker_lives() {
        let mut seen =
            seen_of("t", vec![partition(0, &[1, 2], &[1], 1), partition(1, &[1, 2], &[1, 2], 1)]);
        assert_eq!(copies(&seen).len(), 1);
        assert_eq!(copies(&seen)[0].cause, WhyNotInSync::Recovery);
        seen.live.remove(&BrokerId(2));
        assert_eq!(copies(&seen), []);
    }

    #[test]
    fn partitions_under_their_min_isr_count_for_their_leader() {
        let mut seen =
            seen_of("t", vec![partition(0, &[1, 2], &[1], 1), partition(1, &[1, 2], &[1, 2], 2)]);
        seen.topics.get_mut("t").unwrap().min_insync_replicas = Some(2);
        assert_eq!(under_min_isr(&seen), [(BrokerId(1), 1), (BrokerId(2), 0)].into());
    }
}
