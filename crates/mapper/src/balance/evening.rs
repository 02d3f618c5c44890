//! The state of a cluster while one load is brought into its bands.

use super::band::Band;
use super::load::{BalancedLoad, REPLICA};
use super::load_goals::Layout;
use super::rules::BalanceRules;
use super::shelves::{Kin, Shelves, Unlike};
use super::state::{BalanceState, SeatShift};
use super::topic_bands::{TopicBands, TopicExchange};
use super::topic_counts::TopicCounts;
use crate::dense::BrokerIx;
use std::rc::Rc;

/// The inputs of one round of evening.
pub(super) struct Evening<'e, 'a> {
    pub(super) state: &'e mut BalanceState<'a>,
    pub(super) rules: &'e BalanceRules<'a>,
    pub(super) shelves: Shelves,
    pub(super) load: BalancedLoad,
    /// For each broker the band that it should end in; `None` for brokers that are not evened.
    pub(super) bands: &'e [Option<Band>],
    /// For each broker whether it may give replicas away.
    pub(super) gives: &'e [bool],
    /// Loads that are already even and must stay so.
    pub(super) guards: &'e [Layout],
    /// A load that is evened later, if it is to be kept in mind.
    pub(super) later: Option<&'e Layout>,
}

impl Evening<'_, '_> {
    pub(super) fn used(&self, broker: BrokerIx) -> u64 {
        self.state.carried(self.load)[broker as usize]
    }

    pub(super) fn weight(&self, partition: u32) -> u64 {
        self.state.weight(self.load, partition)
    }

    /// The band of a broker that is evened.
    pub(super) fn band(&self, broker: BrokerIx) -> Band {
        self.bands[broker as usize].unwrap_or(Band { low: 0, share: 0, high: u64::MAX })
    }

    pub(super) fn strain(&self, broker: BrokerIx) -> u64 {
        self.band(broker).strain(self.used(broker))
    }

    pub(super) fn level(&self, broker: BrokerIx) -> u64 {
        self.band(broker).level(self.used(broker))
    }

    /// The bytes that a broker's disk still takes, whatever its band says.
    pub(super) fn room(&self, broker: BrokerIx) -> u64 {
        let limit = self.rules.limit[broker as usize].unwrap_or(u64::MAX);
        limit.saturating_sub(self.state.used[broker as usize])
    }

    /// Whether the disks have room for a seat that goes from `from` to `to`, and for one that comes `back`. Either may
    /// go before the other. The new copy takes room before the old one is removed.
    pub(super) fn fits(&self, from: BrokerIx, to: BrokerIx, there: u32, back: Option<u32>) -> bool {
        let size = |partition: u32| self.state.size[partition as usize];
        let (there, back) = (size(there), back.map_or(0, size));
        (there <= self.room(to) && back.saturating_sub(there) <= self.room(from))
            || (back > 0 && back <= self.room(from) && there.saturating_sub(back) <= self.room(to))
    }

    /// Whether each load that was evened before stays in its bands, or at least no further outside.
    pub(super) fn guarded(
        &self,
        from: BrokerIx,
        to: BrokerIx,
        there: u32,
        back: Option<u32>,
    ) -> bool {
        self.keeps_guards(from, to, &[there], back)
    }

    fn keeps_guards(&self, from: BrokerIx, to: BrokerIx, there: &[u32], back: Option<u32>) -> bool {
        // Topics come last, because their lookups take the longest.
        let by_number = self.guards.iter().filter(|guard| guard.topics.is_none());
        let by_number = by_number.map(|guard| {
            let weight = |partition| self.state.weight(guard.load, partition);
            let there: u64 = there.iter().map(|partition| weight(*partition)).sum();
            let back = back.map_or(0, weight);
            guard.keeps(self.state, from, back, there) && guard.keeps(self.state, to, there, back)
        });
        let by_topic = self.guards.iter().filter_map(|guard| guard.topics.as_ref());
        let by_topic = by_topic.map(|bands| {
            let exchange = TopicExchange::new(self.state.cluster, there, back);
            let counts = self.state.topics.as_ref();
            counts.is_none_or(|counts| exchange.keeps(bands, counts, from, to))
        });
        by_number.chain(by_topic).all(|keeps| keeps)
    }

    /// Whether a broker may give up a replica of the partition's topic, for the loads that were evened before. If not,
    /// only an exchange helps.
    pub(super) fn spares(&self, partition: u32, from: BrokerIx) -> bool {
        self.guards_let(partition, |topic, bands, counts| {
            counts.held(topic, from) > bands.band(topic, from).low
        })
    }

    /// Whether a broker may take one more replica of the partition's topic, in the same way.
    pub(super) fn lacks(&self, partition: u32, to: BrokerIx) -> bool {
        self.guards_let(partition, |topic, bands, counts| {
            counts.held(topic, to) < bands.band(topic, to).high
        })
    }

    /// Whether topics were evened before: then most searches for a single replica end in vain.
    pub(super) fn guards_topics(&self) -> bool {
        self.guards.iter().any(|guard| guard.topics.is_some())
    }

    /// Whether the numbers of replicas, if they were evened before, let any single replica leave the broker.
    pub(super) fn count_lets_go(&self, from: BrokerIx) -> bool {
        self.count_keeps(from, 0, REPLICA)
    }

    /// Whether they let any single replica come to the broker.
    pub(super) fn count_lets_come(&self, to: BrokerIx) -> bool {
        self.count_keeps(to, REPLICA, 0)
    }

    fn count_keeps(&self, broker: BrokerIx, comes: u64, goes: u64) -> bool {
        let mut counts = self.guards.iter().filter(|guard| guard.load == BalancedLoad::Replicas);
        counts.all(|guard| guard.keeps(self.state, broker, comes, goes))
    }

    /// Whether the amounts that were evened before let a replica leave a broker.
    pub(super) fn amounts_let_go(&self, partition: u32, from: BrokerIx) -> bool {
        let weight = |load| self.state.weight(load, partition);
        self.amounts().all(|guard| guard.keeps(self.state, from, 0, weight(guard.load)))
    }

    /// Whether they let it come to a broker.
    pub(super) fn amounts_let_come(&self, partition: u32, to: BrokerIx) -> bool {
        let weight = |load| self.state.weight(load, partition);
        self.amounts().all(|guard| guard.keeps(self.state, to, weight(guard.load), 0))
    }

    fn amounts(&self) -> impl Iterator<Item = &Layout> {
        self.guards.iter().filter(|guard| guard.load.is_by_amount())
    }

    fn guards_let(
        &self,
        partition: u32,
        lets: impl Fn(usize, &TopicBands, &TopicCounts) -> bool,
    ) -> bool {
        let topic = self.state.cluster.topic_of(partition as usize);
        self.guards.iter().all(|guard| {
            let both = guard.topics.as_ref().zip(self.state.topics.as_ref());
            both.is_none_or(|(bands, counts)| lets(topic, bands, counts))
        })
    }

    pub(super) fn admit(&self, partition: u32, from: BrokerIx, to: BrokerIx) -> bool {
        self.gives[from as usize] && self.rules.admit(self.state, partition, from, to)
    }

    pub(super) fn shift(&mut self, partition: u32, from: BrokerIx, to: BrokerIx) {
        self.state.shift(SeatShift { partition, from, to });
    }

    /// Exchanges two replicas. The one that finds room goes first.
    pub(super) fn exchange(&mut self, there: u32, back: u32, from: BrokerIx, to: BrokerIx) {
        if self.fits(from, to, there, None) {
            self.shift(there, from, to);
            self.shift(back, to, from);
        } else {
            self.shift(back, to, from);
            self.shift(there, from, to);
        }
    }

    /// Whether disks and guards allow the exchange of many seats for one that comes back.
    pub(super) fn barters(&self, from: BrokerIx, to: BrokerIx, there: &[u32], back: u32) -> bool {
        let size = |partition: u32| self.state.size[partition as usize];
        let bytes: u64 = there.iter().map(|partition| size(*partition)).sum();
        let back_first =
            size(back) <= self.room(from) && bytes <= self.room(to).saturating_add(size(back));
        let fits = back_first
            || (bytes <= self.room(to) && size(back) <= self.room(from).saturating_add(bytes));
        fits && self.keeps_guards(from, to, there, Some(back))
    }

    /// The bytes that a broker may take before a load that was evened before leaves its band.
    pub(super) fn slack(&self, broker: BrokerIx) -> u64 {
        let of_storage = self.guards.iter().find(|guard| guard.load == BalancedLoad::Storage);
        let band = of_storage.and_then(|guard| guard.bands[broker as usize]);
        let below = band.map(|band| band.high.saturating_sub(self.state.used[broker as usize]));
        below.unwrap_or(u64::MAX).min(self.room(broker))
    }

    /// The partitions of a broker, the heaviest first.
    pub(super) fn shelf(&mut self, broker: BrokerIx) -> &[u32] {
        self.shelves.of(broker, self.state)
    }

    /// The same partitions in order of topic, weight and number.
    pub(super) fn shelf_by_topic(&mut self, broker: BrokerIx) -> Rc<[Kin]> {
        self.shelves.by_topic(broker, self.state)
    }

    /// The replicas of a broker with the most and the least of this load, compared to the first load by amount that was
    /// evened before; `None` without one.
    pub(super) fn unlike(&mut self, broker: BrokerIx) -> Option<Rc<Unlike>> {
        let guard = self.guards.iter().find(|guard| guard.load.is_by_amount())?;
        let other = i128::from(guard.bands[broker as usize]?.share).max(1);
        let (state, share) = (&*self.state, i128::from(self.band(broker).share));
        let expects = |partition| i128::from(state.weight(guard.load, partition)) * share / other;
        Some(self.shelves.unlike(broker, state, expects))
    }

    /// The position on a broker's shelf where the partitions of at most this weight begin.
    pub(super) fn first_at_most(&mut self, broker: BrokerIx, weight: u64) -> usize {
        let (state, load) = (&*self.state, self.load);
        let shelf = self.shelves.of(broker, state);
        shelf.partition_point(|partition| state.weight(load, *partition) > weight)
    }
}
