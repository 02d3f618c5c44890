//! What `keep` proposes, as a table and as JSON.

use execute::keep::{PlannedNeed, Proposal, ProposalState};
use local::words::duration;
use serde::Serialize;
use std::fmt;

/// How many characters of an id tell plans apart.
const SHORT: usize = 12;

/// What it comes to.
#[derive(Debug, Serialize)]
pub(crate) struct KeepView<'a> {
    pub(crate) proposals: &'a [Proposal],
    pub(crate) dry_run: bool,
}

impl fmt::Display for KeepView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.proposals.is_empty() {
            return writeln!(f, "Nothing calls for a plan.");
        }
        for proposal in self.proposals {
            writeln!(f, "{}: {}", proposal.need, state(&proposal.state, self.dry_run))?;
            if let Some(plan) = &proposal.plan {
                let id = plan.plan_id.trim_start_matches("sha256:");
                let short = id.get(..SHORT).unwrap_or(id);
                writeln!(f, "  plan {short}: {}, about {}", plan.bytes, duration(plan.seconds))?;
                if !plan.what.is_empty() {
                    writeln!(f, "  moves {}", plan.what)?;
                }
            }
            if let Some(plan) = proposal.plan.as_ref().filter(|plan| !plan.warnings.is_empty()) {
                writeln!(f, "  warnings: {}", mapper::joined(&plan.warnings))?;
            }
            if let ProposalState::Held { why } | ProposalState::ByHand { why } = &proposal.state {
                why.iter().try_for_each(|why| writeln!(f, "  {why}"))?;
            }
        }
        Ok(())
    }
}

/// One plan that `keep` proposes.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct ProposalView<'a> {
    pub(crate) proposal: &'a Proposal,
    #[serde(skip)]
    pub(crate) plan: &'a PlannedNeed,
    /// The command that approves it.
    #[serde(skip)]
    pub(crate) approval: &'a str,
}

impl fmt::Display for ProposalView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proposal, plan, approval } = self;
        writeln!(f, "{}: {}", proposal.need, state(&proposal.state, false))?;
        if let ProposalState::Held { why } | ProposalState::ByHand { why } = &proposal.state {
            why.iter().try_for_each(|why| writeln!(f, "  {why}"))?;
        }
        writeln!(f, "  plan      {}", plan.plan_id)?;
        writeln!(f, "  moves     {}", plan.what)?;
        let bound =
            plan.bound_bytes.map(|bound| format!("; any plan for this copies {bound} or more"));
        writeln!(f, "  copies    {}{}", plan.bytes, bound.unwrap_or_default())?;
        writeln!(f, "  takes     about {}", duration(plan.seconds))?;
        if !plan.warnings.is_empty() {
            writeln!(f, "  warnings  {}", mapper::joined(&plan.warnings))?;
        }
        writeln!(f, "  approve   {approval}")
    }
}

fn state(state: &ProposalState, dry_run: bool) -> String {
    match state {
        ProposalState::Young { lasted_seconds, needed_seconds } => format!(
            "seen for {}; it is given {}",
            duration(*lasted_seconds),
            duration(*needed_seconds)
        ),
        ProposalState::Held { .. } => "not now".to_owned(),
        ProposalState::ByHand { .. } => "to be done by hand".to_owned(),
        ProposalState::ForApproval => "waits for approval".to_owned(),
        ProposalState::Begins if dry_run => "would begin".to_owned(),
        ProposalState::Begins => "begins".to_owned(),
    }
}
