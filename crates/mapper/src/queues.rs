//! The brokers of each rack, the most preferable first: so that filling a million seats does not look at every broker
//! for each.

use crate::dense::BrokerIx;
use std::collections::BTreeSet;

/// What a broker is preferred by, apart from its id; smallest first.
pub(crate) type Preference = (u64, u64);

/// A queue for each rack, kept in order while preferences change.
pub(crate) struct Queues<'a> {
    rack: &'a [usize],
    preference: Vec<Preference>,
    by_rack: Vec<BTreeSet<(Preference, BrokerIx)>>,
}

impl<'a> Queues<'a> {
    /// `rack` and `preference` by broker; `racks`: how many there are.
    pub(crate) fn new(rack: &'a [usize], racks: usize, preference: Vec<Preference>) -> Self {
        let mut by_rack = vec![BTreeSet::new(); racks];
        for ((broker, rack), preference) in (0..).zip(rack).zip(&preference) {
            by_rack[*rack].insert((*preference, broker));
        }
        Self { rack, preference, by_rack }
    }

    /// Puts a broker where its new preference belongs.
    pub(crate) fn update(&mut self, broker: BrokerIx, preference: Preference) {
        let queue = &mut self.by_rack[self.rack[broker as usize]];
        let old = std::mem::replace(&mut self.preference[broker as usize], preference);
        queue.remove(&(old, broker));
        queue.insert((preference, broker));
    }

    /// The brokers of one rack, in order of preference.
    pub(crate) fn of(&self, rack: usize) -> impl Iterator<Item = BrokerIx> {
        self.by_rack[rack].iter().map(|(_, broker)| *broker)
    }
}
