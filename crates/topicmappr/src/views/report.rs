//! What a plan comes to: the one page that a planning command and `plan show` put out.

use super::brokers::BrokerChange;
use super::changes::TopicChange;
use super::evenness::Evenness;
use super::left_out::LeftOutView;
use super::load::Load;
use super::next::Next;
use super::recorded_load::RecordedLoadView;
use super::relief::Unrelieved;
use super::solver::SolverView;
use super::steps::StepView;
use super::transfer::Transfer;
use super::unasked::{Oversized, Unasked};
use super::warnings::Caution;
use super::{brokers, changes, heading, lost, steps};
use crate::lost::LostBroker;
use local::words::counted;
use mapper::maps::Unmapped;
use mapper::{
    Assumption, BalanceFloor, Figures, LeaderBytes, LeftOut, OversizedPartition, PlaceBy, Plan,
    Snapshot, SnapshotHash, Solver, UnaskedGoal, joined,
};
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// Longer lists are cut, with a count and the way to see all.
pub(crate) const LONG: usize = 20;

/// A plan's report.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    command: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    captured_at: Option<&'a str>,
    snapshot: &'a SnapshotHash,
    #[serde(skip_serializing_if = "Option::is_none")]
    placement: Option<&'a PlacementChoice>,
    left_out: &'a [LeftOut],
    #[serde(skip_serializing_if = "<[Assumption]>::is_empty")]
    assumed: &'a [Assumption],
    brokers: &'a [BrokerChange],
    changes: &'a [TopicChange],
    before: &'a Figures,
    after: &'a Figures,
    /// The best reachable.
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<BalanceFloor>,
    #[serde(skip)]
    evenness: Option<Evenness<'a>>,
    /// The goals that the request leaves out, and that stay uneven.
    #[serde(skip_serializing_if = "<[UnaskedGoal]>::is_empty")]
    unasked: &'a [UnaskedGoal],
    /// What the brokers carry at a percentile of the recorded hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded_load: Option<&'a RecordedLoadView>,
    #[serde(skip)]
    not_asked: Option<Unasked<'a>>,
    /// The partition that alone is more than a broker's share.
    #[serde(skip_serializing_if = "Option::is_none")]
    oversized: Option<&'a OversizedPartition>,
    /// The broker that was to be relieved, and is not.
    #[serde(skip)]
    unrelieved: Option<Unrelieved>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leader_bytes: Option<LeaderBytes>,
    #[serde(flatten)]
    transfer: &'a Transfer,
    each_step: &'a [StepView],
    solver: &'a Solver,
    #[serde(skip_serializing_if = "<[LostBroker]>::is_empty")]
    lost: &'a [LostBroker],
    unmapped: &'a [Unmapped],
    warnings: &'a [Caution],
    stopped_by_warnings: bool,
    files: &'a [PathBuf],
    next: &'a Next,
}

/// How the brokers of new replicas were chosen, and why.
#[derive(Debug, Serialize)]
pub(crate) struct PlacementChoice {
    /// `storage` or `count`.
    pub(crate) by: &'static str,
    /// The reason, if the program chose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) because: Option<String>,
}

impl PlacementChoice {
    pub(crate) fn of(by: PlaceBy) -> Self {
        let by = match by {
            PlaceBy::Count => "count",
            PlaceBy::Storage => "storage",
        };
        Self { by, because: None }
    }
}

/// A plan added up, which takes a while where it is large.
#[derive(Debug)]
pub(crate) struct Sums {
    brokers: Vec<BrokerChange>,
    changes: Vec<TopicChange>,
    transfer: Transfer,
    each_step: Vec<StepView>,
    unasked: Vec<UnaskedGoal>,
    oversized: Option<OversizedPartition>,
}

impl Sums {
    pub(crate) fn of(plan: &Plan, snapshot: Option<&Snapshot>) -> Self {
        Self {
            brokers: brokers::changes(plan, snapshot),
            changes: changes::by_topic(plan, snapshot),
            transfer: Transfer::of(plan, snapshot),
            each_step: steps::each(plan),
            unasked: plan.unasked(),
            oversized: snapshot.and_then(|snapshot| plan.oversized(snapshot)),
        }
    }
}

/// What surrounds a plan.
#[derive(Default)]
pub(crate) struct Surroundings {
    pub(crate) placement: Option<PlacementChoice>,
    /// What becomes of the lost brokers, where Kubernetes was asked.
    pub(crate) lost: Vec<LostBroker>,
    /// Topics that no map takes.
    pub(crate) unmapped: Vec<Unmapped>,
    pub(crate) warnings: Vec<Caution>,
    /// The recorded load, if the plan uses it.
    pub(crate) recorded_load: Option<RecordedLoadView>,
    /// Whether the warnings kept the plan from being written.
    pub(crate) stopped: bool,
    /// What was written.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) next: Next,
}

impl<'a> Report<'a> {
    /// The report of a plan. The snapshot is what it was made from, where that is at hand.
    pub(crate) fn of(
        plan: &'a Plan,
        snapshot: Option<&'a Snapshot>,
        sums: &'a Sums,
        around: &'a Surroundings,
    ) -> Self {
        Self {
            command: plan.request.command(),
            cluster_id: plan.cluster_id.as_deref(),
            captured_at: snapshot.and_then(Snapshot::captured_at),
            snapshot: &plan.snapshot,
            placement: around.placement.as_ref(),
            left_out: &plan.left_out,
            assumed: &plan.assumed,
            brokers: &sums.brokers,
            changes: &sums.changes,
            before: &plan.before,
            after: &plan.after,
            floor: plan.floor,
            evenness: Evenness::of(plan),
            unasked: &sums.unasked,
            recorded_load: around.recorded_load.as_ref(),
            not_asked: Unasked::of(plan, &sums.unasked),
            oversized: sums.oversized.as_ref(),
            unrelieved: Unrelieved::of(plan),
            leader_bytes: plan.solver.leader_bytes,
            transfer: &sums.transfer,
            each_step: &sums.each_step,
            solver: &plan.solver,
            lost: &around.lost,
            unmapped: &around.unmapped,
            warnings: &around.warnings,
            stopped_by_warnings: around.stopped,
            files: &around.files,
            next: &around.next,
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cluster = self.cluster_id.unwrap_or("of unknown id");
        write!(f, "Plan: {} of cluster {cluster}", self.command)?;
        match self.captured_at {
            Some(at) => writeln!(f, ", captured {at}")?,
            None => writeln!(f)?,
        }
        LeftOutView(self.left_out).fmt(f)?;
        brokers::write(self.brokers, f)?;
        lost::write(self.lost, f)?;
        changes::write(self.changes, f)?;
        Load { before: self.before, after: self.after }.fmt(f)?;
        if let Some(load) = self.recorded_load {
            load.fmt(f)?;
        }
        steps::write(self.each_step, f)?;
        heading(f, "Summary")?;
        if let Some(placement) = self.placement {
            write!(f, "  placement     by {}", placement.by)?;
            match &placement.because {
                Some(because) => writeln!(f, ": {because}")?,
                None => writeln!(f)?,
            }
        }
        if let Some(evenness) = &self.evenness {
            evenness.fmt(f)?;
        }
        if let Some(unasked) = &self.not_asked {
            unasked.fmt(f)?;
        }
        if let Some(oversized) = self.oversized {
            Oversized(oversized).fmt(f)?;
        }
        if let Some(unrelieved) = &self.unrelieved {
            unrelieved.fmt(f)?;
        }
        if let Some(LeaderBytes { before, after, floor }) = self.leader_bytes {
            writeln!(
                f,
                "  leaders       the busiest leads {before} -> {after}, and at least {floor}"
            )?;
        }
        self.transfer.fmt(f)?;
        SolverView(self.solver).fmt(f)?;
        self.write_violations(f)?;
        self.write_unmapped(f)?;
        if self.stopped_by_warnings {
            let codes = joined(self.warnings.iter().map(|warning| warning.code));
            writeln!(f, "  written       nothing, because of warnings: {codes}")?;
        }
        for file in self.files.iter().take(LONG) {
            writeln!(f, "  written       {}", file.display())?;
        }
        if self.files.len() > LONG {
            writeln!(f, "                and {} more", self.files.len() - LONG)?;
        }
        self.next.fmt(f)
    }
}

impl Report<'_> {
    fn write_unmapped(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unmapped.is_empty() {
            return Ok(());
        }
        let lost: usize = self.unmapped.iter().map(|topic| topic.lost_replicas).sum();
        writeln!(
            f,
            "  unmapped      {} in no map stay as they are, with {} (topicmappr maps check)",
            counted(self.unmapped.len(), "topic"),
            counted(lost, "lost replica")
        )
    }

    fn write_violations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (self.before, self.after);
        if before.rack_violations > 0 || after.rack_violations > 0 {
            writeln!(
                f,
                "  rack rule     broken by {} before, {} after{}",
                counted(before.rack_violations, "partition"),
                after.rack_violations,
                if after.rack_violations > 0 { " (--fix-racks repairs the rest)" } else { "" }
            )?;
        }
        if after.lost_replicas > 0 {
            writeln!(f, "  still lost    {}", counted(after.lost_replicas, "replica"))?;
        }
        Ok(())
    }
}
