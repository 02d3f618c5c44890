//! From filled seats to a plan: moves, steps, bound and figures.

use crate::bytes::Bytes;
use crate::dense::Cluster;
use crate::figures::Figures;
use crate::ids::Replicas;
use crate::no_plan::NoPlan;
use crate::plan::{Floor, LeftOut, Move, Plan, Reason, Solver, SolverStatus};
use crate::request::{Request, Terms};
use crate::steps::{self, Stepped};
use crate::target::Targets;
use crate::work::Work;
use std::sync::Arc;

/// Seats filled, before they are written down.
pub(crate) struct Outcome<'a> {
    pub(crate) cluster: &'a Cluster<'a>,
    pub(crate) targets: &'a Targets,
    pub(crate) terms: Terms,
    pub(crate) work: Vec<Work>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// What is proven about the request, whichever plan answers it.
pub(crate) struct Proof {
    pub(crate) bound_bytes: Option<Bytes>,
    pub(crate) floor: Option<Floor>,
}

/// A plan, and what it had to do without.
pub(crate) struct Finished {
    pub(crate) plan: Plan,
    /// Moves for balance alone that no order leaves room for, and which are not made.
    pub(crate) taken_back: Vec<Move>,
}

/// Writes the plan down.
pub(crate) fn finish(outcome: Outcome<'_>, request: Request, proof: Proof) -> Result<Plan, NoPlan> {
    finish_what_fits(outcome, request, proof).map(|finished| finished.plan)
}

/// Writes the plan down, and says which moves for balance found no room.
pub(crate) fn finish_what_fits(
    outcome: Outcome<'_>,
    request: Request,
    proof: Proof,
) -> Result<Finished, NoPlan> {
    let cluster = outcome.cluster;
    let moves = moves(cluster, &outcome.work);
    let Stepped { moves, steps, taken_back } = steps::lay_out(cluster, &outcome.terms, moves)?;
    let before = Figures::before(cluster, outcome.targets, &outcome.terms);
    let after = before.after(cluster, outcome.targets, &outcome.terms, &moves);
    let plan = Plan {
        cluster_id: cluster.snapshot.cluster_id().map(str::to_owned),
        snapshot: cluster.snapshot.hash(),
        request,
        steps,
        left_out: outcome.left_out,
        before,
        after,
        bound_bytes: proof.bound_bytes,
        floor: proof.floor,
        solver: Solver {
            engine: "constructive".to_owned(),
            status: SolverStatus::Unproven,
            leader_bytes: None,
        },
        moves,
    };
    let status = match (plan.bytes_moved(), plan.bound_bytes) {
        (Some(moved), Some(bound)) if moved == bound => SolverStatus::Optimal,
        (Some(_), Some(_)) => SolverStatus::Feasible,
        (None, _) | (_, None) => SolverStatus::Unproven,
    };
    let plan = Plan { solver: Solver { status, ..plan.solver }, ..plan };
    Ok(Finished { plan, taken_back })
}

/// The partitions whose list is another one now.
fn moves(cluster: &Cluster<'_>, work: &[Work]) -> Vec<Move> {
    let mut moves = Vec::new();
    let mut name: (usize, Arc<str>) = (usize::MAX, Arc::from(""));
    for item in work {
        let partition = cluster.partition(item.partition);
        let to: Replicas = item.held().map(|broker| cluster.id(broker)).collect();
        if to == partition.replicas {
            continue;
        }
        let topic = cluster.topic_of(item.partition);
        if name.0 != topic {
            name = (topic, Arc::from(cluster.snapshot.topics()[topic].name.as_str()));
        }
        let mut change = Move {
            topic: Arc::clone(&name.1),
            partition: partition.id,
            from: partition.replicas.clone(),
            via: Vec::new(),
            to,
            reason: item.reason,
            bytes: None,
        };
        let added = change.added().count() as u64;
        if added == 0 && change.removed().next().is_none() {
            change.reason = Reason::Leader;
        }
        change.bytes =
            if added == 0 { Some(Bytes(0)) } else { item.size.map(|s| Bytes(s * added)) };
        moves.push(change);
    }
    moves
}
