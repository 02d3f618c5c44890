//! The progress of an execution, read by another process.

use super::detail::Detail;
use super::trouble::{MoveTrouble, troubles};
use crate::live::views::shown;
use execute::{ExecutionHistory, Ledger, Round, Task};
use mapper::TopicPartition;
use operate::events::Progress;
use operate::execution::{Look, Why};
use operate::words::counted;
use serde::Serialize;
use std::fmt;

/// The progress of an execution, read by another process.
#[derive(Debug, Serialize)]
pub(crate) struct StatusView {
    #[serde(flatten)]
    progress: Progress,
    #[serde(flatten)]
    detail: Detail,
    /// Whether a process on this machine runs it, or how it ended.
    execution: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    troubles: Vec<MoveTrouble>,
    /// Running moves that are not the plan's.
    other_moves: Vec<TopicPartition>,
    /// Configs that are to be restored.
    held_configs: Vec<String>,
}

impl StatusView {
    pub(crate) fn of(
        task: &Task<'_>,
        look: &Look,
        round: &Round,
        history: &ExecutionHistory,
        ledger: &Ledger,
        runs: bool,
    ) -> Self {
        let by = ledger.last_holder().filter(|_| runs).map(ToString::to_string);
        Self {
            progress: Progress::of(
                task,
                &look.seen,
                round,
                if runs { &history.stalled } else { &[] },
            ),
            detail: Detail::of(task, look, round),
            execution: match (runs, history.plan.is_some(), history.finished) {
                (true, _, _) => "running",
                (false, _, Some(outcome)) => super::outcome(Why::Over(outcome)),
                (false, true, None) => "interrupted",
                (false, false, None) => "not_begun",
            },
            by,
            troubles: troubles(task.plan, round),
            other_moves: round.course.foreign.iter().cloned().collect(),
            held_configs: ledger.held().map(|(setting, _)| setting.to_string()).collect(),
        }
    }
}

impl fmt::Display for StatusView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "execution   {}", self.execution.replace('_', " "))?;
        match &self.by {
            Some(by) => writeln!(f, ", by {by}")?,
            None => writeln!(f)?,
        }
        let Progress { done, partitions, moving, waiting, left_out, .. } = &self.progress;
        writeln!(
            f,
            "partitions  {done} of {partitions} done, {moving} moving, {waiting} to come, {left_out} left out"
        )?;
        writeln!(f, "bytes       {} of {}", self.progress.copied_bytes, self.progress.bytes)?;
        writeln!(
            f,
            "throttle    {} set by executions",
            counted(self.held_configs.len(), "config")
        )?;
        write!(f, "{}", self.detail)?;
        shown(f, &self.progress.stalled, "Stalled")?;
        shown(f, &self.troubles, "Not as planned")?;
        shown(f, &self.other_moves, "Moved by other tools")
    }
}
