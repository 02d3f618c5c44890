//! Which partitions a preferred election would give back to their first replica.
//!
//! In: the cluster, and the partitions in scope. Out: the possible elections, and what prevents the others. A partition
//! that is being reassigned is left alone: its leader does not change while replicas are copied.

use crate::seen::{Seen, isr};
use mapper::snapshot::{Leader, Partition};
use mapper::{BrokerId, PartitionId, TopicPartition};
use serde::Serialize;
use std::collections::BTreeMap;

/// A first replica that does not lead and can be elected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Election {
    /// The partition.
    #[serde(flatten)]
    pub of: TopicPartition,
    /// The current leader.
    pub from: BrokerId,
    /// The first replica: live, and in sync.
    pub to: BrokerId,
}

/// What keeps a first replica from leading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "obstacle", rename_all = "snake_case")]
pub enum Obstacle {
    /// The partition is being reassigned.
    Reassigned,
    /// The partition has no leader.
    Offline {
        /// The brokers of which one has to return.
        heals: Vec<BrokerId>,
    },
    /// The first replica's broker is not live.
    NotLive {
        /// The broker.
        broker: BrokerId,
    },
    /// The first replica is not in sync.
    NotInSync {
        /// Its broker.
        broker: BrokerId,
    },
}

/// The elections to run, and those that are impossible.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Elections {
    /// By partition.
    pub ready: BTreeMap<TopicPartition, Election>,
    /// Partitions whose first replica does not lead and cannot.
    pub obstacles: BTreeMap<TopicPartition, Obstacle>,
}

/// Every partition in scope whose first replica does not lead.
pub fn preferred(seen: &Seen, in_scope: impl Fn(&str, PartitionId) -> bool) -> Elections {
    let mut elections = Elections::default();
    for topic in seen.topics.values() {
        for partition in topic.partitions.iter().filter(|p| in_scope(&topic.name, p.id)) {
            let of = TopicPartition { topic: topic.name.clone(), partition: partition.id };
            match judged(seen, &of, partition) {
                None => {}
                Some(Ok(from_to)) => {
                    let (from, to) = from_to;
                    elections.ready.insert(of.clone(), Election { of, from, to });
                }
                Some(Err(obstacle)) => drop(elections.obstacles.insert(of, obstacle)),
            }
        }
    }
    elections
}

/// Nothing if the first replica leads, or the leader is not known.
fn judged(
    seen: &Seen,
    of: &TopicPartition,
    partition: &Partition,
) -> Option<Result<(BrokerId, BrokerId), Obstacle>> {
    let reassigned = seen.running.contains_key(of);
    let target = seen.running.get(of).and_then(|running| running.target.first());
    let broker = *target.or(partition.replicas.first())?;
    let leader = match partition.leader() {
        Leader::Broker(leader) if leader == broker => return None,
        Leader::Broker(leader) => leader,
        Leader::None => return Some(Err(Obstacle::Offline { heals: partition.heals() })),
        Leader::Unknown => return None,
    };
    Some(if reassigned {
        Err(Obstacle::Reassigned)
    } else if !seen.live.contains(&broker) {
        Err(Obstacle::NotLive { broker })
    } else if !isr(partition).contains(&broker) {
        Err(Obstacle::NotInSync { broker })
    } else {
        Ok((leader, broker))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::Running;
    use mapper::snapshot::{PartitionFacts, Topic};

    fn ids(ids: &[u32]) -> mapper::Replicas {
        ids.iter().copied().map(BrokerId).collect()
    }

    fn of(partition: u32) -> TopicPartition {
        TopicPartition { topic: "t".to_owned(), partition: PartitionId(partition) }
    }

    /// Brokers 1 and 2 live; each partition has replicas, in-sync replicas, and a leader.
    fn seen(partitions: &[(&[u32], &[u32], Leader)]) -> Seen {
        let mut topic = Topic { name: "t".to_owned(), ..Topic::default() };
        for (number, (replicas, isr, leader)) in (0..).zip(partitions) {
            let mut partition = Partition::new(PartitionId(number), ids(replicas));
            let facts = PartitionFacts {
                isr: Some(ids(isr)),
                leader: *leader,
                ..PartitionFacts::default()
            };
            partition.facts = Some(Box::new(facts));
            topic.partitions.push(partition);
        }
        let live = [BrokerId(1), BrokerId(2)].into();
        Seen { live, topics: [("t".to_owned(), topic)].into(), ..Seen::default() }
    }

    #[test]
    fn a_first_replica_in_sync_is_elected_and_each_other_has_its_obstacle() {
        let led_by = |id| Leader::Broker(BrokerId(id));
        let mut seen = seen(&[
            (&[1, 2], &[1, 2], led_by(2)),
            (&[1, 2], &[1, 2], led_by(1)),
            (&[1, 2], &[2], led_by(2)),
            (&[3, 2], &[2], led_by(2)),
            (&[3, 4], &[3], Leader::None),
            (&[1, 2], &[1, 2], led_by(2)),
            (&[1, 2], &[1, 2], led_by(2)),
        ]);
        let running = Running { target: ids(&[1, 4]), adding: ids(&[4]) };
        seen.running.insert(of(5), running);
        let found = preferred(&seen, |_, partition| partition != PartitionId(6));
        let elected = Election { of: of(0), from: BrokerId(2), to: BrokerId(1) };
        assert_eq!(found.ready, [(of(0), elected)].into());
        let obstacles = [
            (of(2), Obstacle::NotInSync { broker: BrokerId(1) }),
            (of(3), Obstacle::NotLive { broker: BrokerId(3) }),
            (of(4), Obstacle::Offline { heals: vec![BrokerId(3)] }),
            (of(5), Obstacle::Reassigned),
        ];
        assert_eq!(found.obstacles, obstacles.into());
    }
}
