//! Rates that are changed: the value on each broker, and the requested one.

use super::throttles::what;
use crate::views::table::Table;
use execute::{Key, Seen, Setting, ThrottleResource};
use mapper::{BrokerId, Bytes, Rate};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The rates that are ours.
#[derive(Debug, Serialize)]
pub(crate) struct PacesView {
    event: &'static str,
    asked_bytes_per_second: Rate,
    rates: Vec<Rated>,
}

#[derive(Debug, Serialize)]
struct Rated {
    broker: BrokerId,
    key: Key,
    /// The value in the cluster; absent if it is not set or not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_per_second: Option<Rate>,
    /// The broker told.
    told: bool,
}

impl PacesView {
    pub(crate) fn of<'s>(
        event: &'static str,
        asked: Rate,
        rates: impl Iterator<Item = &'s Setting>,
        seen: &Seen,
    ) -> Self {
        let rates = rates.filter_map(|setting| {
            let ThrottleResource::Broker(broker) = setting.resource else { return None };
            let set: Option<&BTreeMap<Key, String>> = seen.configs.get(&setting.resource);
            let value =
                set.and_then(|set| set.get(&setting.key)).and_then(|v| v.parse().ok()).map(Rate);
            let key = setting.key;
            Some(Rated { broker, key, bytes_per_second: value, told: set.is_some() })
        });
        Self { event, asked_bytes_per_second: asked, rates: rates.collect() }
    }

    /// Whether no rate is ours.
    pub(crate) fn is_empty(&self) -> bool {
        self.rates.is_empty()
    }

    /// Whether every rate of ours has the requested value.
    pub(crate) fn is_as_asked(&self) -> bool {
        let asked = Some(self.asked_bytes_per_second);
        self.rates.iter().all(|one| one.bytes_per_second == asked)
    }
}

impl fmt::Display for PacesView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = Bytes(self.asked_bytes_per_second.0);
        if self.event == "preview" {
            writeln!(
                f,
                "To set: {asked} per second, into and out of each broker of the execution"
            )?;
        } else if self.is_as_asked() {
            writeln!(f, "Set: {asked} per second")?;
        } else {
            writeln!(f, "Set in part: {asked} per second is not set on every broker")?;
        }
        if self.rates.is_empty() {
            return writeln!(f, "  no rate is set yet: it applies to the next moves");
        }
        let rows = self.rates.iter().map(|one| {
            let now = match (one.told, one.bytes_per_second) {
                (false, _) => "unknown".to_owned(),
                (true, None) => "nothing".to_owned(),
                (true, Some(rate)) => format!("{}/s", Bytes(rate.0)),
            };
            [one.broker.to_string(), what(one.key).to_owned(), now]
        });
        Table::write(f, ["broker", "what", "now"], rows)
    }
}
