//! The steps of a plan: what each copies, and the broker that has most to do in it.

use super::report::LONG;
use super::table::Table;
use super::{counted, heading};
use mapper::{BrokerId, Bytes, Plan, Stage};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// One step.
#[derive(Debug, Serialize)]
pub(super) struct StepView {
    step: usize,
    partitions: usize,
    replicas: usize,
    #[serde(rename = "moved_bytes", skip_serializing_if = "Option::is_none")]
    bytes: Option<Bytes>,
    /// The broker that takes most in; absent where nothing is copied, or sizes are unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    worst_broker: Option<Intake>,
}

#[derive(Debug, Serialize)]
struct Intake {
    id: BrokerId,
    incoming_bytes: Bytes,
}

/// Each step of a plan.
pub(super) fn each(plan: &Plan) -> Vec<StepView> {
    plan.stages().iter().enumerate().map(|(step, stages)| StepView::of(step, stages)).collect()
}

impl StepView {
    fn of(step: usize, stages: &[Stage<'_>]) -> Self {
        let mut intake: BTreeMap<BrokerId, u64> = BTreeMap::new();
        for stage in stages {
            let each = stage.change.copy_bytes().unwrap_or_default().0;
            for broker in stage.added() {
                *intake.entry(broker).or_default() += each;
            }
        }
        let worst = intake.into_iter().max_by_key(|(id, bytes)| (*bytes, std::cmp::Reverse(*id)));
        let bytes = stages.iter().map(|stage| stage.bytes().map(|bytes| bytes.0));
        Self {
            step,
            partitions: stages.len(),
            replicas: stages.iter().map(|stage| stage.added().count()).sum(),
            bytes: bytes.sum::<Option<u64>>().map(Bytes),
            worst_broker: worst
                .filter(|(_, bytes)| *bytes > 0)
                .map(|(id, bytes)| Intake { id, incoming_bytes: Bytes(bytes) }),
        }
    }

    pub(super) fn row(&self) -> [String; 5] {
        let none = || "-".to_owned();
        let bytes = match self.bytes {
            Some(Bytes(0)) => none(),
            Some(bytes) => bytes.to_string(),
            None => "unknown".to_owned(),
        };
        let worst = self.worst_broker.as_ref();
        let worst = worst.map(|worst| format!("{} takes in {}", worst.id, worst.incoming_bytes));
        [
            self.step.to_string(),
            self.partitions.to_string(),
            self.replicas.to_string(),
            bytes,
            worst.unwrap_or_else(none),
        ]
    }
}

/// A table of them, where there are several.
pub(super) fn write(steps: &[StepView], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if steps.len() < 2 {
        return Ok(());
    }
    heading(f, "Steps")?;
    let mut table = Table::new(&[">step", ">partitions", ">replicas", ">bytes", "worst broker"]);
    steps.iter().take(LONG).for_each(|step| table.row(step.row()));
    f.write_str(&table.render())?;
    if steps.len() > LONG {
        writeln!(f, "  and {} more (--output json)", counted(steps.len() - LONG, "step"))?;
    }
    Ok(())
}
