//! `topics diff`: what `topics apply` would do.

use super::args::DefinitionArgs;
use crate::error::Error;
use crate::live::views::TopicsView;
use crate::session::Session;
use operate::Status;
use operate::topics::{self, TopicsLook};

/// The flags of `topics diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    definitions: DefinitionArgs,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    session.global.talk.log();
    let source = session.global.source.source()?;
    let asked = args.definitions.asked(&source, session)?;
    let looked = topics::look(asked, &source)?;
    show(&looked, session)
}

/// Shows what would be done.
pub(super) fn show(looked: &TopicsLook, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    looked.notes.iter().try_for_each(|note| session.say(note))?;
    session.show(&TopicsView::of(looked))?;
    Ok(if looked.decision.is_empty() { Status::Done } else { Status::Findings })
}
