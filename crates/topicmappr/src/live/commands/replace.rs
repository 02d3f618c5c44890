//! `replace`, and `replace --same-id`.

use super::same_id::{self, SameIdArgs};
use crate::commands::replace;
use crate::error::Error;
use crate::session::Session;
use operate::Status;

/// The flags of `replace`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    plan: replace::Args,
    #[command(flatten)]
    same_id: SameIdArgs,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    if !args.same_id.same_id {
        return replace::run(&args.plan, session);
    }
    let broker = args.plan.broker;
    let broker = broker.ok_or_else(|| Error::flags("replace needs --broker ID".to_owned()));
    same_id::run(&args.same_id, broker?, session)
}
