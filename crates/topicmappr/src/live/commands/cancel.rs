//! `cancel`: stops the moves of a plan that are in flight. What has arrived stays.

use super::execute::tell;
use super::rollback::cancelling;
use crate::error::Error;
use crate::live::flags::{ClaimArgs, ConsentArgs, ExecutionArgs};
use crate::live::views::{CancelView, PutBack};
use crate::session::Session;
use operate::Status;
use operate::execution::{Opened, Signals};

/// The flags of `cancel`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    execution: ExecutionArgs,
    #[command(flatten)]
    claim: ClaimArgs,
    #[command(flatten)]
    consent: ConsentArgs,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let meant = args.execution.files().plan()?;
    session.needs_consent(args.consent)?;
    let talk = session.global.talk.clone();
    talk.wait_for(async {
        let opened = Opened::of(&args.execution.files(), meant, &mut session.context()?).await?;
        let mut execution = opened.execution(cancelling(), args.consent.dry_run)?;
        if execution.history().plan.is_none() {
            // Another machine may have begun it. Its moves and throttles must be known before the preview.
            execution
                .claim_where_there(&args.claim.by(), &opened.places, &mut session.context()?)
                .await?;
        }
        let look = execution.first_look().await?;
        let round = execution.first_round(&look);
        let (told, files) = ((&execution.task, execution.history()), opened.places.files());
        let put_back = PutBack::all(execution.ledger(), &round.strays);
        let view = CancelView::of(told, &look.seen, &round, put_back, files);
        session.event(&view)?;
        if args.consent.dry_run {
            return Ok(if view.is_empty() { Status::Done } else { Status::Findings });
        }
        let question = format!("Cancel in cluster {}? Type yes:", execution.task.cluster_id);
        session.agrees(args.consent, &question, "yes")?;
        execution.claim(&args.claim.by(), &opened.places, true, &mut session.context()?).await?;
        let ended = execution.run(Signals::listen()?, &mut session.context()?).await?;
        tell(&opened.plan, &ended, session)
    })
}
