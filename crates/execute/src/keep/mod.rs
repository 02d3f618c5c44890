//! What `keep` does now: which plans are due by a policy, and which one of them begins.
//!
//! In: what was seen ([`KeepLook`]), the notes of earlier looks ([`KeepNotes`]), which plans an operator approves
//! ([`PlanAnswers`]), and the [`KeepPolicy`]. Out: a [`Proposal`] for each need, of which at most one begins, and the notes for the
//! next look. In doubt nothing begins.

mod faults;
mod needs;
mod notes;
mod plans;
mod policy;
pub mod replay;

pub use faults::ClusterFaults;
pub use needs::needs;
pub use notes::{BegunPlan, KeepNotes, Need, NoNeed};
pub use plans::bytes_back;
pub use policy::{Hours, KeepMode, KeepPolicy, Trigger, TriggerTerms};

use mapper::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

const DAY_SECONDS: u64 = 86_400;

/// A plan for a need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedNeed {
    /// The plan's id.
    pub plan_id: String,
    /// What it changes, in words.
    #[serde(default)]
    pub what: String,
    /// The bytes that it copies.
    pub bytes: Bytes,
    /// The proven least bytes of any plan for the same, where a bound is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_bytes: Option<Bytes>,
    /// How long its copies take, in seconds.
    pub seconds: u64,
    /// The codes of its warnings. A plan with warnings begins only after an operator has approved it.
    pub warnings: BTreeSet<String>,
}

/// A need that was seen, with its plan or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenNeed {
    /// The need.
    pub need: Need,
    /// The plan, or why there is none.
    pub plan: Result<PlannedNeed, String>,
}

/// What an operator says to plans, by their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanAnswers {
    /// Plans that may be carried out.
    #[serde(default)]
    pub approved: BTreeSet<String>,
    /// Plans that may not.
    #[serde(default)]
    pub rejected: BTreeSet<String>,
}

impl PlanAnswers {
    /// The last answer to a plan counts.
    pub fn answer(&mut self, plan_id: &str, approves: bool) {
        let Self { approved: yes, rejected: no } = self;
        let (to, from) = if approves { (yes, no) } else { (no, yes) };
        from.remove(plan_id);
        to.insert(plan_id.to_owned());
    }
}

/// What was seen of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeepLook {
    /// When, in seconds since 1970.
    pub at_seconds: u64,
    /// What calls for a plan.
    pub needs: Vec<SeenNeed>,
    /// What is wrong with the cluster, or changes it.
    pub faults: ClusterFaults,
}

/// What becomes of a need now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ProposalState {
    /// It has not lasted for long enough.
    Young {
        /// For how long it has lasted, in seconds.
        lasted_seconds: u64,
        /// How long it has to last, in seconds.
        needed_seconds: u64,
    },
    /// Something is against it.
    Held {
        /// Each reason.
        why: Vec<String>,
    },
    /// No plan does it; an operator has to.
    ByHand {
        /// What there is to do.
        why: Vec<String>,
    },
    /// Only the approval is missing.
    ForApproval,
    /// Its plan begins now.
    Begins,
}

/// A need, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The need.
    pub need: Need,
    /// Its plan, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlannedNeed>,
    /// What becomes of it.
    #[serde(flatten)]
    pub state: ProposalState,
}

/// What to do now, and what to note. Notes of a plan that begins are written before it begins.
pub fn keep(
    look: &KeepLook,
    notes: &KeepNotes,
    answers: &PlanAnswers,
    policy: &KeepPolicy,
) -> (Vec<Proposal>, KeepNotes) {
    let now = look.at_seconds;
    let (notes, jump) = notes.by_the_clock(now, policy);
    let since = |need: &Need| notes.since_seconds.get(need).copied().unwrap_or(now);
    let wanted = |seen: &&SeenNeed| policy.terms(seen.need.trigger).is_some();
    let mut next = KeepNotes {
        looked_at_seconds: Some(now),
        since_seconds: look
            .needs
            .iter()
            .filter(wanted)
            .map(|seen| (seen.need.clone(), since(&seen.need)))
            .collect(),
        ..notes
    };
    // No look is taken while a plan is carried out.
    next.begun.iter_mut().for_each(|plan| plan.ended_seconds = plan.ended_seconds.or(Some(now)));
    let mut needs: Vec<&SeenNeed> = look.needs.iter().filter(wanted).collect();
    needs.sort_by(|a, b| a.need.cmp(&b.need));
    let judge = NeedJudge { look, notes: &next, answers, policy };
    let mut proposals: Vec<Proposal> = needs.into_iter().map(|seen| judge.proposal(seen)).collect();
    let mut first: Option<Need> = None;
    for proposal in proposals.iter_mut().filter(|it| it.state == ProposalState::Begins) {
        let against = match (&first, jump) {
            (Some(first), _) => format!("the plan for {first} begins"),
            (None, Some(jump)) => format!("{jump}; the next look judges"),
            (None, None) => {
                first = Some(proposal.need.clone());
                continue;
            }
        };
        proposal.state = ProposalState::Held { why: vec![against] };
    }
    let begins = proposals.iter().find(|it| it.state == ProposalState::Begins);
    if let Some((proposal, plan)) = begins.and_then(|it| Some((it, it.plan.as_ref()?))) {
        let (plan_id, need) = (plan.plan_id.clone(), proposal.need.clone());
        next.begun.push(BegunPlan { plan_id, need, bytes: plan.bytes, ended_seconds: None });
    }
    let rests = policy.triggers.values().map(|terms| terms.rest_seconds);
    let counts = rests.max().unwrap_or_default().max(DAY_SECONDS);
    next.begun.retain(|plan| plan.ended_ago(now) < counts);
    (proposals, next)
}

/// Judges each need by itself.
struct NeedJudge<'a> {
    look: &'a KeepLook,
    notes: &'a KeepNotes,
    answers: &'a PlanAnswers,
    policy: &'a KeepPolicy,
}

impl NeedJudge<'_> {
    fn proposal(&self, seen: &SeenNeed) -> Proposal {
        let (plan, state) = match (&seen.plan, self.policy.terms(seen.need.trigger)) {
            (Ok(plan), Some(terms)) => (Some(plan.clone()), self.state(&seen.need, plan, terms)),
            (Ok(plan), None) => (Some(plan.clone()), ProposalState::Held { why: Vec::new() }),
            (Err(why), _) if seen.need.trigger == Trigger::Certificates => {
                (None, ProposalState::ByHand { why: vec![why.clone()] })
            }
            (Err(why), _) => (None, ProposalState::Held { why: vec![why.clone()] }),
        };
        Proposal { need: seen.need.clone(), plan, state }
    }

    fn state(&self, need: &Need, plan: &PlannedNeed, terms: &TriggerTerms) -> ProposalState {
        let mut why = self.look.faults.against(need);
        why.extend(self.against(need, plan, terms));
        if !why.is_empty() {
            return ProposalState::Held { why };
        }
        let since = self.notes.since_seconds.get(need).copied();
        let lasted_seconds =
            self.look.at_seconds.saturating_sub(since.unwrap_or(self.look.at_seconds));
        let outlasts = if need.trigger.is_for_evenness() { plan.seconds } else { 0 };
        let needed_seconds = terms.for_seconds.max(outlasts);
        if lasted_seconds < needed_seconds {
            return ProposalState::Young { lasted_seconds, needed_seconds };
        }
        let acts = terms.mode == KeepMode::Act && plan.warnings.is_empty();
        match acts || self.answers.approved.contains(&plan.plan_id) {
            true => ProposalState::Begins,
            false => ProposalState::ForApproval,
        }
    }

    /// What is against a plan, whatever it is for.
    fn against(&self, need: &Need, plan: &PlannedNeed, terms: &TriggerTerms) -> Vec<String> {
        let (now, bytes) = (self.look.at_seconds, plan.bytes);
        let mut why = Vec::new();
        if self.answers.rejected.contains(&plan.plan_id) {
            why.push("an operator has rejected the plan".to_owned());
        }
        if let Some(most) = terms.max_bytes.filter(|most| bytes > *most) {
            why.push(format!("the plan copies {bytes}: more than {most}"));
        }
        if let Some(most) = self.policy.bytes_per_day {
            let last = self.notes.of_the_last_day(now);
            let used = Bytes(last.fold(0, |sum, plan| sum.saturating_add(plan.bytes.0)));
            if used.0.saturating_add(bytes.0) > most.0 {
                why.push(format!(
                    "the plan copies {bytes}, after {used} in 24 hours: {most} are allowed"
                ));
            }
        }
        if let Some(hours) = self.policy.hours {
            match hours.left_seconds(now) {
                None => why.push(format!("plans are carried out at {hours}")),
                Some(left) if left < plan.seconds => why.push(format!(
                    "the plan takes {} s, and {left} s are left of {hours}",
                    plan.seconds
                )),
                Some(_) => {}
            }
        }
        let same = self.notes.begun.iter().filter(|plan| plan.need.trigger == need.trigger);
        let last = same.map(|plan| plan.ended_ago(now)).min();
        if let Some(ago) = last.filter(|ago| *ago < terms.rest_seconds) {
            let (trigger, rest) = (need.trigger, terms.rest_seconds);
            why.push(format!("the last plan for {trigger} ended {ago} s ago: less than {rest} s"));
        }
        why
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.need)?;
        match &self.state {
            ProposalState::Young { lasted_seconds, needed_seconds } => {
                write!(f, "since {lasted_seconds} s, of {needed_seconds} s")
            }
            ProposalState::Held { why } => write!(f, "not now: {}", why.join("; ")),
            ProposalState::ByHand { why } => write!(f, "to be done by hand: {}", why.join("; ")),
            ProposalState::ForApproval => write!(f, "waits for approval"),
            ProposalState::Begins => write!(f, "begins"),
        }?;
        match &self.plan {
            Some(plan) => {
                write!(f, " (plan {}, {}", plan.plan_id, plan.bytes)?;
                if plan.what.is_empty() { f.write_str(")") } else { write!(f, ": {})", plan.what) }
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
