//! Turns chosen leaders into a plan: every change is a reordering, in one step, and copies no bytes.

use super::ChosenLeaders;
use crate::bytes::Bytes;
use crate::dense::{BrokerIx, DenseCluster};
use crate::figures::Figures;
use crate::ids::Replicas;
use crate::plan::{Move, Plan, Reason, Solver, SolverStatus};
use crate::request::{LeadBy, Leaders, Request};
use crate::target::Targets;
use crate::traffic;
use std::sync::Arc;

/// Writes the plan.
pub(super) fn plan(
    cluster: &DenseCluster<'_>,
    targets: &Targets,
    request: &Leaders,
    chosen: ChosenLeaders,
) -> Plan {
    let moves = moves(cluster, &chosen.changes);
    let before = Figures::before(cluster, targets, &request.terms);
    let after = led_by(&before, cluster, targets, &chosen.changes);
    let steps = if moves.is_empty() { Vec::new() } else { vec![(0..moves.len()).collect()] };
    Plan {
        cluster_id: cluster.snapshot.cluster_id().map(str::to_owned),
        snapshot: cluster.snapshot.hash(),
        request: Request::Leaders(request.clone()),
        moves,
        steps,
        left_out: chosen.left_out,
        assumed: traffic::assumed(cluster, None, &before),
        before,
        after,
        bound_bytes: Some(Bytes(0)),
        floor: None,
        solver: Solver {
            engine: match request.by {
                LeadBy::Count => "flow".to_owned(),
                LeadBy::Bytes => "descent".to_owned(),
            },
            status: match chosen.bytes {
                Some(bytes) if bytes.after > bytes.floor => SolverStatus::Feasible,
                Some(_) | None => SolverStatus::Optimal,
            },
            leader_bytes: chosen.bytes,
            ..Solver::constructive()
        },
    }
}

/// The chosen leader comes first; the others keep their order.
fn moves(cluster: &DenseCluster<'_>, changes: &[(usize, BrokerIx)]) -> Vec<Move> {
    let mut name: (usize, Arc<str>) = (usize::MAX, Arc::from(""));
    let mut moves = Vec::with_capacity(changes.len());
    for (index, leader) in changes {
        let topic = cluster.topic_of(*index);
        let of_topic = &cluster.snapshot.topics()[topic];
        if name.0 != topic {
            name = (topic, Arc::from(of_topic.name.as_str()));
        }
        let partition = &of_topic.partitions[index - cluster.first_partition[topic]];
        let leader = cluster.id(*leader);
        let others = partition.replicas.iter().copied().filter(|id| *id != leader);
        let to: Replicas = std::iter::once(leader).chain(others).collect();
        moves.push(Move {
            topic: Arc::clone(&name.1),
            partition: partition.id,
            from: partition.replicas.clone(),
            via: Box::default(),
            disk_bytes: Bytes(0),
            to,
            log_dirs: Vec::new(),
            reason: Reason::Leader,
            bytes: Some(Bytes(0)),
        });
    }
    moves
}

/// The figures with other leaders; all other figures stay the same.
fn led_by(
    before: &Figures,
    cluster: &DenseCluster<'_>,
    targets: &Targets,
    changes: &[(usize, BrokerIx)],
) -> Figures {
    let mut after = before.clone();
    for (partition, leader) in changes {
        if let Some(old) = cluster.seats_of(*partition).first() {
            after.brokers[*old as usize].leaders -= 1;
        }
        after.brokers[*leader as usize].leaders += 1;
    }
    after.set_extremes(targets);
    after
}
