//! Why there is no plan: a smallest set of rules that clash, and what would make a plan possible.
//!
//! In: the snapshot, the request and the planner's refusal. Out: rules without any one of which there is a plan, and
//! remedies. Both are found by planning again, with a rule given up or a change made; nothing is printed that was not
//! tried. The work is bounded by the partitions planned, never by time, so that the answer is the same everywhere.

use super::NoPlan;
use super::remedy::Remedy;
use super::rule::Rule;
use super::search;
use super::trials::Trials;
use crate::request::Request;
use crate::snapshot::Snapshot;
use serde::Serialize;

/// Why there is no plan, beyond the first seat that found no broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clash {
    /// Rules that no plan keeps together; empty: none that the request could do without is the cause.
    pub rules: Vec<Rule>,
    /// Without any one of them there is a plan; false where there were too many partitions to find out.
    pub minimal: bool,
    /// Each of these alone makes a plan possible.
    pub remedies: Vec<Remedy>,
    /// Attempts at remedies that were not made, for the size of the cluster.
    pub untried: usize,
}

/// Finds out why `request` has no plan, once a planner has said `why`.
pub fn clash(snapshot: &Snapshot, request: &Request, why: &NoPlan) -> Clash {
    clash_of(&mut Trials::new(snapshot, request), why)
}

pub(super) fn clash_of(trials: &mut Trials<'_>, why: &NoPlan) -> Clash {
    let mut clash = Clash { rules: Vec::new(), minimal: true, remedies: Vec::new(), untried: 0 };
    // Choosing leaders is refused for missing facts only, and a wrong pattern is nobody's rule.
    if matches!(trials.request, Request::Leaders(_)) || matches!(why, NoPlan::Scope(_)) {
        return clash;
    }
    if !matches!(why, NoPlan::MissingFact { .. }) {
        let all = Rule::of(trials.whole, trials.request);
        (clash.rules, clash.minimal) = smallest(trials, all);
    }
    clash.remedies = search::remedies(trials, &clash.rules, why);
    clash.untried = trials.untried;
    clash
}

/// Leaves out each rule without which the others still clash; whether all were looked at.
fn smallest(trials: &mut Trials<'_>, all: Vec<Rule>) -> (Vec<Rule>, bool) {
    let mut kept = all.clone();
    let mut minimal = true;
    for rule in &all {
        let without: Vec<&Rule> = kept.iter().filter(|other| *other != rule).collect();
        match still_clash(trials, &all, &without) {
            Some(true) => kept.retain(|other| other != rule),
            Some(false) => {}
            None => minimal = false,
        }
    }
    // A planner that is no oracle may have found a plan with more rules and none with fewer: look again.
    loop {
        let needless = kept.iter().position(|rule| {
            let without: Vec<&Rule> = kept.iter().filter(|other| *other != rule).collect();
            still_clash(trials, &all, &without) == Some(true)
        });
        match needless {
            Some(at) => kept.remove(at),
            None => break,
        };
    }
    // Tried last, and named first: what people think of first.
    kept.reverse();
    (kept, minimal)
}

/// Whether there is no plan that keeps these rules and gives up all others; `None`: not tried.
fn still_clash(trials: &mut Trials<'_>, all: &[Rule], kept: &[&Rule]) -> Option<bool> {
    trials.fails(|snapshot, request| {
        let (mut snapshot, mut request) = (snapshot.clone(), request.clone());
        for rule in all.iter().filter(|rule| !kept.contains(rule)) {
            (snapshot, request) = rule.dropped(&snapshot, &request);
        }
        (snapshot, request)
    })
}
