//! Problems of pods, with the maps that they concern.

use crate::views::PodProblems;
use crate::views::maps::Problem;
use ::kubernetes::{Difference, Finding};
use mapper::Snapshot;
use mapper::maps::{Map, MapName, MapSeverity};
use operate::pods::Pods;
use std::collections::BTreeSet;

/// The problems of the pods that these maps name.
pub(crate) fn pod_problems(pods: &Pods, cluster: Option<&Snapshot>, maps: &[Map]) -> PodProblems {
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
    PodProblems(findings.chain(differences).collect())
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
