//! What a search proved, where one was made.

use mapper::{Solver, SolverStatus};
use std::fmt;

/// One line: who searched, what is proven, and what it took.
pub(super) struct SolverView<'a>(pub(super) &'a Solver);

impl fmt::Display for SolverView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Solver { engine, status, evenness: Some(evenness), .. } = self.0 else {
            return Ok(());
        };
        let said = |what: &SolverStatus| match what {
            SolverStatus::Optimal => "proven best",
            SolverStatus::Feasible | SolverStatus::Unproven => "not proven best",
        };
        let (evenness, bytes) = (said(evenness), said(status));
        write!(f, "  solver        {engine}: ")?;
        if evenness == bytes {
            write!(f, "evenness and bytes {bytes}")?;
        } else {
            write!(f, "evenness {evenness}, bytes {bytes}")?;
        }
        let Solver { binaries: Some(seats), nodes: Some(nodes), .. } = self.0 else {
            return writeln!(f);
        };
        writeln!(f, " ({seats} seats, {nodes} nodes searched)")
    }
}
