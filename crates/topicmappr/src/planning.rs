//! What every planning command does alike: find the places for its files before it plans, have the plan
//! checked, weigh the warnings, write, and report.

use crate::error::Error;
use crate::files::{self, FileError, OutFile};
use crate::flags::PlanningArgs;
use crate::session::Session;
use crate::source::Facts;
use crate::status::Status;
use crate::views::{Caution, Cautions, KafkaTool, Next, PlacementChoice, Report, Surroundings};
use jiff::SignedDuration;
use mapper::maps::{Finding, Unmapped};
use mapper::{Plan, PlanFile, PlannedPartition, Snapshot};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How many brokers the next command names, so that one that is down does not stop it.
const BOOTSTRAP: usize = 2;

/// The places of a planning command's files, all known to be writable.
pub(crate) struct Outputs {
    plan: Option<OutFile>,
    folder: Option<PathBuf>,
    snapshot: Option<OutFile>,
    no_ops: bool,
}

impl Outputs {
    /// Finds out whether everything can be written, before anything is planned.
    pub(crate) fn find(args: &PlanningArgs) -> Result<Self, Error> {
        if args.skip_no_ops && args.include_no_ops {
            let message = "--skip-no-ops and --include-no-ops deny each other";
            return Err(Error::Flags(message.to_owned()));
        }
        let place = |path: &Option<PathBuf>| path.as_deref().map(OutFile::at).transpose();
        if let Some(folder) = &args.out_path {
            files::probe_folder(folder)?;
        }
        let outputs = Self {
            plan: place(&args.out_file)?,
            folder: args.out_path.clone(),
            snapshot: place(&args.save_snapshot)?,
            no_ops: args.include_no_ops,
        };
        if outputs.plan.is_some() && outputs.plan == outputs.snapshot {
            let message = "--out-file and --save-snapshot name the same file";
            return Err(Error::Flags(message.to_owned()));
        }
        Ok(outputs)
    }

    fn wants_plan(&self) -> bool {
        self.plan.is_some() || self.folder.is_some()
    }
}

/// A plan, with what was said on the way to it.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) placement: Option<PlacementChoice>,
    /// What resolving the maps found.
    pub(crate) findings: Vec<Finding>,
    /// Topics that no map takes.
    pub(crate) unmapped: Vec<Unmapped>,
}

/// Checks, weighs, writes and reports.
pub(crate) fn finish(
    planned: Planned,
    facts: &Facts,
    args: &PlanningArgs,
    outputs: Outputs,
    session: &mut Session<'_, '_>,
) -> Result<Status, Error> {
    let snapshot = &facts.snapshot;
    refuse_if_broken(snapshot, &planned.plan)?;
    let cautions = cautions(&planned, facts, args);
    let ignored = &session.global.warns.ignore_warns;
    let stopped = cautions.iter().any(|caution| !ignored.covers(caution.code));
    let next = next(&planned.plan, &cautions, stopped, &outputs, snapshot, session);
    let Planned { plan, placement, unmapped, .. } = planned;
    let (plan, files) = if stopped { (plan, Vec::new()) } else { write(plan, snapshot, outputs)? };
    let around = Surroundings {
        snapshot: Some(snapshot),
        placement: placement.as_ref(),
        unmapped: &unmapped,
        warnings: &cautions,
        files,
        next,
    };
    session.show(&Report::of(&plan, around))?;
    session.say(&Cautions { all: &cautions, stopped })?;
    Ok(if stopped { Status::Warned } else { Status::Done })
}

/// A second opinion, before anybody can act on the plan.
fn refuse_if_broken(snapshot: &Snapshot, plan: &Plan) -> Result<(), Error> {
    let broken = mapper::check(snapshot, plan);
    if broken.is_empty() { Ok(()) } else { Err(Error::Broken(broken)) }
}

fn cautions(planned: &Planned, facts: &Facts, args: &PlanningArgs) -> Vec<Caution> {
    let of_plan = mapper::warnings(&facts.snapshot, &planned.plan, args.max_lost);
    let of_maps = planned.findings.iter().filter_map(Caution::of_finding);
    let of_plan = of_plan.iter().map(Caution::of_warning);
    of_plan
        .chain(Caution::of_unmapped(&planned.unmapped))
        .chain(of_maps)
        .chain(stale(facts.metrics_age, args.metrics_age))
        .collect()
}

fn stale(age: Option<SignedDuration>, allowed: SignedDuration) -> Option<Caution> {
    age.filter(|age| *age > allowed).map(|age| Caution::stale(age, allowed))
}

/// Writes everything, or nothing.
fn write(plan: Plan, snapshot: &Snapshot, outputs: Outputs) -> Result<(Plan, Vec<PathBuf>), Error> {
    let in_scope = scope(&plan, snapshot, outputs.no_ops);
    let file = if outputs.no_ops {
        PlanFile::with_no_ops(plan, snapshot, &|topic| in_scope.contains(topic))
    } else {
        PlanFile::of(plan)
    };
    let mut staged = Vec::new();
    let mut written = Vec::new();
    if let Some(folder) = &outputs.folder {
        for (name, partitions) in per_topic(&file) {
            let out = OutFile::at(&folder.join(name))?;
            refuse_if_taken(&out, &outputs)?;
            written.push(out.path().to_owned());
            let map = PlanFile { partitions, plan: None };
            staged.push(out.stage(|to| map.write_json(to))?);
        }
    }
    if let Some(out) = outputs.plan {
        written.push(out.path().to_owned());
        staged.push(out.stage(|to| file.write_json(to))?);
    }
    if let Some(out) = outputs.snapshot {
        written.push(out.path().to_owned());
        staged.push(out.stage(|to| snapshot.write_json(to))?);
    }
    for file in staged {
        file.publish()?;
    }
    let plan = file.plan.ok_or_else(|| Error::Flags("the plan is gone".to_owned()))?;
    Ok((plan, written))
}

/// The names of the topics that the request covers; looked up only where they are wanted.
fn scope<'s>(plan: &Plan, snapshot: &'s Snapshot, wanted: bool) -> BTreeSet<&'s str> {
    if !wanted {
        return BTreeSet::new();
    }
    let taken = mapper::assign(snapshot, &plan.request.terms().assignments).unwrap_or_default();
    let topics = snapshot.topics().iter().zip(taken);
    topics.filter(|(_, index)| index.is_some()).map(|(topic, _)| topic.name.as_str()).collect()
}

/// One partition map for each topic, and for each step where there are several.
fn per_topic(file: &PlanFile) -> Vec<(String, Vec<PlannedPartition>)> {
    let steps = file.plan.as_ref().map_or(&[][..], |plan| &plan.steps[..]);
    if steps.len() < 2 {
        let topics = file.partitions.chunk_by(|a, b| a.topic == b.topic);
        return topics.map(|entries| (file_name(&entries[0], ""), entries.to_vec())).collect();
    }
    let moves = file.plan.as_ref().map_or(&[][..], |plan| &plan.moves[..]);
    let mut files = Vec::new();
    for (step, indices) in steps.iter().enumerate() {
        let moves = indices.iter().filter_map(|index| moves.get(*index));
        let entries: Vec<PlannedPartition> = moves
            .map(|change| PlannedPartition {
                topic: change.topic.clone(),
                partition: change.partition,
                replicas: change.to.clone(),
                log_dirs: Vec::new(),
            })
            .collect();
        let topics = entries.chunk_by(|a, b| a.topic == b.topic);
        let suffix = format!("-phase{step}");
        files.extend(topics.map(|entries| (file_name(&entries[0], &suffix), entries.to_vec())));
    }
    files
}

/// Kafka allows no separator in a topic's name; a file that claims to be a snapshot might.
fn file_name(entry: &PlannedPartition, suffix: &str) -> String {
    format!("{}{suffix}.json", entry.topic.replace('/', "_"))
}

/// A topic may be called like the plan.
fn refuse_if_taken(out: &OutFile, outputs: &Outputs) -> Result<(), FileError> {
    let others = [&outputs.plan, &outputs.snapshot];
    if others.into_iter().flatten().any(|other| other == out) {
        return Err(FileError::Unwritable {
            path: out.path().to_owned(),
            problem: "a topic's file in --out-path has this name too".to_owned(),
        });
    }
    Ok(())
}

fn next(
    plan: &Plan,
    cautions: &[Caution],
    stopped: bool,
    outputs: &Outputs,
    snapshot: &Snapshot,
    session: &Session<'_, '_>,
) -> Next {
    if stopped {
        let codes: BTreeSet<&str> = cautions.iter().map(|caution| caution.code).collect();
        let codes: Vec<&str> = codes.into_iter().collect();
        let flag = format!("--ignore-warns={}", codes.join(","));
        return Next::again(&session.command_line(), "--ignore-warns", &flag);
    }
    if plan.moves.is_empty() {
        return Next::default();
    }
    let tool = kafka_tool(snapshot, session);
    match (&outputs.plan, &outputs.folder) {
        (_, Some(folder)) if plan.steps.len() > 1 => {
            Next::reassign_folder(&tool, &text(folder), plan.steps.len())
        }
        (Some(plan_file), _) if plan.steps.len() < 2 => {
            Next::reassign(&tool, &text(plan_file.path()))
        }
        (None, Some(folder)) => Next::reassign_folder(&tool, &text(folder), 1),
        // Kafka's own tool knows no steps: it would start them all at once.
        (Some(_), None) => Next::again(&session.command_line(), "", "--out-path FOLDER"),
        _ if outputs.wants_plan() => Next::default(),
        _ => Next::again(&session.command_line(), "", "--out-file plan.json"),
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn kafka_tool(snapshot: &Snapshot, session: &Session<'_, '_>) -> KafkaTool {
    let (bootstrap, config) = session.global.source.kafka_tool_flags();
    let known = || {
        let live = snapshot.brokers().iter().filter(|broker| broker.live);
        let addresses = live.filter_map(|b| Some(format!("{}:{}", b.host.as_ref()?, b.port?)));
        let addresses: Vec<String> = addresses.take(BOOTSTRAP).collect();
        (!addresses.is_empty()).then(|| addresses.join(","))
    };
    KafkaTool {
        bootstrap: bootstrap.map(str::to_owned).or_else(known),
        config: config.map(|path| text(path)),
    }
}
