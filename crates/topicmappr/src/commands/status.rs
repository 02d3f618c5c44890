//! `status`: how far the execution of a plan is, from its journal, the ledger and the cluster.

use crate::error::Error;
use crate::executing::{Observer, Store, is_locked};
use crate::flags::ExecutionArgs;
use crate::live;
use crate::session::Session;
use crate::status::Status;
use crate::views::StatusView;
use execute::{Aim, Course, History, Ledger, Limits, Pace, PauseOn, Round, Task};

/// The flags of `status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    execution: ExecutionArgs,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let (bootstrap, properties) = session.global.source.brokers()?;
    let meant = args.execution.plan()?;
    let talk = session.global.talk.clone();
    live::wait_for(&talk, async {
        let (client, notes) = live::client(&bootstrap, properties.as_deref()).await?;
        notes.iter().try_for_each(|note| session.say(note))?;
        let cluster_id = args.execution.cluster_id(&meant.plan, client.cluster().id.clone())?;
        let places = args.execution.places(&cluster_id);
        let history = History::replay(Store::read(&places.journal)?);
        if let Some(other) = history.plan.as_ref().filter(|other| **other != meant.plan_id) {
            let (path, plan) = (places.journal.clone(), other.clone());
            return Err(Error::OtherPlan { path, plan });
        }
        let ledger = Ledger::replay(Store::read(&places.ledger)?);
        let look = Observer::default().look(&client, &meant.plan, &ledger).await?;
        let task = Task {
            plan: &meant.plan,
            plan_id: &meant.plan_id,
            cluster_id: &cluster_id,
            aim: Aim::CarryOut,
            pace: history.pace.unwrap_or(Pace::Unthrottled),
            limits: Limits::default(),
            pause_on: PauseOn::Never,
            join: true,
        };
        let course = Course::of(&task, &history, &look.seen);
        let round = Round { actions: Vec::new(), course, held: None, strays: Vec::new() };
        let runs = is_locked(&places.ledger);
        session.show(&StatusView::of(&task, &look, &round, &history, &ledger, runs))?;
        Ok(Status::Done)
    })
}
