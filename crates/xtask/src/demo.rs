//! The main job on a real cluster, from the loss of a broker to the last replica.

use crate::project::Outcome;

#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args) -> Outcome {
    Ok(())
}
