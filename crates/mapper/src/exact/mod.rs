//! Mixed-integer programs and who solves them: microlp, written down through `good_lp`; in a build with the feature
//! `highs` also HiGHS, for what microlp would not come to the end of.

use crate::plan::BoundBy;

#[cfg(feature = "highs")]
mod highs;
mod program;
mod pure;

pub(crate) use program::{Answer, Column, Effort, Found, Limits, Program, Who};

/// Columns of whole values beyond which the solver would not come to an end that is worth waiting for.
pub(crate) const MOST_BINARIES: usize = if HIGHS { 12_000 } else { 2_000 };

/// Columns of which the linear relaxation is worth its time.
pub(crate) const MOST_LINEAR: usize = if HIGHS { 30_000 } else { 1_500 };

/// Nodes of the search tree, for each part of the program that stands by itself.
const NODES: usize = 4_000;

/// Columns times nodes, where the program is so large that nodes take long: half a minute's worth, not a limit of time.
const WORK: usize = if HIGHS { 2_000_000 } else { MOST_BINARIES * NODES };

/// Whether this build has HiGHS.
pub(crate) const HIGHS: bool = cfg!(feature = "highs");

/// As plans name who found an answer that was searched for to the end.
pub(crate) const EXACT: &str = if HIGHS { "exact (HiGHS)" } else { "exact (microlp)" };

/// As plans name who bettered an answer that was built.
pub(crate) const POLISHED: &str = "constructive, polished (microlp)";

/// What a search has to say for itself.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    pub(crate) engine: &'static str,
    pub(crate) binaries: usize,
    pub(crate) effort: Effort,
    /// No plan is more even; `None`: not looked at.
    pub(crate) most_even: Option<bool>,
    /// No plan ends with a smaller share of the fullest broker's storage used; `None`: not looked at.
    pub(crate) fullest: Option<f64>,
    /// What the bound of the bytes comes from.
    pub(crate) by: BoundBy,
}

impl Evidence {
    /// What two searches have to say, of which the first found what the second bettered.
    pub(crate) fn after(mut self, first: &Self) -> Self {
        self.engine = first.engine;
        self.effort.add(first.effort);
        self
    }
}

/// How far a search goes that somebody asked for.
pub(crate) fn thorough(binaries: usize, gap: f64) -> Limits {
    let nodes = (WORK / binaries.max(1)).min(NODES) as u64;
    Limits { who: Who::Strong, nodes, gap }
}

fn solve_part(program: &Program, limits: Limits, hint: Option<&[f64]>) -> Answer {
    match limits.who {
        #[cfg(feature = "highs")]
        Who::Strong => highs::solve(program, limits, hint),
        #[cfg(not(feature = "highs"))]
        Who::Strong => pure::solve(program, limits, hint),
        Who::Quick => pure::solve(program, limits, hint),
    }
}
