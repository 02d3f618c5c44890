//! `maps show`: the maps as written, and how many topics and brokers that is now.

use super::joined;
use crate::views::table::Table;
use health::readiness::Force;
use local::words::ranges;
use mapper::BrokerId;
use mapper::maps::{Map, MapTopics, Resolved, ResolvedMap};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;

/// The maps, one a line.
#[derive(Debug, Serialize)]
pub(crate) struct MapsShow {
    maps: Vec<Row>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    internal_topics: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unmapped_topics: Vec<String>,
    /// What counts as ready by force, and until when.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    forced_ready: Vec<Force>,
    /// Entries of that kind that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    forced_unreadable: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    target: String,
    brokers: Vec<BrokerId>,
    live_brokers: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    topics: Option<usize>,
}

impl MapsShow {
    pub(crate) fn of(maps: &[Map], resolved: &Resolved, forces: (Vec<Force>, Vec<String>)) -> Self {
        let rows = maps.iter().zip(&resolved.maps);
        let (forced_ready, forced_unreadable) = forces;
        Self {
            maps: rows.map(|(map, now)| Row::of(map, now)).collect(),
            internal_topics: resolved.internal.iter().cloned().collect(),
            unmapped_topics: resolved.unmapped.iter().map(|u| u.topic.clone()).collect(),
            forced_ready,
            forced_unreadable,
        }
    }
}

impl Row {
    fn of(map: &Map, now: &ResolvedMap) -> Self {
        Self {
            name: map.name.to_string(),
            pattern: match &map.topics {
                MapTopics::Matching(pattern) => Some(pattern.as_str().to_owned()),
                MapTopics::Rest => None,
            },
            target: map.target.to_string(),
            brokers: now.brokers.iter().map(|member| member.id).collect(),
            live_brokers: now.brokers.iter().filter(|member| member.live).count(),
            topics: now.topics.as_ref().map(BTreeSet::len),
        }
    }
}

impl fmt::Display for MapsShow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = ["map", "topics matching", ">now", "target", "brokers", ">live"];
        let rows = self.maps.iter().map(|row| {
            [
                row.name.clone(),
                row.pattern.clone().unwrap_or_else(|| "(the rest)".to_owned()),
                row.topics.map_or_else(|| "unknown".to_owned(), |count| count.to_string()),
                row.target.clone(),
                ranges(&row.brokers),
                row.live_brokers.to_string(),
            ]
        });
        Table::write(f, columns, rows)?;
        for (topics, what) in [
            (&self.internal_topics, "internal, on all brokers of all maps"),
            (&self.unmapped_topics, "in no map"),
        ] {
            if !topics.is_empty() {
                let names: Vec<&str> = topics.iter().map(String::as_str).collect();
                writeln!(f, "  {what}: {}", joined(&names))?;
            }
        }
        for force in &self.forced_ready {
            writeln!(f, "  ready by force: {} until {}", force.scope, force.until)?;
            writeln!(f, "    {}: {}", force.place, force.reason)?;
        }
        for problem in &self.forced_unreadable {
            writeln!(f, "  forces nothing: {problem}")?;
        }
        Ok(())
    }
}
