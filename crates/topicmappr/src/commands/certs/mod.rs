//! `certs`: the certificates that listeners serve.

mod check;
mod reload;

use crate::error::Error;
use crate::session::Session;
use crate::status::Status;

/// What to do about certificates.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Says what each listener really serves, and what is wrong with it; exit code 5 if anything
    Check(check::Args),
    /// Has brokers read changed certificates and authorities, one at a time, each verified
    Reload(Box<reload::Args>),
}

pub(super) fn run(command: &Command, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    match command {
        Command::Check(args) => check::run(args, session),
        Command::Reload(args) => reload::run(args, session),
    }
}
