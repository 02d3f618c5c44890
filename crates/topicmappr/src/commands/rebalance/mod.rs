//! `rebalance`: lost replicas repaired, then storage as even as can be, with least movement.

pub(super) mod even;

use crate::error::Error;
use crate::flags::{gibibytes, percent, refuse_unknown, share};
use crate::planning;
use crate::session::Session;
use crate::status::Status;
use even::EvenArgs;
use mapper::{BrokerId, Bytes, Ratio, Rebalance, Relieve, Request};

/// The flags of `rebalance`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    even: EvenArgs,
    /// Moves only off brokers with less free storage than this share below the harmonic mean of all
    #[arg(long, value_name = "RATIO", value_parser = share)]
    storage_threshold: Option<Ratio>,
    /// Moves only off brokers with less free storage than this, in GiB; outranks --storage-threshold
    #[arg(long, value_name = "GIB", value_parser = gibibytes)]
    storage_threshold_gb: Option<Bytes>,
    /// Moves the fewest bytes off this broker, until it is below --below; evens nothing else
    #[arg(long, value_name = "ID", requires = "below")]
    relieve: Option<BrokerId>,
    /// Share of its storage that the broker of --relieve may use
    #[arg(long, value_name = "PERCENT", value_parser = percent, requires = "relieve")]
    below: Option<Ratio>,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let asked = args.even.ask(session)?;
    refuse_unknown(&asked.facts.snapshot, &args.relieve)?;
    let relieve = args.relieve.zip(args.below);
    let request = Rebalance {
        terms: asked.terms.clone(),
        balance: asked.balance.clone(),
        storage_threshold: args.storage_threshold,
        storage_threshold_bytes: args.storage_threshold_gb.filter(|bytes| bytes.0 > 0),
        relieve: relieve.map(|(broker, below)| Relieve { broker, below }),
    };
    let plan = planning::plan(&asked.facts.snapshot, &Request::Rebalance(request));
    args.even.finish(plan, asked, session)
}
