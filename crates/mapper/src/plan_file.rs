//! The JSON file of a plan: a partition map that Kafka's own tool accepts, and in the same file the plan itself.

use crate::bytes::Bytes;
use crate::figures::Figures;
use crate::ids::{BrokerId, PartitionId, Replicas};
use crate::plan::{Assumption, BalanceFloor, LeftOut, Move, Plan, Solver, Stage, UnaskedGoal};
use crate::request::Request;
use crate::snapshot::{Snapshot, SnapshotHash};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

mod text;

const VERSION: u64 = 1;

/// The content of a plan file. Another tool's file has no `plan`.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanFile {
    /// The partition map.
    pub partitions: Vec<PlannedPartition>,
    /// The plan, if topicmappr wrote the file.
    pub plan: Option<Plan>,
}

/// One entry of a partition map, as `kafka-reassign-partitions` reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPartition {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: PartitionId,
    /// The replica list, the preferred leader first.
    pub replicas: Replicas,
    /// One log dir for each replica, `any` if Kafka may choose. Empty: Kafka chooses all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_dirs: Vec<String>,
}

/// Why a plan file was refused.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// Not JSON, or not of a partition map's shape.
    #[error("not a partition map: {0}")]
    Syntax(#[from] serde_json::Error),
    /// The file has a format version that this program does not know.
    #[error("the {what} has version {found}, this program reads version 1")]
    Version {
        /// `partition map` or `plan`.
        what: &'static str,
        /// The version that the file names.
        found: u64,
    },
    /// A step names a move that does not exist.
    #[error("step {step} names move {index}, but there are {moves}")]
    NoSuchMove {
        /// The step, numbered from 0.
        step: usize,
        /// The index that it names.
        index: usize,
        /// The number of moves.
        moves: usize,
    },
    /// The partition map and the plan in the file contradict each other.
    #[error("the partition map and the moves of the plan differ at {0}")]
    Differs(String),
}

#[derive(Deserialize)]
struct FileIn {
    version: u64,
    partitions: Vec<PlannedPartition>,
    plan: Option<PlanWire<'static>>,
}

#[derive(Serialize)]
struct FileOut<'p> {
    version: u64,
    partitions: &'p [PlannedPartition],
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanWire<'p>>,
}

/// An entry of a partition map, from any source.
struct EntryOut<'p> {
    topic: &'p str,
    partition: PartitionId,
    replicas: &'p Replicas,
    log_dirs: &'p [String],
}

/// The plan in JSON: borrowed to write, owned after reading.
#[derive(Serialize, Deserialize)]
struct PlanWire<'p> {
    #[serde(flatten)]
    head: PlanFileHead<'p>,
    #[serde(flatten)]
    request: Cow<'p, Request>,
    moves: Cow<'p, [Move]>,
    steps: Cow<'p, [Vec<usize>]>,
    #[serde(flatten)]
    tail: Tail<'p>,
}

/// The keys before the request.
#[derive(Serialize, Deserialize)]
struct PlanFileHead<'p> {
    version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster_id: Cow<'p, Option<String>>,
    snapshot: Cow<'p, SnapshotHash>,
}

/// The keys after the steps.
#[derive(Serialize, Deserialize)]
struct Tail<'p> {
    #[serde(default, skip_serializing_if = "<[LeftOut]>::is_empty")]
    left_out: Cow<'p, [LeftOut]>,
    #[serde(default, skip_serializing_if = "<[Assumption]>::is_empty")]
    assumed: Cow<'p, [Assumption]>,
    before: Cow<'p, Figures>,
    after: Cow<'p, Figures>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bound_bytes: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    floor: Option<BalanceFloor>,
    /// It follows from the other keys, so nothing reads it back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unasked: Vec<UnaskedGoal>,
    solver: Cow<'p, Solver>,
}

impl PlanFile {
    /// The file of a plan, with only the partitions that change.
    pub fn of(plan: Plan) -> Self {
        Self { partitions: Self::map(&plan), plan: Some(plan) }
    }

    /// The partition map of a plan, with only the partitions that change.
    pub fn map(plan: &Plan) -> Vec<PlannedPartition> {
        plan.moves.iter().map(PlannedPartition::of).collect()
    }

    /// As [`Self::map`], with the partitions in scope that do not change (`--include-no-ops`).
    pub fn map_with_no_ops(
        plan: &Plan,
        before: &Snapshot,
        in_scope: &dyn Fn(&str) -> bool,
    ) -> Vec<PlannedPartition> {
        let moved: BTreeMap<(&str, PartitionId), &Move> =
            plan.moves.iter().map(|m| ((&*m.topic, m.partition), m)).collect();
        let mut partitions = Vec::new();
        for topic in before.topics().iter().filter(|topic| in_scope(&topic.name)) {
            let name: Arc<str> = topic.name.as_str().into();
            for partition in &topic.partitions {
                let change = moved.get(&(topic.name.as_str(), partition.id));
                let replicas = change.map_or(&partition.replicas, |m| &m.to).clone();
                let topic = Arc::clone(&name);
                let log_dirs = change.map(|m| m.log_dirs.clone()).unwrap_or_default();
                partitions.push(PlannedPartition {
                    topic,
                    partition: partition.id,
                    replicas,
                    log_dirs,
                });
            }
        }
        partitions
    }

    /// The submission of one step: a partition map without a plan.
    pub fn of_step(stages: &[Stage<'_>]) -> Self {
        Self { partitions: stages.iter().map(PlannedPartition::of_stage).collect(), plan: None }
    }

    /// Reads a partition map of topicmappr or of another tool. Unknown keys are ignored.
    ///
    /// # Errors
    /// [`PlanFileError`]: what is wrong with the text.
    pub fn from_json(text: &[u8]) -> Result<Self, PlanFileError> {
        let wire: FileIn = serde_json::from_slice(text)?;
        if wire.version != VERSION {
            return Err(PlanFileError::Version { what: "partition map", found: wire.version });
        }
        let plan = wire.plan.map(PlanWire::into_plan).transpose()?;
        let file = Self { partitions: wire.partitions, plan };
        file.agrees()?;
        Ok(file)
    }

    /// Writes it as one line of JSON.
    ///
    /// # Errors
    /// Only those of `out`.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let plan = self.plan.as_ref().map(PlanWire::of);
        text::write(self.partitions.iter().map(EntryOut::of), plan.as_ref(), out)
    }

    /// Checks that every move is in the partition map with the same target.
    fn agrees(&self) -> Result<(), PlanFileError> {
        let Some(plan) = &self.plan else {
            return Ok(());
        };
        let listed: BTreeMap<(&str, PartitionId), &[BrokerId]> = self
            .partitions
            .iter()
            .map(|entry| ((&*entry.topic, entry.partition), entry.replicas.as_slice()))
            .collect();
        for change in &plan.moves {
            if listed.get(&(&*change.topic, change.partition)) != Some(&change.to.as_slice()) {
                return Err(PlanFileError::Differs(change.of().to_string()));
            }
        }
        Ok(())
    }
}

impl Serialize for PlanFile {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let plan = self.plan.as_ref().map(PlanWire::of);
        FileOut { version: VERSION, partitions: &self.partitions, plan }.serialize(to)
    }
}

impl Plan {
    /// Writes its file, as [`PlanFile::of`] makes it, as one line of JSON.
    ///
    /// # Errors
    /// Only those of `out`.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        text::write(self.moves.iter().map(EntryOut::of_move), Some(&PlanWire::of(self)), out)
    }

    /// Writes the plan with another map: the one with no-ops.
    ///
    /// # Errors
    /// Only those of `out`.
    pub fn write_json_with(&self, map: &[PlannedPartition], out: &mut dyn Write) -> io::Result<()> {
        text::write(map.iter().map(EntryOut::of), Some(&PlanWire::of(self)), out)
    }
}

impl<'p> EntryOut<'p> {
    fn of(entry: &'p PlannedPartition) -> Self {
        let PlannedPartition { topic, partition, replicas, log_dirs } = entry;
        Self { topic, partition: *partition, replicas, log_dirs }
    }

    fn of_move(change: &'p Move) -> Self {
        let Move { topic, partition, to: replicas, log_dirs, .. } = change;
        Self { topic, partition: *partition, replicas, log_dirs }
    }
}

impl PlannedPartition {
    fn of(change: &Move) -> Self {
        Self {
            topic: Arc::clone(&change.topic),
            partition: change.partition,
            replicas: change.to.clone(),
            log_dirs: change.log_dirs.clone(),
        }
    }

    fn of_stage(stage: &Stage<'_>) -> Self {
        Self { replicas: stage.to.clone(), log_dirs: stage.log_dirs(), ..Self::of(stage.change) }
    }
}

impl<'p> PlanWire<'p> {
    fn of(plan: &'p Plan) -> Self {
        Self {
            head: PlanFileHead {
                version: VERSION,
                cluster_id: Cow::Borrowed(&plan.cluster_id),
                snapshot: Cow::Borrowed(&plan.snapshot),
            },
            request: Cow::Borrowed(&plan.request),
            moves: Cow::Borrowed(&plan.moves),
            steps: Cow::Borrowed(&plan.steps),
            tail: Tail {
                left_out: Cow::Borrowed(&plan.left_out),
                assumed: Cow::Borrowed(&plan.assumed),
                before: Cow::Borrowed(&plan.before),
                after: Cow::Borrowed(&plan.after),
                bound_bytes: plan.bound_bytes,
                floor: plan.floor,
                unasked: plan.unasked(),
                solver: Cow::Borrowed(&plan.solver),
            },
        }
    }

    fn into_plan(self) -> Result<Plan, PlanFileError> {
        let Self { head, tail, .. } = self;
        if head.version != VERSION {
            return Err(PlanFileError::Version { what: "plan", found: head.version });
        }
        for (step, indices) in self.steps.iter().enumerate() {
            if let Some(index) = indices.iter().find(|index| **index >= self.moves.len()) {
                let moves = self.moves.len();
                return Err(PlanFileError::NoSuchMove { step, index: *index, moves });
            }
        }
        Ok(Plan {
            cluster_id: head.cluster_id.into_owned(),
            snapshot: head.snapshot.into_owned(),
            request: self.request.into_owned(),
            moves: self.moves.into_owned(),
            steps: self.steps.into_owned(),
            left_out: tail.left_out.into_owned(),
            assumed: tail.assumed.into_owned(),
            before: tail.before.into_owned(),
            after: tail.after.into_owned(),
            bound_bytes: tail.bound_bytes,
            floor: tail.floor,
            solver: tail.solver.into_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
