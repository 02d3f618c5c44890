//! Details of an execution: the slowest copies, what each broker has to send and receive, and lagging partitions.

use crate::live::views::heading;
use crate::live::views::table::Table;
use execute::{Estimate, MoveState, Round, Seen, Task};
use mapper::{BrokerId, Bytes, TopicPartition};
use operate::execution::Look;
use serde::Serialize;
use std::fmt;

/// The most copies that are shown: those with the least share of their bytes.
const SLOWEST: usize = 5;
/// The most brokers in the table; the JSON form has all.
const BROKERS: usize = 20;

/// A copy that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Slow {
    #[serde(flatten)]
    of: TopicPartition,
    to: BrokerId,
    copied_bytes: Bytes,
    bytes: Bytes,
}

/// What one broker has to do; moves in flight count in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct LeftToCopy {
    broker: BrokerId,
    incoming_bytes: Bytes,
    outgoing_bytes: Bytes,
    /// Between its log dirs.
    disk_bytes: Bytes,
}

/// What is on its way.
#[derive(Debug, Serialize)]
pub(super) struct Detail {
    /// Partitions of the cluster with a replica that is not in sync, but for those that a move adds.
    under_replicated: usize,
    slowest: Vec<Slow>,
    brokers: Vec<LeftToCopy>,
}

impl Detail {
    pub(super) fn of(task: &Task<'_>, look: &Look, round: &Round) -> Self {
        let estimate = Estimate::of(task, &round.course, &look.seen);
        let brokers = estimate.brokers.iter().map(|(broker, traffic)| LeftToCopy {
            broker: *broker,
            incoming_bytes: traffic.incoming_bytes,
            outgoing_bytes: traffic.outgoing_bytes,
            disk_bytes: traffic.disk_bytes,
        });
        Self {
            under_replicated: under_replicated(&look.seen),
            slowest: slowest(task, look, round),
            brokers: brokers.collect(),
        }
    }
}

fn slowest(task: &Task<'_>, look: &Look, round: &Round) -> Vec<Slow> {
    let moving = round.course.all(|standing| *standing == MoveState::Moving);
    let moving = moving.filter_map(|index| task.of(index));
    let mut all: Vec<Slow> = moving
        .filter_map(|change| Some((change, change.copy_bytes().filter(|each| each.0 > 0)?)))
        .flat_map(|(change, bytes)| {
            change.added().map(move |to| {
                let so_far = look.seen.copies.bytes.get(&(change.of(), to)).copied();
                Slow { of: change.of(), to, copied_bytes: so_far.unwrap_or_default(), bytes }
            })
        })
        .collect();
    // Of the largest first, where none has got anything.
    all.sort_by_key(|one| {
        let share = u128::from(one.copied_bytes.0) * 1_000_000 / u128::from(one.bytes.0);
        (share, std::cmp::Reverse(one.bytes), one.of.clone(), one.to)
    });
    all.truncate(SLOWEST);
    all
}

fn under_replicated(seen: &Seen) -> usize {
    let partitions = seen.topics.values().flat_map(|topic| {
        topic.partitions.iter().map(|partition| {
            let of = TopicPartition { topic: topic.name.clone(), partition: partition.id };
            (of, partition)
        })
    });
    let lags = partitions.filter(|(of, partition)| {
        let Some(in_sync) = partition.facts.as_ref().and_then(|facts| facts.isr.as_ref()) else {
            return false;
        };
        let adding = seen.running.get(of).map(|running| &running.adding);
        let comes = |id: &BrokerId| adding.is_some_and(|adding| adding.contains(id));
        partition.replicas.iter().any(|id| !in_sync.contains(id) && !comes(id))
    });
    lags.count()
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "lagging     {} under-replicated, not counting moves", self.under_replicated)?;
        if !self.slowest.is_empty() {
            heading(f, "Slowest")?;
            for Slow { of, to, copied_bytes, bytes } in &self.slowest {
                writeln!(f, "  {of} to {to}: {copied_bytes} of {bytes}")?;
            }
        }
        if !self.brokers.is_empty() && self.brokers.len() <= BROKERS {
            heading(f, "Left to copy")?;
            let rows = self.brokers.iter().map(|left| {
                let LeftToCopy { broker, incoming_bytes, outgoing_bytes, disk_bytes } = left;
                let bytes = [incoming_bytes, outgoing_bytes, disk_bytes].map(ToString::to_string);
                let [incoming, outgoing, inside] = bytes;
                [broker.to_string(), incoming, outgoing, inside]
            });
            Table::write(f, ["broker", ">takes in", ">gives", ">between its dirs"], rows)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use execute::Running;
    use mapper::snapshot::{Partition, PartitionFacts, Topic};
    use mapper::{PartitionId, Replicas};

    fn ids(ids: &[u32]) -> Replicas {
        ids.iter().copied().map(BrokerId).collect()
    }

    #[test]
    fn what_a_move_adds_does_not_lag_and_what_should_be_in_sync_does() {
        let mut topic = Topic { name: "t".to_owned(), ..Topic::default() };
        for (number, isr) in [(0, ids(&[1])), (1, ids(&[1, 2])), (2, ids(&[1]))] {
            let mut partition = Partition::new(PartitionId(number), ids(&[1, 2]));
            let facts = PartitionFacts { isr: Some(isr), ..PartitionFacts::default() };
            partition.facts = Some(Box::new(facts));
            topic.partitions.push(partition);
        }
        let of = TopicPartition { topic: "t".to_owned(), partition: PartitionId(0) };
        let running = Running { target: ids(&[1, 2]), adding: ids(&[2]) };
        let mut seen = Seen { running: [(of, running)].into(), ..Seen::default() };
        seen.topics.insert("t".to_owned(), topic);
        assert_eq!(under_replicated(&seen), 1);
    }
}
