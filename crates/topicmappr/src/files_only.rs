//! The command line of a build that plans from files only: without the feature `live`.

use crate::commands::maps::ForcedReady;
use crate::commands::{
    doctor, leaders, maps, plan, rebalance, rebuild, replace, scale, snapshot, version,
};
use crate::error::Error;
use crate::facts::ServerReach;
use crate::flags::ForecastArgs;
use crate::session::Session;
use clap::error::ErrorKind;
use local::Status;

/// The command line.
pub(crate) type Cli = crate::cli::Cli<Command>;

/// There is no way to servers.
pub(crate) const REACH: Option<&'static dyn ServerReach> = None;

/// The commands for which a snapshot file is enough.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Write a changed snapshot, for what-if questions
    Snapshot(snapshot::Args),
    /// Show, check and resolve maps
    #[command(subcommand)]
    Maps(MapsCommand),
    /// Plan a repair: replace lost replicas, and enforce maps
    Rebuild(Box<rebuild::Args>),
    /// Plan to give the replicas of one broker to another
    Replace(Box<replace::Args>),
    /// Plan a repair, then even storage with the least movement
    Rebalance(Box<rebalance::Args>),
    /// Plan to spread load onto new brokers; --drain empties brokers
    Scale(Box<scale::Args>),
    /// Plan even preferred leadership; no data moves
    Leaders(Box<leaders::Args>),
    /// Read plan files
    #[command(subcommand)]
    Plan(plan::Command),
    /// Report what is wrong with a cluster, and what to run next
    Doctor(ForecastArgs),
    /// Print the version
    Version,
}

/// The commands for the maps of `--maps` and `--map`. They look at a cluster if a flag names one.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum MapsCommand {
    /// Show the brokers and the number of topics of each map
    Show,
    /// Check the maps, and find topics that are off their map
    ///
    /// The exit code is 5 if there are findings.
    Check,
    /// List the brokers and topics of each map
    ///
    /// The exit code is 5 if a map has no broker.
    Resolve,
}

impl Command {
    pub(crate) fn run(&self, session: &mut Session<'_, '_>) -> Result<Status, Error> {
        match self {
            Self::Snapshot(args) => snapshot::run(args, session),
            Self::Maps(MapsCommand::Show) => maps::show(session, |_| Ok(ForcedReady::default())),
            Self::Maps(MapsCommand::Check) => maps::check(session),
            Self::Maps(MapsCommand::Resolve) => maps::resolve(session),
            Self::Rebuild(args) => rebuild::run(args, session),
            Self::Replace(args) => replace::run(args, session),
            Self::Rebalance(args) => rebalance::run(args, session),
            Self::Scale(args) => scale::run(args, session),
            Self::Leaders(args) => leaders::run(args, session),
            Self::Plan(command) => plan::run(command, session),
            Self::Doctor(args) => doctor::run(args, session),
            Self::Version => version::run(session),
        }
    }
}

/// A command line that is refused. What this build does not know, the whole program may.
pub(crate) fn refused(error: console::Error) -> Error {
    match &error {
        console::Error::Usage(usage) => match usage.kind() {
            ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument => {
                Error::FilesOnly(error.to_string())
            }
            _ => error.into(),
        },
        _ => error.into(),
    }
}
