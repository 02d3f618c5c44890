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

/// Makes a plan with the planner of the request's command.
///
/// # Errors
/// As the planner of the request's command.
pub fn plan(snapshot: &Snapshot, request: &Request) -> Result<Plan, NoPlan> {
    match request {
        Request::Rebuild(request) => rebuild(snapshot, request),
        Request::Replace(request) => replace(snapshot, request),
        Request::Leaders(request) => leaders(snapshot, request),
        Request::Rebalance(request) => rebalance(snapshot, request),
        Request::Scale(request) => scale(snapshot, request),
    }
}
