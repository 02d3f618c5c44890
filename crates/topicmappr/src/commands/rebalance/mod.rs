//! `rebalance`: repairs lost replicas, then evens storage, with the least movement.

pub(super) mod even;

use crate::error::Error;
use crate::flags::refuse_unknown;
use crate::planning;
use crate::session::Session;
use console::units::{gibibytes, percent, share};
use even::EvenArgs;
use local::Status;
use mapper::{BrokerId, Bytes, Ratio, Rebalance, Relieve, Request};

/// The flags of `rebalance`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    even: EvenArgs,
    /// Move only off brokers this share below the mean free storage
    ///
    /// The mean is the harmonic mean of all brokers.
    #[arg(long, value_name = "RATIO", value_parser = share)]
    storage_threshold: Option<Ratio>,
    /// Move only off brokers with less free storage, in GiB
    ///
    /// It overrides --storage-threshold.
    #[arg(long, value_name = "GIB", value_parser = gibibytes)]
    storage_threshold_gb: Option<Bytes>,
    /// Move the fewest bytes off this broker to get below --below
    ///
    /// The plan evens nothing else.
    #[arg(long, value_name = "ID", requires = "below")]
    relieve: Option<BrokerId>,
    /// Set the share of its storage that this broker may use
    ///
    /// The broker is the one of --relieve.
    #[arg(long, value_name = "PERCENT", value_parser = percent, requires = "relieve")]
    below: Option<Ratio>,
}

pub(crate) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
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
