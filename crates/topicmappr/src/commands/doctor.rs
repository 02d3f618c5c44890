//! `doctor`: what is wrong with a cluster now, on one screen, and the next command for each of it.

use crate::doctor::{OffMap, OtherFacts, Outlook, UnknownFact, findings};
use crate::error::Error;
use crate::facts::with_storage;
use crate::flags::ForecastArgs;
use crate::load_folder;
use crate::session::Session;
use crate::views::DoctorView;
use local::Status;
use local::maps::Maps;
use local::source::Source;
use mapper::Snapshot;

/// The findings in facts that need no question to a live cluster.
pub(crate) fn run(args: &ForecastArgs, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let source = session.global.source.source()?;
    let snapshot = session.unnoted(&source)?;
    report(snapshot, OtherFacts::default(), (args, &source), session)
}

/// Adds what the maps tell, and shows all findings.
pub(crate) fn report(
    snapshot: Snapshot,
    mut around: OtherFacts,
    (args, source): (&ForecastArgs, &Source),
    session: &mut Session<'_, '_>,
) -> Result<Status, Error> {
    let snapshot = with_storage(snapshot, &session.global.source)?;
    if !session.global.maps.is_empty() {
        match off_map(&snapshot, source, session) {
            Ok(off) => around.maps = Some(off),
            // Errors in the maps themselves are wrong input.
            Err(error) if error.status() == Status::BadInput => return Err(error),
            Err(error) => {
                let what = "the brokers of the maps".to_owned();
                around.unread.push(UnknownFact { what, why: error.to_string() });
            }
        }
    }
    if let Some(folder) = &args.load_folder {
        match load_folder::history(&snapshot, folder) {
            Ok(history) => {
                around.forecast =
                    Some(Outlook::of(&history.forecast(&snapshot.with_free_storage()), folder));
            }
            // A new folder. What is wrong now matters more.
            Err(error @ Error::FewRecords { .. }) => {
                let what = "when disks will be full".to_owned();
                around.unread.push(UnknownFact { what, why: error.to_string() });
            }
            Err(error) => return Err(error),
        }
    }
    let found = findings(&snapshot, &around);
    let view = DoctorView::of(&snapshot, &around, found, &session.global);
    session.show(&view)?;
    Ok(if view.is_well() { Status::Done } else { Status::Findings })
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
    let groups = pods.as_ref().map(|pods| pods.groups()).unwrap_or_default();
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
