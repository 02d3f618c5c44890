//! `cancel`: stops the moves of a plan that are in flight. What has arrived stays.

use super::execute::tell;
use crate::error::Error;
use crate::executing::{Opened, Signals, Terms};
use crate::flags::{ClaimArgs, ConsentArgs, ExecutionArgs};
use crate::live;
use crate::session::Session;
use crate::status::Status;
use crate::views::CancelView;
use execute::{Aim, Limits, Pace, PauseOn};

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
    let meant = args.execution.plan()?;
    session.needs_consent(args.consent)?;
    let talk = session.global.talk.clone();
    live::wait_for(&talk, async {
        let opened = Opened::of(&args.execution, meant, session).await?;
        // Moves in flight keep their throttle.
        let terms = Terms {
            aim: Aim::Cancel,
            pace: Pace::Unthrottled,
            limits: Limits::default(),
            pause_on: PauseOn::Never,
            join: true,
        };
        let mut execution = opened.execution(terms, args.consent.dry_run)?;
        if execution.history().plan.is_none() {
            // Another machine may have begun it. Its moves and throttles must be known before the preview.
            execution.claim_where_there(&args.claim, &opened.places, session).await?;
        }
        let look = execution.first_look().await?;
        let round = execution.first_round(&look);
        let (told, files) = ((&execution.task(), execution.history()), opened.places.files());
        let put_back = execution.to_put_back(&round);
        let view = CancelView::of(told, &look.seen, &round, put_back, files);
        session.event(&view)?;
        if args.consent.dry_run {
            return Ok(if view.is_empty() { Status::Done } else { Status::Findings });
        }
        let question = format!("Cancel in cluster {}? Type yes:", execution.cluster_id);
        session.agrees(args.consent, &question, "yes")?;
        execution.claim(&args.claim, &opened.places, true, session).await?;
        let ended = execution.run(Signals::listen()?, session).await?;
        tell(&opened.plan, &ended, session)
    })
}
