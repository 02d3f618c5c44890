//! How a plan reads partition by partition: one line for each that changes.

use super::table::Table;
use local::words::listed;
use mapper::{ANY_LOG_DIR, BrokerId, Move, Plan, Stage};
use serde::Serialize;
use std::fmt;

/// Every move of a plan.
#[derive(Serialize)]
pub(crate) struct Moves<'a> {
    moves: &'a [Move],
    steps: &'a [Vec<usize>],
    #[serde(skip)]
    stages: Vec<Vec<Stage<'a>>>,
}

impl<'a> Moves<'a> {
    pub(crate) fn of(plan: &'a Plan) -> Self {
        Self { moves: &plan.moves, steps: &plan.steps, stages: plan.stages() }
    }
}

/// Brokers, each with the log dir that is named for it: `1001, 1006:/data2`.
fn with_log_dirs(list: &[BrokerId], dirs: &[String]) -> String {
    if dirs.is_empty() {
        return listed(list);
    }
    let seat = |(id, dir): (&BrokerId, &String)| match dir.as_str() {
        ANY_LOG_DIR => id.to_string(),
        dir => format!("{id}:{dir}"),
    };
    list.iter().zip(dirs).map(seat).collect::<Vec<_>>().join(", ")
}

/// The bytes that a submission copies, from broker to broker and inside brokers.
fn bytes(stage: &Stage<'_>) -> String {
    let all = stage.bytes().map(|bytes| bytes.plus(stage.disk_bytes()));
    all.map_or_else(|| "unknown".to_owned(), |bytes| bytes.to_string())
}

impl fmt::Display for Moves<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&[">step", ">move", "partition", "from", "to", "why", ">bytes"]);
        for (step, stages) in self.stages.iter().enumerate() {
            for (index, stage) in self.steps[step].iter().zip(stages) {
                let Stage { change, from, to } = stage;
                table.row([
                    step.to_string(),
                    index.to_string(),
                    format!("{}-{}", change.topic, change.partition),
                    listed(from),
                    with_log_dirs(to, &stage.log_dirs()),
                    change.reason.as_str().to_owned(),
                    bytes(stage),
                ]);
            }
        }
        f.write_str(&table.render())
    }
}
