//! `topics apply`: makes topics, adds partitions and sets configs as defined. It moves no data, deletes nothing unless
//! told to, and never asks.

use super::args::DefinitionArgs;
use super::{diff, plan};
use crate::error::Error;
use crate::live::flags::PlanningArgs;
use crate::live::views::TopicsView;
use crate::planning::Outputs;
use crate::session::Session;
use ::topics::PruneLimits;
use console::units::days;
use jiff::SignedDuration;
use operate::Status;
use operate::cluster::{Servers, Source};
use operate::events::Note;
use operate::topics::{self, Applied, Done};

/// The flags of `topics apply`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    definitions: DefinitionArgs,
    /// Show what would be done, and change nothing
    ///
    /// The exit code is 5 if there is something to do.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    prune: PruneArgs,
    #[command(flatten)]
    planning: PlanningArgs,
}

/// The flags of deleting.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Deleting")]
struct PruneArgs {
    /// Delete topics of earlier runs that are undefined and unused
    ///
    /// A topic is deleted if an earlier run created it, no definition names it, and no client writes to it.
    #[arg(long)]
    prune: bool,
    /// Delete a topic only after this time undefined and unused
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = days)]
    prune_after: SignedDuration,
    /// Delete at most this many topics in a run
    #[arg(long, value_name = "N", default_value_t = 1)]
    max_deletes: usize,
    /// Accept this number of documents, though an earlier run read more
    #[arg(long, value_name = "N")]
    expect_documents: Option<usize>,
}

impl PruneArgs {
    fn limits(&self) -> Option<PruneLimits> {
        let after_seconds = self.prune_after.as_secs();
        self.prune.then_some(PruneLimits { after_seconds, max: self.max_deletes })
    }
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    session.global.talk.log();
    let outputs = Outputs::find(&args.planning)?;
    let source = session.global.source.source()?;
    let mut asked = args.definitions.asked(&source, session)?;
    asked.options.prune = args.prune.limits();
    asked.documents = args.prune.expect_documents;
    asked.plan_wanted = !outputs.are_none();
    if args.prune.prune && asked.state.is_none() {
        let message = "--prune needs a state: without one no topic is known to be ours";
        return Err(Error::flags(message));
    }
    if args.dry_run {
        return diff::show(&topics::look(asked, &source)?, session);
    }
    let applied = topics::apply(asked, servers(&source)?)?;
    finish(args, applied, outputs, session)
}

/// A snapshot cannot be changed.
fn servers(source: &Source) -> Result<&Servers, Error> {
    match source {
        Source::Live(servers) => Ok(servers),
        Source::File(_) => {
            let message = "topics apply changes a cluster: --bootstrap-server, or --dry-run";
            Err(Error::flags(message))
        }
    }
}

fn finish(
    args: &Args,
    mut applied: Applied,
    outputs: Outputs,
    session: &mut Session<'_, '_>,
) -> Result<Status, Error> {
    let looked = &mut applied.looked;
    looked.notes.iter().try_for_each(|note| session.say(note))?;
    for grow in &looked.decision.grow {
        let text =
            format!("records of {} with a key go to other partitions from now on", grow.topic);
        session.say(&Note::new(text))?;
    }
    let planned = plan::prepare(looked, &args.planning, outputs, session);
    let looked = &applied.looked;
    let (plan, no_plan) = match planned {
        Ok(plan) => (plan, None),
        Err(error) => (None, Some(error)),
    };
    let stopped = plan.as_ref().is_some_and(|plan| plan.is_stopped());
    let report = plan.as_ref().map(|plan| plan.report(&looked.snapshot));
    let view = TopicsView::after(&applied).with_plan(report, no_plan.as_ref());
    session.show(&view)?;
    if let Some(why) = &looked.prune_refused {
        session.say(&Note::new(format!("nothing is deleted: {why}")))?;
    }
    let undone = applied.outcomes.iter().any(|outcome| outcome.done != Done::Yes);
    Ok(match (undone || !looked.decision.held.is_empty(), no_plan) {
        (true, _) | (false, Some(_)) => Status::Partly,
        (false, None) if looked.prune_refused.is_some() => Status::NoPlan,
        (false, None) if stopped => Status::Warned,
        (false, None) => Status::Done,
    })
}
