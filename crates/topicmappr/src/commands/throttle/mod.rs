//! `throttle show|set|clear`: what paces replication in a cluster, whose it is, and what of it is left over.

mod clear;
mod set;
mod show;

use crate::error::Error;
use crate::session::Session;
use crate::status::Status;

/// What to do with throttles.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Shows every throttle of the cluster, whose it is, and what it paces
    Show(show::Args),
    /// Changes the rate of the moves that are under way
    Set(set::Args),
    /// Clears throttles that pace nothing and are nobody's
    Clear(clear::Args),
}

pub(super) fn run(command: &Command, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    match command {
        Command::Show(args) => show::run(args, session),
        Command::Set(args) => set::run(args, session),
        Command::Clear(args) => clear::run(args, session),
    }
}
