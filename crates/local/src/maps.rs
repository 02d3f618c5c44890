//! Broker maps, with the members of the groups that they name.

use mapper::maps::{self, Group, Map, MapFacts, MapSet, Members, Resolved};
use mapper::{BrokerId, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// The maps of a run, with everything outside the snapshot that is needed to resolve them.
#[derive(Debug, Default)]
pub struct Maps {
    set: MapSet,
    groups: BTreeMap<Group, Members>,
}

impl Maps {
    /// `groups` has the members of StatefulSets, instance types and node labels that the maps name.
    pub fn new(set: MapSet, groups: BTreeMap<Group, Members>) -> Self {
        Self { set, groups }
    }

    /// The maps as the operator wrote them.
    pub fn written(&self) -> &[Map] {
        self.set.maps()
    }

    /// The maps, to look one up.
    pub fn set(&self) -> &MapSet {
        &self.set
    }

    /// Resolves the maps as if these topics existed, too.
    pub fn resolve_with(&self, cluster: &Snapshot, defined_topics: BTreeSet<String>) -> Resolved {
        let groups = self.groups.clone();
        maps::resolve(&self.set, &MapFacts { cluster: Some(cluster), defined_topics, groups })
    }

    /// Resolves the maps now.
    pub fn resolve(&self, cluster: Option<&Snapshot>) -> Resolved {
        let groups = self.groups.clone();
        maps::resolve(&self.set, &MapFacts { cluster, groups, ..MapFacts::default() })
    }

    /// The brokers that each map names; topics do not matter here.
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
