//! `metrics fetch`: writes metrics into a snapshot file, or into the znodes that plans of ZooKeeper-mode clusters
//! read.
//!
//! A file gets only the numbers that it lacks. Znodes get complete numbers, or stay unchanged.

use super::{Asking, addresses, machine};
use crate::error::Error;
use crate::live::views::{Failures, FetchedInto, FetchedView, MetricsView};
use crate::session::Session;
use console::units::seconds;
use mapper::{BrokerId, Bytes, Snapshot};
use metrics::{
    Backend, Capacities, DatadogQuery, DatadogSettings, Measured, MetricsSettings, PartitionSizes,
    Sized,
};
use operate::Status;
use operate::cluster::{Servers, Source, ZooKeeperPlace};
use operate::files::OutFile;
use operate::live;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use zookeeper::ToStore;

/// The flags of `metrics fetch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    asking: Asking,
    /// Write the completed snapshot to this file (.json, .json.gz)
    ///
    /// Without it, the metrics go into the znodes of --zookeeper.
    #[arg(long, value_name = "FILE")]
    out_file: Option<PathBuf>,
    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Compress znodes with gzip
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    compression: bool,
    /// Set Datadog's query for the free storage of brokers
    #[arg(long, value_name = "QUERY", default_value = DatadogSettings::DEFAULT_STORAGE)]
    broker_storage_query: DatadogQuery,
    /// Set Datadog's query for the sizes of partitions
    #[arg(long, value_name = "QUERY", default_value = DatadogSettings::DEFAULT_SIZE)]
    partition_size_query: DatadogQuery,
    /// Average Datadog's sizes over this time; a bare number is seconds
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = seconds)]
    span: Duration,
}

/// Where numbers go.
enum Target {
    File(OutFile),
    Znodes(ZooKeeperPlace),
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let mut backend = Backend::new(args.settings(session)?)?;
    let source = session.global.source.source()?;
    let target = args.target(&source)?;
    let snapshot = session.facts_with_maps()?.0.snapshot;
    let capacities = args.asking.capacities(&snapshot)?;
    let brokers = addresses(&snapshot);
    let asked = async {
        let measured = args.asking.measure(&mut backend, &brokers).await;
        Ok((measured, backend.partition_sizes(&brokers).await))
    };
    let (measured, sized) = session.global.talk.wait_for(asked)?;
    session.say_oddities(&snapshot, &measured, &capacities)?;
    sized
        .notices
        .iter()
        .try_for_each(|text| session.say(&operate::events::Note::new(text.clone())))?;
    session.say(&Failures(&MetricsView::of(&measured, |_| None)))?;
    let free = free_of(&measured);
    let into = match target {
        Target::File(file) => {
            // Sizes in ZooKeeper come from an earlier run of this command.
            let newer = matches!(source, Source::Live(Servers::ZooKeeper(_)));
            let completed = completed(&snapshot, &measured, &sized.sizes, &capacities.0, newer)?;
            let path = file.path().to_owned();
            if !args.dry_run {
                file.stage(|to| completed.write_json(to))?.publish()?;
            }
            FetchedInto::File(path)
        }
        Target::Znodes(place) => {
            let store = whole(&free, &sized)?;
            let store = ToStore { compress: args.compression, ..store };
            if !args.dry_run {
                let written = live::store_metrics(&place, &store);
                session.global.talk.wait_for(async { Ok(written.await?) })?;
            }
            FetchedInto::Znodes(place.metrics_prefix)
        }
    };
    session.show(&FetchedView::of(&measured, &free, &sized.sizes, into, args.dry_run))?;
    Ok(if args.dry_run { Status::Findings } else { Status::Done })
}

impl Args {
    fn settings(&self, session: &Session<'_, '_>) -> Result<MetricsSettings, Error> {
        let mut settings = self.asking.metrics.settings(session.environment)?;
        if let Some(datadog) = &mut settings.datadog {
            datadog.storage_free = self.broker_storage_query.clone();
            datadog.partition_size = self.partition_size_query.clone();
            datadog.span = self.span;
        }
        Ok(settings)
    }

    fn target(&self, source: &Source) -> Result<Target, Error> {
        match (&self.out_file, source) {
            (Some(path), _) => Ok(Target::File(OutFile::at(path)?)),
            (None, Source::Live(Servers::ZooKeeper(place))) => Ok(Target::Znodes(place.clone())),
            (None, Source::Live(Servers::Kafka { metrics: Some(place), .. })) => {
                Ok(Target::Znodes(place.clone()))
            }
            (None, _) => Err(Error::flags(
                "metrics fetch needs --out-file FILE for a snapshot, or --zookeeper for the znodes"
                    .to_owned(),
            )),
        }
    }
}

fn free_of(measured: &Measured) -> BTreeMap<BrokerId, Bytes> {
    let answers = measured.brokers.iter();
    answers
        .filter_map(|(id, answer)| Some((*id, answer.as_ref().ok()?.storage_free?.value)))
        .collect()
}

/// Both kinds of numbers, or an error: a plan would read a missing number as a full broker.
fn whole(free: &BTreeMap<BrokerId, Bytes>, sized: &Sized) -> Result<ToStore, Error> {
    let missing = match (free.is_empty(), sized.sizes.is_empty()) {
        (true, _) => "the free storage of any broker",
        (_, true) => "the size of any partition",
        (false, false) => {
            return Ok(ToStore {
                partition_sizes: sized.sizes.clone(),
                broker_free: free.clone(),
                compress: true,
            });
        }
    };
    Err(Error::NoNumbers { missing })
}

/// The snapshot with what it lacks.
fn completed(
    snapshot: &Snapshot,
    measured: &Measured,
    sizes: &PartitionSizes,
    capacities: &Capacities,
    newer: bool,
) -> Result<Snapshot, Error> {
    let mut parts = snapshot.clone().into_parts();
    for broker in &mut parts.brokers {
        let found = measured.brokers.get(&broker.id).and_then(|answer| answer.as_ref().ok());
        let machine = machine(snapshot, measured, broker.id).map(str::to_owned);
        let capacity = capacities.of(broker.id, machine.as_deref());
        // A plan needs one figure: the capacity of the weaker direction.
        let network = capacity.map(|found| found.ports.tx.min(found.ports.rx).0);
        broker.network_bytes_per_second = broker.network_bytes_per_second.or(network);
        broker.instance_type = machine;
        let free = found.and_then(|found| found.storage_free).map(|free| free.value);
        let total = found.and_then(|found| found.storage_total).map(|total| total.value);
        broker.storage_free = prefer(broker.storage_free, free, newer);
        broker.storage_total = prefer(broker.storage_total, total, newer);
    }
    for topic in &mut parts.topics {
        let known = sizes.get(&topic.name);
        for partition in &mut topic.partitions {
            let found = known.and_then(|known| known.get(&partition.id)).copied();
            partition.size = prefer(partition.size, found, newer);
        }
    }
    Snapshot::new(parts).map_err(|problem| Error::OddNumbers { problem })
}

fn prefer(known: Option<Bytes>, found: Option<Bytes>, newer: bool) -> Option<Bytes> {
    if newer { found.or(known) } else { known.or(found) }
}
