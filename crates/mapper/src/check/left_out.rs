//! Nothing wrong in scope is forgotten, and nothing is left out without a cause.

use super::leaders::Evacuation;
use super::view::CheckedSnapshot;
use super::{Violation, led};
use crate::ids::{PartitionId, TopicPartition};
use crate::plan::{LeftOut, Move, Plan, WhyLeftOut};
use crate::request::{BaseLists, PlanTerms};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Checks that everything wrong in scope is mended or reported. `moved`: the plan's moves, in order of topic and
/// partition.
pub(super) fn nothing_is_forgotten(
    view: &CheckedSnapshot<'_>,
    terms: &PlanTerms,
    base: &BaseLists<'_>,
    plan: &Plan,
    mut moved: &[&Move],
) -> Vec<Violation> {
    let said: BTreeSet<(&str, PartitionId)> =
        plan.left_out.iter().map(|left| (&*left.topic, left.partition)).collect();
    let mut broken = Vec::new();
    for (topic, allowed) in view.in_scope() {
        let mut of_topic = take_topic(&mut moved, &topic.name);
        for partition in &topic.partitions {
            if !base.cover(&topic.name, partition.id) {
                continue;
            }
            let change = take_partition(&mut of_topic, partition.id);
            let list = change.map_or(&partition.replicas, |change| &change.to);
            let wrong = view.still_wrong(allowed, terms.mends, partition, list);
            if !wrong.is_empty() && !said.contains(&(topic.name.as_str(), partition.id)) {
                let of = TopicPartition { topic: topic.name.clone(), partition: partition.id };
                broken.push(Violation::Forgotten { of, brokers: wrong });
            }
        }
    }
    broken
}

/// Removes the moves of one topic from the front, and drops those of topics before it.
fn take_topic<'m, 'p>(moves: &mut &'m [&'p Move], topic: &str) -> &'m [&'p Move] {
    // Most plans have moves of the requested topic, or none before it.
    let first = match moves.first() {
        Some(change) if *change.topic < *topic => moves.partition_point(|m| *m.topic < *topic),
        Some(_) | None => 0,
    };
    let from_here = &moves[first..];
    let same = |change: &&&Move| *change.topic == *topic;
    let Some(one) = from_here.first().filter(same) else {
        *moves = from_here;
        return &[];
    };
    let others =
        |change: &&Move| !Arc::ptr_eq(&change.topic, &one.topic) && *change.topic != *topic;
    let count = from_here.iter().position(others).unwrap_or(from_here.len());
    let (of_topic, rest) = from_here.split_at(count);
    *moves = rest;
    of_topic
}

/// Removes the move of one partition from the front, and drops those of partitions before it.
fn take_partition<'p>(moves: &mut &[&'p Move], id: PartitionId) -> Option<&'p Move> {
    while let Some((change, rest)) = moves.split_first()
        && change.partition <= id
    {
        *moves = rest;
        if change.partition == id {
            return Some(change);
        }
    }
    None
}

/// Checks that only partitions that cannot be moved are left out.
pub(super) fn with_cause(
    view: &CheckedSnapshot<'_>,
    plan: &Plan,
    evacuation: Option<&Evacuation<'_>>,
) -> Vec<Violation> {
    let without_cause = |left: &&LeftOut| {
        let Some(partition) = view.find.partition(&left.topic, left.partition) else {
            return true;
        };
        match left.why {
            WhyLeftOut::NoLeader { .. } => led(view, partition),
            WhyLeftOut::Diskless { .. } => {
                view.find.topic(&left.topic).is_none_or(|topic| topic.diskless().is_none())
            }
            WhyLeftOut::Reassigning { .. } => !partition.is_moving(),
            WhyLeftOut::LostReplica { .. } => partition.replicas.iter().all(|id| view.is_live(*id)),
            WhyLeftOut::NoOtherLeader { .. } => {
                evacuation.is_none_or(|evacuation| evacuation.has_another(view, plan, left))
            }
        }
    };
    let name = |left: &LeftOut| TopicPartition {
        topic: left.topic.to_string(),
        partition: left.partition,
    };
    let wrong = plan.left_out.iter().filter(without_cause);
    wrong.map(|left| Violation::LeftOut { of: name(left) }).collect()
}
