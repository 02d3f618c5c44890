//! Finds the topics that each map takes, and the topics that no map takes.

use super::finding::MapFinding;
use super::{Allowance, Map, MapFacts, MapSet, MapTopics};
use crate::ids::BrokerId;
use crate::scope::{Scope, TopicPattern};
use crate::snapshot::{Partition, Snapshot, Topic};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A topic that no map takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unmapped {
    /// Its name.
    pub topic: String,
    /// The number of its replicas on lost brokers or in failed log dirs.
    pub lost_replicas: usize,
}

/// The topics of the maps.
pub(super) struct Taken {
    /// For each map, in the order of the document.
    pub(super) by_map: Vec<BTreeSet<String>>,
    /// Existing internal topics that no map takes.
    pub(super) internal: BTreeSet<String>,
    /// Other existing topics that no map takes.
    pub(super) unmapped: Vec<Unmapped>,
    pub(super) findings: Vec<MapFinding>,
}

/// Gives each topic to the maps that take it.
pub(super) fn take(maps: &MapSet, known: &MapFacts<'_>) -> Taken {
    let names = Names::of(known);
    let mut taken = Taken {
        by_map: maps.maps().iter().map(|map| names.taken_by(map)).collect(),
        internal: BTreeSet::new(),
        unmapped: Vec::new(),
        findings: Vec::new(),
    };
    if known.knows_topics() {
        taken.findings.extend(
            maps.maps()
                .iter()
                .zip(&taken.by_map)
                .filter_map(|(map, topics)| names.none_taken(map, topics)),
        );
    }
    taken.findings.extend(shared(maps, &taken.by_map));
    let owned: BTreeSet<String> = taken.by_map.iter().flatten().cloned().collect();
    match maps.maps().iter().position(Map::is_rest) {
        Some(rest) => {
            let left = names.all().filter(|name| !owned.contains(*name));
            taken.by_map[rest] = left.map(str::to_owned).collect();
        }
        None => taken.leave(known, &owned),
    }
    taken
}

impl Taken {
    /// Lists the existing topics that no map owns.
    fn leave(&mut self, known: &MapFacts<'_>, owned: &BTreeSet<String>) {
        let Some(snapshot) = known.cluster else {
            return;
        };
        for topic in snapshot.topics().iter().filter(|topic| !owned.contains(&topic.name)) {
            if topic.is_internal() {
                self.internal.insert(topic.name.clone());
            } else {
                self.unmapped.push(unmapped(snapshot, topic));
            }
        }
    }
}

/// The names that a pattern can match, in order.
struct Names<'a> {
    existing: Vec<&'a str>,
    defined: Vec<&'a str>,
}

impl<'a> Names<'a> {
    fn of(known: &'a MapFacts<'_>) -> Self {
        let topics = known.cluster.map_or(&[][..], Snapshot::topics);
        Self {
            existing: topics.iter().map(|topic| topic.name.as_str()).collect(),
            defined: known.defined_topics.iter().map(String::as_str).collect(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &'a str> {
        self.existing.iter().chain(&self.defined).copied()
    }

    fn taken_by(&self, map: &Map) -> BTreeSet<String> {
        match &map.topics {
            // Existing and defined names are matched separately. A pattern that is a topic's name means only that topic,
            // but only if it exists: a definition alone must not change a plan.
            MapTopics::Matching(pattern) => [&self.existing, &self.defined]
                .into_iter()
                .flat_map(|names| pattern.select(names))
                .map(str::to_owned)
                .collect(),
            MapTopics::Rest => BTreeSet::new(),
        }
    }

    fn none_taken(&self, map: &Map, topics: &BTreeSet<String>) -> Option<MapFinding> {
        match &map.topics {
            MapTopics::Matching(pattern)
                if topics.is_empty() && !map.allows(Allowance::NoTopics) =>
            {
                self.explain(map, pattern)
            }
            MapTopics::Matching(_) | MapTopics::Rest => None,
        }
    }

    fn explain(&self, map: &Map, pattern: &TopicPattern) -> Option<MapFinding> {
        let scope = Scope { include: vec![pattern.clone()], exclude: Vec::new() };
        let names: BTreeSet<&str> = self.all().collect();
        let names: Vec<&str> = names.into_iter().collect();
        let map = map.name.clone();
        scope.select(&names).err().map(|problem| MapFinding::NoTopics { map, problem })
    }
}

/// One finding for each pair of maps that take the same topics.
fn shared(maps: &MapSet, by_map: &[BTreeSet<String>]) -> Vec<MapFinding> {
    let mut owners: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, topics) in by_map.iter().enumerate() {
        for topic in topics {
            owners.entry(topic).or_default().push(index);
        }
    }
    let mut pairs: BTreeMap<(usize, usize), BTreeSet<String>> = BTreeMap::new();
    for (topic, owners) in owners {
        for (position, second) in owners.iter().enumerate() {
            for first in &owners[..position] {
                pairs.entry((*first, *second)).or_default().insert(topic.to_owned());
            }
        }
    }
    let name = |index: usize| maps.maps()[index].name.clone();
    pairs
        .into_iter()
        .map(|((first, second), topics)| MapFinding::TopicsShared {
            first: name(first),
            second: name(second),
            topics,
        })
        .collect()
}

fn unmapped(snapshot: &Snapshot, topic: &Topic) -> Unmapped {
    let lost_in = |partition: &Partition| {
        let lost = |id: &&BrokerId| !snapshot.is_live(**id) || partition.offline().contains(id);
        partition.replicas.iter().filter(lost).count()
    };
    Unmapped {
        topic: topic.name.clone(),
        lost_replicas: topic.partitions.iter().map(lost_in).sum(),
    }
}
