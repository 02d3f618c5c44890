//! `plan diff`: what two plans, or other tools' partition maps, do differently.

use super::read;
use crate::error::Error;
use crate::session::Session;
use crate::views::PlanDiffView;
use local::Status;
use std::path::PathBuf;

/// The flags of `plan diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A plan or partition map (.json, .json.gz)
    a: PathBuf,
    /// The plan or partition map to compare it with
    b: PathBuf,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let facts = session.facts_if_any()?;
    let (a, b) = (read(&args.a)?, read(&args.b)?);
    let diff = mapper::diff(&a, &b, facts.as_ref().map(|facts| &facts.snapshot));
    let same = diff.same;
    session.show(&PlanDiffView { a: &args.a, b: &args.b, diff })?;
    Ok(if same { Status::Done } else { Status::Findings })
}
