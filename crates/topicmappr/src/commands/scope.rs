//! The topics that a command plans, with the brokers allowed for them.

use crate::error::Error;
use crate::flags::TopicArgs;
use local::maps::Maps;
use mapper::maps::{MapFinding, Unmapped};
use mapper::scope::Scope;
use mapper::snapshot::Topic;
use mapper::{Assignment, Snapshot, TopicSelection};
use std::collections::BTreeSet;

/// The scope of a plan, resolved.
#[derive(Default)]
pub(crate) struct PlanScope {
    pub(crate) assignments: Vec<Assignment>,
    /// The findings of resolving the maps.
    pub(crate) findings: Vec<MapFinding>,
    /// Topics that no map takes.
    pub(crate) unmapped: Vec<Unmapped>,
}

impl PlanScope {
    /// From the flags.
    pub(super) fn of(assignment: Assignment) -> Self {
        Self { assignments: vec![assignment], ..Self::default() }
    }

    /// From the maps: their topics, or those that the flags choose of them.
    pub(super) fn of_maps(
        topics: &TopicArgs,
        snapshot: &Snapshot,
        maps: &Maps,
    ) -> Result<Self, Error> {
        let mut scope = Self::whole(snapshot, maps)?;
        if !topics.chooses_all() {
            let chosen = topics.scope(Some(".*"))?;
            scope.assignments = narrowed(scope.assignments, snapshot, &chosen)?;
        }
        Ok(scope)
    }

    /// From the maps; without any, every topic on every live broker.
    #[cfg(feature = "live")]
    pub(crate) fn of_cluster(snapshot: &Snapshot, maps: &Maps) -> Result<Self, Error> {
        if !maps.written().is_empty() {
            return Self::whole(snapshot, maps);
        }
        let live = snapshot.brokers().iter().filter(|broker| broker.live);
        let live = live.map(|broker| broker.id).collect();
        Ok(Self::of(Assignment::new(TopicSelection::Rest, live)))
    }

    fn whole(snapshot: &Snapshot, maps: &Maps) -> Result<Self, Error> {
        let resolved = maps.resolve(Some(snapshot));
        let assignments = resolved.assignments()?.to_vec();
        Ok(Self { assignments, findings: resolved.findings, unmapped: resolved.unmapped })
    }
}

/// The same maps, for some of their topics only.
fn narrowed(
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

pub(super) fn names(snapshot: &Snapshot) -> Vec<&str> {
    let topics = snapshot.topics().iter();
    topics.map(|topic| topic.name.as_str()).collect()
}

/// The topics that an assignment takes.
pub(super) fn in_scope<'s>(
    snapshot: &'s Snapshot,
    assignment: &Assignment,
) -> Result<impl Iterator<Item = &'s Topic> + use<'s>, Error> {
    let taken = mapper::assign(snapshot, std::slice::from_ref(assignment))?;
    let topics = snapshot.topics().iter().zip(taken);
    Ok(topics.filter(|(_, index)| index.is_some()).map(|(topic, _)| topic))
}
