//! `topics apply|diff|export`: topics as they are defined.

mod apply;
mod args;
mod diff;
mod export;
mod plan;

use crate::error::Error;
use crate::session::Session;
use operate::Status;

/// What to do with topic definitions.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Create topics, add partitions and set configs as defined
    ///
    /// Replicas that have to move become a plan.
    Apply(Box<apply::Args>),
    /// Show what apply would do
    ///
    /// The exit code is 5 if there is something to do.
    Diff(Box<diff::Args>),
    /// Write the cluster's topics as definitions
    Export(export::Args),
}

pub(super) fn run(command: &Command, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    match command {
        Command::Apply(args) => apply::run(args, session),
        Command::Diff(args) => diff::run(args, session),
        Command::Export(args) => export::run(args, session),
    }
}
