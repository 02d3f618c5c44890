//! Which brokers come, go, or are gone.

use super::report::LONG;
use super::table::Table;
use mapper::snapshot::Broker;
use mapper::{BrokerFigures, BrokerId, Plan, Request, Snapshot};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// A broker that joins, leaves, or has left already.
#[derive(Debug, Serialize)]
pub(super) struct BrokerChange {
    id: BrokerId,
    #[serde(skip_serializing_if = "Option::is_none")]
    rack: Option<String>,
    change: Change,
    replicas_before: u64,
    replicas_after: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    /// In replica lists, and not registered at capture.
    Lost,
    /// Known at capture, but fenced.
    Fenced,
    /// Live, with replicas in failed log dirs.
    FailedLogDir,
    /// It got no new replica: all its log dirs are cordoned.
    Cordoned,
    /// Some of its log dirs got no new replica.
    CordonedLogDirs,
    /// Holds replicas before and none after.
    Emptied,
    /// Holds none before and some after.
    New,
}

/// The changes of brokers. Racks and failed log dirs need the snapshot.
pub(super) fn changes(plan: &Plan, snapshot: Option<&Snapshot>) -> Vec<BrokerChange> {
    let after: BTreeMap<BrokerId, &BrokerFigures> =
        plan.after.brokers.iter().map(|b| (b.id, b)).collect();
    let failed = snapshot.map(Snapshot::failed_replicas).unwrap_or_default();
    let mut changes = Vec::new();
    for before in &plan.before.brokers {
        let broker = snapshot.and_then(|snapshot| snapshot.broker(before.id));
        let replicas_after = after.get(&before.id).map_or(0, |b| b.replicas);
        let change = match (before.live, before.replicas, replicas_after) {
            (false, 0, _) => continue,
            (false, _, _) if broker.is_some_and(|b| b.host.is_some()) => Change::Fenced,
            (false, _, _) => Change::Lost,
            (true, 0, 1..) => Change::New,
            (true, 1.., 0) => Change::Emptied,
            (true, _, _) if failed.contains_key(&before.id) => Change::FailedLogDir,
            (true, _, _) => match broker.and_then(|broker| cordoned(plan, broker)) {
                Some(change) => change,
                None => continue,
            },
        };
        changes.push(BrokerChange {
            id: before.id,
            rack: broker.and_then(|broker| broker.rack.clone()),
            change,
            replicas_before: before.replicas,
            replicas_after,
        });
    }
    changes
}

/// Whether a cordon left a broker, or a part of it, out of the destinations of this plan.
fn cordoned(plan: &Plan, broker: &Broker) -> Option<Change> {
    let asked = match &plan.request {
        Request::Leaders(_) => false,
        request => request.terms().assignments.iter().any(|a| a.brokers.contains(&broker.id)),
    };
    match (asked && !broker.cordoned_log_dirs.is_empty(), broker.is_cordoned()) {
        (false, _) => None,
        (true, true) if plan.request.terms().ignore_cordons => None,
        (true, true) => Some(Change::Cordoned),
        (true, false) => Some(Change::CordonedLogDirs),
    }
}

/// The brokers, one a line.
pub(super) fn write(changes: &[BrokerChange], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let columns = ["broker", "rack", ">replicas", "what"];
    Table::section(f, "Brokers", columns, (changes, LONG, "broker"), |broker| {
        let what = match broker.change {
            Change::Lost => "lost: not registered at capture",
            Change::Fenced => "lost: fenced at capture",
            Change::FailedLogDir => "live, with replicas in a failed log dir",
            Change::Cordoned => "cordoned: gets no new replica",
            Change::CordonedLogDirs => "has cordoned log dirs, which get no new replica",
            Change::Emptied => "emptied by this plan",
            Change::New => "new: held no replica",
        };
        [
            broker.id.to_string(),
            broker.rack.clone().unwrap_or_else(|| "-".to_owned()),
            format!("{} -> {}", broker.replicas_before, broker.replicas_after),
            what.to_owned(),
        ]
    })
}
