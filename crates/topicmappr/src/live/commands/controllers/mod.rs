//! `controllers`: shows and changes the voters of a KRaft quorum.

mod change;
mod status;

use crate::error::Error;
use crate::session::Session;
use execute::controllers::VotersGoal;
use mapper::BrokerId;
use operate::Status;
use operate::cluster::{Servers, Source};
use std::path::PathBuf;

/// What to do with the controllers.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show voters and observers, their lag, and what may fail
    ///
    /// The exit code is 5 if a voter has not caught up.
    Status,
    /// Give a running controller a vote, once it has caught up
    ///
    /// Its log dir must be formatted with kafka-storage.sh format --no-initial-controllers.
    Add(AddArgs),
    /// Take the vote of a controller, if a majority stays
    ///
    /// The controller runs on as an observer: stop it afterwards.
    Remove(RemoveArgs),
    /// Give a new controller a vote, then take the old one's
    ///
    /// If a controller lost its disk, name its id twice.
    Replace(ReplaceArgs),
}

/// The flags of `controllers add`.
#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// The controller's node.id
    #[arg(value_name = "ID")]
    id: BrokerId,
    #[command(flatten)]
    listeners: change::ListenerArgs,
    #[command(flatten)]
    terms: change::TermArgs,
}

/// The flags of `controllers remove`.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoveArgs {
    /// The controller's node.id
    #[arg(value_name = "ID")]
    id: BrokerId,
    #[command(flatten)]
    terms: change::TermArgs,
}

/// The flags of `controllers replace`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplaceArgs {
    /// The node.id of the controller that loses its vote
    #[arg(value_name = "OLD")]
    old: BrokerId,
    /// The node.id of the controller that gets a vote
    #[arg(value_name = "NEW")]
    new: BrokerId,
    #[command(flatten)]
    listeners: change::ListenerArgs,
    #[command(flatten)]
    terms: change::TermArgs,
}

pub(super) fn run(command: &Command, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    match command {
        Command::Status => status::run(session),
        Command::Add(AddArgs { id, listeners, terms }) => {
            change::run(VotersGoal::Add(*id), Some(listeners), terms, session)
        }
        Command::Remove(RemoveArgs { id, terms }) => {
            change::run(VotersGoal::Remove(*id), None, terms, session)
        }
        Command::Replace(ReplaceArgs { old, new, listeners, terms }) => {
            let goal = VotersGoal::Replace { old: *old, new: *new };
            change::run(goal, Some(listeners), terms, session)
        }
    }
}

/// The brokers, through which Kafka reaches the active controller.
fn brokers(session: &Session<'_, '_>) -> Result<(String, Option<PathBuf>), Error> {
    match session.global.source.source_if_any()? {
        Some(Source::Live(Servers::ZooKeeper(_))) => Err(operate::Error::NoQuorum.into()),
        _ => session.global.source.brokers(),
    }
}
