//! `maps show|check|resolve`: what maps mean now, and what is wrong with them.

use crate::error::Error;
use crate::facts::{Around, PodKnowledge};
use crate::session::Session;
use crate::views::{MapsCheck, MapsShow, PodProblems, ResolvedMaps};
use health::readiness::Force;
use local::Status;
use local::maps::Maps;
use mapper::Snapshot;

/// What counts as ready by force, and the entries that cannot be read.
pub(crate) type ForcedReady = (Vec<Force>, Vec<String>);

/// The maps, and what is around them.
fn around(session: &mut Session<'_, '_>) -> Result<Around, Error> {
    if session.global.maps.is_empty() {
        let message = "this command needs maps: --maps FILE, or --map LINE";
        return Err(Error::flags(message));
    }
    let source = session.global.source.source_if_any()?;
    session.look_around(source.as_ref())
}

/// `more` adds what counts as ready by force from elsewhere than the pods.
pub(crate) fn show(
    session: &mut Session<'_, '_>,
    more: impl FnOnce(&Session<'_, '_>) -> Result<ForcedReady, Error>,
) -> Result<Status, Error> {
    let Around { facts, pods, maps } = around(session)?;
    let resolved = maps.resolve(facts.as_ref().map(|facts| &facts.snapshot));
    let (mut forced, mut broken) = pods.as_ref().map(|pods| pods.forced()).unwrap_or_default();
    let (more, more_broken) = more(session)?;
    forced.extend(more);
    broken.extend(more_broken);
    session.show(&MapsShow::of(maps.written(), &resolved, (forced, broken)))?;
    Ok(Status::Done)
}

pub(crate) fn check(session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let Around { facts, pods, maps } = around(session)?;
    let cluster = facts.as_ref().map(|facts| &facts.snapshot);
    let resolved = maps.resolve(cluster);
    let problems = problems(pods.as_deref(), cluster, &maps);
    let drift = cluster.map(|cluster| resolved.drift(cluster)).unwrap_or_default();
    let check = MapsCheck::of(maps.written(), &resolved, &drift, &problems);
    session.show(&check)?;
    Ok(if check.has_findings() { Status::Findings } else { Status::Done })
}

pub(crate) fn resolve(session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let Around { facts, pods, maps } = around(session)?;
    let cluster = facts.as_ref().map(|facts| &facts.snapshot);
    let resolved = maps.resolve(cluster);
    let view = ResolvedMaps::of(&resolved, &problems(pods.as_deref(), cluster, &maps));
    session.show(&view)?;
    Ok(if view.all_have_brokers() { Status::Done } else { Status::Findings })
}

fn problems(
    pods: Option<&dyn PodKnowledge>,
    cluster: Option<&Snapshot>,
    maps: &Maps,
) -> PodProblems {
    pods.map(|pods| pods.problems(cluster, maps.written())).unwrap_or_default()
}
