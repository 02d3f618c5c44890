//! `certs`: the certificates that listeners serve.

mod check;
mod reload;

use crate::error::Error;
use crate::session::Session;
use operate::Status;

/// What to do about certificates.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Check the certificate that each listener really serves
    ///
    /// The exit code is 5 if there are findings.
    Check(check::Args),
    /// Make brokers read changed certificates, one broker at a time
    ///
    /// Each broker is verified before the next one. It works for authorities too.
    Reload(Box<reload::Args>),
}

pub(super) fn run(command: &Command, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    match command {
        Command::Check(args) => check::run(args, session),
        Command::Reload(args) => reload::run(args, session),
    }
}
