//! Cuts a plan into steps. Each step leaves room for both copies of moving replicas and complies with the pacing.
//!
//! A reassignment holds the old copy until the new one is in sync. So the bytes that a step frees count only in the next
//! step. Moves are first cut into single submissions ([`cut`]) and ordered ([`order`]). Then each step takes, in order,
//! every move that fits into it ([`fill`]). All this takes O(moves log moves), for any number of steps.

mod cut;
mod disks;
mod fill;
mod order;
mod ready;

use crate::both::both;
use crate::dense::DenseCluster;
use crate::lookup::Lookup;
use crate::no_plan::NoPlan;
use crate::plan::{Move, Reason};
use crate::request::PlanTerms;
use crate::snapshot::Partition;
use fill::Schedule;
pub(crate) use order::sound;

/// Moves by steps.
pub(crate) struct Stepped {
    pub(crate) moves: Vec<Move>,
    pub(crate) steps: Vec<Vec<usize>>,
    /// Moves for balance alone for which no order leaves room. The plan does not make them.
    pub(crate) taken_back: Vec<Move>,
}

/// The moves that have room, with their steps, and the result of `meanwhile` for all moves. The two run in parallel.
pub(crate) fn lay_out<T: Send>(
    cluster: &DenseCluster<'_>,
    terms: &PlanTerms,
    mut moves: Vec<Move>,
    meanwhile: impl FnOnce(&[Move]) -> T + Send,
) -> Result<(Stepped, T), NoPlan> {
    let paced = match cut::is_asked_for(&terms.pacing) {
        true => Some(cut::cut(cluster, &terms.pacing, &partitions(cluster, &moves), &mut moves)),
        false => None,
    };
    let schedule = || {
        let partitions = partitions(cluster, &moves);
        let waves = paced.unwrap_or_else(|| cut::uncut(moves.len()));
        let order = order::order(cluster, terms, &partitions, &moves);
        Schedule::new(cluster, terms, &moves, &partitions, &waves, &order).run()
    };
    let (filled, of_all) = both(moves.len(), schedule, || meanwhile(&moves));
    let filled = filled?;
    let stepped = match filled.dropped.contains(&true) {
        true => without(moves, filled.steps, &filled.dropped),
        false => Stepped { moves, steps: filled.steps, taken_back: Vec::new() },
    };
    Ok((stepped, of_all))
}

/// The partition of each move.
fn partitions<'s>(cluster: &DenseCluster<'s>, moves: &[Move]) -> Vec<Option<&'s Partition>> {
    let find = Lookup::new(cluster.snapshot);
    let mut partitions = Vec::with_capacity(moves.len());
    partitions.extend(find.partitions_of(moves).map(|(_, partition)| partition));
    partitions
}

fn without(moves: Vec<Move>, mut steps: Vec<Vec<usize>>, dropped: &[bool]) -> Stepped {
    let mut kept = 0;
    let new_index: Vec<usize> = dropped
        .iter()
        .map(|dropped| {
            kept += usize::from(!dropped);
            kept.saturating_sub(1)
        })
        .collect();
    for index in steps.iter_mut().flatten() {
        *index = new_index[*index];
    }
    let (taken_back, moves): (Vec<_>, Vec<_>) =
        moves.into_iter().zip(dropped).partition(|(_, dropped)| **dropped);
    let only = |moves: Vec<(Move, &bool)>| moves.into_iter().map(|(change, _)| change).collect();
    Stepped { moves: only(moves), steps, taken_back: only(taken_back) }
}

/// Whether the move may be dropped: it only evens the load.
fn is_optional(change: &Move) -> bool {
    change.reason == Reason::Balance
}

#[cfg(test)]
mod tests;
