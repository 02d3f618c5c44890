//! Finds replicas that are not on the brokers of their topic's map.

use super::MapName;
use super::resolve::Resolved;
use crate::ids::BrokerId;
use crate::snapshot::Snapshot;
use std::collections::{BTreeMap, BTreeSet};

/// A topic with replicas outside its map's brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The map; `None` for an internal topic, which belongs to all brokers of all maps.
    pub map: Option<MapName>,
    /// The topic.
    pub topic: String,
    /// Brokers outside the map, lost ones included, each with its number of the topic's replicas.
    pub off: BTreeMap<BrokerId, usize>,
}

impl Drift {
    /// The number of replicas outside the map.
    pub fn replicas(&self) -> usize {
        self.off.values().sum()
    }
}

impl Resolved {
    /// The topics with replicas outside their map, in the order of the maps and of names. Internal topics come last.
    ///
    /// A map whose brokers could not be found is skipped, because its topics have no known place.
    pub fn drift(&self, snapshot: &Snapshot) -> Vec<Drift> {
        let mut drift = Vec::new();
        let mut everywhere = BTreeSet::new();
        for map in &self.maps {
            let brokers: BTreeSet<BrokerId> = map.brokers.iter().map(|member| member.id).collect();
            let topics = map.topics.iter().flatten();
            drift
                .extend(topics.filter_map(|topic| off(snapshot, Some(&map.name), topic, &brokers)));
            everywhere.extend(brokers);
        }
        if self.maps.iter().all(|map| !map.brokers.is_empty()) {
            let topics = self.internal.iter();
            drift.extend(topics.filter_map(|topic| off(snapshot, None, topic, &everywhere)));
        }
        drift
    }
}

fn off(
    snapshot: &Snapshot,
    map: Option<&MapName>,
    topic: &str,
    brokers: &BTreeSet<BrokerId>,
) -> Option<Drift> {
    if brokers.is_empty() {
        return None;
    }
    let mut off = BTreeMap::new();
    for partition in &snapshot.topic(topic)?.partitions {
        for id in partition.replicas.iter().filter(|id| !brokers.contains(id)) {
            *off.entry(*id).or_insert(0) += 1;
        }
    }
    (!off.is_empty()).then(|| Drift { map: map.cloned(), topic: topic.to_owned(), off })
}
