//! Broker ids in bulk, for loops over every replica of a cluster. A look-up in a tree would dominate their cost.

use crate::ids::BrokerId;
use crate::snapshot::Topic;
use std::collections::BTreeSet;

/// Ids below this are looked up in a table, ids above it by a search. A larger table would cost more than the search, and
/// operators do not number brokers that high.
const DIRECT_BELOW: u32 = 1 << 20;

/// The positions of ids in an ascending list.
#[derive(Clone)]
pub(crate) struct Positions {
    ids: Vec<BrokerId>,
    /// Positions by id; empty if ids are too large for a table.
    direct: Vec<u32>,
}

impl Positions {
    pub(crate) fn new(ids: Vec<BrokerId>) -> Self {
        let mut direct = Vec::new();
        if let Some(last) = ids.last().filter(|last| last.0 < DIRECT_BELOW) {
            direct = vec![u32::MAX; last.0 as usize + 1];
            for (position, id) in (0_u32..).zip(&ids) {
                direct[id.0 as usize] = position;
            }
        }
        Self { ids, direct }
    }

    pub(crate) fn of(&self, id: BrokerId) -> Option<u32> {
        if self.direct.is_empty() {
            return self.ids.binary_search(&id).ok().and_then(|at| u32::try_from(at).ok());
        }
        self.direct.get(id.0 as usize).copied().filter(|position| *position != u32::MAX)
    }
}

/// A set of ids.
#[derive(Clone, Default)]
pub(crate) struct IdSet {
    small: Vec<bool>,
    large: BTreeSet<BrokerId>,
}

impl IdSet {
    pub(crate) fn insert(&mut self, id: BrokerId) {
        if id.0 >= DIRECT_BELOW {
            self.large.insert(id);
            return;
        }
        let at = id.0 as usize;
        if at >= self.small.len() {
            self.small.resize(at + 1, false);
        }
        self.small[at] = true;
    }

    /// Those that hold a replica of the topic.
    pub(crate) fn insert_holders(&mut self, topic: &Topic) {
        for id in topic.partitions.iter().flat_map(|partition| &partition.replicas) {
            self.insert(*id);
        }
    }

    pub(crate) fn contains(&self, id: BrokerId) -> bool {
        if id.0 >= DIRECT_BELOW {
            return self.large.contains(&id);
        }
        self.small.get(id.0 as usize).copied().unwrap_or(false)
    }

    /// All ids, ascending.
    pub(crate) fn into_sorted(self) -> Vec<BrokerId> {
        let small = (0_u32..).zip(self.small).filter(|(_, seen)| *seen).map(|(id, _)| BrokerId(id));
        small.chain(self.large).collect()
    }
}

/// The brokers in the replica lists of these topics, ascending.
pub fn holders<'t>(topics: impl IntoIterator<Item = &'t Topic>) -> Vec<BrokerId> {
    let mut holders = IdSet::default();
    topics.into_iter().for_each(|topic| holders.insert_holders(topic));
    holders.into_sorted()
}

impl FromIterator<BrokerId> for IdSet {
    fn from_iter<I: IntoIterator<Item = BrokerId>>(ids: I) -> Self {
        let mut set = Self::default();
        ids.into_iter().for_each(|id| set.insert(id));
        set
    }
}
