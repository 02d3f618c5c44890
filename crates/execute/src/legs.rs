//! A plan's moves, cut into what is submitted at a time.
//!
//! A move may go by way of other replica lists, each in a step of its own. Here every submission is a move of its own,
//! a *leg*; those of one partition stand together, in their order, and the journal names each by its index.

use mapper::{Move, Plan, Stage};

/// The same plan with every submission as a move of its own; each stands in one step.
#[must_use]
pub fn legs(plan: &Plan) -> Plan {
    let mut firsts = Vec::with_capacity(plan.moves.len());
    let mut moves = Vec::with_capacity(plan.moves.len());
    for change in &plan.moves {
        firsts.push(moves.len());
        moves.extend((0..=change.via.len()).filter_map(|stage| change.stage(stage)).map(leg));
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

fn leg(stage: Stage<'_>) -> Move {
    Move {
        from: stage.from.clone(),
        via: Vec::new(),
        to: stage.to.clone(),
        bytes: stage.bytes(),
        ..stage.change.clone()
    }
}
