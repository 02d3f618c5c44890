//! The purpose of a plan: its moves by reason.

use super::context::Context;
use super::without::StorageExtremes;
use crate::bytes::Bytes;
use crate::ids::TopicPartition;
use crate::plan::Reason;
use serde::Serialize;
use std::collections::BTreeMap;

/// The purpose of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanExplained {
    /// The command that made it.
    pub command: &'static str,
    /// Its moves by reason, the strongest reason first.
    pub reasons: Vec<ReasonSum>,
    /// The bytes that it copies, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_bytes: Option<Bytes>,
    /// The least bytes that any plan for the request copies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_bytes: Option<Bytes>,
    /// The evenness of storage before the plan.
    pub before: StorageExtremes,
    /// The evenness of storage after the plan.
    pub after: StorageExtremes,
    /// The number of partitions that have a fault and that the plan does not touch.
    pub left_out: usize,
}

/// The moves of one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasonSum {
    /// The reason.
    pub reason: Reason,
    /// The number of partitions that move for this reason.
    pub partitions: usize,
    /// The number of replicas that are copied for this reason.
    pub replicas: usize,
    /// The bytes of these copies, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// The partition that copies most bytes of them, as an example for the next question.
    pub largest: TopicPartition,
    /// The index of that partition's move.
    #[serde(rename = "move")]
    pub index: usize,
}

pub(super) fn of(context: &Context<'_>) -> PlanExplained {
    let plan = context.plan;
    let mut reasons: BTreeMap<Reason, Vec<usize>> = BTreeMap::new();
    for (index, change) in plan.moves.iter().enumerate() {
        reasons.entry(change.reason).or_default().push(index);
    }
    let of = |figures: &crate::figures::Figures| StorageExtremes {
        max_used_ratio: figures.max_used_ratio,
        min_used_ratio: figures.min_used_ratio,
    };
    PlanExplained {
        command: plan.request.command(),
        reasons: reasons
            .into_iter()
            .filter_map(|(reason, all)| sum(context, reason, &all))
            .collect(),
        moved_bytes: plan.bytes_moved(),
        bound_bytes: plan.bound_bytes,
        before: of(&plan.before),
        after: of(&plan.after),
        left_out: plan.left_out.len(),
    }
}

fn sum(context: &Context<'_>, reason: Reason, indices: &[usize]) -> Option<ReasonSum> {
    let moves = || indices.iter().map(|index| &context.plan.moves[*index]);
    let largest = |index: &&usize| (context.plan.moves[**index].bytes, std::cmp::Reverse(**index));
    let index = *indices.iter().max_by_key(largest)?;
    Some(ReasonSum {
        reason,
        partitions: indices.len(),
        replicas: moves().map(|change| change.added().count()).sum(),
        bytes: moves().map(|change| change.bytes).sum(),
        largest: context.plan.moves[index].of(),
        index,
    })
}
