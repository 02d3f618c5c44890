//! Maps, with who belongs to the groups that they name.

use mapper::maps::{self, Group, Known, Map, MapSet, Members, Resolved};
use mapper::{BrokerId, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// The maps of a run, and all that is not in the cluster's snapshot to resolve them by.
#[derive(Debug, Default)]
pub struct Maps {
    set: MapSet,
    groups: BTreeMap<Group, Members>,
}

impl Maps {
    /// `groups`: the members of StatefulSets, instance types and node labels that the maps name.
    pub fn new(set: MapSet, groups: BTreeMap<Group, Members>) -> Self {
        Self { set, groups }
    }

    /// The maps as they were written.
    pub fn written(&self) -> &[Map] {
        self.set.maps()
    }

    /// The maps, to look one up.
    pub fn set(&self) -> &MapSet {
        &self.set
    }

    /// What they mean once these topics are there, too.
    pub(crate) fn resolve_with(
        &self,
        cluster: &Snapshot,
        defined_topics: BTreeSet<String>,
    ) -> Resolved {
        let groups = self.groups.clone();
        maps::resolve(&self.set, &Known { cluster: Some(cluster), defined_topics, groups })
    }

    /// What they mean now.
    pub fn resolve(&self, cluster: Option<&Snapshot>) -> Resolved {
        let groups = self.groups.clone();
        maps::resolve(&self.set, &Known { cluster, groups, ..Known::default() })
    }

    /// What the names of maps mean as brokers; their topics do not matter here.
    pub fn brokers(&self, cluster: &Snapshot) -> BTreeMap<String, BTreeSet<BrokerId>> {
        if self.set.maps().is_empty() {
            return BTreeMap::new();
        }
        let maps = self.resolve(Some(cluster)).maps.into_iter();
        maps.map(|map| {
            let brokers = map.brokers.into_iter().map(|member| member.id);
            (map.name.to_string(), brokers.collect())
        })
        .collect()
    }
}
