//! `broker`: what a broker's pod needs to know of itself, and whether it may start.

mod gate;
mod init;
mod volume;

use crate::error::Error;
use crate::session::Session;
use crate::status::Status;

/// What to do in a broker's pod.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Tells a starting broker its id and rack, and keeps an empty disk from erasing a last copy (init container)
    Init(Box<init::Args>),
}

pub(super) fn run(command: &Command, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    match command {
        Command::Init(args) => init::run(args, session),
    }
}
