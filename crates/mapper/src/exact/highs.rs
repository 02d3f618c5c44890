//! HiGHS, in a build with the feature `highs`: simplex, cuts and branch and bound in C++. It proves more in fewer nodes.
//!
//! The solver is called directly, because `good_lp` passes on neither its bound nor its nodes. It uses one thread, a
//! fixed seed and limits by count. So the same program has the same answer on any machine.

use super::program::{Column, Effort, Program, ProgramRow, Solution, SolverAnswer, SolverLimits};
use highs::{HighsModelStatus, HighsSolutionStatus, Model, RowProblem, Sense, SolvedModel};

/// Tolerance for whole values and rows: a tenth of the error that callers allow for.
const TOLERANCE: f64 = 1e-7;

pub(super) fn solve(program: &Program, limits: SolverLimits, hint: Option<&[f64]>) -> SolverAnswer {
    let whole = program.columns.iter().any(|column| column.whole);
    let answer = model(program)
        .and_then(|model| with_options(model, limits, whole))
        .and_then(|model| with_hint(model, hint.filter(|_| whole)))
        .and_then(|model| model.try_solve().ok());
    answer.map_or(SolverAnswer::Nothing, |solved| read(program, &solved, whole))
}

/// The program as a HiGHS model; `None`: HiGHS refuses it.
fn model(program: &Program) -> Option<Model> {
    let mut problem = RowProblem::new();
    let add = |Column { cost, most, whole }: &Column| {
        problem.add_column_with_integrality(*cost, 0.0..=*most, *whole)
    };
    let columns: Vec<highs::Col> = program.columns.iter().map(add).collect();
    for ProgramRow { terms, low, high } in &program.rows {
        let terms = terms.iter().map(|(at, factor)| (columns[*at], *factor));
        problem.add_row(*low..=*high, terms);
    }
    problem.try_optimise(Sense::Minimise).ok()
}

fn with_options(mut model: Model, limits: SolverLimits, whole: bool) -> Option<Model> {
    model.make_quiet();
    model.try_set_option("parallel", "off").ok()?;
    model.try_set_option("threads", 1).ok()?;
    model.try_set_option("random_seed", 0).ok()?;
    if whole {
        let nodes = i32::try_from(limits.nodes).unwrap_or(i32::MAX);
        model.try_set_option("mip_max_nodes", nodes).ok()?;
        model.try_set_option("mip_rel_gap", limits.gap).ok()?;
        model.try_set_option("mip_abs_gap", TOLERANCE).ok()?;
        model.try_set_option("mip_feasibility_tolerance", TOLERANCE).ok()?;
    }
    Some(model)
}

fn with_hint(mut model: Model, hint: Option<&[f64]>) -> Option<Model> {
    if hint.is_some() {
        model.try_set_solution(hint, None, None, None).ok()?;
    }
    Some(model)
}

fn read(program: &Program, solved: &SolvedModel, whole: bool) -> SolverAnswer {
    use HighsModelStatus as Status;
    let status = solved.status();
    // Every column has two finite limits, so no program is unbounded.
    if matches!(status, Status::Infeasible | Status::UnboundedOrInfeasible) {
        return SolverAnswer::Infeasible;
    }
    let proven = status == Status::Optimal;
    if solved.primal_solution_status() != HighsSolutionStatus::Feasible {
        return SolverAnswer::Nothing;
    }
    let solution = solved.get_solution();
    let bound = match whole {
        true => solved.double_info_value(c"mip_dual_bound").unwrap_or(f64::NEG_INFINITY),
        false => bound_by(program, solution.dual_rows()),
    };
    SolverAnswer::Found(Solution {
        values: solution.columns().to_vec(),
        bound,
        proven,
        effort: effort(solved),
    })
}

/// A lower bound of the cost, from a price for each row. It holds for any prices, so they need not be optimal.
///
/// Each row adds its price times the mark that limits it. Each column adds its cost beyond its rows' prices, if that is
/// negative.
fn bound_by(program: &Program, prices: &[f64]) -> f64 {
    let mut costs: Vec<f64> = program.columns.iter().map(|column| column.cost).collect();
    let mut bound = 0.0;
    for (ProgramRow { terms, low, high }, price) in program.rows.iter().zip(prices) {
        let mark = if *price > 0.0 { *low } else { *high };
        if *price == 0.0 || !mark.is_finite() {
            continue;
        }
        bound += price * mark;
        terms.iter().for_each(|(at, factor)| costs[*at] -= price * factor);
    }
    let gains =
        costs.iter().zip(&program.columns).map(|(cost, column)| cost.min(0.0) * column.most);
    bound + gains.sum::<f64>()
}

fn effort(solved: &SolvedModel) -> Effort {
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    Effort { iterations: count(solved.simplex_iteration_count()), nodes: None }
}

#[cfg(test)]
mod tests {
    use super::super::{SolverChoice, pure};
    use super::*;

    const LIMITS: SolverLimits = SolverLimits { who: SolverChoice::Strong, nodes: 4_000, gap: 0.0 };

    /// Numbers that look random, but are the same in every run.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, sides: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) % sides
        }
    }

    /// Partitions of one replica, each on one of the brokers at first. Every broker has to end near the mean.
    fn cluster(dice: &mut Dice, partitions: usize, brokers: usize, tolerance: f64) -> Program {
        let mut program = Program::default();
        let mut loads = vec![Vec::new(); brokers];
        let mut all = 0.0;
        for _ in 0..partitions {
            let size = f64::from(u32::try_from(1 + dice.below(1_000)).unwrap()) / 1_000.0;
            let home = usize::try_from(dice.below(brokers as u64 / 2)).unwrap();
            all += size;
            let columns: Vec<usize> = (0..brokers)
                .map(|broker| {
                    let cost = if broker == home { 0.0 } else { size };
                    program.column(Column { cost, most: 1.0, whole: true })
                })
                .collect();
            columns.iter().zip(&mut loads).for_each(|(at, load)| load.push((*at, size)));
            program.row(columns.into_iter().map(|at| (at, 1.0)).collect(), 1.0, 1.0);
        }
        let mean = all / f64::from(u32::try_from(brokers).unwrap());
        for load in loads {
            program.row(load, mean * (1.0 - tolerance), mean * (1.0 + tolerance));
        }
        program
    }

    /// The cost of the best of all plans.
    fn best(program: &Program, partitions: usize, brokers: usize) -> Option<f64> {
        let plans = brokers.pow(u32::try_from(partitions).unwrap());
        let cost = |plan: usize| {
            let chosen = |at: usize| plan / brokers.pow(u32::try_from(at).unwrap()) % brokers;
            let columns: Vec<usize> = (0..partitions).map(|at| at * brokers + chosen(at)).collect();
            let sum = |terms: &[(usize, f64)]| -> f64 {
                terms.iter().filter(|(at, _)| columns.contains(at)).map(|(_, by)| by).sum()
            };
            let kept = program.rows.iter().all(|row| {
                let sum = sum(&row.terms);
                row.low - TOLERANCE <= sum && sum <= row.high + TOLERANCE
            });
            kept.then(|| columns.iter().map(|at| program.columns[*at].cost).sum())
        };
        (0..plans).filter_map(cost).reduce(f64::min)
    }

    #[test]
    fn both_solvers_find_what_trying_everything_finds() {
        let mut dice = Dice(1);
        let (mut found, mut impossible) = (0, 0);
        for case in 0..300_usize {
            let (partitions, brokers) = (3 + case % 4, 2 + case % 3);
            let tolerance = [0.02, 0.1, 0.3][case % 5 % 3];
            let program = cluster(&mut dice, partitions, brokers, tolerance);
            let best = best(&program, partitions, brokers);
            for answer in [solve(&program, LIMITS, None), pure::solve(&program, LIMITS, None)] {
                match (answer, best) {
                    (SolverAnswer::Found(answer), Some(best)) => {
                        assert!(answer.proven, "case {case}");
                        assert!((answer.bound - best).abs() < 1e-6, "{case}: {answer:?}, {best}");
                        found += 1;
                    }
                    (SolverAnswer::Infeasible, None) => impossible += 1,
                    (other, best) => panic!("case {case}: {other:?}, though {best:?}"),
                }
            }
        }
        assert!(found > 100 && impossible > 100, "{found}, {impossible}");
    }

    #[test]
    fn the_same_program_gets_the_same_answer() {
        let program = cluster(&mut Dice(7), 40, 6, 0.01);
        let first = solve(&program, LIMITS, None);
        assert!(matches!(first, SolverAnswer::Found(_)));
        assert_eq!(solve(&program, LIMITS, None), first);
    }

    #[test]
    fn both_solvers_have_the_same_relaxation() {
        for seed in 0..20 {
            let program = cluster(&mut Dice(seed), 60, 8, 0.05).relaxed();
            let bounds = [solve(&program, LIMITS, None), pure::solve(&program, LIMITS, None)];
            let [SolverAnswer::Found(one), SolverAnswer::Found(other)] = bounds else {
                panic!("no bound")
            };
            assert!((one.bound - other.bound).abs() < 1e-6, "{} and {}", one.bound, other.bound);
        }
    }

    #[test]
    fn it_proves_what_microlp_leaves_unproven() {
        type Solve = fn(&Program, SolverLimits, Option<&[f64]>) -> SolverAnswer;
        let proven = |solve: Solve| {
            let programs = (1..=6).map(|seed| cluster(&mut Dice(seed), 20, 5, 0.01));
            let answers = programs.map(|program| solve(&program, LIMITS, None));
            answers
                .filter(|answer| matches!(answer, SolverAnswer::Found(found) if found.proven))
                .count()
        };
        assert_eq!((proven(solve), proven(pure::solve)), (6, 0));
    }
}
