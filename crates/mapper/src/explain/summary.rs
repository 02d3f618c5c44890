//! What a plan is for: its moves by reason.

use super::context::Context;
use super::without::Evenness;
use crate::bytes::Bytes;
use crate::ids::TopicPartition;
use crate::plan::Reason;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a plan is for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanExplained {
    /// The command that made it.
    pub command: &'static str,
    /// Its moves by reason, the strongest first.
    pub reasons: Vec<ReasonSum>,
    /// The bytes that it copies, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_bytes: Option<Bytes>,
    /// The bytes that no plan for the request can do without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_bytes: Option<Bytes>,
    /// How even storage is before.
    pub before: Evenness,
    /// How even it is after.
    pub after: Evenness,
    /// Partitions that are left as they are, though something is wrong with them.
    pub left_out: usize,
}

/// The moves of one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasonSum {
    /// The reason.
    pub reason: Reason,
    /// The partitions that move for it.
    pub partitions: usize,
    /// The replicas that are copied for it.
    pub replicas: usize,
    /// The bytes of these copies, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// The partition of them that copies most, to ask about next.
    pub largest: TopicPartition,
    /// Its move's index.
    #[serde(rename = "move")]
    pub index: usize,
}

pub(super) fn of(context: &Context<'_>) -> PlanExplained {
    let plan = context.plan;
    let mut reasons: BTreeMap<Reason, Vec<usize>> = BTreeMap::new();
    for (index, change) in plan.moves.iter().enumerate() {
        reasons.entry(change.reason).or_default().push(index);
    }
    let of = |figures: &crate::figures::Figures| Evenness {
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
        bytes: moves().map(|change| change.bytes.map(|b| b.0)).sum::<Option<u64>>().map(Bytes),
        largest: context.plan.moves[index].of(),
        index,
    })
}
