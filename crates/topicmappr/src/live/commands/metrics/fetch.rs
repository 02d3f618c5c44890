//! `metrics fetch`: writes metrics into a snapshot file, or into the znodes that plans of ZooKeeper-mode clusters
//! read.
//!
//! A file gets only the numbers that it lacks, and a model of what brokers' CPU is spent on. Znodes get complete numbers,
//! or stay unchanged.

use super::{Asking, addresses, machine};
use crate::error::Error;
use crate::flags::RatesArgs;
use crate::live::views::{Failures, FetchedInto, FetchedView, MetricsView};
use crate::session::Session;
use console::units::seconds;
use mapper::snapshot::ConsumedRates;
use mapper::{BrokerId, Bytes, CpuModel, Rate, Snapshot, SnapshotError};
use metrics::{
    Backend, BrokerAddress, Capacities, Consumed, DatadogQuery, DatadogSettings, Measured,
    MetricsSettings, PartitionSizes, Reading, Sized,
};
use operate::Status;
use operate::cluster::{Servers, Source, ZooKeeperPlace};
use operate::events::Note;
use operate::files::OutFile;
use operate::live;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;
use zookeeper::ToStore;

/// The flags of `metrics fetch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    asking: Asking,
    #[command(flatten)]
    rates: RatesArgs,
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
    if let Some(during) = args.rates.rates {
        session.announce_measurement(&source, during)?;
    }
    let asked = args.ask(&source, snapshot, &mut backend);
    let FetchedCluster { snapshot, notes, measured, consumed, sized } =
        session.global.talk.wait_for(asked)?;
    notes.iter().try_for_each(|note| session.say(note))?;
    session.say_oddities(&snapshot, &measured, &capacities)?;
    // A broker that is down is down for both.
    let notices: BTreeSet<&String> = sized.notices.iter().chain(&consumed.notices).collect();
    notices.into_iter().try_for_each(|text| session.say(&Note::new(text.clone())))?;
    session.say(&Failures(&MetricsView::of(&measured, |_| None)))?;
    let free = free_of(&measured);
    let (mut model, mut read) = (None, None);
    let into = match target {
        Target::File(file) => {
            // Sizes in ZooKeeper come from an earlier run of this command.
            let newer = matches!(source, Source::Live(Servers::ZooKeeper(_)));
            let completed = completed(&snapshot, &measured, &sized.sizes, &capacities.0, newer)?;
            let (consumed, notes) = plausible(consumed.rates, &measured);
            notes.iter().try_for_each(|note| session.say(note))?;
            let completed = completed.with_consumed(&consumed).map_err(odd)?;
            read = Some(completed.with_known_consumers()).filter(|read| *read > 0);
            model = session.cpu_model(&completed, &measured)?;
            let completed = completed.with_cpu_model(model).map_err(odd)?;
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
    let partitions = snapshot.topics().iter().map(|topic| topic.partitions.len()).sum();
    let mut view = FetchedView::of(&measured, &free, &sized.sizes, into, args.dry_run);
    (view.cpu_model, view.read_partitions) = (model, read);
    view.all_partitions = partitions;
    session.show(&view)?;
    Ok(if args.dry_run { Status::Findings } else { Status::Done })
}

/// A cluster, and what was measured of it.
struct FetchedCluster {
    snapshot: Snapshot,
    notes: Vec<Note>,
    measured: Measured,
    consumed: Consumed,
    sized: Sized,
}

impl Args {
    /// Measures once, and a second time if rates need it. Counters tell of the time between the two.
    async fn ask(
        &self,
        source: &Source,
        snapshot: Snapshot,
        backend: &mut Backend,
    ) -> Result<FetchedCluster, Error> {
        let brokers = addresses(&snapshot);
        let mut measured = backend.fetch(&brokers).await;
        let mut consumed = self.consumed(backend, &brokers).await;
        let pause = self.asking.pause(backend);
        let ((snapshot, notes), again) = match (self.rates.rates, source) {
            (Some(during), Source::Live(servers)) => {
                (live::rated(servers, snapshot, during).await?, true)
            }
            (_, _) => {
                tokio::time::sleep(pause).await;
                ((snapshot, Vec::new()), !pause.is_zero())
            }
        };
        if again {
            measured = backend.fetch(&brokers).await;
            consumed = self.consumed(backend, &brokers).await;
        }
        let sized = backend.partition_sizes(&brokers).await;
        Ok(FetchedCluster { snapshot, notes, measured, consumed, sized })
    }

    /// What consumers read, for a snapshot: znodes do not hold it.
    async fn consumed(&self, backend: &mut Backend, brokers: &[BrokerAddress]) -> Consumed {
        match self.out_file {
            Some(_) => backend.consumed(brokers).await,
            None => Consumed::default(),
        }
    }

    fn settings(&self, session: &Session<'_, '_>) -> Result<MetricsSettings, Error> {
        let mut settings = self.asking.metrics.settings(session.environment)?;
        if let Some(datadog) = &mut settings.datadog {
            datadog.storage_free = self.broker_storage_query.clone();
            datadog.partition_size = self.partition_size_query.clone();
            datadog.span = self.span;
        }
        if let (Some(during), Some(prometheus)) = (self.rates.rates, &mut settings.prometheus) {
            prometheus.window = during;
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
        let cpu = found.and_then(|found| found.cpu_total_nanocores).map(|total| total.value);
        broker.cpu_nanocores = broker.cpu_nanocores.or(cpu);
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
    Snapshot::new(parts).map_err(odd)
}

fn odd(problem: SnapshotError) -> Error {
    Error::OddNumbers { problem }
}

/// The part of what a broker sends to clients that its topics have to add up to, in percent.
const WHOLE: u128 = 90;

/// What consumers read of topics, without brokers whose topics do not add up to what they send to clients. Exporters may
/// leave topics out, and these would count as unread. Also returns notes on these brokers.
fn plausible(mut rates: ConsumedRates, measured: &Measured) -> (ConsumedRates, Vec<Note>) {
    let mut notes = Vec::new();
    let answers = measured.brokers.iter();
    let sent = answers.filter_map(|(id, answer)| Some((*id, answer.as_ref().ok()?.client_out?)));
    for (id, Reading { value: sent, .. }) in sent {
        let Some(topics) = rates.get(&id) else {
            // Kafka counts a topic from the first read on.
            if sent == Rate(0) {
                rates.insert(id, BTreeMap::new());
            }
            continue;
        };
        let all = Rate(topics.values().map(|rate| rate.0).fold(0, u64::saturating_add));
        if u128::from(all.0) * 100 < u128::from(sent.0) * WHOLE {
            rates.remove(&id);
            let text = format!(
                "what consumers read from broker {id} is left out: its topics add up to {all} of {sent}"
            );
            let hint = "its exporter hides topics: see topic-out in docs/metrics.md".to_owned();
            notes.push(Note { text, hint: Some(hint) });
        }
    }
    (rates, notes)
}

impl Session<'_, '_> {
    /// What brokers' CPU is spent on. Where it was not measured now, or the traffic is unknown, what the snapshot has. Says why
    /// there is no model, and if it is too coarse for a plan.
    fn cpu_model(
        &mut self,
        snapshot: &Snapshot,
        measured: &Measured,
    ) -> Result<Option<CpuModel>, Error> {
        let answers = measured.brokers.iter();
        let cpu = answers
            .filter_map(|(id, answer)| Some((*id, answer.as_ref().ok()?.cpu_nanocores?.value)));
        let cpu: BTreeMap<BrokerId, u64> = cpu.collect();
        if cpu.is_empty() || !snapshot.has_rates() {
            return Ok(snapshot.cpu_model());
        }
        match CpuModel::fit(snapshot, &cpu) {
            Ok(model) if model.is_close() => Ok(Some(model)),
            Ok(model) => {
                let fit = model.fit_in_words();
                let text = format!("the model of CPU is too coarse for a plan: {fit}");
                let hint = "measure longer, or find what else takes CPU on brokers".to_owned();
                self.say(&Note { text, hint: Some(hint) })?;
                Ok(Some(model))
            }
            Err(why) => {
                self.say(&Note::new(format!("there is no model of CPU: {why}")))?;
                Ok(None)
            }
        }
    }
}

fn prefer(known: Option<Bytes>, found: Option<Bytes>, newer: bool) -> Option<Bytes> {
    if newer { found.or(known) } else { known.or(found) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::{BrokerMetrics, MetricsSource};

    #[test]
    fn topics_that_do_not_add_up_are_left_out_and_noted() {
        let sends = |id: u32, rate: u64| {
            let client_out = Some(Reading::now(Rate(rate)));
            (BrokerId(id), Ok(BrokerMetrics { client_out, ..BrokerMetrics::default() }))
        };
        let brokers = [sends(1, 1_000_000), sends(2, 1_000_000), sends(3, 0), sends(4, 9)].into();
        let measured = Measured { source: MetricsSource::Exporter, brokers, notices: Vec::new() };
        let topics = |rates: [u64; 2]| {
            ["a", "b"].map(str::to_owned).into_iter().zip(rates.map(Rate)).collect()
        };
        let told = [(BrokerId(1), topics([400_000, 500_000])), (BrokerId(2), topics([899_999, 0]))];
        let (rates, notes) = plausible(told.into(), &measured);
        let kept: Vec<u32> = rates.keys().map(|id| id.0).collect();
        assert_eq!(kept, [1, 3], "no consumer reads from 3, and 4 tells no topics");
        let said = "what consumers read from broker 2 is left out: its topics add up to 0.90 MB/s of 1.00 MB/s";
        assert_eq!(notes.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(), [said]);
    }
}
