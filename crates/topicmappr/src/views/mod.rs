//! The output of a run. Each view is a value: `Display` writes words, `Serialize` writes JSON.
//!
//! `{}` is plain, `{:#}` the same in colour; nothing needs the colour to be understood.

mod brokers;
mod changes;
mod clash;
mod doctor;
mod error;
mod evenness;
mod explain;
mod html;
mod left_out;
mod load;
mod lost;
pub(crate) mod maps;
mod moves;
pub(crate) mod next;
mod no_plan;
mod nothing;
mod plan_diff;
mod recorded_load;
mod relief;
pub(crate) mod report;
mod solver;
mod steps;
pub(crate) mod table;
pub(crate) mod transfer;
mod unasked;
mod warnings;

pub(crate) use doctor::DoctorView;
pub(crate) use error::ErrorView;
pub(crate) use explain::ExplainView;
pub(crate) use html::Page;
pub(crate) use maps::{MapsCheck, MapsShow, PodProblems, ResolvedMaps};
pub(crate) use moves::Moves;
pub(crate) use next::{KafkaTool, Next};
pub(crate) use plan_diff::PlanDiffView;
pub(crate) use recorded_load::RecordedLoadView;
pub(crate) use report::{PlacementChoice, Report, Sums, Surroundings};
pub(crate) use warnings::{Caution, Cautions};

use local::words::counted;
use serde::Serialize;
use std::fmt::{self, Display};

/// The most lines of a list; more are counted, and `--output json` has all.
const SHOWN: usize = 10;

/// A value that can be shown in both forms.
pub(crate) trait View: Display + Serialize {}

impl<T: Display + Serialize> View for T {}

/// A word that stands out in colour.
pub(crate) enum Ink<'a> {
    /// Names a part of the output.
    Heading(&'a str),
    /// Something went wrong.
    Error(&'a str),
    /// Something may go wrong.
    Warning(&'a str),
}

impl Display for Ink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, word) = match self {
            Self::Heading(word) => ("1", word),
            Self::Error(word) => ("1;31", word),
            Self::Warning(word) => ("1;33", word),
        };
        if f.alternate() { write!(f, "\u{1b}[{code}m{word}\u{1b}[0m") } else { f.write_str(word) }
    }
}

/// A part's name, after a blank line.
pub(crate) fn heading(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let name = Ink::Heading(name);
    if f.alternate() { writeln!(f, "\n{name:#}") } else { writeln!(f, "\n{name}") }
}

/// A part of the output with a line for each, if there are any.
pub(crate) fn shown<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    all: &[T],
    name: &str,
) -> fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    heading(f, name)?;
    for one in all.iter().take(SHOWN) {
        writeln!(f, "  {one}")?;
    }
    more(f, all.len(), SHOWN, "")
}

/// The number of those that a list of `shown` leaves out, if any; `noun` says what they are, where that is not clear.
pub(crate) fn more(
    f: &mut fmt::Formatter<'_>,
    all: usize,
    shown: usize,
    noun: &str,
) -> fmt::Result {
    let more = match (all.saturating_sub(shown), noun) {
        (0, _) => return Ok(()),
        (left, "") => format!("{left} more"),
        (left, noun) => counted(left, &format!("more {noun}")),
    };
    writeln!(f, "  and {more}; --output json names them all")
}
