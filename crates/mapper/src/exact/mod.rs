//! Mixed-integer programs and their solvers. microlp, through `good_lp`, is always present. A build with the feature
//! `highs` also has HiGHS, for programs that microlp cannot finish.

use crate::plan::BoundBy;

#[cfg(feature = "highs")]
mod highs;
mod program;
mod pure;

pub(crate) use program::{
    Column, Effort, Program, Solution, SolverAnswer, SolverChoice, SolverLimits,
};

/// The most integer columns of a program. With more, the solver does not finish in an acceptable time.
pub(crate) const MOST_BINARIES: usize = if HIGHS { 12_000 } else { 2_000 };

/// The most columns for which the linear relaxation is worth its time.
pub(crate) const MOST_LINEAR: usize = if HIGHS { 30_000 } else { 1_500 };

/// The most nodes of the search tree, for each independent part of the program.
const NODES: usize = 4_000;

/// The most columns times nodes, for programs so large that nodes are slow. It is about half a minute of work, but it
/// does not depend on the clock.
const WORK: usize = if HIGHS { 2_000_000 } else { MOST_BINARIES * NODES };

/// Whether this build has HiGHS.
pub(crate) const HIGHS: bool = cfg!(feature = "highs");

/// The engine's name in plans whose answer comes from a complete search.
pub(crate) const EXACT: &str = if HIGHS { "exact (HiGHS)" } else { "exact (microlp)" };

/// The engine's name in plans whose answer was built and then improved.
pub(crate) const POLISHED: &str = "constructive, polished (microlp)";

/// The evidence of a search.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    pub(crate) engine: &'static str,
    pub(crate) binaries: usize,
    pub(crate) effort: Effort,
    /// No plan is more even; `None`: not examined.
    pub(crate) most_even: Option<bool>,
    /// No plan ends with a smaller share of the fullest broker's storage used; `None`: not examined.
    pub(crate) fullest: Option<f64>,
    /// The origin of the bound on the bytes.
    pub(crate) by: BoundBy,
}

impl Evidence {
    /// The evidence of two searches: the second improved the answer of the first.
    pub(crate) fn after(mut self, first: &Self) -> Self {
        self.engine = first.engine;
        self.effort.add(first.effort);
        self
    }
}

/// The limits of a search that an operator has asked for.
pub(crate) fn thorough(binaries: usize, gap: f64) -> SolverLimits {
    let nodes = (WORK / binaries.max(1)).min(NODES) as u64;
    SolverLimits { who: SolverChoice::Strong, nodes, gap }
}

fn solve_part(program: &Program, limits: SolverLimits, hint: Option<&[f64]>) -> SolverAnswer {
    match limits.who {
        #[cfg(feature = "highs")]
        SolverChoice::Strong => highs::solve(program, limits, hint),
        #[cfg(not(feature = "highs"))]
        SolverChoice::Strong => pure::solve(program, limits, hint),
        SolverChoice::Quick => pure::solve(program, limits, hint),
    }
}
