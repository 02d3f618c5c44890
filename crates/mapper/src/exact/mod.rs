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

fn solve_part(program: &Program, limits: Limits, hint: Option<&[f64]>) -> Answer {
    pure::solve(program, limits, hint)
}
