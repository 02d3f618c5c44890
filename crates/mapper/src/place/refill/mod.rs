//! Seats filled by a search, where filling them one by one ends without room or less even than need be.
//!
//! In: seats that are still empty, and a placement in which nothing is placed yet. Out: the same seats filled, with
//! what is proven about them. What a solver says is floats: its brokers are put on their seats one by one, by the very
//! rules that the heuristic keeps to, and what a rule refuses is cut off and searched for again. Limits are columns and
//! nodes of the search tree.

mod bounds;
mod ease;
mod even;
mod lack;
mod model;
mod seat;

pub(crate) use even::{Polishing, polish};

use super::{Manner, Pairs, Placement};
use crate::exact::{Answer, Effort, Evidence, Found, HIGHS, Limits, MOST_LINEAR, Program, Who};
use crate::no_plan::Standing;
use crate::plan::BoundBy;
use crate::work::{Search, Work};
use model::Model;
use seat::{Unseated, seat};

/// How far a search for room goes.
#[derive(Clone, Copy)]
struct Reach {
    who: Who,
    /// As plans name who found room where the heuristic did not.
    engine: &'static str,
    /// Columns of which the linear relaxation is looked at.
    most_linear: usize,
    /// Columns that a search weighs.
    most_whole: usize,
    /// Columns times nodes of the search tree, for each part of the cluster that is placed apart.
    work: usize,
}

const QUICK: Reach = Reach {
    who: Who::Quick,
    engine: "searched (microlp)",
    most_linear: 1_500,
    most_whole: 600,
    work: 120_000,
};

/// What the first search neither found nor proved.
const FURTHER: Option<Reach> = if HIGHS { Some(STRONG) } else { None };

const STRONG: Reach = Reach {
    who: Who::Strong,
    engine: "searched (HiGHS)",
    most_linear: MOST_LINEAR,
    most_whole: 4_000,
    work: 1_200_000,
};

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
    if lack::is_certain(&fresh(search, pairs, manner, &empty), &empty) {
        return Err(Standing::Infeasible);
    }
    let room = Room { search, pairs, manner, empty };
    let found = match (room.filled(QUICK), FURTHER) {
        (Err(Standing::Unproven), Some(further)) => room.filled(further)?,
        (found, _) => found?,
    };
    *work = found.work;
    Ok((found.placement, found.evidence))
}

/// Seats that are still empty, and what they are filled by.
struct Room<'s, 'a> {
    search: &'s Search<'a>,
    pairs: &'a Pairs,
    manner: Manner,
    empty: Vec<Work>,
}

/// The same seats filled.
struct Filled<'a> {
    work: Vec<Work>,
    placement: Placement<'a>,
    evidence: Evidence,
}

impl<'a> Room<'_, 'a> {
    fn fresh(&self) -> Placement<'a> {
        fresh(self.search, self.pairs, self.manner, &self.empty)
    }

    fn filled(&self, reach: Reach) -> Result<Filled<'a>, Standing> {
        let start = self.fresh();
        if model::weight(&start, &self.empty) > reach.most_linear {
            return Err(Standing::Unproven);
        }
        let mut model = Model::new(&start, &self.empty).ok_or(Standing::Infeasible)?;
        let mut effort = Effort::NONE;
        let mut refused = Standing::Infeasible;
        for _ in 0..ROUNDS {
            let found = match any(&model.rules, reach, &mut refused) {
                Answer::Found(found) => found,
                Answer::Infeasible => return Err(refused),
                Answer::Nothing => break,
            };
            effort.add(found.effort);
            let (mut placement, mut work) = (self.fresh(), self.empty.clone());
            match seat(&mut placement, &mut work, &model, &found.values) {
                Ok(()) => {
                    let evidence = evidence(&model, reach, effort);
                    return Ok(Filled { work, placement, evidence });
                }
                Err(unseated) => {
                    cut(&mut model, unseated, &mut refused).ok_or(Standing::Unproven)?;
                }
            }
        }
        Err(Standing::Unproven)
    }
}

/// Nodes for a program of so many columns: small ones are searched through, large ones as far as that takes as long.
fn nodes(work: usize, columns: usize) -> u64 {
    (work / columns.max(1)).min(MOST_NODES) as u64
}

fn evidence(model: &Model, Reach { engine, .. }: Reach, effort: Effort) -> Evidence {
    let binaries = model.binaries();
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
fn any(rules: &Program, reach: Reach, refused: &mut Standing) -> Answer {
    let Reach { who, most_whole, work, .. } = reach;
    let limits = |columns| Limits { who, nodes: nodes(work, columns), gap: 0.0 };
    let columns = whole(rules);
    if columns <= most_whole {
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
    if columns > most_whole {
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
