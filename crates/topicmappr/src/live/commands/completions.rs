//! `completions`: what a shell needs to complete our flags.

use crate::error::Error;
use crate::live::Cli;
use crate::session::Session;
use clap::CommandFactory;
use clap_complete::Shell;
use operate::Status;

/// The flags of `completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell to print completions for
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "topicmappr", &mut script);
    session.streams.out.write_all(&script).map_err(Error::stream)?;
    Ok(Status::Done)
}
