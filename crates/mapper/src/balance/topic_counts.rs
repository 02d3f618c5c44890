//! How many replicas of each topic each broker holds, in one flat array.

use super::state::BalanceState;
use crate::dense::BrokerIx;

/// The replicas of each topic on each broker that holds any. A topic has no more entries than replicas, so its part of
/// the array never grows.
#[derive(Clone)]
pub(super) struct TopicCounts {
    /// For each topic the index of its first entry.
    first: Vec<usize>,
    /// For each topic the number of its entries.
    length: Vec<usize>,
    /// Brokers in ascending order, each with its replicas of the topic.
    entries: Vec<(BrokerIx, u32)>,
}

impl TopicCounts {
    pub(super) fn new(state: &BalanceState<'_>) -> Self {
        let topics = state.cluster.snapshot.topics().len();
        let mut counts = Self {
            first: Vec::with_capacity(topics),
            length: Vec::with_capacity(topics),
            entries: Vec::with_capacity(state.cluster.seats.len()),
        };
        let mut brokers = Vec::new();
        for partitions in state.cluster.first_partition.windows(2) {
            brokers.clear();
            for partition in partitions[0]..partitions[1] {
                brokers.extend_from_slice(state.seats_of(partition));
            }
            brokers.sort_unstable();
            let first = counts.entries.len();
            let alike = brokers.chunk_by(|one, other| one == other);
            let entry =
                |alike: &[BrokerIx]| Some((*alike.first()?, u32::try_from(alike.len()).ok()?));
            counts.entries.extend(alike.filter_map(entry));
            counts.first.push(first);
            counts.length.push(counts.entries.len() - first);
            counts.entries.resize(first + brokers.len(), (0, 0));
        }
        counts
    }

    /// The brokers that hold replicas of a topic, ascending, each with their number.
    pub(super) fn of(&self, topic: usize) -> &[(BrokerIx, u32)] {
        let first = self.first[topic];
        &self.entries[first..first + self.length[topic]]
    }

    /// The replicas of a topic on a broker.
    pub(super) fn held(&self, topic: usize, broker: BrokerIx) -> u32 {
        let of = self.of(topic);
        of.binary_search_by_key(&broker, |entry| entry.0).map_or(0, |at| of[at].1)
    }

    /// The topic's replicas on each of these brokers, ascending: one pass over both lists, as each has a thousand entries.
    pub(super) fn held_by<'c>(
        &'c self,
        topic: usize,
        brokers: &'c [BrokerIx],
    ) -> impl Iterator<Item = (BrokerIx, u32)> + 'c {
        let mut entries = self.of(topic).iter().peekable();
        brokers.iter().map(move |broker| {
            while entries.next_if(|entry| entry.0 < *broker).is_some() {}
            (*broker, entries.next_if(|entry| entry.0 == *broker).map_or(0, |entry| entry.1))
        })
    }

    /// Counts a replica that goes from one broker to another.
    pub(super) fn shift(&mut self, topic: usize, from: BrokerIx, to: BrokerIx) {
        let (first, length) = (self.first[topic], self.length[topic]);
        let find = |entries: &[(BrokerIx, u32)], broker| {
            entries.binary_search_by_key(&broker, |entry| entry.0)
        };
        if let Ok(at) = find(&self.entries[first..first + length], from) {
            self.entries[first + at].1 -= 1;
            if self.entries[first + at].1 == 0 {
                self.entries[first + at..first + length].rotate_left(1);
                self.length[topic] -= 1;
            }
        }
        let length = self.length[topic];
        match find(&self.entries[first..first + length], to) {
            Ok(at) => self.entries[first + at].1 += 1,
            Err(at) => {
                self.entries[first + length] = (to, 1);
                self.entries[first + at..=first + length].rotate_right(1);
                self.length[topic] += 1;
            }
        }
    }
}
