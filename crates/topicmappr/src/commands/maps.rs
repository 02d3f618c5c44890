//! `maps show|check|resolve`: what maps mean now, and what is wrong with them.

use crate::error::Error;
use crate::facts::Around;
use crate::flags::ForcedArgs;
use crate::session::Session;
use crate::views::{MapsCheck, MapsShow, PodProblems, ResolvedMaps};
use operate::Status;
use operate::probes::in_inventory;
use operate::runtime;

/// The commands for the maps of `--maps` and `--map`. They look at a cluster if a flag names one.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show the brokers and the number of topics of each map
    ///
    /// It also shows which pods count as ready by force.
    Show(ForcedArgs),
    /// Check the maps, and find topics that are off their map
    ///
    /// The exit code is 5 if there are findings.
    Check,
    /// List the brokers and topics of each map
    ///
    /// The exit code is 5 if a map has no broker.
    Resolve,
}

pub(super) fn run(command: &Command, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    if session.global.maps.is_empty() {
        let message = "this command needs maps: --maps FILE, or --map LINE";
        return Err(Error::flags(message));
    }
    let source = session.global.source.source_if_any()?;
    let Around { facts, pods, maps } = session.look_around(source.as_ref())?;
    let cluster = facts.as_ref().map(|facts| &facts.snapshot);
    let resolved = maps.resolve(cluster);
    let problems = PodProblems::of(pods.as_ref(), cluster, maps.written());
    match command {
        Command::Show(forced) => {
            let mut forces =
                pods.as_ref().map(|pods| in_inventory(pods.inventory())).unwrap_or_default();
            let access = session.global.kubernetes.access(session.environment);
            forces.extend(runtime::wait(forced.read(None, &access))?);
            session.show(&MapsShow::of(maps.written(), &resolved, forces))?;
        }
        Command::Resolve => {
            let view = ResolvedMaps::of(&resolved, &problems);
            session.show(&view)?;
            if !view.all_have_brokers() {
                return Ok(Status::Findings);
            }
        }
        Command::Check => {
            let drift = cluster.map(|cluster| resolved.drift(cluster));
            let drift = drift.unwrap_or_default();
            let check = MapsCheck::of(maps.written(), &resolved, &drift, &problems);
            session.show(&check)?;
            if check.has_findings() {
                return Ok(Status::Findings);
            }
        }
    }
    Ok(Status::Done)
}
