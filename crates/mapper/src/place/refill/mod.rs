//! Seats filled by a search, where filling them one by one ends without room or less even than need be.
//!
//! In: seats that are still empty, and a placement in which nothing is placed yet. Out: the same seats filled, with
//! what is proven about them. What a solver says is floats: its brokers are put on their seats one by one, by the very
//! rules that the heuristic keeps to, and what a rule refuses is cut off and searched for again. Limits are columns and
//! nodes of the search tree.

mod bounds;
mod even;
mod lack;
mod model;
mod seat;

pub(crate) use even::{Polishing, polish};

use super::{Manner, Pairs, Placement};
use crate::exact::{Answer, Effort, Evidence, Found, Limits, Program};
use crate::no_plan::Standing;
use crate::plan::BoundBy;
use crate::work::{Search, Work};
use model::Model;
use seat::{Unseated, seat};

/// Columns of which the linear relaxation is looked at.
const MOST_LINEAR: usize = 1_500;
/// Columns that a search weighs.
const MOST_WHOLE: usize = 600;
/// Columns times nodes of the search tree, for each part of the cluster that is placed apart.
const WORK: usize = 120_000;
/// Nodes, however small a part is.
const MOST_NODES: usize = 4_000;
/// Answers that may be held against the rules in integers, and be cut off.
const ROUNDS: usize = 12;

/// The seats of `work` without the brokers that a placement put there.
pub(super) fn emptied(placement: &Placement<'_>, work: &[Work]) -> Vec<Work> {
    let mut empty = work.to_vec();
    for (at, seat) in placement.placed.iter().flatten() {
        empty[*at].seats[*seat] = None;
    }
    empty
}

/// A placement in which nothing is placed yet.
fn fresh<'a>(
    search: &Search<'a>,
    pairs: &'a Pairs,
    manner: Manner,
    work: &[Work],
) -> Placement<'a> {
    let Search { cluster, targets, terms, .. } = *search;
    let mut placement = Placement::new(cluster, targets, terms, pairs, manner);
    placement.settle(work);
    placement
}

/// Fills the empty seats that the heuristic found no room for, wherever there is room.
///
/// # Errors
/// There is proven to be none, or none was found.
pub(crate) fn rescue<'a>(
    search: &Search<'a>,
    pairs: &'a Pairs,
    manner: Manner,
    failed: &Placement<'_>,
    work: &mut Vec<Work>,
) -> Result<(Placement<'a>, Evidence), Standing> {
    let empty = emptied(failed, work);
    let start = fresh(search, pairs, manner, &empty);
    if lack::is_certain(&start, &empty) {
        return Err(Standing::Infeasible);
    }
    if model::weight(&start, &empty) > MOST_LINEAR {
        return Err(Standing::Unproven);
    }
    let mut model = Model::new(&start, &empty).ok_or(Standing::Infeasible)?;
    let mut effort = Effort::default();
    let mut refused = Standing::Infeasible;
    for _ in 0..ROUNDS {
        let found = match any(&model.rules, &mut refused) {
            Answer::Found(found) => found,
            Answer::Infeasible => return Err(refused),
            Answer::Nothing => break,
        };
        effort.add(found.effort);
        let mut placement = fresh(search, pairs, manner, &empty);
        let mut filled = empty.clone();
        match seat(&mut placement, &mut filled, &model, &found.values) {
            Ok(()) => {
                *work = filled;
                let evidence = evidence(&model, effort);
                return Ok((placement, evidence));
            }
            Err(unseated) => cut(&mut model, unseated, &mut refused).ok_or(Standing::Unproven)?,
        }
    }
    Err(Standing::Unproven)
}

/// As plans name who found room where the heuristic did not.
pub(super) const SEARCHED: &str = "searched (microlp)";

/// Nodes for a program of so many columns: small ones are searched through, large ones as far as that takes as long.
fn nodes(work: usize, columns: usize) -> u64 {
    (work / columns.max(1)).min(MOST_NODES) as u64
}

fn evidence(model: &Model, effort: Effort) -> Evidence {
    let (engine, binaries) = (SEARCHED, model.binaries());
    Evidence { engine, binaries, effort, most_even: None, fullest: None, by: BoundBy::Loads }
}

/// Shuts out what a rule refused. What is refused for another reason than room is no proof.
fn cut(model: &mut Model, unseated: Unseated, refused: &mut Standing) -> Option<()> {
    if !unseated.certain {
        *refused = Standing::Unproven;
    }
    let most = model::as_float(unseated.together.len().checked_sub(1)? as u64);
    let terms = unseated.together.into_iter().map(|column| (column, 1.0)).collect();
    model.rules.row(terms, f64::NEG_INFINITY, most);
    Some(())
}

/// Any answer; of a large program one that leaves alone what its relaxation has decided.
fn any(rules: &Program, refused: &mut Standing) -> Answer {
    let limits = |columns| Limits { nodes: nodes(WORK, columns), gap: 0.0 };
    let columns = whole(rules);
    if columns <= MOST_WHOLE {
        return rules.solve(limits(columns), None);
    }
    let linear = match rules.clone().relaxed().solve(limits(columns), None) {
        Answer::Found(linear) => linear,
        other @ (Answer::Infeasible | Answer::Nothing) => return other,
    };
    // What the relaxation decided may have been decided otherwise: from here on, no answer proves nothing.
    *refused = Standing::Unproven;
    let rest = decided(rules, &linear);
    let columns = whole(&rest);
    if columns > MOST_WHOLE {
        return Answer::Nothing;
    }
    match rest.solve(limits(columns), None) {
        Answer::Found(mut found) => {
            found.effort.add(linear.effort);
            Answer::Found(found)
        }
        other @ (Answer::Infeasible | Answer::Nothing) => other,
    }
}

fn whole(rules: &Program) -> usize {
    rules.columns.iter().filter(|column| column.whole).count()
}

/// The program with all columns as they are that have whole values already.
fn decided(rules: &Program, linear: &Found) -> Program {
    const WHOLE: f64 = 1e-6;
    let (mut rest, mut taken) = (rules.clone(), Vec::new());
    let columns = rest.columns.iter_mut().zip(&linear.values);
    for (at, (column, value)) in columns.enumerate().filter(|(_, (column, _))| column.whole) {
        if *value < WHOLE {
            (column.most, column.whole) = (0.0, false);
        } else if *value > 1.0 - WHOLE {
            column.whole = false;
            taken.push(at);
        }
    }
    taken.into_iter().for_each(|at| rest.row(vec![(at, 1.0)], 1.0, 1.0));
    rest
}
