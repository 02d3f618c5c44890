//! `doctor` at a live cluster: asks all servers at once.

use crate::commands::doctor::{self, report};
use crate::doctor::{Around, UnknownFact};
use crate::error::Error;
use crate::live::around::{LiveCluster, Moves};
use crate::live::flags::LedgerArgs;
use crate::session::Session;
use kafka::Glance;
use mapper::Snapshot;
use operate::Status;
use operate::cluster::{ClaimBy, Servers, Source};
use operate::execution::{Neighbours, Shown, common};
use operate::live;
use operate::marks::Common;
use operate::runtime;
use operate::store::is_locked;
use operate::throttles::{self, Untold};
use std::path::Path;

/// Topics that Cruise Control keeps its own data in.
const CRUISE_CONTROL: [&str; 2] = ["__CruiseControl", "__KafkaCruiseControl"];

/// The flags of `doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    ledger: LedgerArgs,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let source = session.global.source.source()?;
    let Source::Live(Servers::Kafka { bootstrap, properties, .. }) = &source else {
        return doctor::run(session);
    };
    let talk = session.global.talk.clone();
    let marks = common(&ClaimBy::Default, &session.cluster()?)?;
    let looked = look(bootstrap, properties.as_deref(), (args, marks));
    let (snapshot, around) = talk.wait_for(looked)?;
    report(snapshot, around, &source, session)
}

/// Asks all servers at once, and limits the wait for each.
async fn look(
    bootstrap: &str,
    properties: Option<&Path>,
    (args, marks): (&Args, Common),
) -> Result<(Snapshot, Around), Error> {
    let client = live::hasty_client(bootstrap, properties).await?;
    let Glance { cluster, snapshot, quorum, failed_log_dirs, versions, untold } =
        kafka::glance(&client, runtime::now()).await?;
    let ledger = args.ledger.find(cluster.id.as_deref())?;
    let beside = Neighbours::shown(&client, &marks, ledger.as_deref()).await;
    let accounts = beside.daemons.beside(throttles::accounts(ledger.as_deref())?);
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
        moves: Moves {
            accounts,
            ledger: ledger.is_some(),
            runs: ledger.as_deref().is_some_and(is_locked),
            cruise_control: snapshot.topics().iter().any(|t| is_of_cruise_control(&t.name)),
        },
        no_controller,
    };
    let untold = untold.chain(unread(&beside)).chain(look.untold);
    let unread = untold.map(|Untold { what, why }| UnknownFact { what, why });
    let unread = unread.collect();
    Ok((snapshot, Around { live: Some(Box::new(live)), unread, maps: None }))
}

/// Throttles of daemons that cannot be read from here, and places that could not be read.
fn unread(beside: &Shown) -> Vec<Untold> {
    let untold = beside.untold.iter().map(|why| Untold {
        what: "whether autothrottle has rates of its own here".to_owned(),
        why: why.clone(),
    });
    let away = beside.daemons.away().map(|mark| Untold {
        what: format!("what is set by {mark}"),
        why: "that file is not read from here".to_owned(),
    });
    untold.chain(away).collect()
}
