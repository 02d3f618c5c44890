//! The brokers of each rack, the most preferred first. So filling a million seats does not examine every broker for each
//! seat.

use crate::dense::BrokerIx;
use std::collections::VecDeque;

/// The preference for a broker, apart from its id; the smallest comes first.
pub(crate) type Preference = (u64, u64);

type QueueEntry = (Preference, BrokerIx);

/// A queue for each rack, kept in order while preferences change.
pub(crate) struct RackQueues<'a> {
    rack: &'a [usize],
    preference: Vec<Preference>,
    /// Ascending. The first broker takes a replica and moves near the end, which shifts few entries of a ring buffer.
    by_rack: Vec<VecDeque<QueueEntry>>,
}

impl<'a> RackQueues<'a> {
    /// `rack` and `preference` by broker; `racks`: the number of racks.
    pub(crate) fn new(rack: &'a [usize], racks: usize, preference: Vec<Preference>) -> Self {
        let mut by_rack = vec![VecDeque::new(); racks];
        for ((broker, rack), preference) in (0..).zip(rack).zip(&preference) {
            by_rack[*rack].push_back((*preference, broker));
        }
        by_rack.iter_mut().for_each(|queue| queue.make_contiguous().sort_unstable());
        Self { rack, preference, by_rack }
    }

    /// Moves a broker to the position of its new preference.
    pub(crate) fn update(&mut self, broker: BrokerIx, preference: Preference) {
        let queue = &mut self.by_rack[self.rack[broker as usize]];
        let old = std::mem::replace(&mut self.preference[broker as usize], preference);
        let (old, new) = ((old, broker), (preference, broker));
        let from = match queue.front() {
            Some(first) if *first == old => 0,
            Some(_) | None => queue.partition_point(|entry| *entry < old),
        };
        queue.remove(from);
        queue.insert(place_from_end(queue, &new), new);
    }

    /// The brokers of one rack, in order of preference.
    pub(crate) fn of(&self, rack: usize) -> impl Iterator<Item = BrokerIx> {
        self.by_rack[rack].iter().map(|(_, broker)| *broker)
    }
}

/// The position of a new entry, searched in growing strides from the end.
fn place_from_end(queue: &VecDeque<QueueEntry>, new: &QueueEntry) -> usize {
    let (mut after, mut stride) = (queue.len(), 1);
    let mut before = loop {
        let Some(at) = after.checked_sub(stride) else { break 0 };
        if queue[at] < *new {
            break at + 1;
        }
        (after, stride) = (at, stride * 2);
    };
    while before < after {
        let middle = before.midpoint(after);
        if queue[middle] < *new {
            before = middle + 1;
        } else {
            after = middle;
        }
    }
    before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_stands_where_its_preference_belongs_wherever_it_stood() {
        let start = [(3, 0), (1, 0), (2, 0), (2, 0), (9, 0)];
        for broker in 0..5 {
            for share in 0..11 {
                let mut queues = RackQueues::new(&[0; 5], 1, start.to_vec());
                queues.update(broker, (share, 0));
                let mut sorted: Vec<(Preference, BrokerIx)> = start.into_iter().zip(0..).collect();
                sorted[broker as usize].0 = (share, 0);
                sorted.sort_unstable();
                let sorted: Vec<BrokerIx> = sorted.into_iter().map(|(_, broker)| broker).collect();
                assert_eq!(queues.of(0).collect::<Vec<_>>(), sorted, "{broker} to {share}");
            }
        }
    }
}
