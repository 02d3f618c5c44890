//! The common steps of every planning command: check the output files, check the plan, evaluate the warnings, write,
//! and report.

mod next;
mod outputs;

pub(crate) use outputs::Outputs;

use crate::error::Error;
use crate::facts::Facts;
use crate::flags::PlanningArgs;
use crate::flags::holders;
use crate::lost::LostBroker;
use crate::session::Session;
use crate::views::{Caution, Cautions, PlacementChoice, Report, Sums, Surroundings};
use jiff::SignedDuration;
use local::words::listed;
use local::{Note, Status};
use mapper::maps::{MapFinding, Unmapped};
use mapper::snapshot::Broker;
use mapper::{BrokerId, Move, NoPlan, PlaceBy, Plan, Request, Snapshot};
use outputs::Staging;
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// A plan, with the findings from making it.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) placement: Option<PlacementChoice>,
    /// The findings from resolving the maps.
    pub(crate) findings: Vec<MapFinding>,
    /// Topics that no map takes.
    pub(crate) unmapped: Vec<Unmapped>,
}

/// The plan of a request. Without a plan, the error names the conflicts and the remedies.
pub(crate) fn plan(snapshot: &Snapshot, request: &Request) -> Result<Plan, Error> {
    mapper::plan(snapshot, request).map_err(|why| refused(snapshot, request, why))
}

/// A plan that places by storage or, where a fact that this needs is missing, by count.
pub(crate) fn by_known_facts(
    snapshot: &Snapshot,
    request: impl Fn(PlaceBy) -> Request,
) -> Result<(Plan, PlacementChoice), Error> {
    let by_storage = request(PlaceBy::Storage);
    match mapper::plan(snapshot, &by_storage) {
        Ok(plan) => Ok((plan, PlacementChoice::of(PlaceBy::Storage))),
        Err(NoPlan::MissingFact { fact, what }) => {
            let because = Some(format!("{fact} of {what} is not known"));
            let choice = PlacementChoice { because, ..PlacementChoice::of(PlaceBy::Count) };
            Ok((plan(snapshot, &request(PlaceBy::Count))?, choice))
        }
        Err(why) => Err(refused(snapshot, &by_storage, why)),
    }
}

/// A refusal, with the conflicts and the remedies.
pub(crate) fn refused(snapshot: &Snapshot, request: &Request, why: NoPlan) -> Error {
    let clash = mapper::clash(snapshot, request, &why);
    Error::NoPlan { why: Box::new(why), clash: Some(Box::new(clash)), lost: Vec::new() }
}

/// A plan that was checked and, unless warnings prevent it, written.
pub(crate) struct Prepared {
    plan: Plan,
    sums: Sums,
    around: Surroundings,
}

/// Checks, evaluates, writes and reports: the last step of a command.
pub(crate) fn finish(
    planned: Planned,
    facts: Facts,
    args: &PlanningArgs,
    outputs: Outputs,
    session: &mut Session<'_, '_>,
) -> Result<Status, Error> {
    let prepared = prepare(planned, &facts, args, outputs, session)?;
    session.show(&prepared.report(&facts.snapshot))?;
    let status = if prepared.is_stopped() { Status::Warned } else { Status::Done };
    session.let_go((prepared, facts));
    Ok(status)
}

/// Checks the plan, evaluates its warnings, and writes it.
pub(crate) fn prepare(
    planned: Planned,
    facts: &Facts,
    args: &PlanningArgs,
    outputs: Outputs,
    session: &mut Session<'_, '_>,
) -> Result<Prepared, Error> {
    let snapshot = &facts.snapshot;
    // A check of a large plan takes about as long as writing it; the thread that finishes first computes the sums.
    let summed = OnceLock::new();
    let sums = || Sums::of(&planned.plan, Some(snapshot));
    let add_up = || {
        summed.get_or_init(sums);
    };
    let (weighed, judged) = mapper::both(
        planned.plan.moves.len(),
        || {
            let weighed = weigh(&planned, facts, args, outputs, session);
            add_up();
            weighed
        },
        || {
            let judged = refuse_if_broken(snapshot, &planned.plan);
            add_up();
            judged
        },
    );
    let (mut around, staging) = weighed?;
    judged?;
    let written = staging?.publish()?;
    let sums = summed.into_inner().unwrap_or_else(sums);
    let Planned { plan, placement, unmapped, .. } = planned;
    (around.placement, around.unmapped, around.files) = (placement, unmapped, written.files());
    around.recorded_load = facts.load.as_ref().map(|load| load.view(snapshot, &plan));
    around.next = if around.stopped {
        next::despite(&around.warnings, session)
    } else {
        next::after(&plan, &written, snapshot, session)
    };
    session.say(&Cautions { all: &around.warnings, stopped: around.stopped })?;
    if plan.request.terms().ignore_cordons {
        session.say(&Note::new(past_cordons(&plan, snapshot)))?;
    }
    Ok(Prepared { plan, sums, around })
}

/// The warnings about a plan. It is written to temporary files, unless warnings prevent it.
fn weigh(
    planned: &Planned,
    facts: &Facts,
    args: &PlanningArgs,
    outputs: Outputs,
    session: &Session<'_, '_>,
) -> Result<(Surroundings, Result<Staging, Error>), Error> {
    let Planned { plan, .. } = planned;
    let lost = lost_brokers(plan, facts)?;
    let warnings = cautions(planned, facts, &lost, args.max_lost, Some(args.metrics_age));
    let ignored = &session.global.warns.ignore_warns;
    let stopped = warnings.iter().any(|caution| !ignored.covers(caution.code));
    let staging =
        if stopped { Ok(Staging::default()) } else { outputs.stage(plan, &facts.snapshot) };
    Ok((Surroundings { lost, warnings, stopped, ..Surroundings::default() }, staging))
}

impl Prepared {
    /// The page with the whole result.
    pub(crate) fn report<'a>(&'a self, snapshot: &'a Snapshot) -> Report<'a> {
        Report::of(&self.plan, Some(snapshot), &self.sums, &self.around)
    }

    /// Whether warnings prevented the plan from being written.
    pub(crate) fn is_stopped(&self) -> bool {
        self.around.stopped
    }
}

/// An independent check, before an operator can act on the plan.
pub(crate) fn refuse_if_broken(snapshot: &Snapshot, plan: &Plan) -> Result<(), Error> {
    let broken = mapper::check(snapshot, plan);
    if broken.is_empty() { Ok(()) } else { Err(Error::Broken(broken)) }
}

/// The cordoned brokers that get new replicas, because the operator has said so.
fn past_cordons(plan: &Plan, snapshot: &Snapshot) -> String {
    let cordoned = |id: &BrokerId| snapshot.broker(*id).is_some_and(Broker::is_cordoned);
    let added = plan.moves.iter().flat_map(Move::added).filter(cordoned);
    let brokers: Vec<BrokerId> = added.collect::<BTreeSet<_>>().into_iter().collect();
    match brokers.is_empty() {
        true => "--ignore-cordons: no cordoned broker gets a new replica".to_owned(),
        false => format!(
            "--ignore-cordons: these brokers are cordoned and get new replicas: {}",
            listed(&brokers)
        ),
    }
}

/// The state of the lost brokers whose replicas the plan replaces.
fn lost_brokers(plan: &Plan, facts: &Facts) -> Result<Vec<LostBroker>, Error> {
    if facts.pods.is_none() {
        return Ok(Vec::new());
    }
    let removed = plan.moves.iter().flat_map(|change| change.removed());
    fates(removed.filter(|id| !facts.snapshot.is_live(*id)).collect(), facts)
}

/// Adds the state of lost brokers that the cluster lacks to a refusal, if Kubernetes reports it.
pub(crate) fn with_lost(error: Error, facts: &Facts) -> Error {
    let Error::NoPlan { why, clash, .. } = error else { return error };
    let holding = holders(facts.snapshot.topics()).into_iter();
    match fates(holding.filter(|id| !facts.snapshot.is_live(*id)).collect(), facts) {
        Ok(lost) => Error::NoPlan { why, clash, lost },
        Err(error) => error,
    }
}

fn fates(lost: BTreeSet<BrokerId>, facts: &Facts) -> Result<Vec<LostBroker>, Error> {
    let Some(pods) = facts.pods.as_ref().filter(|_| !lost.is_empty()) else {
        return Ok(Vec::new());
    };
    let snapshot = &facts.snapshot;
    let holding = holders(snapshot.topics());
    let new = snapshot.brokers().iter().filter(|b| b.live && !holding.contains(&b.id));
    pods.fates(&lost, &new.map(|broker| broker.id).collect::<Vec<_>>())
}

/// The codes of all warnings about a plan, with the default limits.
#[cfg(feature = "live")]
pub(crate) fn codes(planned: &Planned, facts: &Facts) -> Result<BTreeSet<String>, Error> {
    let lost = lost_brokers(&planned.plan, facts)?;
    let cautions = cautions(planned, facts, &lost, PlanningArgs::MAX_LOST, None);
    Ok(cautions.into_iter().map(|caution| caution.code.to_owned()).collect())
}

fn cautions(
    planned: &Planned,
    facts: &Facts,
    lost: &[LostBroker],
    max_lost: usize,
    metrics_age: Option<SignedDuration>,
) -> Vec<Caution> {
    let returning: Vec<BrokerId> = lost.iter().filter_map(LostBroker::returns).collect();
    let of_plan = mapper::warnings(&facts.snapshot, &planned.plan, max_lost);
    let of_maps = planned.findings.iter().filter_map(Caution::of_finding);
    let of_plan = of_plan.iter().map(Caution::of_warning);
    of_plan
        .chain(Caution::of_unmapped(&planned.unmapped))
        .chain(of_maps)
        .chain(metrics_age.and_then(|allowed| stale(facts.metrics_age, allowed)))
        .chain(facts.pods.iter().flat_map(|pods| pods.cautions(&facts.snapshot)))
        .chain(Caution::of_returning(&returning))
        .collect()
}

fn stale(age: Option<SignedDuration>, allowed: SignedDuration) -> Option<Caution> {
    age.filter(|age| *age > allowed).map(|age| Caution::stale(age, allowed))
}
