//! Writes the tables and the plot of `docs/benchmarks.md` from the baseline, so that no figures are typed by hand.

use std::fs;
use std::path::PathBuf;

use super::cases::Size;
use super::figures::{Figures, Row};
use super::plot;
use super::table::{Line, Table};
use crate::project::{self, Outcome};

/// A place for figures in a page, between two marks.
pub(super) struct Place {
    begin: &'static str,
    end: &'static str,
}

const FIGURES: Place = Place {
    begin: "<!-- figures: written by `cargo xtask bench --save-baseline` -->\n",
    end: "<!-- end of figures -->",
};

/// The place for our plans that move no more bytes than the peers' plans.
pub(super) const AT_PEERS_BYTES: Place = Place {
    begin: "<!-- at the peers' bytes: written by `cargo xtask bench --only peers --save-baseline` -->\n",
    end: "<!-- end of the peers' bytes -->",
};

/// The place for replays of weeks.
pub(super) const REPLAYS: Place = Place {
    begin: "<!-- replays: written by `cargo xtask bench --only replays --save-baseline` -->\n",
    end: "<!-- end of replays -->",
};

impl Place {
    /// Writes a text to this place.
    pub(super) fn fill(&self, with: &str) -> Outcome {
        let Self { begin, end } = self;
        let page = docs("benchmarks.md");
        let text = fs::read_to_string(&page)?;
        let lacks = || format!("docs/benchmarks.md lacks {begin}{end}");
        let (head, rest) = text.split_once(begin).ok_or_else(lacks)?;
        let (_, tail) = rest.split_once(end).ok_or_else(lacks)?;
        Ok(fs::write(page, format!("{head}{begin}{with}{end}{tail}"))?)
    }
}

fn docs(name: &str) -> PathBuf {
    project::root().join("docs").join(name)
}

/// Writes the figures into the page, and the plot next to it.
pub(super) fn write(figures: &Figures, peers: Option<&Figures>) -> Outcome {
    FIGURES.fill(&tables(figures, peers))?;
    Ok(fs::write(docs("benchmarks.svg"), plot::svg(figures, peers))?)
}

/// One table for each size.
fn tables(figures: &Figures, peers: Option<&Figures>) -> String {
    let mut text = String::new();
    for size in Size::ALL {
        let rows = figures.figures.iter().filter(|row| row.size == size.name());
        let lines: Vec<Line> = rows.cloned().map(Line::Measured).collect();
        if lines.is_empty() {
            continue;
        }
        let goal = size.goal();
        let (name, brokers, partitions) =
            (size.name(), size.brokers(), thousands(size.partitions()));
        text.push_str(&format!(
            "\n### {name}: {partitions} partitions, {brokers} brokers\n\nGoal: {} s, {} MiB{}.\n\n",
            goal.seconds,
            goal.memory_mib,
            other_goals(size)
        ));
        text.push_str(&Table::of(&lines, peers, None).markdown());
    }
    text.push('\n');
    text
}

/// The cases with higher limits than their size.
fn other_goals(size: Size) -> String {
    let cases = ["rebalance, all", "rebalance, loads", "leaders"]
        .map(|case| (case, size.goal_of(&format!(" / {case}"))));
    let others = cases.iter().filter(|(_, goal)| *goal != size.goal());
    others.map(|(case, goal)| format!("; {case}: {} s", goal.seconds)).collect()
}

pub(super) fn thousands(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The rows of one case, by size.
pub(super) fn by_size<'a>(figures: &'a Figures, tool: &str, case: &str) -> Vec<(Size, &'a Row)> {
    let rows = figures.figures.iter().filter(|row| row.tool == tool && row.case == case);
    rows.filter_map(|row| Some((row.size()?, row))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!([200, 5_000, 1_000_000].map(thousands), ["200", "5,000", "1,000,000"]);
    }
}
