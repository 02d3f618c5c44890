//! `metrics show`: every number of each broker, with its age.

use super::{Asking, addresses, machine};
use crate::error::Error;
use crate::live::views::{Failures, MetricsView};
use crate::session::Session;
use metrics::Backend;
use operate::Status;

/// The flags of `metrics show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    asking: Asking,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let settings = args.asking.metrics.settings(session.environment)?;
    let mut backend = Backend::new(settings)?;
    let snapshot = session.facts_with_maps()?.0.snapshot;
    let capacities = args.asking.capacities(&snapshot)?;
    let brokers = addresses(&snapshot);
    let asked = async { Ok(args.asking.measure(&mut backend, &brokers).await) };
    let measured = session.global.talk.wait_for(asked)?;
    session.say_oddities(&snapshot, &measured, &capacities)?;
    let capacity = |id| capacities.0.of(id, machine(&snapshot, &measured, id));
    let view = MetricsView::of(&measured, capacity);
    session.show(&view)?;
    session.say(&Failures(&view))?;
    let silent = measured.brokers.values().all(Result::is_err);
    Ok(if silent && !brokers.is_empty() { Status::Outside } else { Status::Done })
}
