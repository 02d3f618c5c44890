//! The planner of each command.
//!
//! In: a snapshot and any request. Out: what the planner of its command answers.

use crate::balance::{rebalance, scale};
use crate::leaders::leaders;
use crate::no_plan::NoPlan;
use crate::plan::Plan;
use crate::rebuild::rebuild;
use crate::replace::replace;
use crate::request::Request;
use crate::snapshot::Snapshot;
use std::borrow::Cow;

/// Makes a plan with the planner of the request's command.
///
/// # Errors
/// As the planner of the request's command.
pub fn plan(snapshot: &Snapshot, request: &Request) -> Result<Plan, NoPlan> {
    let view = request.terms().view(snapshot);
    let planned = match request {
        Request::Rebuild(request) => rebuild(&view, request),
        Request::Replace(request) => replace(&view, request),
        Request::Leaders(request) => leaders(&view, request),
        Request::Rebalance(request) => rebalance(&view, request),
        Request::Scale(request) => scale(&view, request),
    };
    match view {
        Cow::Borrowed(_) => planned,
        Cow::Owned(_) => Ok(Plan { snapshot: snapshot.hash(), ..planned? }),
    }
}
