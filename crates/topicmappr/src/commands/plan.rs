//! `plan show|diff|explain|check|report`: reads a plan file.

mod diff;
mod explain;
mod report;

use crate::error::Error;
use crate::session::Session;
use crate::views::{Moves, Report, Sums, Surroundings};
use console::units::percent;
use local::Note;
use local::Status;
use local::files;
use local::words::counted;
use mapper::{Plan, PlanFile, Ratio, Snapshot};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// What to do with a plan file.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show what a plan does, and the numbers before and after
    Show(ShowArgs),
    /// Compare two plans or partition maps
    ///
    /// The exit code is 5 if they differ.
    Diff(diff::Args),
    /// Explain why a replica moves, and why not to another broker
    Explain(explain::Args),
    /// Check the promises of a plan or another tool's partition map
    ///
    /// The exit code is 1 if one is broken.
    Check(CheckArgs),
    /// Write a plan as one HTML page
    Report(report::Args),
}

/// The flags of `plan show`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The plan file (.json, .json.gz)
    plan: PathBuf,
    /// List every partition that changes instead
    #[arg(long)]
    moves: bool,
    /// Print the partition map of one step instead; the first is 0
    ///
    /// It has the form that Kafka's own tool reads.
    #[arg(long, value_name = "N", conflicts_with = "moves")]
    step: Option<usize>,
}

/// The flags of `plan check`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The plan file or partition map (.json, .json.gz)
    plan: PathBuf,
    /// Keep this share of each broker's storage free
    ///
    /// It applies to a partition map without a plan.
    #[arg(long, value_name = "PERCENT", default_value = "10%", value_parser = percent)]
    storage_headroom: Ratio,
}

pub(crate) fn run(command: &Command, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    match command {
        Command::Show(args) => show(args, session),
        Command::Diff(args) => diff::run(args, session),
        Command::Explain(args) => explain::run(args, session),
        Command::Check(args) => check(args, session),
        Command::Report(args) => report::run(args, session),
    }
}

fn show(args: &ShowArgs, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let facts = session.facts_if_any()?;
    let plan = read(&args.plan)?.plan.ok_or_else(|| local::Error::NotOurs(args.plan.clone()))?;
    if let Some(step) = args.step {
        let stages = plan.stages();
        let Some(stages) = stages.get(step) else {
            let problem = match stages.len() {
                0 => "the plan has no steps: nothing changes".to_owned(),
                count => {
                    format!("the plan has {}, the last is {}", counted(count, "step"), count - 1)
                }
            };
            return Err(local::Error::flag("--step", step.to_string(), problem).into());
        };
        session.show(&StepMap(PlanFile::of_step(stages)))?;
        return Ok(Status::Done);
    }
    if args.moves {
        session.show(&Moves::of(&plan))?;
        return Ok(Status::Done);
    }
    let snapshot = facts.as_ref().map(|facts| &facts.snapshot);
    let (sums, around) = (Sums::of(&plan, snapshot), Surroundings::default());
    session.show(&Report::of(&plan, snapshot, &sums, &around))?;
    Ok(Status::Done)
}

fn check(args: &CheckArgs, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let facts = session.facts_of_plan()?;
    let file = read(&args.plan)?;
    if let Some(plan) = &file.plan {
        refuse_other_cluster(plan, &facts.snapshot)?;
        if plan.snapshot != facts.snapshot.hash() {
            session.say(&Note::new(format!(
                "the plan was made from another snapshot ({}); what is found may have changed since",
                plan.snapshot
            )))?;
        }
    }
    let broken = match &file.plan {
        Some(plan) => mapper::check(&facts.snapshot, plan),
        None => mapper::check_map(&facts.snapshot, &file.partitions, args.storage_headroom),
    };
    if !broken.is_empty() {
        return Err(Error::Broken(broken));
    }
    session.show(&KeptPlan { plan: &args.plan, partitions: file.partitions.len() })?;
    Ok(Status::Done)
}

fn refuse_other_cluster(plan: &Plan, snapshot: &Snapshot) -> Result<(), Error> {
    match (plan.cluster_id.as_deref(), snapshot.cluster_id()) {
        (Some(plan), Some(found)) if plan != found => {
            Err(local::Error::OtherCluster { plan: plan.to_owned(), found: found.to_owned() }
                .into())
        }
        _ => Ok(()),
    }
}

fn read(path: &Path) -> Result<PlanFile, Error> {
    let text = files::read(path)?;
    PlanFile::from_json(&text).map_err(|problem| {
        Error::from(local::Error::PlanFile { name: path.display().to_string(), problem })
    })
}

/// The partition map of a step: the same in both forms, for it is to be piped.
#[derive(Serialize)]
struct StepMap(PlanFile);

impl fmt::Display for StepMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        writeln!(f, "{text}")
    }
}

/// A plan that holds what it promises.
#[derive(Debug, Serialize)]
struct KeptPlan<'a> {
    plan: &'a Path,
    partitions: usize,
}

impl fmt::Display for KeptPlan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.plan.display();
        writeln!(f, "{plan} keeps every promise ({} partitions).", self.partitions)
    }
}
