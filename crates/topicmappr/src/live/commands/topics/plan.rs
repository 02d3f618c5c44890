//! The plan for topics that have to move, or need more or fewer replicas: `apply` moves no data.

use crate::error::Error;
use crate::facts::Facts;
use crate::facts::with_storage;
use crate::live::flags::PlanningArgs;
use crate::live::reach::boxed;
use crate::planning::{self, Outputs, Planned, Prepared};
use crate::session::Session;
use mapper::{PlaceBy, PlanTerms, Rebuild, Request};
use operate::topics::TopicsLook;

/// Makes the plan, has it checked and writes it; none if nothing has to move and no file is asked for.
pub(super) fn prepare(
    looked: &mut TopicsLook,
    args: &PlanningArgs,
    outputs: Outputs,
    session: &mut Session<'_, '_>,
) -> Result<Option<Prepared>, Error> {
    if looked.assignments.is_empty() && outputs.are_none() {
        return Ok(None);
    }
    looked.snapshot = with_storage(looked.snapshot.clone(), &session.global.source)?;
    let facts = Facts {
        pods: looked.pods.take().map(boxed),
        ..Facts::new(looked.snapshot.clone(), Vec::new())
    };
    let request = |by| Request::Rebuild(request(looked, args, by));
    let (plan, placement) = planning::by_known_facts(&looked.snapshot, request)
        .map_err(|why| planning::with_lost(why, &facts))?;
    let planned = Planned {
        plan,
        placement: Some(placement),
        findings: looked.findings.clone(),
        unmapped: Vec::new(),
    };
    planning::prepare(planned, &facts, args, outputs, session).map(Some)
}

fn request(looked: &TopicsLook, args: &PlanningArgs, placement: PlaceBy) -> Rebuild {
    Rebuild::new(PlanTerms::new(looked.assignments.clone(), args.storage_headroom), placement)
}
