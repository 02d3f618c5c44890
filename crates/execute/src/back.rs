//! Rollback: which partitions return to the replicas that they had before a plan, and which cannot.
//!
//! In: the plan, its journal's history, and the cluster with none of the plan's moves in flight. Out: the old replica
//! list of each partition that returns, and why others stay. A planner decides where and in which order they return.

use crate::journal::ExecutionHistory;
use crate::legs::by_partition;
use crate::seen::{Seen, same_set};
use mapper::snapshot::Leader;
use mapper::{BrokerId, Move, Plan, Replicas, TopicPartition};
use serde::Serialize;
use std::collections::BTreeMap;

/// The partitions that return, and those that do not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WayBack {
    /// The replica list before the plan, for every partition whose list differs now.
    pub lists: BTreeMap<TopicPartition, Replicas>,
    /// Moves of the plan that are in flight. The rollback cancels them first, and they count as not moved.
    pub in_flight: Vec<TopicPartition>,
    /// Partitions that stay as they are, and why.
    pub left: BTreeMap<TopicPartition, WhyNotBack>,
}

/// Why a partition does not return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum WhyNotBack {
    /// Its topic was deleted, or recreated with fewer partitions.
    Gone,
    /// It is unknown whether its topic still exists.
    Untold,
    /// Brokers that had a replica before the plan are not live.
    Dead {
        /// The brokers.
        brokers: Vec<BrokerId>,
    },
    /// It has replicas that the plan never gave it.
    Changed {
        /// The replicas that it has.
        found: Vec<BrokerId>,
    },
    /// It has the plan's replicas, but the journal has no submission for it: another tool moved it.
    NotOurs,
    /// Another tool is moving it.
    MovedByOthers {
        /// The target of that move.
        target: Vec<BrokerId>,
    },
    /// It has no live leader, so nothing can be copied from it.
    NoLeader,
}

/// Decides what returns. `plan` is as [`legs`](crate::legs) cuts it. A lost journal (`history` without a plan) cannot
/// say who moved what. Then every partition on the plan's way counts as moved by the plan.
pub fn way_back(plan: &Plan, history: &ExecutionHistory, seen: &Seen) -> WayBack {
    let mut back = WayBack::default();
    let mut first = 0;
    for legs in by_partition(&plan.moves) {
        let submitted = (first..first + legs.len()).any(|leg| history.submitted.contains(&leg));
        first += legs.len();
        let ours = submitted || history.plan.is_none();
        let of = legs[0].of();
        match way_of(legs, ours, seen) {
            PartitionWay::Stays => {}
            PartitionWay::InFlight => back.in_flight.push(of),
            PartitionWay::Returns(list) => drop(back.lists.insert(of, list)),
            PartitionWay::Left(why) => drop(back.left.insert(of, why)),
        }
    }
    back
}

enum PartitionWay {
    Stays,
    InFlight,
    Returns(Replicas),
    Left(WhyNotBack),
}

fn way_of(legs: &[Move], ours: bool, seen: &Seen) -> PartitionWay {
    let before = &legs[0].from;
    let Some(partition) = seen.partition(&legs[0]) else {
        return PartitionWay::Left(match seen.is_gone(&legs[0].topic) {
            true => WhyNotBack::Gone,
            false => WhyNotBack::Untold,
        });
    };
    if let Some(running) = seen.running.get(&legs[0].of()) {
        let planned = legs.iter().any(|leg| same_set(&leg.to, &running.target));
        return match planned && ours {
            true => PartitionWay::InFlight,
            false => {
                PartitionWay::Left(WhyNotBack::MovedByOthers { target: running.target.to_vec() })
            }
        };
    }
    if ours && seen.settling.contains(&legs[0].of()) {
        return PartitionWay::InFlight;
    }
    let now = &partition.replicas;
    if now == before {
        return PartitionWay::Stays;
    }
    let on_the_way = same_set(now, before) || legs.iter().any(|leg| same_set(&leg.to, now));
    let dead: Vec<BrokerId> = before.iter().copied().filter(|id| !seen.live.contains(id)).collect();
    let led = match partition.leader() {
        Leader::Broker(id) => seen.live.contains(&id),
        Leader::None | Leader::Unknown => false,
    };
    let why = if !on_the_way {
        WhyNotBack::Changed { found: now.to_vec() }
    } else if !ours {
        WhyNotBack::NotOurs
    } else if !dead.is_empty() {
        WhyNotBack::Dead { brokers: dead }
    } else if !led {
        WhyNotBack::NoLeader
    } else {
        return PartitionWay::Returns(before.clone());
    };
    PartitionWay::Left(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::JournalEntry;
    use crate::seen::Running;
    use mapper::snapshot::{Partition, PartitionFacts, Topic};
    use mapper::{LeadBy, Leaders, Mends, PartitionId, PlanTerms, Ratio, Reason, Request};

    fn ids(ids: &[u32]) -> Replicas {
        ids.iter().copied().map(BrokerId).collect()
    }

    /// A plan of these partitions, each with its list before and after.
    fn plan(lists: &[(&[u32], &[u32])]) -> Plan {
        let moves = lists.iter().zip(0..).map(|((from, to), partition)| Move {
            topic: "t".into(),
            partition: PartitionId(partition),
            from: ids(from),
            via: Box::default(),
            disk_bytes: mapper::Bytes(0),
            to: ids(to),
            log_dirs: Vec::new(),
            reason: Reason::Balance,
            bytes: None,
        });
        let moves: Vec<Move> = moves.collect();
        let terms = PlanTerms { mends: Mends::Nothing, ..PlanTerms::new(Vec::new(), Ratio::ZERO) };
        let (by, evacuate) = (LeadBy::Count, Default::default());
        let request = Request::Leaders(Leaders { terms, by, per_topic: false, evacuate });
        Plan { steps: vec![(0..moves.len()).collect()], moves, ..Plan::empty(request) }
    }

    fn seen(now: &[&[u32]]) -> Seen {
        let partition = |(list, id): (&&[u32], u32)| {
            let mut partition = Partition::new(PartitionId(id), ids(list));
            let leader = list.first().map_or(Leader::None, |id| Leader::Broker(BrokerId(*id)));
            let facts = PartitionFacts { leader, isr: Some(ids(list)), ..Default::default() };
            partition.facts = Some(Box::new(facts));
            partition
        };
        let partitions = now.iter().zip(0..).map(partition).collect();
        let topic = Topic { name: "t".to_owned(), partitions, ..Topic::default() };
        let live = (1..=5).map(BrokerId).collect();
        Seen { live, topics: [("t".to_owned(), topic)].into(), ..Seen::default() }
    }

    fn journal(moves: &[usize]) -> ExecutionHistory {
        let mut history =
            ExecutionHistory { plan: Some("p".to_owned()), ..ExecutionHistory::default() };
        history.apply(JournalEntry::Submitted { moves: moves.to_vec() });
        history
    }

    fn of(partition: u32) -> TopicPartition {
        TopicPartition { topic: "t".to_owned(), partition: PartitionId(partition) }
    }

    #[test]
    fn what_has_arrived_returns_and_what_never_began_stays() {
        let plan = plan(&[(&[1, 2], &[3, 2]), (&[1, 2], &[3, 2]), (&[1, 2], &[3, 2])]);
        // The last move was cancelled; a cancel does not keep the order.
        let back = way_back(&plan, &journal(&[0, 2]), &seen(&[&[3, 2], &[1, 2], &[2, 1]]));
        assert_eq!(back.lists, [(of(0), ids(&[1, 2])), (of(2), ids(&[1, 2]))].into());
        assert!(back.left.is_empty() && back.in_flight.is_empty());
    }

    #[test]
    fn what_cannot_return_is_said() {
        let lists: [(&[u32], &[u32]); 4] =
            [(&[1, 9], &[1, 3]), (&[1, 2], &[3, 2]), (&[1, 2], &[3, 2]), (&[1, 2], &[3, 2])];
        let plan = plan(&lists);
        let found = seen(&[&[1, 3], &[4, 5], &[3, 2]]);
        let back = way_back(&plan, &journal(&[0, 1, 3]), &found);
        assert_eq!(back.lists, BTreeMap::new());
        let expected = [
            (of(0), WhyNotBack::Dead { brokers: vec![BrokerId(9)] }),
            (of(1), WhyNotBack::Changed { found: vec![BrokerId(4), BrokerId(5)] }),
            (of(2), WhyNotBack::NotOurs),
            (of(3), WhyNotBack::Gone),
        ];
        assert_eq!(back.left, expected.into());
        // Without a journal it is unknown who moved it.
        let back = way_back(&plan, &ExecutionHistory::default(), &found);
        assert_eq!(back.lists, [(of(2), ids(&[1, 2]))].into());
    }

    #[test]
    fn a_move_in_flight_is_cancelled_if_it_is_the_plans() {
        let plan = plan(&[(&[1, 2], &[3, 2]), (&[1, 2], &[3, 2])]);
        let mut now = seen(&[&[3, 2, 1], &[5, 2, 1]]);
        for (partition, target) in [(0, [3, 2]), (1, [5, 2])] {
            let running = Running { target: ids(&target), adding: ids(&target[..1]) };
            now.running.insert(of(partition), running);
        }
        let back = way_back(&plan, &journal(&[0, 1]), &now);
        assert_eq!(back.in_flight, [of(0)]);
        let target = vec![BrokerId(5), BrokerId(2)];
        assert_eq!(back.left, [(of(1), WhyNotBack::MovedByOthers { target })].into());
    }
}
