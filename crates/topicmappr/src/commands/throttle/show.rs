//! `throttle show`: every throttle of the cluster.

use crate::error::Error;
use crate::executing::Neighbours;
use crate::flags::LedgerArgs;
use crate::live;
use crate::session::Session;
use crate::status::Status;
use crate::throttles::{self, Untold};
use crate::views::ThrottlesView;

/// The flags of `throttle show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    ledger: LedgerArgs,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let (bootstrap, properties) = session.global.source.brokers()?;
    let talk = session.global.talk.clone();
    live::wait_for(&talk, async {
        let client = session.client(&bootstrap, properties.as_deref()).await?;
        let cluster_id = client.cluster().id.clone();
        let ledger = args.ledger.find(cluster_id.as_deref())?;
        let daemons = Neighbours::told(&client, ledger.as_deref(), session).await?;
        let accounts = daemons.beside(throttles::accounts(ledger.as_deref())?);
        let mut look = throttles::look(&client).await?;
        if let Err(error) = client.sees_every_topic().await {
            look.untold.push(Untold::new("topics that we may not describe", &error));
        }
        let all = execute::throttled(&look.set, &look.in_flight, &accounts);
        let source = &session.global.source;
        let view = ThrottlesView::of(cluster_id, all, look.untold, ledger.as_deref(), source);
        session.show(&view)?;
        Ok(Status::Done)
    })
}
