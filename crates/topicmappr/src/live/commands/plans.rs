//! `plans`: what `keep` proposes, and an operator's answers.

mod replay;

use crate::error::Error;
use crate::live::commands::keep::webhook::approval;
use crate::live::views::{KeepView, ProposalView};
use crate::session::Session;
use execute::keep::{PlannedNeed, Proposal};
use operate::Status;
use operate::events::Note;
use operate::keep::{KeepRecord, StoredRecord, answer};
use operate::record_place::RecordPlace;

/// What to do with the plans of `keep`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List what keep proposes, with the state of each plan
    List(NotesArgs),
    /// Show why a plan is proposed, and what it would change
    Show(PlanArgs),
    /// Allow keep to carry out a plan
    ///
    /// The approval counts for this plan only. If the cluster changes so that another plan is needed, it lapses.
    Approve(PlanArgs),
    /// Tell keep never to carry out a plan
    Reject(PlanArgs),
    /// Show what a policy would have done with recorded load
    ///
    /// Plans without warnings count as approved at once, others never. What was moved in that time is left out.
    Replay(replay::ReplayArgs),
}

/// Where `keep` has its notes.
#[derive(Debug, clap::Args)]
pub(crate) struct NotesArgs {
    /// Read the notes of keep
    #[arg(long, value_name = "FILE|configmap:NS/NAME|state-topic")]
    notes: RecordPlace,
}

/// The plan that is meant.
#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    /// The plan's id, or its first characters after sha256:
    #[arg(value_name = "ID")]
    plan: String,
    #[command(flatten)]
    notes: NotesArgs,
}

pub(super) fn run(command: &Command, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    match command {
        Command::List(args) => {
            let proposals = args.proposals(session)?;
            session.show(&KeepView { proposals: &proposals, dry_run: false })?;
            Ok(Status::Done)
        }
        Command::Show(args) => args.show(session),
        Command::Approve(args) => args.answer(true, session),
        Command::Reject(args) => args.answer(false, session),
        Command::Replay(args) => replay::run(args, session),
    }
}

impl NotesArgs {
    fn proposals(&self, session: &Session<'_, '_>) -> Result<Vec<Proposal>, Error> {
        let access = session.access_to(&self.notes)?;
        session.global.talk.wait_for(async {
            let (_, record) = StoredRecord::open::<KeepRecord>(&self.notes, &access).await?;
            Ok(record.proposals)
        })
    }
}

impl PlanArgs {
    fn show(&self, session: &mut Session<'_, '_>) -> Result<Status, Error> {
        let proposals = self.notes.proposals(session)?;
        let (proposal, plan) = self.among(&proposals)?;
        let notes = &self.notes.notes;
        let approval = approval(&plan.plan_id, notes, &session.access_to(notes)?);
        session.show(&ProposalView { proposal, plan, approval: &approval })?;
        Ok(Status::Done)
    }

    fn answer(&self, approved: bool, session: &mut Session<'_, '_>) -> Result<Status, Error> {
        let notes = &self.notes.notes;
        let proposals = self.notes.proposals(session)?;
        let (proposal, planned) = self.among(&proposals)?;
        let (need, plan) = (&proposal.need, planned.plan_id.as_str());
        let access = session.access_to(notes)?;
        session.global.talk.clone().wait_for(async {
            Ok(answer(notes, (need, plan), approved, &proposals, &access).await?)
        })?;
        let word = if approved { "approved" } else { "rejected" };
        session
            .say(&Note::new(format!("plan {plan} is {word}; keep hears of it at its next look")))?;
        Ok(Status::Done)
    }

    /// The one proposed plan with this id, or with an id that begins like it.
    fn among<'p>(
        &self,
        proposals: &'p [Proposal],
    ) -> Result<(&'p Proposal, &'p PlannedNeed), Error> {
        let begins = |(_, plan): &(&Proposal, &PlannedNeed)| {
            let id = plan.plan_id.as_str();
            id == self.plan || id.trim_start_matches("sha256:").starts_with(&self.plan)
        };
        let planned = proposals.iter().filter_map(|it| Some((it, it.plan.as_ref()?)));
        let found: Vec<(&Proposal, &PlannedNeed)> = planned.filter(begins).collect();
        let problem = match found.as_slice() {
            [one] => return Ok(*one),
            [] => "keep proposes no plan with this id now; list them: topicmappr plans list",
            _ => "more than one plan begins so: write more of its id",
        };
        Err(local::Error::flag("ID", self.plan.clone(), problem).into())
    }
}
