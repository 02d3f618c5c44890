//! `topics apply|diff|export`: topics as they are defined.

mod apply;
mod args;
mod diff;
mod export;
mod plan;

use crate::error::Error;
use crate::session::Session;
use crate::status::Status;

/// What to do with topic definitions.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Makes topics, adds partitions and sets configs as defined; what has to move becomes a plan
    Apply(Box<apply::Args>),
    /// Shows what apply would do; exit code 5 if anything
    Diff(Box<diff::Args>),
    /// Puts out the cluster's topics as definitions
    Export(export::Args),
}

pub(super) fn run(command: &Command, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    match command {
        Command::Apply(args) => apply::run(args, session),
        Command::Diff(args) => diff::run(args, session),
        Command::Export(args) => export::run(args, session),
    }
}
