//! Problems of the pods of maps, in addition to those of the maps themselves.

use super::Problem;
use mapper::maps::MapName;
use std::collections::BTreeSet;

/// Problems, each with the maps that it concerns.
#[derive(Debug, Default)]
pub(crate) struct PodProblems(pub(crate) Vec<(Problem, BTreeSet<MapName>)>);

impl PodProblems {
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
