//! The topics of a rebuild and the brokers allowed for them, from maps or from flags.

use super::{Args, map_string};
use crate::commands::scope::{PlanScope, in_scope, names};
use crate::error::Error;
use crate::flags::holders;
use crate::session::Session;
use local::maps::Maps;
use mapper::{Assignment, BaseReplicas, BrokerId, LeaderEvacuation, Snapshot, TopicSelection};
use std::collections::BTreeSet;

/// The scope of a rebuild, resolved.
pub(super) struct Scoped {
    pub(super) scope: PlanScope,
    /// The lists of `--map-string`.
    pub(super) base: Vec<BaseReplicas>,
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
        for assignment in &mut scoped.scope.assignments {
            assignment.replication = Some(args.replication);
        }
    }
    // Patterns that mean nothing are the caller's mistake, not the planner's "no".
    mapper::assign(snapshot, &scoped.scope.assignments)?;
    scoped.evacuation = args.evacuation.resolve(snapshot, maps)?;
    Ok(scoped)
}

fn from_maps(args: &Args, snapshot: &Snapshot, maps: &Maps) -> Result<Scoped, Error> {
    if args.map_string.is_some() {
        let message = "--map-string needs --brokers: maps name no replica lists";
        return Err(Error::flags(message));
    }
    let scope = PlanScope::of_maps(&args.topics, snapshot, maps)?;
    Ok(Scoped { scope, base: Vec::new(), evacuation: None })
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
    Ok(Scoped { scope: PlanScope::of(assignment), base, evacuation: None })
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
