//! `scale`: spreads onto new brokers and off drained ones, with least movement.

use super::rebalance::even::EvenArgs;
use crate::error::Error;
use crate::planning;
use crate::session::Session;
use local::Status;
use mapper::{Request, Scale};

/// The flags of `scale`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    even: EvenArgs,
}

pub(crate) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let asked = args.even.ask(session)?;
    let request = Scale { terms: asked.terms.clone(), balance: asked.balance.clone() };
    let plan = planning::plan(&asked.facts.snapshot, &Request::Scale(request));
    args.even.finish(plan, asked, session)
}
