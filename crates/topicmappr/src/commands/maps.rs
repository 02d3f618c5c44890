//! `maps show|check|resolve`: what maps mean now, and what is wrong with them.

use crate::error::Error;
use crate::session::Session;
use crate::source::Facts;
use crate::status::Status;
use crate::views::{MapsCheck, MapsShow, ResolvedMaps};
use mapper::maps::{self, Known, MapSet};

/// What to do with the maps of `--maps` and `--map`; a cluster is looked at where a flag names one.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
pub(crate) enum Command {
    /// Shows each map, with its brokers and its number of topics
    Show,
    /// Says what is wrong with the maps, and which topics are off theirs; exit code 5 if anything
    Check,
    /// Lists each map's brokers and topics; exit code 5 if a map has no broker
    Resolve,
}

pub(super) fn run(command: &Command, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let set = read(session)?;
    let facts = session.facts_if_any()?;
    let known = known(facts.as_ref());
    let resolved = maps::resolve(&set, &known);
    match command {
        Command::Show => session.show(&MapsShow::of(set.maps(), &resolved))?,
        Command::Resolve => {
            let view = ResolvedMaps::of(&resolved);
            session.show(&view)?;
            if !view.all_have_brokers() {
                return Ok(Status::Findings);
            }
        }
        Command::Check => {
            let drift = known.cluster.map(|cluster| resolved.drift(cluster));
            let drift = drift.unwrap_or_default();
            let check = MapsCheck::of(&resolved, &drift);
            session.show(&check)?;
            if check.has_findings() {
                return Ok(Status::Findings);
            }
        }
    }
    Ok(Status::Done)
}

fn read(session: &Session<'_, '_>) -> Result<MapSet, Error> {
    let flags = &session.global.maps;
    if flags.is_empty() {
        let message = "this command needs maps: --maps FILE, or --map LINE";
        return Err(Error::Flags(message.to_owned()));
    }
    flags.read()
}

fn known(facts: Option<&Facts>) -> Known<'_> {
    facts.map_or_else(Known::default, |facts| Known::of(&facts.snapshot))
}
