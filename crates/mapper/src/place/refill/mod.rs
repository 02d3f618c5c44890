//! Fills seats by a search, if filling them one by one ends without room or less even than necessary.
//!
//! In: empty seats, and a placement without any of their brokers. Out: the same seats filled, with the proof. A solver
//! answers in floats. Its brokers are put on their seats one by one, by the same rules that the heuristic follows. An
//! answer that a rule refuses is excluded, and the search is repeated. The limits of a search are columns and nodes of
//! its tree.

mod bounds;
mod ease;
mod even;
mod lack;
mod model;
mod seat;

pub(crate) use even::{Polishing, polish};

use super::{BrokerPairs, Manner, Placement};
use crate::exact::{
    Effort, Evidence, HIGHS, MOST_LINEAR, Program, Solution, SolverAnswer, SolverChoice,
    SolverLimits,
};
use crate::no_plan::NoPlanStatus;
use crate::plan::BoundBy;
use crate::work::{Work, WorkSearch};
use model::RefillModel;
use seat::{Unseated, seat};

/// The limits of a search for room.
#[derive(Clone, Copy)]
struct Reach {
    who: SolverChoice,
    /// The engine that plans name, if the search found room where the heuristic did not.
    engine: &'static str,
    /// The most columns for which the linear relaxation is solved.
    most_linear: usize,
    /// The most whole columns for which a search is made.
    most_whole: usize,
    /// Columns times nodes of the search tree, for each independent part of the cluster.
    work: usize,
}

const QUICK: Reach = Reach {
    who: SolverChoice::Quick,
    engine: "searched (microlp)",
    most_linear: 1_500,
    most_whole: 600,
    work: 120_000,
};

/// The second search, for cases that the first one neither solved nor proved impossible.
const FURTHER: Option<Reach> = if HIGHS { Some(STRONG) } else { None };

const STRONG: Reach = Reach {
    who: SolverChoice::Strong,
    engine: "searched (HiGHS)",
    most_linear: MOST_LINEAR,
    most_whole: 4_000,
    work: 1_200_000,
};

/// The most nodes, also for small parts.
const MOST_NODES: usize = 4_000;
/// The most answers that are checked in integers and excluded. After that the result is unproven.
const ROUNDS: usize = 12;

/// The seats of `work` without the brokers that a placement gave them.
pub(super) fn emptied(placement: &Placement<'_>, work: &[Work]) -> Vec<Work> {
    let mut empty = work.to_vec();
    for (at, seat) in placement.placed.iter().flatten() {
        empty[*at].seats[*seat] = None;
    }
    empty
}

/// A placement in which no replica is placed yet.
fn fresh<'a>(
    search: &WorkSearch<'a>,
    pairs: &'a BrokerPairs,
    manner: Manner,
    work: &[Work],
) -> Placement<'a> {
    let WorkSearch { cluster, targets, terms, .. } = *search;
    let mut placement = Placement::new(cluster, targets, terms, pairs, manner);
    placement.settle(work);
    placement
}

/// Fills the empty seats for which the heuristic found no room, if there is room.
///
/// # Errors
/// It is proven that there is no room, or the search found none.
pub(crate) fn rescue<'a>(
    search: &WorkSearch<'a>,
    pairs: &'a BrokerPairs,
    manner: Manner,
    failed: &Placement<'_>,
    work: &mut Vec<Work>,
) -> Result<(Placement<'a>, Evidence), NoPlanStatus> {
    let empty = emptied(failed, work);
    if lack::is_certain(&fresh(search, pairs, manner, &empty), &empty) {
        return Err(NoPlanStatus::Infeasible);
    }
    let room = EmptySeats { search, pairs, manner, empty };
    let found = match (room.filled(QUICK), FURTHER) {
        (Err(NoPlanStatus::Unproven), Some(further)) => room.filled(further)?,
        (found, _) => found?,
    };
    *work = found.work;
    Ok((found.placement, found.evidence))
}

/// Seats that are still empty, and the means to fill them.
struct EmptySeats<'s, 'a> {
    search: &'s WorkSearch<'a>,
    pairs: &'a BrokerPairs,
    manner: Manner,
    empty: Vec<Work>,
}

/// The same seats, filled.
struct RefilledSeats<'a> {
    work: Vec<Work>,
    placement: Placement<'a>,
    evidence: Evidence,
}

impl<'a> EmptySeats<'_, 'a> {
    fn fresh(&self) -> Placement<'a> {
        fresh(self.search, self.pairs, self.manner, &self.empty)
    }

    fn filled(&self, reach: Reach) -> Result<RefilledSeats<'a>, NoPlanStatus> {
        let start = self.fresh();
        if model::weight(&start, &self.empty) > reach.most_linear {
            return Err(NoPlanStatus::Unproven);
        }
        let mut model = RefillModel::new(&start, &self.empty).ok_or(NoPlanStatus::Infeasible)?;
        let mut effort = Effort::NONE;
        let mut refused = NoPlanStatus::Infeasible;
        for _ in 0..ROUNDS {
            let found = match any(&model.rules, reach, &mut refused) {
                SolverAnswer::Found(found) => found,
                SolverAnswer::Infeasible => return Err(refused),
                SolverAnswer::Nothing => break,
            };
            effort.add(found.effort);
            let (mut placement, mut work) = (self.fresh(), self.empty.clone());
            match seat(&mut placement, &mut work, &model, &found.values) {
                Ok(()) => {
                    let evidence = evidence(&model, reach, effort);
                    return Ok(RefilledSeats { work, placement, evidence });
                }
                Err(unseated) => {
                    cut(&mut model, unseated, &mut refused).ok_or(NoPlanStatus::Unproven)?;
                }
            }
        }
        Err(NoPlanStatus::Unproven)
    }
}

/// The nodes for a program of this size: small ones are searched fully, large ones for about the same time.
fn nodes(work: usize, columns: usize) -> u64 {
    (work / columns.max(1)).min(MOST_NODES) as u64
}

fn evidence(model: &RefillModel, Reach { engine, .. }: Reach, effort: Effort) -> Evidence {
    let binaries = model.binaries();
    Evidence { engine, binaries, effort, most_even: None, fullest: None, by: BoundBy::Loads }
}

/// Excludes the columns that a rule refused. A refusal for another reason than room is no proof.
fn cut(model: &mut RefillModel, unseated: Unseated, refused: &mut NoPlanStatus) -> Option<()> {
    if !unseated.certain {
        *refused = NoPlanStatus::Unproven;
    }
    let most = model::as_float(unseated.together.len().checked_sub(1)? as u64);
    let terms = unseated.together.into_iter().map(|column| (column, 1.0)).collect();
    model.rules.row(terms, f64::NEG_INFINITY, most);
    Some(())
}

/// Any answer. In a large program, columns that the relaxation has decided are not changed.
fn any(rules: &Program, reach: Reach, refused: &mut NoPlanStatus) -> SolverAnswer {
    let Reach { who, most_whole, work, .. } = reach;
    let limits = |columns| SolverLimits { who, nodes: nodes(work, columns), gap: 0.0 };
    let columns = whole(rules);
    if columns <= most_whole {
        return rules.solve(limits(columns), None);
    }
    let linear = match rules.clone().relaxed().solve(limits(columns), None) {
        SolverAnswer::Found(linear) => linear,
        other @ (SolverAnswer::Infeasible | SolverAnswer::Nothing) => return other,
    };
    // Another decision than that of the relaxation may be possible, so a missing answer proves nothing from here on.
    *refused = NoPlanStatus::Unproven;
    let rest = decided(rules, &linear);
    let columns = whole(&rest);
    if columns > most_whole {
        return SolverAnswer::Nothing;
    }
    match rest.solve(limits(columns), None) {
        SolverAnswer::Found(mut found) => {
            found.effort.add(linear.effort);
            SolverAnswer::Found(found)
        }
        other @ (SolverAnswer::Infeasible | SolverAnswer::Nothing) => other,
    }
}

fn whole(rules: &Program) -> usize {
    rules.columns.iter().filter(|column| column.whole).count()
}

/// The program with every column fixed that already has a whole value.
fn decided(rules: &Program, linear: &Solution) -> Program {
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
