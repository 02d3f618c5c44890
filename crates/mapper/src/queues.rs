//! The brokers of each rack, the most preferable first: so that filling a million seats does not look at every broker
//! for each.

use crate::dense::BrokerIx;

/// What a broker is preferred by, apart from its id; smallest first.
pub(crate) type Preference = (u64, u64);

/// A queue for each rack, kept in order while preferences change.
pub(crate) struct Queues<'a> {
    rack: &'a [usize],
    preference: Vec<Preference>,
    /// Ascending. A rack has so few brokers that shifting them in one piece of memory is less than a tree takes.
    by_rack: Vec<Vec<(Preference, BrokerIx)>>,
}

impl<'a> Queues<'a> {
    /// `rack` and `preference` by broker; `racks`: how many there are.
    pub(crate) fn new(rack: &'a [usize], racks: usize, preference: Vec<Preference>) -> Self {
        let mut by_rack = vec![Vec::new(); racks];
        for ((broker, rack), preference) in (0..).zip(rack).zip(&preference) {
            by_rack[*rack].push((*preference, broker));
        }
        by_rack.iter_mut().for_each(|queue| queue.sort_unstable());
        Self { rack, preference, by_rack }
    }

    /// Puts a broker where its new preference belongs.
    pub(crate) fn update(&mut self, broker: BrokerIx, preference: Preference) {
        let queue = &mut self.by_rack[self.rack[broker as usize]];
        let old = std::mem::replace(&mut self.preference[broker as usize], preference);
        let (old, new) = ((old, broker), (preference, broker));
        let from = queue.partition_point(|entry| *entry < old);
        let to = queue.partition_point(|entry| *entry < new);
        if from < to {
            queue[from..to].rotate_left(1);
            queue[to - 1] = new;
        } else {
            queue[to..=from].rotate_right(1);
            queue[to] = new;
        }
    }

    /// The brokers of one rack, in order of preference.
    pub(crate) fn of(&self, rack: usize) -> impl Iterator<Item = BrokerIx> {
        self.by_rack[rack].iter().map(|(_, broker)| *broker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_stands_where_its_preference_belongs_wherever_it_stood() {
        let start = [(3, 0), (1, 0), (2, 0), (2, 0), (9, 0)];
        for broker in 0..5 {
            for share in 0..11 {
                let mut queues = Queues::new(&[0; 5], 1, start.to_vec());
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
