//! Which changes make the cluster match the definitions.
//!
//! In: definitions within their maps, the cluster, what earlier runs have done. Out: a [`TopicChanges`]: the changes
//! that are possible at once, those that need a plan, and those that are not made, with the reason. A topic without a
//! definition is in none of them, unless an earlier run created it.

use crate::place::{MissingPartitions, place};
use crate::prune::{EndOffsets, Prune, candidates};
use crate::within::Mapped;
use crate::{Definition, Definitions, Deployment, DeploymentReplicas, TopicsRunRecord, same_value};
use mapper::maps::{MapName, ResolvedMap};
use mapper::scope::TopicPattern;
use mapper::snapshot::{Snapshot, Topic};
use mapper::{Assignment, BrokerId, NoPlan, PartitionId, Replicas, TopicId, TopicSelection};
use std::collections::{BTreeMap, BTreeSet};

/// The current cluster.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// Brokers, topics, configs.
    pub snapshot: &'a Snapshot,
    /// The topics' ids, if the cluster reports them.
    pub ids: &'a BTreeMap<String, TopicId>,
    /// Topics whose configs are unknown.
    pub configs_untold: &'a BTreeSet<String>,
    /// The end offsets of topics that an earlier run created and that are no longer defined.
    pub end_offsets: &'a BTreeMap<String, EndOffsets>,
    /// The replicas of the Deployments that definitions name.
    pub replicas: &'a DeploymentReplicas,
    /// Seconds since 1970-01-01 UTC.
    pub now: i64,
}

/// The limits of a run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only topics that one of these matches; none: all.
    pub only: Vec<TopicPattern>,
    /// Create topics again that an earlier run created and another tool deleted.
    pub recreate: bool,
    /// Delete topics that an earlier run created and that are no longer defined; none: delete nothing.
    pub prune: Option<PruneLimits>,
}

/// The limits for deletions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PruneLimits {
    /// How long a topic has to be neither defined nor written to, in seconds.
    pub after_seconds: i64,
    /// The most topics that a run deletes.
    pub max: usize,
}

impl Options {
    /// Whether the run may change this topic.
    pub fn covers(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|pattern| !pattern.select(&[name]).is_empty())
    }
}

/// The changes, each list in order of topic.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicChanges {
    /// Topics to create.
    pub create: Vec<Create>,
    /// Topics that lack partitions.
    pub grow: Vec<Grow>,
    /// Topics whose configs differ from the definition.
    pub configs: Vec<TopicConfigChange>,
    /// Topics whose replicas have to move, or whose replication factor changes: they need a plan.
    pub moves: Vec<Moving>,
    /// Definitions that are not applied.
    pub held: Vec<HeldTopic>,
    /// Topics that an earlier run created and that are no longer defined.
    pub prune: Vec<Prune>,
}

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// Its name.
    pub topic: String,
    /// Its map.
    pub map: MapName,
    /// The replicas of each partition.
    pub replicas: Vec<Replicas>,
    /// Its configs.
    pub config: BTreeMap<String, String>,
}

/// A topic that gets partitions. Records with a key then go to other partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grow {
    /// Its name.
    pub topic: String,
    /// Its map.
    pub map: MapName,
    /// How many partitions there are.
    pub from: u32,
    /// The replicas of each new partition.
    pub replicas: Vec<Replicas>,
}

impl Grow {
    /// How many partitions there will be.
    pub fn to(&self) -> u32 {
        self.from + u32::try_from(self.replicas.len()).unwrap_or(u32::MAX)
    }
}

/// Config changes of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicConfigChange {
    /// The topic.
    pub topic: String,
    /// The values to set, by key.
    pub set: BTreeMap<String, String>,
    /// Keys that an earlier run set and that are no longer defined.
    pub unset: BTreeSet<String>,
    /// The current values of all these keys.
    pub before: BTreeMap<String, String>,
}

/// A topic whose replicas have to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moving {
    /// The topic.
    pub topic: String,
    /// Its map.
    pub map: MapName,
    /// The defined replication factor.
    pub replication: u32,
    /// How many partitions have another factor.
    pub wrong_replication: usize,
    /// How many replicas are not on the map's brokers.
    pub off_map: usize,
}

/// A topic that does not match its definition, and stays so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldTopic {
    /// The topic.
    pub topic: String,
    /// The reason.
    pub why: WhyHeld,
}

/// Why a definition is not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhyHeld {
    /// Kafka cannot remove partitions.
    #[error("it has {from} partitions and {to} are defined: partitions cannot be taken away")]
    Shrink {
        /// The current count.
        from: u32,
        /// The defined count.
        to: u32,
    },
    /// Kafka finds groups and transactions by the number of these partitions.
    #[error("it has {from} partitions and {to} are defined: an internal topic must not get more")]
    InternalGrows {
        /// The current count.
        from: u32,
        /// The defined count.
        to: u32,
    },
    /// Its partitions are the replicas of a Deployment that does not exist.
    #[error("its partitions are the replicas of {0}, which does not exist")]
    NoDeployment(Deployment),
    /// It is to be created, with the replicas of a Deployment that has none.
    #[error("its partitions are the replicas of {0}, which has none")]
    NoReplicas(Deployment),
    /// An earlier run created it, and it no longer exists.
    #[error("it was made by an earlier run, and somebody has deleted it")]
    Deleted,
    /// Its partitions cannot be placed.
    #[error("{0}")]
    NoPlace(NoPlan),
    /// Its configs are unknown.
    #[error("nobody told its configs, so they are left alone")]
    ConfigUntold,
}

impl TopicChanges {
    /// Whether the cluster matches the definitions, and no created topic is left over.
    pub fn is_empty(&self) -> bool {
        let Self { create, grow, configs, moves, held, prune } = self;
        create.is_empty()
            && grow.is_empty()
            && configs.is_empty()
            && moves.is_empty()
            && held.is_empty()
            && prune.is_empty()
    }

    fn hold(&mut self, topic: &str, why: WhyHeld) {
        self.held.push(HeldTopic { topic: topic.to_owned(), why });
    }

    /// The assignments with which a planner moves these topics to their brokers. `topics` are those of the definitions.
    pub fn assignments(&self, topics: &[Mapped<'_>]) -> Vec<Assignment> {
        let wanted: BTreeMap<&str, &Mapped<'_>> =
            topics.iter().map(|topic| (topic.definition.name.as_str(), topic)).collect();
        let mut groups: BTreeMap<(&str, u32), Assignment> = BTreeMap::new();
        for mapped in self.moves.iter().filter_map(|moving| wanted.get(moving.topic.as_str())) {
            let (map, replication) = (mapped.map.name.as_str(), mapped.replication);
            let group = groups.entry((map, replication)).or_insert_with(|| Assignment {
                map: Some(map.to_owned()),
                topics: TopicSelection::Named(BTreeSet::new()),
                brokers: mapped.map.brokers.iter().map(|member| member.id).collect(),
                replication: Some(replication),
            });
            if let TopicSelection::Named(names) = &mut group.topics {
                names.insert(mapped.definition.name.clone());
            }
        }
        groups.into_values().collect()
    }
}

/// Makes the decision. `state` is the result of [`TopicsRunRecord::held_against`]. What this look shows of topics that
/// are no longer defined is recorded in it.
pub fn decide(
    definitions: &Definitions,
    topics: &[Mapped<'_>],
    observed: &Observed<'_>,
    state: &mut TopicsRunRecord,
    options: &Options,
) -> TopicChanges {
    let mut decision = TopicChanges::default();
    let mut wanted = Vec::new();
    for mapped in topics.iter().filter(|mapped| options.covers(&mapped.definition.name)) {
        match observed.snapshot.topic(&mapped.definition.name) {
            Some(topic) => compare(mapped, topic, observed, state, &mut decision, &mut wanted),
            None => match missing(mapped, observed, state, options) {
                Ok(new) => wanted.push(new),
                Err(why) => decision.hold(&mapped.definition.name, *why),
            },
        }
    }
    place_all(&wanted, observed.snapshot, &mut decision);
    decision.held.sort_by(|a, b| a.topic.cmp(&b.topic));
    decision.prune = candidates(definitions, observed, options, state);
    decision
}

fn missing<'a>(
    mapped: &'a Mapped<'a>,
    observed: &Observed<'_>,
    state: &TopicsRunRecord,
    options: &Options,
) -> Result<MissingPartitions<'a>, Box<WhyHeld>> {
    let made_before = state.topics.get(&mapped.definition.name).is_some_and(|topic| topic.owned);
    if made_before && !options.recreate {
        return Err(Box::new(WhyHeld::Deleted));
    }
    let to = wanted_partitions(mapped.definition, observed, 0)?;
    Ok(MissingPartitions { topic: mapped, replication: mapped.replication, from: 0, to })
}

/// The number of partitions that a topic should have, where `present` exist.
fn wanted_partitions(
    definition: &Definition,
    observed: &Observed<'_>,
    present: u32,
) -> Result<u32, Box<WhyHeld>> {
    let count = &definition.partitions;
    match (count.resolved(observed.replicas, present), count.deployment()) {
        (Some(0), Some(deployment)) => Err(Box::new(WhyHeld::NoReplicas(deployment.clone()))),
        (None, Some(deployment)) => Err(Box::new(WhyHeld::NoDeployment(deployment.clone()))),
        (number, _) => Ok(number.unwrap_or(present)),
    }
}

fn compare<'a>(
    mapped: &'a Mapped<'a>,
    topic: &Topic,
    observed: &Observed<'_>,
    state: &TopicsRunRecord,
    decision: &mut TopicChanges,
    wanted: &mut Vec<MissingPartitions<'a>>,
) {
    match more_partitions(mapped, topic, observed) {
        Ok(Some(more)) => wanted.push(more),
        Ok(None) => {}
        Err(why) => decision.hold(&topic.name, *why),
    }
    let keys = state.keys(&topic.name);
    if observed.configs_untold.contains(&topic.name) {
        if !mapped.definition.config.is_empty() || !keys.is_empty() {
            decision.hold(&topic.name, WhyHeld::ConfigUntold);
        }
    } else {
        decision.configs.extend(config_change(mapped, topic, &keys));
    }
    decision.moves.extend(moving(mapped, topic));
}

fn more_partitions<'a>(
    mapped: &'a Mapped<'a>,
    topic: &Topic,
    observed: &Observed<'_>,
) -> Result<Option<MissingPartitions<'a>>, Box<WhyHeld>> {
    let from = u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX);
    let to = wanted_partitions(mapped.definition, observed, from)?;
    if to < from {
        return Err(Box::new(WhyHeld::Shrink { from, to }));
    }
    if to == from {
        return Ok(None);
    }
    if topic.is_internal() {
        return Err(Box::new(WhyHeld::InternalGrows { from, to }));
    }
    // Kafka accepts new partitions only with the replication factor of the topic's first partition.
    let first = topic.partitions.first().map_or(0, |partition| partition.replicas.len());
    let replication = u32::try_from(first).unwrap_or(mapped.replication);
    Ok(Some(MissingPartitions { topic: mapped, replication, from, to }))
}

fn config_change(
    mapped: &Mapped<'_>,
    topic: &Topic,
    keys: &BTreeSet<&str>,
) -> Option<TopicConfigChange> {
    let defined = &mapped.definition.config;
    let differs =
        |key: &str, value: &str| topic.config.get(key).is_none_or(|set| !same_value(set, value));
    let set: BTreeMap<String, String> = defined
        .iter()
        .filter(|(key, written)| differs(key, &written.value))
        .map(|(key, written)| (key.clone(), written.value.clone()))
        .collect();
    let left = |key: &&&str| !defined.contains_key(**key) && topic.config.contains_key(**key);
    let unset: BTreeSet<String> = keys.iter().filter(left).map(|key| (*key).to_owned()).collect();
    let before =
        topic.config.iter().filter(|(key, _)| set.contains_key(*key) || unset.contains(*key));
    let before = before.map(|(key, value)| (key.clone(), value.clone())).collect();
    let changes = !set.is_empty() || !unset.is_empty();
    changes.then(|| TopicConfigChange { topic: topic.name.clone(), set, unset, before })
}

fn moving(mapped: &Mapped<'_>, topic: &Topic) -> Option<Moving> {
    let brokers: BTreeSet<BrokerId> = mapped.map.brokers.iter().map(|member| member.id).collect();
    let factor = mapped.replication as usize;
    let lists = || topic.partitions.iter().map(|partition| &partition.replicas);
    let wrong_replication = lists().filter(|replicas| replicas.len() != factor).count();
    let off_map = lists().flatten().filter(|id| !brokers.contains(id)).count();
    (wrong_replication > 0 || off_map > 0).then(|| Moving {
        topic: topic.name.clone(),
        map: mapped.map.name.clone(),
        replication: mapped.replication,
        wrong_replication,
        off_map,
    })
}

/// Places the new partitions, map by map.
fn place_all(wanted: &[MissingPartitions<'_>], snapshot: &Snapshot, decision: &mut TopicChanges) {
    let mut maps: BTreeMap<&MapName, (&ResolvedMap, Vec<MissingPartitions<'_>>)> = BTreeMap::new();
    for wanted in wanted {
        let map = wanted.topic.map;
        maps.entry(&map.name).or_insert((map, Vec::new())).1.push(*wanted);
    }
    for (map, wanted) in maps.into_values() {
        for (wanted, placed) in wanted.iter().zip(place(snapshot, map, &wanted)) {
            let (definition, map) = (wanted.topic.definition, map.name.clone());
            let topic = definition.name.clone();
            match placed {
                Err(why) => decision.hold(&topic, WhyHeld::NoPlace(why)),
                Ok(replicas) if wanted.from > 0 => {
                    decision.grow.push(Grow { topic, map, from: wanted.from, replicas });
                }
                Ok(replicas) => {
                    let config = definition.config.iter();
                    let config = config.map(|(key, w)| (key.clone(), w.value.clone())).collect();
                    decision.create.push(Create { topic, map, replicas, config });
                }
            }
        }
    }
    decision.create.sort_by(|a, b| a.topic.cmp(&b.topic));
    decision.grow.sort_by(|a, b| a.topic.cmp(&b.topic));
}

impl Create {
    /// Each partition with its replicas.
    pub fn partitions(&self) -> impl Iterator<Item = (PartitionId, &Replicas)> {
        (0..).map(PartitionId).zip(&self.replicas)
    }
}
