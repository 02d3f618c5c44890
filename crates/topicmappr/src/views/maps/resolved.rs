//! `maps resolve`: which brokers and topics each map means now.

use super::{PodProblems, Problem, joined};
use local::words::ranges;
use mapper::BrokerId;
use mapper::maps::{Member, Resolved, ResolvedMap};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The maps, resolved. The JSON is a contract with other programs.
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
    /// Whether every map has brokers, so that a calling program can go on.
    pub(crate) fn all_have_brokers(&self) -> bool {
        self.maps.iter().all(|map| !map.brokers.is_empty())
    }

    pub(crate) fn of(resolved: &'a Resolved, pods: &PodProblems) -> Self {
        let maps = resolved.maps.iter();
        Self { maps: maps.map(|map| ResolvedView::of(map, resolved, pods)).collect() }
    }
}

impl<'a> ResolvedView<'a> {
    fn of(map: &'a ResolvedMap, resolved: &'a Resolved, pods: &PodProblems) -> Self {
        let member =
            |member: &'a Member| MemberView { id: member.id, rack: member.rack.as_deref() };
        let problems = resolved.problems_of(&map.name).map(Problem::of);
        let names = |topics: &'a BTreeSet<String>| topics.iter().map(String::as_str).collect();
        Self {
            name: map.name.as_str(),
            brokers: map.brokers.iter().map(member).collect(),
            topics: map.topics.as_ref().map(names),
            problems: problems.chain(pods.of_map(&map.name)).collect(),
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
    mapper::joined(racks.iter().map(|(rack, count)| format!("{rack} {count}")))
}
