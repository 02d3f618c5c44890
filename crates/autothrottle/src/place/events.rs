//! The Events about a ledger, shown when an operator describes the Lease.

use execute::LedgerEntry;
use mapper::counted;

/// The Events for new lines: reasons and notes.
pub(super) fn events(new: &[LedgerEntry]) -> Vec<(&'static str, String)> {
    let (mut held, mut released, mut told) = (Vec::new(), Vec::new(), Vec::new());
    let brokers = |broker: &Option<mapper::BrokerId>| match broker {
        Some(id) => format!("broker {id}"),
        None => "all brokers that take part".to_owned(),
    };
    for entry in new {
        match entry {
            LedgerEntry::Opened { .. } => {}
            LedgerEntry::Held { setting, .. } => held.push(setting.to_string()),
            LedgerEntry::Released { setting } => released.push(setting.to_string()),
            LedgerEntry::Asked { broker, asked } => {
                let note = format!("{} B/s for {}", asked.rate_bytes_per_second.0, brokers(broker));
                told.push(("OverrideSet", note));
            }
            LedgerEntry::Withdrawn { broker } => told.push(("OverrideRemoved", brokers(broker))),
        }
    }
    let some = |all: Vec<String>| format!("{}: {}", counted(all.len(), "config"), all.join(", "));
    if !held.is_empty() {
        told.push(("ThrottleSet", some(held)));
    }
    if !released.is_empty() {
        told.push(("ThrottleRemoved", some(released)));
    }
    told
}
