//! What metrics systems tell of brokers.

use crate::views::report::LONG;
use crate::views::table::Table;
use mapper::{BrokerId, Bytes, CpuModel, Rate};
use metrics::{BrokerMetrics, Capacity, Measured, PartitionSizes, Reading};
use operate::words::counted;
use operate::words::ranges;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Every number of each broker, with its age.
#[derive(Debug, Serialize)]
pub(crate) struct MetricsView {
    source: &'static str,
    brokers: Vec<MetricsRow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notices: Vec<String>,
}

#[derive(Debug, Serialize)]
struct MetricsRow {
    id: BrokerId,
    /// By name, with the unit in it; what is not known is absent.
    numbers: BTreeMap<&'static str, NumberView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<CapacityRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Debug, Serialize)]
struct NumberView {
    value: serde_json::Value,
    age_seconds: f64,
    #[serde(skip)]
    shown: String,
}

#[derive(Debug, Serialize)]
struct CapacityRow {
    tx_bytes_per_second: Rate,
    rx_bytes_per_second: Rate,
    from: String,
}

impl MetricsView {
    pub(crate) fn of(measured: &Measured, capacity: impl Fn(BrokerId) -> Option<Capacity>) -> Self {
        let row =
            |(id, answer): (&BrokerId, &Result<BrokerMetrics, metrics::MetricsError>)| MetricsRow {
                id: *id,
                numbers: answer.as_ref().map(numbers).unwrap_or_default(),
                instance_type: answer.as_ref().ok().and_then(|found| found.instance_type.clone()),
                capacity: capacity(*id).map(|found| CapacityRow {
                    tx_bytes_per_second: found.ports.tx,
                    rx_bytes_per_second: found.ports.rx,
                    from: found.from.to_string(),
                }),
                error: answer.as_ref().err().map(ToString::to_string),
                hint: answer.as_ref().err().and_then(metrics::MetricsError::hint),
            };
        Self {
            source: measured.source.as_str(),
            brokers: measured.brokers.iter().map(row).collect(),
            notices: measured.notices.clone(),
        }
    }
}

fn numbers(of: &BrokerMetrics) -> BTreeMap<&'static str, NumberView> {
    let rate = |reading: Option<Reading<Rate>>| number(reading, |r| r.0.into(), in_mb);
    let bytes =
        |reading: Option<Reading<Bytes>>| number(reading, |b| b.0.into(), |b| b.to_string());
    let cores = |reading: Option<Reading<u64>>| {
        number(reading, |n| n.into(), |n| format!("{:.2}", n as f64 / 1e9))
    };
    let time = |reading: Option<Reading<Duration>>| {
        number(reading, |t| t.as_secs_f64().into(), |t| format!("{:.0} ms", t.as_secs_f64() * 1e3))
    };
    let idle = number(
        of.request_handler_idle,
        |idle| idle.as_f64().into(),
        |idle| format!("{:.0} %", idle.as_f64() * 100.0),
    );
    let all = [
        ("tx_bytes_per_second", rate(of.tx)),
        ("rx_bytes_per_second", rate(of.rx)),
        ("replication_out_bytes_per_second", rate(of.replication_out)),
        ("replication_in_bytes_per_second", rate(of.replication_in)),
        ("p99_produce_seconds", time(of.p99_produce)),
        ("p99_fetch_seconds", time(of.p99_fetch)),
        ("request_handler_idle_ratio", idle),
        ("cpu_nanocores", cores(of.cpu_nanocores)),
        ("cpu_total_nanocores", cores(of.cpu_total_nanocores)),
        ("storage_free_bytes", bytes(of.storage_free)),
        ("storage_total_bytes", bytes(of.storage_total)),
    ];
    all.into_iter().filter_map(|(name, number)| Some((name, number?))).collect()
}

fn number<T: Copy>(
    reading: Option<Reading<T>>,
    value: impl Fn(T) -> serde_json::Value,
    shown: impl Fn(T) -> String,
) -> Option<NumberView> {
    let Reading { value: found, age } = reading?;
    let age_seconds = (age.as_secs_f64() * 10.0).round() / 10.0;
    Some(NumberView { value: value(found), age_seconds, shown: shown(found) })
}

/// Tenths of a MB/s, and a little traffic is not none.
fn in_mb(rate: Rate) -> String {
    match rate.0 {
        1..50_000 => "<0.1".to_owned(),
        rate => format!("{:.1}", rate as f64 / 1e6),
    }
}

/// The columns of numbers, in the table's order.
const COLUMNS: [(&str, &str); 9] = [
    (">sends", "tx_bytes_per_second"),
    (">receives", "rx_bytes_per_second"),
    (">repl. out", "replication_out_bytes_per_second"),
    (">repl. in", "replication_in_bytes_per_second"),
    (">produce", "p99_produce_seconds"),
    (">fetch", "p99_fetch_seconds"),
    (">idle", "request_handler_idle_ratio"),
    (">cores", "cpu_nanocores"),
    (">free", "storage_free_bytes"),
];

impl MetricsRow {
    fn cells(&self) -> Vec<String> {
        let shown = |name: &str| self.numbers.get(name).map_or("-".to_owned(), |n| n.shown.clone());
        let oldest = self.numbers.values().map(|number| number.age_seconds).reduce(f64::max);
        let capacity = self.capacity.as_ref().map_or("-".to_owned(), |capacity| {
            in_mb(capacity.tx_bytes_per_second.min(capacity.rx_bytes_per_second))
        });
        let numbers = COLUMNS.iter().map(|(_, name)| shown(name));
        let id = std::iter::once(self.id.to_string());
        let age = oldest.map_or("-".to_owned(), |age| format!("{age:.0} s"));
        id.chain(numbers).chain([capacity, age]).collect()
    }
}

impl fmt::Display for MetricsView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "metrics   {}; rates in MB/s (10^6 bytes), p99 of requests, - is not known",
            self.source
        )?;
        let columns = COLUMNS.iter().map(|(title, _)| *title);
        let columns: Vec<&str> =
            std::iter::once("broker").chain(columns).chain([">capacity", ">age"]).collect();
        let mut table = Table::new(&columns);
        self.brokers.iter().for_each(|row| table.row(row.cells()));
        f.write_str(&table.render())
    }
}

/// Why brokers have no numbers: each reason once, with the brokers that it is about.
pub(crate) struct Failures<'a>(pub(crate) &'a MetricsView);

impl fmt::Display for Failures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut reasons: BTreeMap<(&str, Option<&str>), Vec<BrokerId>> = BTreeMap::new();
        for row in &self.0.brokers {
            if let Some(error) = &row.error {
                reasons.entry((error, row.hint.as_deref())).or_default().push(row.id);
            }
        }
        for ((error, hint), ids) in reasons.iter().take(LONG) {
            let noun = if ids.len() == 1 { "broker" } else { "brokers" };
            writeln!(f, "note: {noun} {}: {error}", ranges(ids))?;
            hint.map_or(Ok(()), |hint| writeln!(f, "  hint: {hint}"))?;
        }
        match reasons.len().saturating_sub(LONG) {
            0 => Ok(()),
            more => {
                let more = counted(more, "more reason");
                writeln!(f, "note: and {more}; --output json names them all")
            }
        }
    }
}

/// What was fetched, and where it went.
#[derive(Debug, Serialize)]
pub(crate) struct FetchedView {
    source: &'static str,
    /// Brokers whose free storage is known.
    brokers: usize,
    brokers_asked: usize,
    /// Partitions whose size is known.
    partitions: usize,
    #[serde(skip)]
    pub(crate) all_partitions: usize,
    /// Partitions of which it is known what consumers read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) read_partitions: Option<usize>,
    /// What brokers' CPU is spent on, where measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_model: Option<CpuModel>,
    written: bool,
    into: FetchedInto,
}

/// Where numbers go.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FetchedInto {
    /// A snapshot.
    File(PathBuf),
    /// The parent of the znodes.
    Znodes(String),
}

impl FetchedView {
    pub(crate) fn of(
        measured: &Measured,
        free: &BTreeMap<BrokerId, Bytes>,
        sizes: &PartitionSizes,
        into: FetchedInto,
        dry_run: bool,
    ) -> Self {
        Self {
            source: measured.source.as_str(),
            brokers: free.len(),
            brokers_asked: measured.brokers.len(),
            partitions: sizes.values().map(BTreeMap::len).sum(),
            all_partitions: 0,
            read_partitions: None,
            cpu_model: None,
            written: !dry_run,
            into,
        }
    }
}

impl fmt::Display for FetchedView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = counted(self.brokers_asked, "broker");
        writeln!(f, "metrics   {}", self.source)?;
        writeln!(f, "storage   free bytes of {} of {asked}", self.brokers)?;
        writeln!(f, "sizes     of {}", counted(self.partitions, "partition"))?;
        if let Some(read) = self.read_partitions {
            let all = counted(self.all_partitions, "partition");
            writeln!(f, "consumers of {read} of {all}: each topic's, shared by what is written")?;
        }
        if let Some(model) = &self.cpu_model {
            writeln!(f, "cpu       {model}\n          {}", model.fit_in_words())?;
        }
        let how = if self.written { "written  " } else { "dry run, would be written to" };
        match &self.into {
            FetchedInto::File(path) => writeln!(f, "{how} {}", path.display()),
            FetchedInto::Znodes(prefix) => {
                let prefix = prefix.trim_matches('/');
                writeln!(f, "{how} znodes /{prefix}/partitionmeta, /{prefix}/brokermetrics")
            }
        }
    }
}
