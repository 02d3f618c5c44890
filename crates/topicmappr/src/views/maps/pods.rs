//! Problems of the pods of maps, in addition to those of the maps themselves.

use super::Problem;
use ::kubernetes::{Difference, Finding};
use mapper::Snapshot;
use mapper::maps::{Map, MapName, MapSeverity};
use operate::pods::Pods;
use std::collections::BTreeSet;

/// Problems, each with the maps that it concerns.
#[derive(Debug, Default)]
pub(crate) struct PodProblems(Vec<(Problem, BTreeSet<MapName>)>);

impl PodProblems {
    pub(crate) fn of(pods: Option<&Pods>, cluster: Option<&Snapshot>, maps: &[Map]) -> Self {
        let Some(pods) = pods else { return Self::default() };
        let findings = pods.findings().map(|(finding, groups)| {
            let concerned = |map: &&Map| map.target.group().is_some_and(|g| groups.contains(&g));
            (of_finding(finding), named(maps.iter().filter(concerned)))
        });
        let members = pods.groups();
        let differences = cluster.map(|cluster| pods.differences(cluster)).unwrap_or_default();
        let differences = differences.into_iter().map(|difference| {
            let has = |map: &&Map| {
                let members = map.target.group().and_then(|group| members.get(&group));
                members.is_some_and(|members| members.contains_key(&difference.id()))
            };
            (of_difference(&difference), named(maps.iter().filter(has)))
        });
        Self(findings.chain(differences).collect())
    }

    /// Those of one map.
    pub(super) fn of_map(&self, map: &MapName) -> impl Iterator<Item = Problem> {
        let mine = self.0.iter().filter(|(_, maps)| maps.contains(map));
        mine.map(|(problem, _)| problem.clone())
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = Problem> {
        self.0.iter().map(|(problem, _)| problem.clone())
    }
}

fn named<'m>(maps: impl Iterator<Item = &'m Map>) -> BTreeSet<MapName> {
    maps.map(|map| map.name.clone()).collect()
}

fn of_finding(finding: &Finding) -> Problem {
    Problem::new(finding.code(), finding.severity(), finding.to_string())
}

fn of_difference(difference: &Difference) -> Problem {
    Problem::new(Difference::CODE, MapSeverity::Warning, difference.to_string())
}
