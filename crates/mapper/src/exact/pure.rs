//! microlp: a simplex and branch-and-bound solver in Rust.
//!
//! `good_lp` builds the model. Of microlp's limits it passes on only a time, and then an answer would depend on the
//! machine. Therefore this module gives microlp's own options to that model: they count nodes, and report the bound.

use super::program::{Effort, Program, Solution, SolverAnswer, SolverLimits};
use good_lp::{Expression, ProblemVariables, SolverModel, constraint, variable};
use microlp::{OptimizationDirection, Problem, SolveOptions, SolveOutcome, Variable};

pub(super) fn solve(program: &Program, limits: SolverLimits, hint: Option<&[f64]>) -> SolverAnswer {
    let mut variables = ProblemVariables::new();
    let columns: Vec<good_lp::Variable> = program
        .columns
        .iter()
        .map(|column| {
            let definition = variable().clamp(0.0, column.most);
            variables.add(if column.whole { definition.integer() } else { definition })
        })
        .collect();
    let sum = |terms: &mut dyn Iterator<Item = (usize, f64)>| {
        let mut sum = Expression::default();
        terms.for_each(|(at, factor)| sum.add_mul(factor, columns[at]));
        sum
    };
    let costs = program.columns.iter().map(|column| column.cost);
    let cost = sum(&mut costs.enumerate().filter(|(_, cost)| *cost != 0.0));
    let mut model = variables.minimise(cost).using(good_lp::microlp);
    for row in &program.rows {
        let held = sum(&mut row.terms.iter().copied());
        if row.low == row.high {
            model.add_constraint(constraint!(held == row.low));
            continue;
        }
        if row.low.is_finite() {
            model.add_constraint(constraint!(held.clone() >= row.low));
        }
        if row.high.is_finite() {
            model.add_constraint(constraint!(held <= row.high));
        }
    }
    let mut options = SolveOptions::default();
    options.node_limit = Some(limits.nodes);
    options.mip_gap = limits.gap;
    options.warm_start = hint.map(|hint| handles(hint.len()).zip(hint.iter().copied()).collect());
    match model.as_inner().solve_with(options) {
        Ok(outcome) => read(&outcome),
        Err(microlp::Error::Infeasible) => SolverAnswer::Infeasible,
        Err(_) => SolverAnswer::Nothing,
    }
}

/// microlp's names of the first columns. Only a problem creates such names, numbered from 0.
fn handles(columns: usize) -> impl Iterator<Item = Variable> {
    let mut numbering = Problem::new(OptimizationDirection::Minimize);
    (0..columns).map(move |_| numbering.add_var(0.0, (0.0, 0.0)))
}

fn read(outcome: &SolveOutcome) -> SolverAnswer {
    let Some(solution) = outcome.solution() else { return SolverAnswer::Nothing };
    let stats = solution.stats();
    SolverAnswer::Found(Solution {
        values: solution.iter().map(|(_, value)| value).collect(),
        bound: stats.best_bound.unwrap_or(f64::NEG_INFINITY),
        proven: outcome.is_optimal(),
        effort: Effort { iterations: stats.lp_iterations, nodes: Some(stats.nodes_solved) },
    })
}
