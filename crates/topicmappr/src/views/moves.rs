//! How a plan reads partition by partition: one line for each that changes.

use super::listed;
use super::table::Table;
use mapper::{Move, Plan};
use serde::Serialize;
use std::fmt;

/// Every move of a plan.
#[derive(Serialize)]
pub(crate) struct Moves<'a> {
    moves: &'a [Move],
    steps: &'a [Vec<usize>],
}

impl<'a> Moves<'a> {
    pub(crate) fn of(plan: &'a Plan) -> Self {
        Self { moves: &plan.moves, steps: &plan.steps }
    }
}

impl fmt::Display for Moves<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&[">step", "partition", "from", "to", "why", ">bytes"]);
        for (step, indices) in self.steps.iter().enumerate() {
            for change in indices.iter().filter_map(|index| self.moves.get(*index)) {
                table.row([
                    step.to_string(),
                    format!("{}-{}", change.topic, change.partition),
                    listed(&change.from),
                    listed(&change.to),
                    change.reason.as_str().to_owned(),
                    change.bytes.map_or_else(|| "unknown".to_owned(), |b| b.to_string()),
                ]);
            }
        }
        f.write_str(&table.render())
    }
}
