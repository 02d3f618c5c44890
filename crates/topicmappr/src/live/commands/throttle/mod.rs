//! `throttle show|set|clear`: what paces replication in a cluster, whose it is, and what of it is left over.

mod clear;
mod set;
mod show;

use crate::error::Error;
use crate::session::Session;
use operate::Status;

/// What to do with throttles.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show every throttle, its owner, and what it paces
    Show(show::Args),
    /// Change the rate of the moves in flight
    Set(set::Args),
    /// Clear throttles that pace nothing and have no owner
    Clear(clear::Args),
}

pub(super) fn run(command: &Command, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    match command {
        Command::Show(args) => show::run(args, session),
        Command::Set(args) => set::run(args, session),
        Command::Clear(args) => clear::run(args, session),
    }
}
