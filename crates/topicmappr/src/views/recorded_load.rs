//! What brokers carry at a percentile of the recorded hours, before and after a plan.

use super::heading;
use super::more;
use super::table::Table;
use local::words::counted;
use mapper::{Bytes, Percentile, RecordedBrokerLoad};
use serde::Serialize;
use std::fmt;

/// More brokers than this do not fit on a page.
const LONG: usize = 40;

/// The recorded load of a plan's brokers.
#[derive(Debug, Serialize)]
pub(crate) struct RecordedLoadView {
    pub(crate) percentile: Percentile,
    /// The recorded hours that count.
    pub(crate) hours: usize,
    pub(crate) first_hour: String,
    pub(crate) last_hour: String,
    pub(crate) brokers: Vec<RecordedBrokerLoad>,
}

impl fmt::Display for RecordedLoadView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.percentile.percent();
        let hours = counted(self.hours, "recorded hour");
        let Self { first_hour, last_hour, brokers, .. } = self;
        heading(f, &format!("Traffic at p{percent} of {hours}, before -> after"))?;
        let rows = brokers.iter().take(LONG).map(|broker| {
            let RecordedBrokerLoad { id, before_bytes_per_second: before, .. } = broker;
            let after = rate(broker.after_bytes_per_second);
            let pair = format!("{} -> {after}", rate(*before));
            [id.to_string(), pair, rate(broker.planned_bytes_per_second)]
        });
        Table::write(f, ["broker", ">traffic", ">planned"], rows)?;
        more(f, brokers.len(), LONG, "broker")?;
        let (before, after) = (
            range(brokers, |broker| broker.before_bytes_per_second),
            range(brokers, |broker| broker.after_bytes_per_second),
        );
        writeln!(f, "  {before} -> {after} a broker")?;
        writeln!(f, "  hours {first_hour} to {last_hour}, UTC")
    }
}

fn range(brokers: &[RecordedBrokerLoad], of: impl Fn(&RecordedBrokerLoad) -> u64) -> String {
    let of = || brokers.iter().map(&of);
    format!("{} to {}", rate(of().min().unwrap_or(0)), rate(of().max().unwrap_or(0)))
}

fn rate(bytes: u64) -> String {
    format!("{}/s", Bytes(bytes))
}
