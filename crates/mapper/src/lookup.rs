//! Finds partitions by name, for callers that ask for many in a row.

use crate::ids::PartitionId;
use crate::plan::Move;
use crate::snapshot::{Partition, Snapshot, Topic};
use std::cell::Cell;
use std::sync::Arc;

/// Finds partitions of a snapshot. It is fast if the caller asks for all partitions of one topic before the next topic, in
/// the order of plans.
#[derive(Clone)]
pub(crate) struct Lookup<'s> {
    snapshot: &'s Snapshot,
    last: Cell<usize>,
}

impl<'s> Lookup<'s> {
    pub(crate) fn new(snapshot: &'s Snapshot) -> Self {
        Self { snapshot, last: Cell::new(0) }
    }

    /// The position of a topic in the snapshot.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        let (topics, last) = (self.snapshot.topics(), self.last.get());
        let is_named = |at: &usize| topics.get(*at).is_some_and(|topic| topic.name == name);
        let near = [last, last + 1].into_iter().find(is_named);
        let by_name = |topic: &Topic| topic.name.as_str().cmp(name);
        let found = near.or_else(|| topics.binary_search_by(by_name).ok())?;
        self.last.set(found);
        Some(found)
    }

    pub(crate) fn topic(&self, name: &str) -> Option<&'s Topic> {
        self.snapshot.topics().get(self.position(name)?)
    }

    /// Each move with the position of its topic. Moves in a row with the same topic cost one search.
    pub(crate) fn topics_of<'m>(
        &self,
        moves: &'m [Move],
    ) -> impl Iterator<Item = (&'m Move, Option<usize>)> {
        let of_one = moves.chunk_by(|one, next| Arc::ptr_eq(&one.topic, &next.topic));
        of_one.flat_map(move |moves| {
            let topic = self.position(&moves[0].topic);
            moves.iter().map(move |change| (change, topic))
        })
    }

    /// Each move with its partition.
    pub(crate) fn partitions_of<'m>(
        &self,
        moves: &'m [Move],
    ) -> impl Iterator<Item = (&'m Move, Option<&'s Partition>)> {
        self.topics_of(moves).map(move |(change, topic)| {
            let topic = topic.map(|topic| &self.snapshot.topics()[topic]);
            (change, topic.and_then(|topic| topic.partition(change.partition)))
        })
    }

    pub(crate) fn partition(&self, topic: &str, id: PartitionId) -> Option<&'s Partition> {
        self.topic(topic)?.partition(id)
    }
}
