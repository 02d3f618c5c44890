//! `doctor` at a live cluster: asks all servers at once.

use crate::commands::doctor::{self, report};
use crate::doctor::{OtherFacts, UnknownFact};
use crate::error::Error;
use crate::flags::ForecastArgs;
use crate::live::around::{LiveCluster, RunningMoves};
use crate::live::flags::LedgerArgs;
use crate::session::Session;
use coordination::Store;
use coordination::is_locked;
use kafka::Glance;
use mapper::Snapshot;
use operate::Status;
use operate::cluster::{ClaimBy, Servers, Source};
use operate::execution::{OtherLedger, Shown};
use operate::live;
use operate::runtime;
use operate::stores;
use operate::throttles::{self, Untold};
use std::path::Path;

/// Topics that Cruise Control keeps its own data in.
const CRUISE_CONTROL: [&str; 2] = ["__CruiseControl", "__KafkaCruiseControl"];

/// The flags of `doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    ledger: LedgerArgs,
    #[command(flatten)]
    forecast: ForecastArgs,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let source = session.global.source.source()?;
    let Source::Live(Servers::Kafka { bootstrap, properties, .. }) = &source else {
        return doctor::run(&args.forecast, session);
    };
    let talk = session.global.talk.clone();
    let daemons = stores::daemons(&ClaimBy::Default, &session.cluster()?)?;
    let looked = look(bootstrap, properties.as_deref(), (args, daemons));
    let (snapshot, around) = talk.wait_for(looked)?;
    report(snapshot, around, (&args.forecast, &source), session)
}

/// Asks all servers at once, and limits the wait for each.
async fn look(
    bootstrap: &str,
    properties: Option<&Path>,
    (args, daemons): (&Args, Store),
) -> Result<(Snapshot, OtherFacts), Error> {
    let client = live::hasty_client(bootstrap, properties).await?;
    let Glance { cluster, snapshot, quorum, failed_log_dirs, versions, untold } =
        kafka::glance(&client, runtime::now()).await?;
    let ledger = args.ledger.find(cluster.id.as_deref())?;
    let daemons = OtherLedger::shown(&client, &daemons).await;
    let accounts = daemons.beside(throttles::accounts(ledger.as_deref())?);
    let look = throttles::of_snapshot(&client, &cluster, &snapshot).await;
    let untold = untold.iter().map(|(what, error)| Untold::new(what.clone(), error));
    let is_of_cruise_control =
        |name: &str| CRUISE_CONTROL.iter().any(|start| name.starts_with(start));
    let no_controller = quorum.is_none() && cluster.controller.is_none();
    let failed = failed_log_dirs.into_iter().map(|(id, dirs)| {
        let dirs = dirs.into_iter().map(|(path, code)| format!("{path} ({code:?})"));
        (id, dirs.collect())
    });
    let live = LiveCluster {
        quorum,
        throttles: execute::throttled(&look.set, &look.in_flight, &accounts),
        failed_log_dirs: failed.collect(),
        versions,
        moves: RunningMoves {
            accounts,
            ledger: ledger.is_some(),
            runs: ledger.as_deref().is_some_and(is_locked),
            cruise_control: snapshot.topics().iter().any(|t| is_of_cruise_control(&t.name)),
        },
        no_controller,
    };
    let untold = untold.chain(unread(&daemons)).chain(look.untold);
    let unread = untold.map(|Untold { what, why }| UnknownFact { what, why });
    let unread = unread.collect();
    Ok((snapshot, OtherFacts { live: Some(Box::new(live)), unread, ..OtherFacts::default() }))
}

/// That the daemons' ledger could not be read.
fn unread(daemons: &Shown) -> Option<Untold> {
    let what = || "whether autothrottle has rates of its own here".to_owned();
    daemons.untold.clone().map(|why| Untold { what: what(), why })
}
