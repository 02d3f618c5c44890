//! Maps: what they say, what they mean now, and what is wrong with them.

use super::table::Table;
use super::{counted, heading};
use crate::error::ranges;
use mapper::BrokerId;
use mapper::maps::{Drift, Finding, Map, MapTopics, Member, Resolved, ResolvedMap, Severity};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// A finding, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    code: &'static str,
    severity: &'static str,
    message: String,
}

impl Problem {
    pub(super) fn of(finding: &Finding) -> Self {
        Self {
            code: finding.code(),
            severity: match finding.severity() {
                Severity::Notice => "notice",
                Severity::Warning => "warning",
                Severity::Error => "error",
            },
            message: finding.to_string(),
        }
    }
}

/// `maps resolve`: which brokers and topics each map means now. Its JSON is a contract with other programs.
#[derive(Debug, Serialize)]
pub(crate) struct ResolvedMaps<'a> {
    maps: Vec<ResolvedView<'a>>,
}

#[derive(Debug, Serialize)]
struct ResolvedView<'a> {
    name: &'a str,
    brokers: Vec<MemberView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topics: Option<Vec<&'a str>>,
    problems: Vec<Problem>,
}

#[derive(Debug, Serialize)]
struct MemberView<'a> {
    id: BrokerId,
    #[serde(skip_serializing_if = "Option::is_none")]
    rack: Option<&'a str>,
}

impl<'a> ResolvedMaps<'a> {
    /// Whether every map has brokers; whoever calls this from a program can then go on.
    pub(crate) fn all_have_brokers(&self) -> bool {
        self.maps.iter().all(|map| !map.brokers.is_empty())
    }

    pub(crate) fn of(resolved: &'a Resolved) -> Self {
        let maps = resolved.maps.iter();
        Self { maps: maps.map(|map| ResolvedView::of(map, resolved)).collect() }
    }
}

impl<'a> ResolvedView<'a> {
    fn of(map: &'a ResolvedMap, resolved: &'a Resolved) -> Self {
        let member =
            |member: &'a Member| MemberView { id: member.id, rack: member.rack.as_deref() };
        let names = |topics: &'a std::collections::BTreeSet<String>| {
            topics.iter().map(String::as_str).collect()
        };
        Self {
            name: map.name.as_str(),
            brokers: map.brokers.iter().map(member).collect(),
            topics: map.topics.as_ref().map(names),
            problems: resolved.problems_of(&map.name).map(Problem::of).collect(),
        }
    }
}

impl fmt::Display for ResolvedMaps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, map) in self.maps.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let ids: Vec<BrokerId> = map.brokers.iter().map(|member| member.id).collect();
            writeln!(f, "{}", map.name)?;
            writeln!(f, "  brokers  {}", ranges(&ids))?;
            if !map.brokers.is_empty() {
                writeln!(f, "  racks    {}", racks(&map.brokers))?;
            }
            if let Some(topics) = &map.topics {
                writeln!(f, "  topics   {}", joined(topics))?;
            }
            for problem in &map.problems {
                writeln!(f, "  {}: {}", problem.severity, problem.message)?;
            }
        }
        Ok(())
    }
}

fn racks(members: &[MemberView<'_>]) -> String {
    let mut racks: BTreeMap<&str, usize> = BTreeMap::new();
    for member in members {
        *racks.entry(member.rack.unwrap_or("unknown")).or_insert(0) += 1;
    }
    let texts: Vec<String> = racks.iter().map(|(rack, count)| format!("{rack} {count}")).collect();
    texts.join(", ")
}

/// The first of them: a map may take thousands.
fn joined(topics: &[&str]) -> String {
    const SHOWN: usize = 6;
    let shown = topics.iter().take(SHOWN).copied().collect::<Vec<_>>();
    match topics.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => {
            format!("{count}: {}, and {} more", shown.join(", "), count - SHOWN)
        }
        count => format!("{count}: {}", shown.join(", ")),
    }
}

/// `maps show`: the maps as written, and how many topics and brokers that is now.
#[derive(Debug, Serialize)]
pub(crate) struct MapsShow {
    maps: Vec<Row>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    internal_topics: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unmapped_topics: Vec<String>,
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
    pub(crate) fn of(maps: &[Map], resolved: &Resolved) -> Self {
        let rows = maps.iter().zip(&resolved.maps);
        Self {
            maps: rows.map(|(map, now)| Row::of(map, now)).collect(),
            internal_topics: resolved.internal.iter().cloned().collect(),
            unmapped_topics: resolved.unmapped.iter().map(|u| u.topic.clone()).collect(),
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
            topics: now.topics.as_ref().map(std::collections::BTreeSet::len),
        }
    }
}

impl fmt::Display for MapsShow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table =
            Table::new(&["map", "topics matching", ">now", "target", "brokers", ">live"]);
        for row in &self.maps {
            table.row([
                row.name.clone(),
                row.pattern.clone().unwrap_or_else(|| "(the rest)".to_owned()),
                row.topics.map_or_else(|| "unknown".to_owned(), |count| count.to_string()),
                row.target.clone(),
                ranges(&row.brokers),
                row.live_brokers.to_string(),
            ]);
        }
        f.write_str(&table.render())?;
        for (topics, what) in [
            (&self.internal_topics, "internal, on all brokers of all maps"),
            (&self.unmapped_topics, "in no map"),
        ] {
            if !topics.is_empty() {
                let names: Vec<&str> = topics.iter().map(String::as_str).collect();
                writeln!(f, "  {what}: {}", joined(&names))?;
            }
        }
        Ok(())
    }
}

/// `maps check`: what is wrong with the maps, and which topics are off theirs.
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
    off: Vec<OffMap>,
}

#[derive(Debug, Serialize)]
struct OffMap {
    broker: BrokerId,
    replicas: usize,
}

#[derive(Debug, Serialize)]
struct UnmappedView<'a> {
    topic: &'a str,
    lost_replicas: usize,
}

impl<'a> MapsCheck<'a> {
    pub(crate) fn of(resolved: &'a Resolved, drift: &'a [Drift]) -> Self {
        let unmapped = resolved.unmapped.iter().map(|unmapped| UnmappedView {
            topic: &unmapped.topic,
            lost_replicas: unmapped.lost_replicas,
        });
        Self {
            problems: resolved.findings.iter().map(Problem::of).collect(),
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
            map: drift.map.as_ref().map(mapper::maps::MapName::as_str),
            topic: &drift.topic,
            replicas: drift.replicas(),
            off: off
                .map(|(broker, replicas)| OffMap { broker: *broker, replicas: *replicas })
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
        if !self.drift.is_empty() {
            heading(f, "Off their map")?;
            let mut table = Table::new(&["map", "topic", ">replicas", "on brokers"]);
            for drift in &self.drift {
                let ids: Vec<BrokerId> = drift.off.iter().map(|off| off.broker).collect();
                table.row([
                    drift.map.unwrap_or("(internal)").to_owned(),
                    drift.topic.to_owned(),
                    drift.replicas.to_string(),
                    ranges(&ids),
                ]);
            }
            f.write_str(&table.render())?;
        }
        if !self.unmapped.is_empty() {
            heading(f, "In no map")?;
            let mut table = Table::new(&["topic", ">lost replicas"]);
            for topic in &self.unmapped {
                table.row([topic.topic.to_owned(), topic.lost_replicas.to_string()]);
            }
            f.write_str(&table.render())?;
        }
        Ok(())
    }
}
