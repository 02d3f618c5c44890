//! Finds a smallest set of rules that contradict each other, and changes that would make a plan possible.
//!
//! In: the snapshot, the request and the planner's refusal. Out: rules that no plan keeps together, and remedies. A plan
//! exists without any one of these rules. Both results come from planning again without a rule or with a change, so each
//! of them was tried. The number of planned partitions bounds the work, never the time, so every machine gives the same
//! answer.

mod remedy;
mod rule;
mod search;
mod trials;

pub use remedy::Remedy;
pub use rule::ClashRule;

use crate::no_plan::NoPlan;
use crate::request::Request;
use crate::snapshot::Snapshot;
use serde::Serialize;
use trials::Trials;

/// Why there is no plan, beyond the first seat without a broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clash {
    /// Rules that no plan keeps together. Empty: the cause is no rule that the request could drop.
    pub rules: Vec<ClashRule>,
    /// Whether a plan exists without any one of them. False if there were too many partitions to find out.
    pub minimal: bool,
    /// Each of these alone makes a plan possible.
    pub remedies: Vec<Remedy>,
    /// Remedies that were not tried, because the cluster is too large.
    pub untried: usize,
}

/// Finds out why `request` has no plan, after a planner has refused it with `why`.
pub fn clash(snapshot: &Snapshot, request: &Request, why: &NoPlan) -> Clash {
    clash_of(&mut Trials::new(snapshot, request), why)
}

fn clash_of(trials: &mut Trials<'_>, why: &NoPlan) -> Clash {
    let mut clash = Clash { rules: Vec::new(), minimal: true, remedies: Vec::new(), untried: 0 };
    // Only missing facts prevent a choice of leaders. No rule causes a wrong pattern or a coarse model.
    let is_input = matches!(why, NoPlan::Scope(_) | NoPlan::CoarseCpuModel { .. });
    if matches!(trials.request, Request::Leaders(_)) || is_input {
        return clash;
    }
    if !matches!(why, NoPlan::MissingFact { .. }) {
        let all = ClashRule::of(trials.whole, trials.request);
        (clash.rules, clash.minimal) = smallest(trials, all);
    }
    clash.remedies = search::remedies(trials, &clash.rules, why);
    clash.untried = trials.untried;
    clash
}

/// Removes each rule without which the others still clash. Returns the rest, and whether all rules were tried.
fn smallest(trials: &mut Trials<'_>, all: Vec<ClashRule>) -> (Vec<ClashRule>, bool) {
    let mut kept = all.clone();
    let mut minimal = true;
    for rule in &all {
        let without: Vec<&ClashRule> = kept.iter().filter(|other| *other != rule).collect();
        match still_clash(trials, &all, &without) {
            Some(true) => kept.retain(|other| other != rule),
            Some(false) => {}
            None => minimal = false,
        }
    }
    // A heuristic planner can find a plan with more rules and none with fewer, so look again.
    loop {
        let needless = kept.iter().position(|rule| {
            let without: Vec<&ClashRule> = kept.iter().filter(|other| *other != rule).collect();
            still_clash(trials, &all, &without) == Some(true)
        });
        match needless {
            Some(at) => kept.remove(at),
            None => break,
        };
    }
    // The rules that operators think of first were tried last. They are named first.
    kept.reverse();
    (kept, minimal)
}

/// Whether there is no plan that keeps these rules and drops all others; `None`: not tried.
fn still_clash(trials: &mut Trials<'_>, all: &[ClashRule], kept: &[&ClashRule]) -> Option<bool> {
    trials.fails(|snapshot, request| {
        let (mut snapshot, mut request) = (snapshot.clone(), request.clone());
        for rule in all.iter().filter(|rule| !kept.contains(rule)) {
            (snapshot, request) = rule.dropped(&snapshot, &request);
        }
        (snapshot, request)
    })
}
