//! `broker`: settings, start checks and probes of a broker's pod.

mod gate;
mod in_use;
mod init;
mod live;
mod ready;
mod subject;
mod unregister;
mod volume;

use crate::error::Error;
use crate::session::Session;
use operate::Status;

/// What to do in a broker's pod.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Give a starting broker its id and rack (init container)
    ///
    /// It also keeps an empty disk from erasing the last copy of a partition.
    Init(Box<init::Args>),
    /// Check whether the server in the pod is alive (liveness probe)
    ///
    /// It is alive if its port answers. The exit code is 0 or 1. The command serves startup probes too.
    Live(Box<live::Args>),
    /// Check whether the server in the pod is ready (readiness probe)
    ///
    /// A broker is ready if it is registered, and in sync in all partitions that it hosts. The exit code is 0 or 1.
    Ready(Box<ready::Args>),
    /// Unregister a KRaft broker that is gone for good
    ///
    /// The broker must hold no replica.
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
