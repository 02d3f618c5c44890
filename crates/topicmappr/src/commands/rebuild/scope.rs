//! The topics of a rebuild and the brokers allowed for them, from maps or from flags.

use super::{Args, map_string};
use crate::error::Error;
use crate::flags::holders;
use crate::session::Session;
use local::maps::Maps;
use mapper::maps::{MapFinding, Unmapped};
use mapper::scope::Scope;
use mapper::snapshot::Topic;
use mapper::{Assignment, BaseReplicas, BrokerId, LeaderEvacuation, Snapshot, TopicSelection};
use std::collections::BTreeSet;

/// The scope of a rebuild, resolved.
pub(super) struct Scoped {
    pub(super) assignments: Vec<Assignment>,
    /// The lists of `--map-string`.
    pub(super) base: Vec<BaseReplicas>,
    /// The findings of resolving the maps.
    pub(super) findings: Vec<MapFinding>,
    /// Topics that no map takes.
    pub(super) unmapped: Vec<Unmapped>,
    /// Brokers that must not lead some of the topics.
    pub(super) evacuation: Option<LeaderEvacuation>,
}

/// With `--brokers`, the flags say both; without, the maps do.
pub(super) fn find(
    args: &Args,
    session: &mut Session<'_, '_>,
    snapshot: &Snapshot,
    maps: &Maps,
) -> Result<Scoped, Error> {
    let mut scoped = match (&args.brokers, maps.written().is_empty()) {
        (Some(_), _) => from_flags(args, session, snapshot, maps)?,
        (None, false) => from_maps(args, snapshot, maps)?,
        (None, true) => {
            let message = "rebuild needs --maps FILE, or --topics REGEX with --brokers IDS";
            return Err(Error::flags(message));
        }
    };
    if args.replication > 0 {
        for assignment in &mut scoped.assignments {
            assignment.replication = Some(args.replication);
        }
    }
    // Patterns that mean nothing are the caller's mistake, not the planner's "no".
    mapper::assign(snapshot, &scoped.assignments)?;
    scoped.evacuation = args.evacuation.resolve(snapshot, maps)?;
    Ok(scoped)
}

fn from_maps(args: &Args, snapshot: &Snapshot, maps: &Maps) -> Result<Scoped, Error> {
    if args.map_string.is_some() {
        let message = "--map-string needs --brokers: maps name no replica lists";
        return Err(Error::flags(message));
    }
    let resolved = maps.resolve(Some(snapshot));
    let mut assignments = resolved.assignments()?.to_vec();
    if !args.topics.chooses_all() {
        let scope = args.topics.scope(Some(".*"))?;
        assignments = narrowed(assignments, snapshot, &scope)?;
    }
    Ok(Scoped {
        assignments,
        base: Vec::new(),
        findings: resolved.findings,
        unmapped: resolved.unmapped,
        evacuation: None,
    })
}

/// The same maps, for some of their topics only.
pub(crate) fn narrowed(
    assignments: Vec<Assignment>,
    snapshot: &Snapshot,
    scope: &Scope,
) -> Result<Vec<Assignment>, Error> {
    let taken = mapper::assign(snapshot, &assignments)?;
    let selected = scope.select(&names(snapshot))?;
    let topics_of = |index: usize| {
        let topics = snapshot.topics().iter().zip(&taken);
        topics
            .filter(|(topic, by)| **by == Some(index) && selected.contains(topic.name.as_str()))
            .map(|(topic, _)| topic.name.clone())
            .collect()
    };
    Ok(assignments
        .into_iter()
        .enumerate()
        .map(|(index, assignment)| Assignment {
            topics: TopicSelection::Named(topics_of(index)),
            ..assignment
        })
        .filter(|assignment| assignment.topics != TopicSelection::Named(BTreeSet::new()))
        .collect())
}

fn from_flags(
    args: &Args,
    session: &mut Session<'_, '_>,
    snapshot: &Snapshot,
    maps: &Maps,
) -> Result<Scoped, Error> {
    let (topics, base) = match &args.map_string {
        Some(value) => given(args, value, session, snapshot)?,
        None if args.topics.is_empty() => {
            let message = "--brokers needs --topics REGEX, or --map-string JSON";
            return Err(Error::flags(message));
        }
        None => (TopicSelection::Matching(args.topics.scope(None)?), Vec::new()),
    };
    let mut assignment = Assignment::new(topics, BTreeSet::new());
    let holding = holding(snapshot, &assignment, &base)?;
    if let Some(list) = &args.brokers {
        assignment.brokers = list.resolve(snapshot, &holding, &maps.brokers(snapshot))?;
    }
    Ok(Scoped {
        assignments: vec![assignment],
        base,
        findings: Vec::new(),
        unmapped: Vec::new(),
        evacuation: None,
    })
}

/// The lists of `--map-string`, less the topics excluded; every partition has to exist.
fn given(
    args: &Args,
    value: &str,
    session: &mut Session<'_, '_>,
    snapshot: &Snapshot,
) -> Result<(TopicSelection, Vec<BaseReplicas>), Error> {
    let mut lists = map_string::read(value, session.streams.stdin)?;
    let missing = |list: &&BaseReplicas| snapshot.partition(&list.topic, list.partition).is_none();
    if let Some(list) = lists.iter().find(missing) {
        let (topic, partition) = (&list.topic, list.partition);
        let message = format!("--map-string: partition {topic}-{partition} does not exist");
        return Err(Error::flags(message));
    }
    let kept = args.topics.scope_of_excludes()?.select(&names(snapshot))?;
    lists.retain(|list| kept.contains(list.topic.as_str()));
    let topics = lists.iter().map(|list| list.topic.clone()).collect();
    Ok((TopicSelection::Named(topics), lists))
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    let topics = snapshot.topics().iter();
    topics.map(|topic| topic.name.as_str()).collect()
}

/// The brokers that have the topics now: in the lists given, where any are.
fn holding(
    snapshot: &Snapshot,
    assignment: &Assignment,
    base: &[BaseReplicas],
) -> Result<BTreeSet<BrokerId>, Error> {
    if !base.is_empty() {
        let seats = base.iter().flat_map(|list| &list.replicas);
        return Ok(seats.flatten().copied().collect());
    }
    Ok(holders(in_scope(snapshot, assignment)?))
}

/// The topics that an assignment takes.
pub(crate) fn in_scope<'s>(
    snapshot: &'s Snapshot,
    assignment: &Assignment,
) -> Result<impl Iterator<Item = &'s Topic> + use<'s>, Error> {
    let taken = mapper::assign(snapshot, std::slice::from_ref(assignment))?;
    let topics = snapshot.topics().iter().zip(taken);
    Ok(topics.filter(|(_, index)| index.is_some()).map(|(topic, _)| topic))
}
