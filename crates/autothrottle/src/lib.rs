//! The `autothrottle` daemon: keeps replication as fast as clients allow.
//!
//! Each round it looks at the cluster and its metrics, asks `throttle::decide`, and lets `execute::reconcile` set the
//! decided configs. It writes the ledger first, and keeps the values of others. Operators use its HTTP API. The API
//! shows the board, which has the daemon's state. What decides without IO is public, for the test of interleavings.

mod announced;
mod api;
mod backend;
mod baseline;
mod board;
mod book;
mod canary;
mod capacity;
mod cli;
pub mod copies;
mod daemon;
mod error;
mod events;
mod flags;
mod history;
mod kubeconfig_args;
mod leader_name;
mod lease_args;
mod look;
mod machines;
mod man;
mod measure;
mod other_processes;
mod place;
pub mod quiet;
mod rehearsal;
mod settings;
mod sidecar;
#[cfg(test)]
mod testing;
pub mod wishes;

use crate::cli::Cli;
use crate::error::Error;
use crate::settings::DaemonSettings;
use clap::{CommandFactory, FromArgMatches};
use console::Environment;
use operate::Status;
use operate::plain::Plain;
use operate::runtime::host;
use std::ffi::OsString;
use std::io::Write;

/// What the names of the environment's variables begin with.
const PREFIX: &str = "AUTOTHROTTLE_";

/// Runs one command line (the program's own name first) until it is done or told to leave, and says how it ended.
///
/// `out` gets what may be piped, `err` the talk. Reads no environment but `environment`.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    environment: &Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Status {
    let (out, err) = (&mut Plain::new(out), &mut Plain::new(err));
    let args = flags::with_two_dashes(args.into_iter().collect(), &Cli::command());
    match carry_out(&args, environment, out) {
        Ok(status) => status,
        Err(error) => error.tell(out, err),
    }
}

fn carry_out(
    args: &[OsString],
    environment: &Environment,
    out: &mut dyn Write,
) -> Result<Status, Error> {
    let matches = console::parse(Cli::command, PREFIX, args, environment)?;
    let cli = Cli::from_arg_matches(&matches)?;
    if cli.man {
        return man::write(out);
    }
    cli.logs.start(tracing::level_filters::LevelFilter::INFO);
    flags::tell_of_those_without_a_meaning(&matches);
    let (settings, place, beside) = DaemonSettings::of(cli, args, environment)?;
    operate::runtime::wait(async {
        if settings.dry_run {
            rehearsal::run(settings, place, out).await
        } else {
            daemon::run(settings, place, beside).await
        }
    })?
}
