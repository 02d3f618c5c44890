//! Turns filled seats into a plan: moves, steps, bound and figures.

use crate::both::both;
use crate::bytes::Bytes;
use crate::dense::DenseCluster;
use crate::exact::Evidence;
use crate::figures::Figures;
use crate::floor;
use crate::ids::Replicas;
use crate::no_plan::NoPlan;
use crate::plan::{BalanceFloor, BoundBy, LeftOut, Move, Plan, Reason, Solver, SolverStatus};
use crate::request::{PlanTerms, Request};
use crate::snapshot::SnapshotHash;
use crate::steps::{self, Stepped};
use crate::target::Targets;
use crate::traffic;
use crate::volumes;
use crate::work::Work;
use std::sync::Arc;

/// Filled seats, before they become a plan.
pub(crate) struct FilledWork<'a> {
    pub(crate) cluster: &'a DenseCluster<'a>,
    pub(crate) targets: &'a Targets,
    pub(crate) terms: PlanTerms,
    pub(crate) work: Vec<Work>,
    pub(crate) left_out: Vec<LeftOut>,
    /// The evidence of a search for seats, if there was one.
    pub(crate) evidence: Option<Evidence>,
    /// The start of the plan, if a caller has already computed it.
    pub(crate) start: Option<StateBefore>,
}

/// The state before a plan.
pub(crate) struct StateBefore {
    before: Figures,
    hash: SnapshotHash,
}

/// The proof about the request, for any plan that answers it.
pub(crate) struct Proof {
    pub(crate) bound_bytes: Option<Bytes>,
    pub(crate) floor: Option<BalanceFloor>,
    /// The evidence of a search, if there was one.
    pub(crate) evidence: Option<Evidence>,
}

/// A plan, and the moves that it omits.
pub(crate) struct Finished {
    pub(crate) plan: Plan,
    /// Moves for balance alone for which no order leaves room. The plan does not make them.
    pub(crate) taken_back: Vec<Move>,
}

/// Makes the plan; `prove` returns the proof about its seats.
pub(crate) fn finish(
    outcome: FilledWork<'_>,
    request: Request,
    prove: impl FnOnce(&[Work]) -> Proof + Send,
) -> Result<Plan, NoPlan> {
    finish_what_fits(outcome, request, prove).map(|finished| finished.plan)
}

/// As [`finish`], and also returns the moves for balance that found no room.
pub(crate) fn finish_what_fits(
    mut outcome: FilledWork<'_>,
    request: Request,
    prove: impl FnOnce(&[Work]) -> Proof + Send,
) -> Result<Finished, NoPlan> {
    let (cluster, targets) = (outcome.cluster, outcome.targets);
    let (start, work) = (outcome.start.take(), std::mem::take(&mut outcome.work));
    let terms = &outcome.terms;
    let start = || {
        let mut start = start.unwrap_or_else(|| StateBefore::of(cluster, targets, terms));
        if request.balance().is_some() {
            start.before.set_topics(cluster, targets);
            start.before.set_zone(cluster, targets, request.balance(), &[]);
        }
        start
    };
    let (mut moves, (proof, StateBefore { before, hash })) =
        both(cluster.partition_count(), || moves(cluster, &work), || (prove(&work), start()));
    let mut taken_back = volumes::name_log_dirs(cluster, terms, &mut moves)?;
    let after = |moves: &[Move]| before.after(cluster, targets, terms, moves);
    let meanwhile = |moves: &[Move]| {
        // Dropped here, in parallel, because a million of them take a while to free.
        drop(work);
        after(moves)
    };
    let (stepped, mut after_all) = steps::lay_out(cluster, terms, moves, meanwhile)?;
    let Stepped { moves, steps, .. } = stepped;
    if !stepped.taken_back.is_empty() {
        after_all = after(&moves);
    }
    after_all.set_zone(cluster, targets, request.balance(), &moves);
    taken_back.extend(stepped.taken_back);
    let assumed = traffic::assumed(cluster, request.balance(), &before);
    let plan = Plan {
        cluster_id: cluster.snapshot.cluster_id().map(str::to_owned),
        snapshot: hash,
        request,
        steps,
        left_out: outcome.left_out,
        assumed,
        before,
        after: after_all,
        bound_bytes: proof.bound_bytes,
        floor: proof.floor,
        solver: Solver::constructive(),
        moves,
    };
    let solver = Solver {
        evenness_gap_ratio: proof.unevenness(plan.after.max_used_ratio),
        ..proof.solver(plan.bytes_moved())
    };
    Ok(Finished { plan: Plan { solver, ..plan }, taken_back })
}

impl StateBefore {
    pub(crate) fn of(cluster: &DenseCluster<'_>, targets: &Targets, terms: &PlanTerms) -> Self {
        let before = Figures::before(cluster, targets, terms);
        Self { before, hash: cluster.snapshot.hash() }
    }
}

impl Proof {
    /// The proof for the bytes that are copied, from one for the bytes that new replicas come to hold.
    pub(crate) fn for_copies(self, cluster: &DenseCluster<'_>) -> Self {
        let bound_bytes = self.bound_bytes.map(|held| floor::least_copied(cluster, held));
        Self { bound_bytes, ..self }
    }

    /// The fullest broker's share beyond the proven least, as a part of that least, if a search examined it.
    fn unevenness(&self, used: Option<f64>) -> Option<f64> {
        self.evidence.as_ref()?.fullest?;
        let floor = self.floor?.max_used_ratio;
        let used = used.filter(|_| floor > 0.0)?;
        Some((used / floor - 1.0).max(0.0))
    }

    fn solver(&self, moved: Option<Bytes>) -> Solver {
        let status = match (moved, self.bound_bytes) {
            (Some(moved), Some(bound)) if moved == bound => SolverStatus::Optimal,
            (Some(_), Some(_)) => SolverStatus::Feasible,
            (None, _) | (_, None) => SolverStatus::Unproven,
        };
        let bounds = self.bound_bytes.zip(moved);
        let by = self.evidence.as_ref().map_or(BoundBy::Loads, |evidence| evidence.by);
        let known = Solver {
            status,
            bound: bounds.map(|_| by),
            gap_ratio: bounds.and_then(|(bound, moved)| gap(bound, moved)),
            ..Solver::constructive()
        };
        let Some(evidence) = &self.evidence else { return known };
        let said = |proven| if proven { SolverStatus::Optimal } else { SolverStatus::Feasible };
        Solver {
            engine: evidence.engine.to_owned(),
            evenness: evidence.most_even.map(said),
            binaries: Some(evidence.binaries as u64),
            iterations: Some(evidence.effort.iterations),
            nodes: evidence.effort.nodes,
            ..known
        }
    }
}

/// The moved bytes beyond the bound, as a part of the bound; `None` if nothing has to move.
#[expect(clippy::cast_precision_loss, reason = "for display; no decision rests on it")]
fn gap(bound: Bytes, moved: Bytes) -> Option<f64> {
    (bound.0 > 0).then(|| moved.0.saturating_sub(bound.0) as f64 / bound.0 as f64)
}

/// The moves of all partitions with a new list.
fn moves(cluster: &DenseCluster<'_>, work: &[Work]) -> Vec<Move> {
    let mut moves = Vec::with_capacity(work.len());
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
            via: Box::default(),
            disk_bytes: Bytes(0),
            to,
            log_dirs: Vec::new(),
            reason: item.reason,
            bytes: None,
        };
        let added = change.added().count() as u64;
        if added == 0 && change.removed().next().is_none() {
            change.reason = Reason::Leader;
        }
        let each = item.size.map(|whole| partition.copied(Bytes(whole)));
        change.bytes =
            if added == 0 { Some(Bytes(0)) } else { each.map(|each| Bytes(each.0 * added)) };
        moves.push(change);
    }
    moves
}
