//! A cluster on its way into its bands.

use super::band::Band;
use super::rules::Rules;
use super::shelves::Shelves;
use super::state::{Shift, State};
use crate::dense::BrokerIx;

/// What one round of evening works with.
pub(super) struct Evening<'e, 'a> {
    pub(super) state: &'e mut State<'a>,
    pub(super) rules: &'e Rules<'a>,
    pub(super) shelves: Shelves,
    /// For each broker the band that it should end in; `None` for those that take no part.
    pub(super) bands: Vec<Option<Band>>,
    /// For each broker whether it may give replicas away.
    pub(super) gives: Vec<bool>,
}

impl Evening<'_, '_> {
    pub(super) fn used(&self, broker: BrokerIx) -> u64 {
        self.state.used[broker as usize]
    }

    /// The band of a broker that takes part.
    pub(super) fn band(&self, broker: BrokerIx) -> Band {
        self.bands[broker as usize].unwrap_or(Band { low: 0, share: 0, high: u64::MAX })
    }

    pub(super) fn strain(&self, broker: BrokerIx) -> u64 {
        self.band(broker).strain(self.used(broker))
    }

    pub(super) fn level(&self, broker: BrokerIx) -> u64 {
        self.band(broker).level(self.used(broker))
    }

    /// What a broker's disk still takes, whatever its band says.
    pub(super) fn room(&self, broker: BrokerIx) -> u64 {
        let limit = self.rules.limit[broker as usize].unwrap_or(u64::MAX);
        limit.saturating_sub(self.used(broker))
    }

    pub(super) fn admit(&self, partition: u32, from: BrokerIx, to: BrokerIx) -> bool {
        self.gives[from as usize] && self.rules.admit(self.state, partition, from, to)
    }

    pub(super) fn shift(&mut self, partition: u32, from: BrokerIx, to: BrokerIx) {
        self.state.shift(Shift { partition, from, to });
    }

    /// The largest partitions of a broker first.
    pub(super) fn shelf(&mut self, broker: BrokerIx) -> &[u32] {
        self.shelves.of(broker, self.state)
    }

    /// Where the partitions of at most `size` begin on a broker's shelf.
    pub(super) fn first_at_most(&mut self, broker: BrokerIx, size: u64) -> usize {
        let sizes = &self.state.size;
        let shelf = self.shelves.of(broker, self.state);
        shelf.partition_point(|partition| sizes[*partition as usize] > size)
    }
}
