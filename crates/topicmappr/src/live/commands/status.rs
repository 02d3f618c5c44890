//! `status`: how far the execution of a plan is, from its journal, the ledger and the cluster; without those files,
//! from what another machine keeps next to the cluster's lock.

use crate::error::Error;
use crate::live::flags::{BesideArgs, ExecutionArgs};
use crate::live::views::StatusView;
use crate::session::Session;
use coordination::is_locked;
use execute::{Aim, ExecutionTerms, Pace, PlanProgress, Round, Task};
use operate::Status;
use operate::execution::{Beside, Observer, Opened};
use operate::throttles::ledger_in;

/// The flags of `status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    execution: ExecutionArgs,
    #[command(flatten)]
    beside: BesideArgs,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let meant = args.execution.files().plan()?;
    let talk = session.global.talk.clone();
    talk.wait_for(async {
        let opened = Opened::of(&args.execution.files(), meant, &mut session.context()?).await?;
        let Opened { client, cluster_id, plan_id, places, .. } = &opened;
        let at = (&args.beside.claim(), places);
        let beside = Beside::of(client, cluster_id, plan_id, at, &mut session.context()?).await?;
        let Beside { history, ledger, runs } = match beside {
            Some(beside) => beside,
            None => Beside {
                history: opened.history()?,
                ledger: ledger_in(&places.ledger)?,
                runs: is_locked(&places.ledger),
            },
        };
        let pace = history.pace.unwrap_or(Pace::Unthrottled);
        let task = Task {
            plan: &opened.plan,
            plan_id: &opened.plan_id,
            cluster_id: &opened.cluster_id,
            terms: ExecutionTerms { join: true, ..ExecutionTerms::new(Aim::CarryOut, pace) },
        };
        let look = Observer::default().look(&opened.client, &task, &history, &ledger).await?;
        let course = PlanProgress::of(&task, &history, &look.seen);
        let round = Round::of(course);
        session.show(&StatusView::of(&task, &look, &round, &history, &ledger, runs))?;
        Ok(Status::Done)
    })
}
