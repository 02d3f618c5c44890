//! The numbers before and after, per broker.

use super::table::Table;
use super::{heading, more};
use local::words::counted;
use mapper::{BrokerFigures, Bytes, Figures};
use std::fmt;

/// More brokers than this do not fit on a page.
const LONG: usize = 40;

/// The load of the brokers that a plan changes.
pub(super) struct Load<'a> {
    pub(super) before: &'a Figures,
    pub(super) after: &'a Figures,
}

impl fmt::Display for Load<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<_> = self.before.brokers.iter().zip(&self.after.brokers).collect();
        let changed: Vec<_> = pairs.iter().filter(|(a, b)| changes(a, b)).collect();
        if changed.is_empty() {
            return Ok(());
        }
        heading(f, "Load, before -> after")?;
        let columns =
            ["broker", ">replicas", ">leaders", ">used", ">used %", ">takes in", ">gives"];
        let rows = changed.iter().take(LONG).map(|(before, after)| {
            [
                before.id.to_string(),
                pair(before.replicas, after.replicas),
                pair(before.leaders, after.leaders),
                used(before, after),
                percent(before, after),
                amount(after.incoming_bytes),
                amount(after.outgoing_bytes),
            ]
        });
        Table::write(f, columns, rows)?;
        more(f, changed.len(), LONG, "broker")?;
        let same = pairs.len() - changed.len();
        if same > 0 {
            writeln!(f, "  {} as before", counted(same, "other broker"))?;
        }
        Ok(())
    }
}

fn changes(before: &BrokerFigures, after: &BrokerFigures) -> bool {
    before.replicas != after.replicas
        || before.leaders != after.leaders
        || before.used_bytes != after.used_bytes
        || after.incoming_bytes.0 > 0
}

fn pair(before: u64, after: u64) -> String {
    format!("{before} -> {after}")
}

fn used(before: &BrokerFigures, after: &BrokerFigures) -> String {
    match (before.used_bytes, after.used_bytes) {
        // The content of a lost broker's disks is unknown.
        _ if !before.live => "-".to_owned(),
        (Some(before), Some(after)) => format!("{before} -> {after}"),
        _ => "-".to_owned(),
    }
}

fn percent(before: &BrokerFigures, after: &BrokerFigures) -> String {
    match (share(before), share(after)) {
        (Some(before), Some(after)) => format!("{before:.1} -> {after:.1}"),
        _ => "-".to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for display, to a tenth")]
fn share(figures: &BrokerFigures) -> Option<f64> {
    let (used, capacity) = (figures.used_bytes?, figures.capacity_bytes?);
    (capacity.0 > 0).then(|| used.0 as f64 * 100.0 / capacity.0 as f64)
}

fn amount(bytes: Bytes) -> String {
    if bytes.0 == 0 { "-".to_owned() } else { bytes.to_string() }
}
