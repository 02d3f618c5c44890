//! A mixed-integer program and its answer, for every solver.
//!
//! The solver minimises the sum of the columns' costs and keeps each row's sum between its marks. Numbers are floats, so
//! an answer is a proposal: the caller rounds it and checks it against the rules in integers.

/// A variable from 0 to `most`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Column {
    pub(crate) cost: f64,
    pub(crate) most: f64,
    /// Takes whole values only.
    pub(crate) whole: bool,
}

/// A sum of columns between two marks; either may be infinite.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProgramRow {
    /// Indices of columns, each at most once, and their factors.
    pub(crate) terms: Vec<(usize, f64)>,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// The problem to solve.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Program {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<ProgramRow>,
}

/// The solver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SolverChoice {
    /// microlp: a small program needs a few milliseconds.
    Quick,
    /// The best solver of this build.
    Strong,
}

/// When a solver stops without a proof. There is no limit of time, so every machine gives the same answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SolverLimits {
    pub(crate) who: SolverChoice,
    /// Nodes of the search tree, for each independent part of the program.
    pub(crate) nodes: u64,
    /// The relative distance from the bound at which the search may stop.
    pub(crate) gap: f64,
}

/// The result of a search.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SolverAnswer {
    /// Values for all columns.
    Found(Solution),
    /// Proven: no values satisfy all rows.
    Infeasible,
    /// The limit was reached first, or the solver had numerical trouble.
    Nothing,
}

/// Values that satisfy all rows within the precision of floats.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Solution {
    pub(crate) values: Vec<f64>,
    /// A lower bound of the cost.
    pub(crate) bound: f64,
    /// Whether the cost is the least, within the solver's tolerance.
    pub(crate) proven: bool,
    pub(crate) effort: Effort,
}

/// The work that a search took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Effort {
    /// Pivots of the simplex algorithm.
    pub(crate) iterations: u64,
    /// Nodes of the search tree; `None`: the solver does not report them.
    pub(crate) nodes: Option<u64>,
}

impl Effort {
    pub(crate) const NONE: Self = Self { iterations: 0, nodes: Some(0) };

    pub(crate) fn add(&mut self, other: Self) {
        self.iterations += other.iterations;
        self.nodes = self.nodes.zip(other.nodes).map(|(own, more)| own + more);
    }
}

impl Program {
    /// Adds a column and returns its index.
    pub(crate) fn column(&mut self, column: Column) -> usize {
        self.columns.push(column);
        self.columns.len() - 1
    }

    pub(crate) fn row(&mut self, terms: Vec<(usize, f64)>, low: f64, high: f64) {
        self.rows.push(ProgramRow { terms, low, high });
    }

    /// The program without whole columns. Its least cost is a lower bound.
    pub(crate) fn relaxed(mut self) -> Self {
        self.columns.iter_mut().for_each(|column| column.whole = false);
        self
    }

    /// Solves each part that shares no row with the others separately. `hint`: values to start from.
    pub(crate) fn solve(&self, limits: SolverLimits, hint: Option<&[f64]>) -> SolverAnswer {
        let mut all = Solution {
            values: vec![0.0; self.columns.len()],
            bound: 0.0,
            proven: true,
            effort: Effort::NONE,
        };
        for part in self.parts() {
            let own = hint.map(|hint| part.columns.iter().map(|at| hint[*at]).collect::<Vec<_>>());
            match super::solve_part(&part.program, limits, own.as_deref()) {
                SolverAnswer::Found(found) => {
                    for (at, value) in part.columns.iter().zip(found.values) {
                        all.values[*at] = value;
                    }
                    all.bound += found.bound;
                    all.proven &= found.proven;
                    all.effort.add(found.effort);
                }
                other @ (SolverAnswer::Infeasible | SolverAnswer::Nothing) => return other,
            }
        }
        SolverAnswer::Found(all)
    }

    /// The parts that share no row, in order of their first columns.
    fn parts(&self) -> Vec<ProgramPart> {
        let mut leader: Vec<usize> = (0..self.columns.len()).collect();
        for row in &self.rows {
            let Some((first, rest)) = row.terms.split_first() else { continue };
            let mut one = find(&mut leader, first.0);
            for (other, _) in rest {
                let other = find(&mut leader, *other);
                let (low, high) = (one.min(other), one.max(other));
                leader[high] = low;
                one = low;
            }
        }
        let mut parts: Vec<ProgramPart> = Vec::new();
        let mut place = vec![(0, 0); self.columns.len()];
        let mut part_of = vec![usize::MAX; self.columns.len()];
        for (at, column) in self.columns.iter().enumerate() {
            let root = find(&mut leader, at);
            if part_of[root] == usize::MAX {
                part_of[root] = parts.len();
                parts.push(ProgramPart::default());
            }
            let part = &mut parts[part_of[root]];
            place[at] = (part_of[root], part.columns.len());
            part.columns.push(at);
            part.program.columns.push(*column);
        }
        for row in &self.rows {
            // A row without columns always holds, or never does. The caller checks it in integers.
            let Some((first, _)) = row.terms.first() else { continue };
            let part = &mut parts[place[*first].0];
            let terms = row.terms.iter().map(|(at, factor)| (place[*at].1, *factor)).collect();
            part.program.row(terms, row.low, row.high);
        }
        parts
    }
}

#[derive(Default)]
struct ProgramPart {
    /// For each of its columns the index in the whole program.
    columns: Vec<usize>,
    program: Program,
}

fn find(leader: &mut [usize], mut at: usize) -> usize {
    while leader[at] != at {
        leader[at] = leader[leader[at]];
        at = leader[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SolverLimits = SolverLimits { who: SolverChoice::Strong, nodes: 1_000, gap: 0.0 };

    fn binary(cost: f64) -> Column {
        Column { cost, most: 1.0, whole: true }
    }

    #[test]
    fn parts_are_solved_apart_and_added_up() {
        let mut program = Program::default();
        let [a, b, c] = [3.0, 2.0, 5.0].map(|cost| program.column(binary(cost)));
        program.row(vec![(a, 1.0), (b, 1.0)], 1.0, 1.0);
        program.row(vec![(c, 1.0)], 1.0, f64::INFINITY);
        let SolverAnswer::Found(found) = program.solve(LIMITS, None) else { panic!("no answer") };
        assert_eq!(found.values, [0.0, 1.0, 1.0]);
        assert!(found.proven && (found.bound - 7.0).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_be_is_proven_not_to_be() {
        let mut program = Program::default();
        let [a, b] = [1.0, 1.0].map(|cost| program.column(binary(cost)));
        // Two halves would satisfy the row; no whole values do.
        program.row(vec![(a, 2.0), (b, 2.0)], 1.0, 1.0);
        assert_eq!(program.solve(LIMITS, None), SolverAnswer::Infeasible);
        let SolverAnswer::Found(relaxed) = program.relaxed().solve(LIMITS, None) else {
            panic!("the relaxation has an answer")
        };
        assert!((relaxed.bound - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_limit_leaves_an_answer_unproven_or_none() {
        let mut program = Program::default();
        let sizes = [53.0, 47.0, 41.0, 37.0, 31.0, 29.0, 23.0, 19.0, 17.0, 13.0];
        let columns: Vec<usize> = sizes.iter().map(|size| program.column(binary(*size))).collect();
        let terms = columns.iter().copied().zip(sizes).collect();
        program.row(terms, 101.5, f64::INFINITY);
        match program.solve(SolverLimits { who: SolverChoice::Quick, nodes: 1, ..LIMITS }, None) {
            SolverAnswer::Found(found) => assert!(!found.proven && found.bound >= 101.0),
            none @ (SolverAnswer::Infeasible | SolverAnswer::Nothing) => {
                assert_eq!(none, SolverAnswer::Nothing)
            }
        }
    }
}
