//! `cancel`: stops the moves of a plan that are in flight. What has arrived stays.

use super::execute::tell;
use crate::error::Error;
use crate::executing::{Opened, Signals, Terms, estimate};
use crate::flags::{ClaimArgs, ConsentArgs, ExecutionArgs};
use crate::live;
use crate::session::Session;
use crate::status::Status;
use crate::views::Preview;
use execute::{Aim, Limits, Pace, PauseOn, Standing};

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
        // What is in flight keeps the throttle that it has.
        let terms = Terms {
            aim: Aim::Cancel,
            pace: Pace::Unthrottled,
            limits: Limits::default(),
            pause_on: PauseOn::Never,
            join: true,
        };
        let mut execution = opened.execution(terms, args.consent.dry_run)?;
        let look = execution.first_look().await?;
        let round = execution.first_round(&look);
        let estimate = estimate(&execution, &look, &round);
        let preview =
            Preview::of(&execution.task(), &round, &estimate, true, opened.places.files());
        session.event(&preview)?;
        if args.consent.dry_run {
            let moving = round.course.count(|standing| *standing == Standing::Moving);
            let clean = moving == 0 && !execution.holds_configs();
            return Ok(if clean { Status::Done } else { Status::Findings });
        }
        let question = format!("Cancel in cluster {}? Type yes:", execution.cluster_id);
        session.agrees(args.consent, &question, "yes")?;
        execution.claim(&args.claim, &opened.places, true, session).await?;
        let ended = execution.run(Signals::listen()?, session).await?;
        tell(&opened.plan, &ended, session)
    })
}
