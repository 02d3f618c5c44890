//! Mixed-integer programs and who solves them: microlp, written down through `good_lp`.

use crate::plan::BoundBy;

mod program;
mod pure;

pub(crate) use program::{Answer, Column, Effort, Found, Limits, Program};

/// Columns of whole values beyond which the solver would not come to an end that is worth waiting for.
pub(crate) const MOST_BINARIES: usize = 2_000;

/// What a search has to say for itself.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    pub(crate) engine: &'static str,
    pub(crate) binaries: usize,
    pub(crate) effort: Effort,
    /// No plan is more even; `None`: not looked at.
    pub(crate) most_even: Option<bool>,
    /// What the bound of the bytes comes from.
    pub(crate) by: BoundBy,
}

fn solve_part(program: &Program, limits: Limits, hint: Option<&[f64]>) -> Answer {
    pure::solve(program, limits, hint)
}
