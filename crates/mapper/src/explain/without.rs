//! A plan without one of its moves, judged by the same check as any plan.

use super::context::Context;
use super::instead::extremes;
use crate::bytes::Bytes;
use crate::check::{Violation, check};
use crate::ids::TopicPartition;
use crate::plan::{Move, Plan};
use serde::Serialize;

/// A plan without one of its moves.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Without {
    /// The bytes that are then not copied, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved_bytes: Option<Bytes>,
    /// The promises that the rest of the plan would break.
    pub breaks: Vec<Violation>,
    /// The moves that need the room that this move frees.
    pub dependents: Vec<TopicPartition>,
    /// The evenness of storage before the plan.
    pub before: StorageExtremes,
    /// The evenness of storage after the plan.
    pub after: StorageExtremes,
    /// The evenness of storage after the plan without this move.
    pub after_without: StorageExtremes,
}

/// The fullest and the emptiest of the brokers that the request allows, by the share of storage used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StorageExtremes {
    /// The fullest broker's share; absent if no capacity is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_used_ratio: Option<f64>,
    /// The emptiest broker's share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_used_ratio: Option<f64>,
}

/// The plan without the move of this index.
pub(super) fn of(context: &Context<'_>, index: usize) -> Without {
    let plan = context.plan;
    let dropped = &plan.moves[index];
    let rest = rest(plan, index);
    // A plan that another tool has edited may break promises anyway. This move is not the cause of those. And the plan's
    // figures are those with the move.
    let known = check(context.cluster.snapshot, plan);
    let mut breaks = check(context.cluster.snapshot, &rest);
    let states = |violation: &Violation| matches!(violation, Violation::Figures { .. });
    breaks.retain(|violation| !known.contains(violation) && !states(violation));
    Without {
        saved_bytes: dropped.bytes.map(|bytes| bytes.plus(dropped.disk_bytes)),
        dependents: dependents(&rest, &breaks),
        breaks,
        before: evenness(context, &|at| context.cluster.used[at]),
        after: evenness(context, &|at| context.used_after[at]),
        after_without: evenness(context, &|at| used_without(context, dropped, at)),
    }
}

fn rest(plan: &Plan, index: usize) -> Plan {
    let mut rest = plan.clone();
    rest.moves.remove(index);
    for step in &mut rest.steps {
        step.retain(|other| *other != index);
        for other in step.iter_mut().filter(|other| **other > index) {
            *other -= 1;
        }
    }
    rest
}

/// The partitions that move to a broker without enough room, in the steps where the room is missing.
fn dependents(rest: &Plan, breaks: &[Violation]) -> Vec<TopicPartition> {
    let mut waiting: Vec<TopicPartition> = Vec::new();
    let stages = rest.stages();
    for violation in breaks {
        if let Violation::Capacity { broker, step, .. } = violation {
            let of_step = stages.get(*step).into_iter().flatten();
            let onto = of_step.filter(|stage| stage.added().any(|id| id == *broker));
            waiting.extend(onto.map(|stage| stage.change.of()));
        }
    }
    waiting.sort();
    waiting.dedup();
    waiting
}

fn used_without(context: &Context<'_>, dropped: &Move, at: usize) -> Option<u64> {
    let id = context.cluster.ids[at];
    let used = context.used_after[at]?;
    if dropped.added().any(|added| added == id) {
        return Some(used.saturating_sub(super::context::each_held(&context.cluster, dropped)));
    }
    if dropped.removed().any(|removed| removed == id) {
        let known = context.cluster.snapshot.partition(&dropped.topic, dropped.partition);
        let back = known.and_then(|partition| partition.size_on(id)).unwrap_or_default();
        return Some(used + back.0);
    }
    Some(used)
}

fn evenness(context: &Context<'_>, used: &dyn Fn(usize) -> Option<u64>) -> StorageExtremes {
    let (max_used_ratio, min_used_ratio) = extremes(context, &|broker| used(broker as usize));
    StorageExtremes { max_used_ratio, min_used_ratio }
}
