//! `maps` with what counts as ready by force.

use crate::commands::maps::{check, resolve, show};
use crate::error::Error;
use crate::live::flags::ForcedArgs;
use crate::session::Session;
use operate::{Status, runtime};

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
    match command {
        Command::Show(forced) => show(session, |session| {
            let access = session.global.kubernetes.access(session.environment);
            let forces = runtime::wait(forced.read(None, &access))?;
            Ok((forces.found, forces.broken))
        }),
        Command::Check => check(session),
        Command::Resolve => resolve(session),
    }
}
