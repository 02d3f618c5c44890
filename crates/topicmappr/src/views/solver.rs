//! What a search proved, where one was made.

use mapper::{BoundBy, Solver, SolverStatus};
use std::fmt;

/// The widest line of a report.
const WIDTH: usize = 100;

/// Who searched, what is proven, and what it took: one line, or two where that is too wide.
pub(super) struct SolverView<'a>(pub(super) &'a Solver);

impl fmt::Display for SolverView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = SolverLine(self.0).to_string();
        match line.trim_end().chars().count() > WIDTH {
            true => f.write_str(&line.replacen(": ", ":\n                ", 1)),
            false => f.write_str(&line),
        }
    }
}

struct SolverLine<'a>(&'a Solver);

impl fmt::Display for SolverLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Solver { engine, status, evenness: Some(evenness), .. } = self.0 else {
            return self.without_evenness(f);
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

impl SolverLine<'_> {
    /// Seats that only a search found room for; or no search, but a bound of the bytes.
    fn without_evenness(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Solver { engine, binaries: Some(seats), bound, .. } = self.0 else { return Ok(()) };
        if *engine != Solver::constructive().engine {
            write!(f, "  solver        {engine}: found room for every seat")?;
            return self.effort(f);
        }
        if *bound == Some(BoundBy::Linear) {
            let said = "bytes held against the linear relaxation";
            writeln!(f, "  solver        {engine}: {said} ({seats} seats)")?;
        }
        Ok(())
    }

    /// The fullest broker, and how far it may be from the best.
    fn fullest(&self, evenness: &str, gap: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if gap >= 5e-6 {
            return writeln!(f, "fullest broker within {:.3} % of the best", gap * 100.0);
        }
        write!(f, "fullest broker {evenness}")?;
        self.took("", f)
    }

    fn effort(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.took(" searched", f)
    }

    /// HiGHS does not tell its nodes.
    fn took(&self, searched: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.binaries, self.0.nodes) {
            (Some(seats), Some(nodes)) => writeln!(f, " ({seats} seats, {nodes} nodes{searched})"),
            (Some(seats), None) => writeln!(f, " ({seats} seats{searched})"),
            (None, _) => writeln!(f),
        }
    }
}
