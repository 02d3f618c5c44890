//! What a search proved, where one was made.

use mapper::{Solver, SolverStatus};
use std::fmt;

/// One line: who searched, what is proven, and what it took.
pub(super) struct SolverView<'a>(pub(super) &'a Solver);

impl fmt::Display for SolverView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Solver { engine, status, evenness: Some(evenness), .. } = self.0 else {
            return self.rescued(f);
        };
        let said = |what: &SolverStatus| match what {
            SolverStatus::Optimal => "proven best",
            SolverStatus::Feasible | SolverStatus::Unproven => "not proven best",
        };
        let (evenness, bytes) = (said(evenness), said(status));
        write!(f, "  solver        {engine}: ")?;
        if let Some(gap) = self.0.evenness_gap_ratio {
            return self.fullest(evenness, gap, f);
        }
        if evenness == bytes {
            write!(f, "evenness and bytes {bytes}")?;
        } else {
            write!(f, "evenness {evenness}, bytes {bytes}")?;
        }
        self.effort(f)
    }
}

impl SolverView<'_> {
    /// Seats that only a search found room for.
    fn rescued(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Solver { engine, binaries: Some(_), .. } = self.0 else { return Ok(()) };
        write!(f, "  solver        {engine}: found room for every seat")?;
        self.effort(f)
    }

    /// The fullest broker, and how far it may be from the best.
    fn fullest(&self, evenness: &str, gap: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if gap >= 5e-6 {
            return writeln!(f, "fullest broker within {:.3} % of the best", gap * 100.0);
        }
        write!(f, "fullest broker {evenness}")?;
        let Solver { binaries: Some(seats), nodes: Some(nodes), .. } = self.0 else {
            return writeln!(f);
        };
        writeln!(f, " ({seats} seats, {nodes} nodes)")
    }

    fn effort(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Solver { binaries: Some(seats), nodes: Some(nodes), .. } = self.0 else {
            return writeln!(f);
        };
        writeln!(f, " ({seats} seats, {nodes} nodes searched)")
    }
}
