//! `maps check`: what is wrong with the maps, and which topics are off theirs.

use super::{PodProblems, Problem};
use crate::views::table::Table;
use local::words::{counted, ranges};
use mapper::BrokerId;
use mapper::maps::{Drift, Map, MapName, Resolved};
use serde::Serialize;
use std::fmt;

/// Problems, drift, and topics in no map.
#[derive(Debug, Serialize)]
pub(crate) struct MapsCheck<'a> {
    problems: Vec<Problem>,
    drift: Vec<DriftView<'a>>,
    unmapped: Vec<UnmappedView<'a>>,
}

#[derive(Debug, Serialize)]
struct DriftView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    map: Option<&'a str>,
    topic: &'a str,
    replicas: usize,
    off: Vec<OffMapView>,
}

#[derive(Debug, Serialize)]
struct OffMapView {
    broker: BrokerId,
    replicas: usize,
}

#[derive(Debug, Serialize)]
struct UnmappedView<'a> {
    topic: &'a str,
    lost_replicas: usize,
}

impl<'a> MapsCheck<'a> {
    pub(crate) fn of(
        maps: &[Map],
        resolved: &'a Resolved,
        drift: &'a [Drift],
        pods: &PodProblems,
    ) -> Self {
        let crowded = resolved.too_many_replicas(maps);
        let findings = resolved.findings.iter().chain(&crowded);
        let unmapped = resolved.unmapped.iter().map(|unmapped| UnmappedView {
            topic: &unmapped.topic,
            lost_replicas: unmapped.lost_replicas,
        });
        Self {
            problems: findings.map(Problem::of).chain(pods.all()).collect(),
            drift: drift.iter().map(DriftView::of).collect(),
            unmapped: unmapped.collect(),
        }
    }

    /// Whether there is anything to do; topics in no map and notices are only worth a line.
    pub(crate) fn has_findings(&self) -> bool {
        let lost = self.unmapped.iter().any(|topic| topic.lost_replicas > 0);
        let problem = self.problems.iter().any(|problem| problem.severity != "notice");
        problem || lost || !self.drift.is_empty()
    }
}

impl<'a> DriftView<'a> {
    fn of(drift: &'a Drift) -> Self {
        let off = drift.off.iter();
        Self {
            map: drift.map.as_ref().map(MapName::as_str),
            topic: &drift.topic,
            replicas: drift.replicas(),
            off: off
                .map(|(broker, replicas)| OffMapView { broker: *broker, replicas: *replicas })
                .collect(),
        }
    }
}

impl fmt::Display for MapsCheck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}, {} off their map, {} in no map",
            counted(self.problems.len(), "problem"),
            counted(self.drift.len(), "topic"),
            counted(self.unmapped.len(), "topic"),
        )?;
        for problem in &self.problems {
            writeln!(f, "  {}: {}", problem.severity, problem.message)?;
        }
        let columns = ["map", "topic", ">replicas", "on brokers"];
        Table::section(f, "Off their map", columns, (&self.drift, usize::MAX, ""), |drift| {
            let ids: Vec<BrokerId> = drift.off.iter().map(|off| off.broker).collect();
            [
                drift.map.unwrap_or("(internal)").to_owned(),
                drift.topic.to_owned(),
                drift.replicas.to_string(),
                ranges(&ids),
            ]
        })?;
        let columns = ["topic", ">lost replicas"];
        Table::section(f, "In no map", columns, (&self.unmapped, usize::MAX, ""), |topic| {
            [topic.topic.to_owned(), topic.lost_replicas.to_string()]
        })
    }
}
