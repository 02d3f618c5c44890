//! Resolves maps to the topics and brokers that they mean now.
//!
//! In: a [`MapSet`] and the facts in [`MapFacts`]. Out: a [`Resolved`]: each map's topics and brokers, the topics that
//! no map takes, and every [`MapFinding`]. [`resolve()`] refuses nothing; [`Resolved::assignments`] does.

use super::choose::choose;
use super::finding::{MapFinding, MapSeverity, Refused};
use super::taken::{Taken, Unmapped, take};
use super::{Allowance, Group, Map, MapName, MapSet, MapTopics};
use crate::assignment::{Assignment, TopicSelection};
use crate::ids::BrokerId;
use crate::scope::{Scope, ScopeError};
use crate::snapshot::Snapshot;
use std::collections::{BTreeMap, BTreeSet};

/// The brokers of a group with their racks, where known.
pub type Members = BTreeMap<BrokerId, Option<String>>;

/// The facts for resolving maps.
#[derive(Debug, Clone, Default)]
pub struct MapFacts<'a> {
    /// The cluster. Without it, topics stay unknown and ids unchecked.
    pub cluster: Option<&'a Snapshot>,
    /// Topics that do not exist yet, but are defined: a map may match them.
    pub defined_topics: BTreeSet<String>,
    /// The members of each group, from the Kubernetes API. A group that was not requested is absent.
    pub groups: BTreeMap<Group, Members>,
}

impl<'a> MapFacts<'a> {
    /// A cluster, and no other facts.
    pub fn of(cluster: &'a Snapshot) -> Self {
        Self { cluster: Some(cluster), ..Self::default() }
    }

    pub(super) fn knows_topics(&self) -> bool {
        self.cluster.is_some() || !self.defined_topics.is_empty()
    }

    /// Whether a broker is live. Without a cluster, members of a group count as live.
    pub(super) fn is_live(&self, id: BrokerId) -> bool {
        self.cluster.is_none_or(|cluster| cluster.is_live(id))
    }

    fn member(&self, id: BrokerId) -> Member {
        let registered = self.cluster.and_then(|cluster| cluster.broker(id));
        let told = || self.groups.values().find_map(|members| members.get(&id)?.clone());
        Member {
            id,
            live: self.is_live(id),
            rack: registered.and_then(|broker| broker.rack.clone()).or_else(told),
        }
    }
}

/// The maps as they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The maps, in the order of the document.
    pub maps: Vec<ResolvedMap>,
    /// Existing internal topics that no map takes: they belong to all brokers of all maps.
    pub internal: BTreeSet<String>,
    /// Other existing topics that no map takes, in order.
    pub unmapped: Vec<Unmapped>,
    /// All findings, errors first.
    pub findings: Vec<MapFinding>,
    assignments: Vec<Assignment>,
}

/// One map as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedMap {
    /// Its name.
    pub name: MapName,
    /// Its brokers, in order of id; empty if they could not be found.
    pub brokers: Vec<Member>,
    /// Its topics, including those that are only defined; `None` if the topics of the cluster are unknown.
    pub topics: Option<BTreeSet<String>>,
}

/// A broker of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: BrokerId,
    /// Registered and not fenced. Also true if there is no cluster to ask.
    pub live: bool,
    /// Its rack, where known.
    pub rack: Option<String>,
}

/// Finds each map's topics and brokers, and the faults in them.
///
/// ```
/// use mappr_mapper::Snapshot;
/// use mappr_mapper::maps::{MapFacts, MapSet, resolve};
///
/// let cluster = Snapshot::from_json(
///     br#"{"version": 1, "brokers": [{"id": 1}, {"id": 2}],
///          "topics": [{"name": "logs", "partitions": [{"id": 0, "replicas": [1, 2]}]}]}"#,
/// )?;
/// let maps = MapSet::parse("--map", r#"map1: "logs" => [1..3]"#)?;
/// let resolved = resolve(&maps, &MapFacts::of(&cluster));
/// let refused = resolved.assignments().unwrap_err();
/// assert_eq!(
///     refused.to_string(),
///     "map map1 lists broker 3, neither registered nor in any replica list"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn resolve(maps: &MapSet, known: &MapFacts<'_>) -> Resolved {
    let taken = take(maps, known);
    let chosen = choose(maps, known, &taken.by_map);
    let assignments = assignments(maps, known, &taken, &chosen.by_map);
    let mut findings = taken.findings;
    findings.extend(chosen.findings);
    findings.extend(shared_brokers(maps, &chosen.by_map));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity()));
    let resolved = maps.maps().iter().zip(&chosen.by_map).zip(taken.by_map);
    Resolved {
        maps: resolved
            .map(|((map, brokers), topics)| ResolvedMap {
                name: map.name.clone(),
                brokers: brokers.iter().map(|id| known.member(*id)).collect(),
                topics: known.knows_topics().then_some(topics),
            })
            .collect(),
        internal: taken.internal,
        unmapped: taken.unmapped,
        findings,
        assignments,
    }
}

impl Resolved {
    /// The input of a planner: topics and their brokers. If several maps take a topic, the first one keeps it.
    ///
    /// # Errors
    /// [`Refused`] with every finding that is an error.
    pub fn assignments(&self) -> Result<&[Assignment], Refused> {
        let findings: Vec<MapFinding> = self.of_severity(MapSeverity::Error).cloned().collect();
        if findings.is_empty() { Ok(&self.assignments) } else { Err(Refused { findings }) }
    }

    /// The findings of one severity.
    pub fn of_severity(&self, severity: MapSeverity) -> impl Iterator<Item = &MapFinding> {
        self.findings.iter().filter(move |finding| finding.severity() == severity)
    }

    /// Removes the findings about maps that only wait for their first topic, and returns them.
    ///
    /// A map that misses its topics by a typing error stays refused. Its pattern matches a part of a topic's name, or
    /// topics fall to the map `rest`, which may be meant for it. Without such a map, a missed topic has no map at all.
    pub fn let_maps_wait(&mut self, maps: &MapSet) -> Vec<MapFinding> {
        let rest = maps.maps().iter().zip(&self.maps).find(|(map, _)| map.is_rest());
        let left = rest.and_then(|(_, resolved)| resolved.topics.as_ref());
        if left.is_some_and(|topics| topics.iter().any(|topic| !topic.starts_with("__"))) {
            return Vec::new();
        }
        let (waiting, others) = std::mem::take(&mut self.findings).into_iter().partition(waits);
        self.findings = others;
        waiting
    }

    /// Maps that no plan can satisfy, because they ask for more replicas than they have brokers.
    ///
    /// They are not among the findings: one such map is no reason to refuse plans for the topics of other maps. The planner
    /// refuses them for its own topics.
    pub fn too_many_replicas(&self, maps: &[Map]) -> Vec<MapFinding> {
        let mut findings = Vec::new();
        for (written, resolved) in maps.iter().zip(&self.maps) {
            let brokers: BTreeSet<BrokerId> = resolved.brokers.iter().map(|b| b.id).collect();
            let replication = written.replication.unwrap_or_default();
            let wanted = usize::try_from(replication).unwrap_or(usize::MAX);
            if !brokers.is_empty() && wanted > brokers.len() {
                let map = resolved.name.clone();
                findings.push(MapFinding::TooManyReplicas { map, replication, brokers });
            }
        }
        findings
    }

    /// The findings that concern one map.
    pub fn problems_of(&self, map: &MapName) -> impl Iterator<Item = &MapFinding> {
        self.findings.iter().filter(move |finding| finding.names(map))
    }
}

/// Whether the finding is about a map whose pattern matches no part of any name.
fn waits(finding: &MapFinding) -> bool {
    matches!(finding, MapFinding::NoTopics { problem: ScopeError::MatchesNothing { parts, .. }, .. } if parts.is_empty())
}

/// One finding for each pair of maps with the same brokers, unless both allow that.
fn shared_brokers(maps: &MapSet, by_map: &[BTreeSet<BrokerId>]) -> Vec<MapFinding> {
    let maps: Vec<(&Map, &BTreeSet<BrokerId>)> =
        maps.maps().iter().zip(by_map).filter(|(map, _)| !map.is_rest()).collect();
    let mut findings = Vec::new();
    for (position, (second, theirs)) in maps.iter().enumerate() {
        for (first, brokers) in &maps[..position] {
            let may = [first, second].iter().all(|map| map.allows(Allowance::SharedBrokers));
            let both: BTreeSet<BrokerId> = brokers.intersection(theirs).copied().collect();
            if !both.is_empty() && !may {
                findings.push(MapFinding::BrokersShared {
                    first: first.name.clone(),
                    second: second.name.clone(),
                    brokers: both,
                });
            }
        }
    }
    findings
}

/// The assignments of maps that take existing topics, then that of the map `rest`, or else of internal topics.
fn assignments(
    maps: &MapSet,
    known: &MapFacts<'_>,
    taken: &Taken,
    by_map: &[BTreeSet<BrokerId>],
) -> Vec<Assignment> {
    let mut assignments = Vec::new();
    let of_all = by_map.iter().flatten().copied().collect();
    let mut last = Assignment::new(TopicSelection::Internal, of_all);
    for ((map, brokers), topics) in maps.maps().iter().zip(by_map).zip(&taken.by_map) {
        let assignment = |topics| Assignment {
            map: Some(map.name.to_string()),
            topics,
            brokers: brokers.clone(),
            replication: map.replication,
        };
        let exists = |name: &String| known.cluster.is_some_and(|c| c.topic(name).is_some());
        match &map.topics {
            MapTopics::Rest => last = assignment(TopicSelection::Rest),
            // A pattern that matches no existing topic is no scope, and a planner would refuse it.
            MapTopics::Matching(pattern) if topics.iter().any(exists) => {
                assignments.push(assignment(TopicSelection::Matching(Scope {
                    include: vec![pattern.clone()],
                    exclude: Vec::new(),
                })));
            }
            MapTopics::Matching(_) => {}
        }
    }
    assignments.push(last);
    assignments
}
