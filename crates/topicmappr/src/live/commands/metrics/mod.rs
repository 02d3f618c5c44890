//! `metrics`: what brokers send, receive and store, from metrics systems.

mod fetch;
mod show;

use crate::error::Error;
use crate::session::Session;
use console::MetricsArgs;
use mapper::{BrokerId, Rate, Snapshot};
use metrics::{Backend, BrokerAddress, CapMap, Capacities, Measured, Ports};
use operate::Status;
use operate::events::Note;
use operate::files;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// What may follow `metrics`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show what is known of each broker now, with its age
    Show(Box<show::Args>),
    /// Write metrics into a snapshot, or into the znodes for plans
    Fetch(Box<fetch::Args>),
}

pub(super) fn run(command: &Command, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    match command {
        Command::Show(args) => show::run(args, session),
        Command::Fetch(args) => fetch::run(args, session),
    }
}

/// The flags of both.
#[derive(Debug, clap::Args)]
struct Asking {
    #[command(flatten)]
    metrics: MetricsArgs,
    /// Set network capacities in MB/s: JSON, or a file of it
    ///
    /// For example {"1001": 500, "i3.4xlarge": 1250, "default": 100}: by broker id, by instance type, and for the
    /// rest.
    #[arg(long, value_name = "JSON|FILE", help_heading = "Metrics")]
    cap_map: Option<String>,
    /// Read network capacities in MB/s from this node label
    ///
    /// Its value is 1250, or 1250-625 for sending and receiving.
    #[arg(long, value_name = "LABEL", help_heading = "Metrics")]
    cap_label: Option<String>,
    /// Pause this long between the two rounds that measure rates
    ///
    /// Counters become rates only over two rounds. 0s: one round, without rates from counters.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = console::units::duration, help_heading = "Metrics")]
    rate_over: Duration,
}

impl Asking {
    /// Measures once, and a second time if rates need it.
    async fn measure(&self, backend: &mut Backend, brokers: &[BrokerAddress]) -> Measured {
        let first = backend.fetch(brokers).await;
        let pause = self.pause(backend);
        if pause.is_zero() {
            return first;
        }
        tokio::time::sleep(pause).await;
        backend.fetch(brokers).await
    }

    /// The time until the second round; zero if there is none.
    fn pause(&self, backend: &Backend) -> Duration {
        if backend.learns_by_repetition() { self.rate_over } else { Duration::ZERO }
    }

    /// The capacities of networks: from the flag's map, then from nodes and the snapshot. Also the labels that have
    /// no capacity.
    fn capacities(&self, snapshot: &Snapshot) -> Result<(Capacities, Vec<String>), Error> {
        let text = match self.cap_map.as_deref().map(str::trim) {
            Some(text) if !text.starts_with('{') => Some(files::read_text(Path::new(text))?),
            text => text.map(str::to_owned),
        };
        let map = text.map(|text| CapMap::parse(&text)).transpose().map_err(|problem| {
            let value = self.cap_map.clone().unwrap_or_default();
            local::Error::flag("--cap-map", value, problem.to_string())
        })?;
        let known = snapshot.brokers().iter();
        let known = known.filter_map(|b| Some((b.id, Rate(b.network_bytes_per_second?))));
        let (nodes, odd) = self.of_nodes(snapshot);
        let cap_map = map.unwrap_or_default();
        Ok((Capacities { cap_map, nodes, snapshot: known.collect() }, odd))
    }

    fn of_nodes(&self, snapshot: &Snapshot) -> (BTreeMap<BrokerId, Ports>, Vec<String>) {
        let (mut nodes, mut odd) = (BTreeMap::new(), Vec::new());
        let Some(label) = &self.cap_label else {
            return (nodes, odd);
        };
        for broker in snapshot.brokers() {
            let labels = broker.kubernetes.as_ref().map(|facts| &facts.node_labels);
            let Some(text) = labels.and_then(|labels| labels.get(label)) else {
                continue;
            };
            match Ports::from_label(text) {
                Some(ports) => drop(nodes.insert(broker.id, ports)),
                None => odd.push(format!(
                    "broker {}: {label}={text} on its node is no number of MB/s",
                    broker.id
                )),
            }
        }
        if nodes.is_empty() && odd.is_empty() {
            odd.push(format!("no broker's node has a label {label}"));
        }
        (nodes, odd)
    }
}

/// Where the brokers of a cluster are.
fn addresses(snapshot: &Snapshot) -> Vec<BrokerAddress> {
    let brokers = snapshot.brokers().iter();
    brokers.map(|broker| BrokerAddress { id: broker.id, host: broker.host.clone() }).collect()
}

/// The type of a broker's machine: the snapshot's, else the metrics system's.
fn machine<'a>(snapshot: &'a Snapshot, measured: &'a Measured, id: BrokerId) -> Option<&'a str> {
    let known = snapshot.broker(id).and_then(|broker| broker.instance_type.as_deref());
    known.or_else(|| measured.brokers.get(&id)?.as_ref().ok()?.instance_type.as_deref())
}

impl Session<'_, '_> {
    /// Reports oddities: in the answers, and a capacity map that matches no broker.
    fn say_oddities(
        &mut self,
        snapshot: &Snapshot,
        measured: &Measured,
        (capacities, odd): &(Capacities, Vec<String>),
    ) -> Result<(), Error> {
        let brokers = snapshot.brokers().iter();
        let machines = brokers.map(|broker| (broker.id, machine(snapshot, measured, broker.id)));
        let unused = capacities.cap_map.unused(machines);
        let unused = unused.iter().map(|key| {
            format!("--cap-map names {key:?}, which is no broker id or instance type here")
        });
        let all: Vec<String> = measured.notices.iter().chain(odd).cloned().chain(unused).collect();
        all.into_iter().try_for_each(|text| self.say(&Note::new(text)))
    }
}
