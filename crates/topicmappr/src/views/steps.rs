//! The steps of a plan: what each copies, and the broker that has most to do in it.

use super::heading;
use super::report::LONG;
use super::table::Table;
use local::words::counted;
use mapper::{BrokerId, Bytes, Plan, Stage};
use serde::Serialize;
use std::cmp::Reverse;
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
    let mut intakes = Intakes::of(plan);
    let steps = plan.stages();
    steps
        .iter()
        .enumerate()
        .map(|(step, stages)| StepView::of(step, stages, &mut intakes))
        .collect()
}

/// What each broker takes in during a step.
struct Intakes {
    /// Ascending.
    ids: Vec<BrokerId>,
    bytes: Vec<Bytes>,
}

impl Intakes {
    fn of(plan: &Plan) -> Self {
        let mut ids: Vec<BrokerId> = plan.after.brokers.iter().map(|broker| broker.id).collect();
        ids.sort_unstable();
        Self { bytes: vec![Bytes(0); ids.len()], ids }
    }

    fn add(&mut self, id: BrokerId, bytes: Bytes) {
        let at = self.position(id);
        self.bytes[at] = self.bytes[at].plus(bytes);
    }

    fn position(&mut self, id: BrokerId) -> usize {
        // Most clusters number their brokers without gaps.
        let first = self.ids.first().map_or(0, |first| first.0);
        let guess = id.0.saturating_sub(first) as usize;
        if self.ids.get(guess) == Some(&id) {
            return guess;
        }
        self.ids.binary_search(&id).unwrap_or_else(|at| {
            self.ids.insert(at, id);
            self.bytes.insert(at, Bytes(0));
            at
        })
    }

    /// The broker that takes most in, if one does; nothing is left for the next step.
    fn take_worst(&mut self) -> Option<Intake> {
        let all = self.ids.iter().zip(&self.bytes).filter(|(_, bytes)| bytes.0 > 0);
        let worst = all.max_by_key(|(id, bytes)| (**bytes, Reverse(**id)));
        let worst = worst.map(|(id, bytes)| Intake { id: *id, incoming_bytes: *bytes });
        self.bytes.fill(Bytes(0));
        worst
    }
}

impl StepView {
    fn of(step: usize, stages: &[Stage<'_>], intakes: &mut Intakes) -> Self {
        let mut replicas = 0;
        for stage in stages {
            let each = stage.change.copy_bytes().unwrap_or_default();
            for broker in stage.added() {
                intakes.add(broker, each);
                replicas += 1;
            }
        }
        let bytes = stages.iter().map(Stage::bytes).sum();
        let worst_broker = intakes.take_worst();
        Self { step, partitions: stages.len(), replicas, bytes, worst_broker }
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
    let columns = [">step", ">partitions", ">replicas", ">bytes", "worst broker"];
    Table::write(f, columns, steps.iter().take(LONG).map(StepView::row))?;
    if steps.len() > LONG {
        writeln!(f, "  and {} more (--output json)", counted(steps.len() - LONG, "step"))?;
    }
    Ok(())
}
