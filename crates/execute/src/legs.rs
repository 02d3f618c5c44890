//! A plan's moves, cut into single submissions.
//!
//! A move may go through intermediate replica lists, each in its own step. Here every submission is a separate move, a
//! *leg*. The legs of one partition follow each other in order, and the journal names each by its index.

use mapper::{Move, Plan, Stage};

/// The same plan with every submission as a separate move; each is in exactly one step.
#[must_use]
pub fn legs(plan: &Plan) -> Plan {
    let mut firsts = Vec::with_capacity(plan.moves.len());
    let mut moves = Vec::with_capacity(plan.moves.len());
    for change in &plan.moves {
        firsts.push(moves.len());
        let last = change.via.len();
        let stages = (0..=last).filter_map(|at| Some((at, change.stage(at)?)));
        moves.extend(stages.map(|(at, stage)| leg(stage, at == last)));
    }
    let mut taken = vec![0_usize; plan.moves.len()];
    let mut leg_of = |index: &usize| {
        let stage = taken.get_mut(*index)?;
        let leg = firsts.get(*index)? + *stage;
        *stage += 1;
        Some(leg)
    };
    let steps = plan.steps.iter().map(|step| step.iter().filter_map(&mut leg_of).collect());
    let steps = steps.collect();
    Plan { moves, steps, ..plan.clone() }
}

/// The legs of each partition.
pub(crate) fn by_partition(legs: &[Move]) -> impl Iterator<Item = &[Move]> {
    legs.chunk_by(|a, b| a.topic == b.topic && a.partition == b.partition)
}

fn leg(stage: Stage<'_>, last: bool) -> Move {
    // A replica that stays on its broker changes its dir there after everything else is done.
    let log_dirs = if last { stage.change.log_dirs.clone() } else { stage.log_dirs() };
    Move {
        log_dirs,
        from: stage.from.clone(),
        via: Box::default(),
        disk_bytes: stage.disk_bytes(),
        to: stage.to.clone(),
        bytes: stage.bytes(),
        ..stage.change.clone()
    }
}
