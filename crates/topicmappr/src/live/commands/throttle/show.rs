//! `throttle show`: every throttle of the cluster.

use crate::error::Error;
use crate::live::flags::LedgerArgs;
use crate::live::views::ThrottlesView;
use crate::session::Session;
use operate::Status;
use operate::execution::OtherLedger;
use operate::throttles::{self, Untold};

/// The flags of `throttle show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    ledger: LedgerArgs,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let (bootstrap, properties) = session.global.source.brokers()?;
    let talk = session.global.talk.clone();
    talk.wait_for(async {
        let client = session.client(&bootstrap, properties.as_deref()).await?;
        let cluster_id = client.cluster().id.clone();
        let ledger = args.ledger.find(cluster_id.as_deref())?;
        let daemons = OtherLedger::of_daemons(&client, &mut session.context()?).await?;
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
