//! `broker`: what a broker's pod needs to know of itself, and whether it may start.

mod gate;
mod init;
mod live;
mod ready;
mod subject;
mod unregister;
mod volume;

use crate::error::Error;
use crate::session::Session;
use crate::status::Status;

/// What to do in a broker's pod.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Tells a starting broker its id and rack, and keeps an empty disk from erasing a last copy (init container)
    Init(Box<init::Args>),
    /// Whether what runs in the pod lives: its port answers; exit code 0 or 1 (liveness and startup probe)
    Live(Box<live::Args>),
    /// Whether it is ready: registered, and in sync in all that it hosts; exit code 0 or 1 (readiness probe)
    Ready(Box<ready::Args>),
    /// Has KRaft forget a broker that is down for good, and holds nothing
    Unregister(unregister::Args),
}

pub(super) fn run(command: &Command, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    match command {
        Command::Init(args) => init::run(args, session),
        Command::Live(args) => live::run(args, session),
        Command::Ready(args) => ready::run(args, session),
        Command::Unregister(args) => unregister::run(args, session),
    }
}
