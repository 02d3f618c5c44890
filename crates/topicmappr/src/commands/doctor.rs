//! `doctor`: what is wrong with a cluster now, on one screen, and the next command for each of it.

use crate::doctor::{Around, Moves, OffMap, findings};
use crate::error::Error;
use crate::facts::with_storage;
use crate::flags::LedgerArgs;
use crate::session::Session;
use crate::views::DoctorView;
use coordination::Store;
use kafka::Glance;
use mapper::Snapshot;
use operate::Status;
use operate::cluster::{ClaimBy, Servers, Source};
use operate::execution::{OtherLedger, Shown};
use operate::live;
use operate::live::from_file;
use operate::maps::Maps;
use operate::pods::Pods;
use operate::runtime;
use operate::store::is_locked;
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
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let source = session.global.source.source()?;
    let (snapshot, mut around) = match &source {
        Source::Live(Servers::Kafka { bootstrap, properties, .. }) => {
            let talk = session.global.talk.clone();
            let daemons = stores::daemons(&ClaimBy::Default, &session.cluster()?)?;
            let looked = look(bootstrap, properties.as_deref(), (args, daemons));
            talk.wait_for(looked)?
        }
        Source::File(path) => (from_file(path)?, Around::default()),
        Source::Live(Servers::ZooKeeper(_)) => (session.facts()?.snapshot, Around::default()),
    };
    let snapshot = with_storage(snapshot, &session.global.source)?;
    if !session.global.maps.is_empty() {
        match off_map(&snapshot, &source, session) {
            Ok(off) => around.maps = Some(off),
            // Errors in the maps themselves are wrong input.
            Err(error) if error.status() == Status::BadInput => return Err(error),
            Err(error) => {
                let what = "the brokers of the maps".to_owned();
                around.untold.push(Untold { what, why: error.to_string() });
            }
        }
    }
    let found = findings(&snapshot, &around);
    let view = DoctorView::of(&snapshot, &around, found, &session.global);
    session.show(&view)?;
    Ok(if view.is_well() { Status::Done } else { Status::Findings })
}

/// Asks all servers at once, and limits the wait for each.
async fn look(
    bootstrap: &str,
    properties: Option<&Path>,
    (args, daemons): (&Args, Store),
) -> Result<(Snapshot, Around), Error> {
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
    let around = Around {
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
        maps: None,
        no_controller,
        untold: untold.chain(unread(&daemons)).chain(look.untold).collect(),
    };
    Ok((snapshot, around))
}

/// That the daemons' ledger could not be read.
fn unread(daemons: &Shown) -> Option<Untold> {
    let what = || "whether autothrottle has rates of its own here".to_owned();
    daemons.untold.clone().map(|why| Untold { what: what(), why })
}

fn off_map(
    snapshot: &Snapshot,
    source: &Source,
    session: &Session<'_, '_>,
) -> Result<OffMap, Error> {
    let set = session.map_set()?;
    let pods = session.pods(&set, Some(source))?;
    let completed = pods.as_ref().map(|pods| pods.complete(snapshot.clone())).transpose()?;
    let snapshot = completed.as_ref().unwrap_or(snapshot);
    let groups = pods.as_ref().map(Pods::groups).unwrap_or_default();
    let resolved = Maps::new(set, groups).resolve(Some(snapshot));
    let drifted = resolved.drift(snapshot).into_iter().map(|drift| drift.topic);
    let problems =
        resolved.findings.iter().map(|finding| (finding.severity(), finding.to_string()));
    Ok(OffMap {
        drifted: drifted.collect(),
        problems: problems.collect(),
        unmapped: resolved.unmapped,
    })
}
