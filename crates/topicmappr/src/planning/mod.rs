//! What every planning command does alike: find the places for its files before it plans, have the plan
//! checked, weigh the warnings, write, and report.

mod next;
mod outputs;

pub(crate) use outputs::Outputs;

use crate::error::Error;
use crate::flags::PlanningArgs;
use crate::session::Session;
use crate::source::Facts;
use crate::status::Status;
use crate::views::{Caution, Cautions, PlacementChoice, Report, Surroundings};
use jiff::SignedDuration;
use mapper::maps::{Finding, Unmapped};
use mapper::{Plan, Snapshot};
use outputs::Written;

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
    let Planned { plan, placement, unmapped, .. } = planned;
    let (plan, written) =
        if stopped { (plan, Written::default()) } else { outputs.write(plan, snapshot)? };
    let next = if stopped {
        next::despite(&cautions, session)
    } else {
        next::after(&plan, &written, snapshot, session)
    };
    session.say(&Cautions { all: &cautions, stopped })?;
    let around = Surroundings {
        snapshot: Some(snapshot),
        placement: placement.as_ref(),
        unmapped: &unmapped,
        warnings: &cautions,
        stopped,
        files: written.files(),
        next,
    };
    session.show(&Report::of(&plan, around))?;
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
