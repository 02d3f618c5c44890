//! Whether the daemon paces an announced move before the move begins.
//!
//! In: configs that were *read* from the cluster; what the daemon reports of itself does not count. A move is paced if:
//! * every live broker of the move has a rate
//! * the leaders' list names its sources
//! * the followers' list names the brokers that get a replica

use crate::config::{Key, ThrottleResource, ThrottleValue, ThrottledEntries, ThrottledReplica};
use crate::dirs;
use crate::seen::{Seen, isr};
use mapper::{BrokerId, Move};

/// Whether every byte of this move would be paced. The daemon does not pace copies between the log dirs of one broker.
pub fn is_paced(seen: &Seen, change: &Move) -> bool {
    if dirs::copying(seen, change).next().is_some() {
        return false;
    }
    if seen.has_arrived(change) || change.added().next().is_none() {
        return true;
    }
    let Some(partition) = seen.partition(change) else { return false };
    let in_sync = isr(partition);
    let filled: Vec<BrokerId> = change.added().filter(|id| !in_sync.contains(id)).collect();
    !in_sync.is_empty()
        && is_paced_on(seen, change, (Key::LeaderReplicas, Key::LeaderRate), in_sync)
        && is_paced_on(seen, change, (Key::FollowerReplicas, Key::FollowerRate), &filled)
}

/// Whether this move may begin: the daemon knew of it before this look, and has set the configs that pace it.
pub(crate) fn covers(seen: &Seen, change: &Move) -> bool {
    let copies = !seen.has_arrived(change) && change.added().next().is_some();
    (!copies || seen.announced.contains(&change.of())) && is_paced(seen, change)
}

fn is_paced_on(seen: &Seen, change: &Move, (list, rate): (Key, Key), brokers: &[BrokerId]) -> bool {
    let topic = seen.configs.get(&ThrottleResource::Topic(change.topic.to_string()));
    let listed = ThrottledEntries::parse(topic.and_then(|set| set.get(&list)).map(String::as_str));
    let replica = |id: &BrokerId| ThrottledReplica { partition: change.partition, broker: *id };
    let needed = brokers.iter().map(|id| ThrottleValue::Replica(replica(id))).collect();
    let has_rate = |id: &BrokerId| {
        let set = seen.configs.get(&ThrottleResource::Broker(*id));
        let rate = set.and_then(|set| set.get(&rate)).and_then(|rate| rate.parse::<u64>().ok());
        rate.is_some_and(|rate| rate > 0)
    };
    let mut live = brokers.iter().filter(|id| seen.live.contains(id));
    listed.cover(&needed) && live.all(has_rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::snapshot::{Partition, PartitionFacts, Topic};
    use mapper::{PartitionId, Reason, Replicas};
    use std::collections::BTreeMap;

    fn ids(ids: &[u32]) -> Replicas {
        ids.iter().copied().map(BrokerId).collect()
    }

    /// `t-0` moves from 1, 2 to 1, 3.
    fn change() -> Move {
        Move {
            topic: "t".into(),
            partition: PartitionId(0),
            from: ids(&[1, 2]),
            via: Box::default(),
            disk_bytes: mapper::Bytes(0),
            to: ids(&[1, 3]),
            log_dirs: Vec::new(),
            reason: Reason::Forced,
            bytes: None,
        }
    }

    /// A cluster with every config that paces it.
    fn world() -> Seen {
        let mut partition = Partition::new(PartitionId(0), ids(&[1, 2]));
        let facts = PartitionFacts { isr: Some(ids(&[1, 2])), ..PartitionFacts::default() };
        partition.facts = Some(Box::new(facts));
        let topic = Topic { name: "t".to_owned(), partitions: vec![partition], ..Topic::default() };
        let lists = [(Key::LeaderReplicas, "0:1,0:2"), (Key::FollowerReplicas, "0:3")];
        let rate = |id, key| (ThrottleResource::Broker(BrokerId(id)), (key, "100"));
        let mut configs: BTreeMap<ThrottleResource, BTreeMap<Key, String>> = BTreeMap::new();
        let rates =
            [rate(1, Key::LeaderRate), rate(2, Key::LeaderRate), rate(3, Key::FollowerRate)];
        let lists = lists.map(|set| (ThrottleResource::Topic("t".to_owned()), set));
        for (resource, (key, value)) in rates.into_iter().chain(lists) {
            configs.entry(resource).or_default().insert(key, value.to_owned());
        }
        let announced = [change().of()].into();
        let live = [1, 2, 3].map(BrokerId).into();
        let topics = [("t".to_owned(), topic)].into();
        Seen { live, topics, configs, announced, ..Seen::default() }
    }

    #[test]
    fn a_move_is_begun_only_where_every_part_of_its_pace_was_read() {
        assert!(covers(&world(), &change()));
        let mut not_told = world();
        not_told.announced.clear();
        assert!(!covers(&not_told, &change()), "what stands may be taken away any moment");
        for (resource, set) in world().configs {
            for key in set.into_keys() {
                let mut without = world();
                without.configs.get_mut(&resource).unwrap().remove(&key);
                assert!(!covers(&without, &change()), "{resource} without {key:?}");
            }
            let mut untold = world();
            untold.configs.remove(&resource);
            assert!(!covers(&untold, &change()), "{resource} does not tell");
        }
    }

    #[test]
    fn half_a_list_and_a_rate_of_nothing_pace_nothing() {
        let set = |resource: ThrottleResource, key, value: &str| {
            let mut seen = world();
            seen.configs.get_mut(&resource).unwrap().insert(key, value.to_owned());
            covers(&seen, &change())
        };
        let topic = || ThrottleResource::Topic("t".to_owned());
        assert!(!set(topic(), Key::LeaderReplicas, "0:1"), "2 may lead the next moment");
        assert!(!set(topic(), Key::FollowerReplicas, "1:3"));
        assert!(set(topic(), Key::FollowerReplicas, "*"));
        assert!(!set(ThrottleResource::Broker(BrokerId(3)), Key::FollowerRate, "0"));
        assert!(!set(ThrottleResource::Broker(BrokerId(3)), Key::FollowerRate, "fast"));
    }

    #[test]
    fn what_copies_nothing_needs_no_daemon() {
        let order = Move { to: ids(&[2, 1]), ..change() };
        assert!(covers(&Seen::default(), &order));
        assert!(!covers(&Seen::default(), &change()));
    }
}
