//! `cancel`: stops the moves of a plan that are in flight. What has arrived stays.

use super::execute::tell;
use crate::error::Error;
use crate::executing::{Execution, Signals, Terms, estimate};
use crate::flags::ExecutionArgs;
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
    /// Agrees to the change of the cluster beforehand
    #[arg(long)]
    yes: bool,
    /// Shows what would be cancelled; exit code 5 if there is something
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let (bootstrap, properties) = session.global.source.brokers()?;
    let meant = args.execution.plan()?;
    if !args.yes && !args.dry_run && !session.streams.in_is_terminal {
        return Err(Error::NotAgreed);
    }
    let talk = session.global.talk.clone();
    live::wait_for(&talk, async {
        let (client, notes) = live::client(&bootstrap, properties.as_deref()).await?;
        notes.iter().try_for_each(|note| session.say(note))?;
        let cluster_id = args.execution.cluster_id(&meant.plan, client.cluster().id.clone())?;
        let places = args.execution.places(&cluster_id);
        // What is in flight keeps the throttle that it has.
        let terms = Terms {
            aim: Aim::Cancel,
            pace: Pace::Unthrottled,
            limits: Limits::default(),
            pause_on: PauseOn::Never,
            join: true,
        };
        let ids = (meant.plan_id, cluster_id);
        let mut execution = match args.dry_run {
            true => Execution::rehearse(&client, &meant.plan, ids, &places, terms)?,
            false => Execution::open(&client, &meant.plan, ids, &places, terms)?,
        };
        let look = execution.first_look().await?;
        let round = execution.first_round(&look);
        let estimate = estimate(&execution, &look, &round);
        let files = (places.journal.as_path(), places.ledger.as_path());
        session.event(&Preview::of(&execution.task(), &round, &estimate, true, files))?;
        if args.dry_run {
            let moving = round.course.count(|standing| *standing == Standing::Moving);
            let clean = moving == 0 && !execution.holds_configs();
            return Ok(if clean { Status::Done } else { Status::Findings });
        }
        let question = format!("Cancel in cluster {}? Type yes:", execution.cluster_id);
        if !args.yes && !session.confirms(&question, "yes")? {
            return Err(Error::NotAgreed);
        }
        let ended = execution.run(Signals::listen()?, session).await?;
        tell(&meant.plan, &ended, session)
    })
}
