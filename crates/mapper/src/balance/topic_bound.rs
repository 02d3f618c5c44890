//! The least bytes that any plan has to move to end with the replicas of each topic as even as this one.
//!
//! Replicas above the upper edge of a broker have to leave it: the smallest ones cost the least. If more are missing
//! below the lower edges, as many have to leave some broker that can spare them. The edges are the topic's bands, widened
//! by the distances of the brokers that this plan leaves furthest outside.

use super::state::BalanceState;
use super::topic_bands::{TopicBands, TopicGroup, TopicShares};
use crate::bytes::Bytes;
use crate::dense::BrokerIx;
use crate::work::Work;
use std::collections::BTreeMap;

/// The bytes of all topics together, repairs excluded.
pub(super) fn bytes(state: &BalanceState<'_>, bands: &TopicBands, repairs: &[Work]) -> Bytes {
    let mut repaired = vec![false; bands.topics()];
    for item in repairs {
        repaired[state.cluster.topic_of(item.partition)] = true;
    }
    let of = |topic: usize| {
        let edges = Edges::new(state, bands.of(topic)?, topic)?;
        let groups = edges.shares.groups.iter();
        // Repairs fill brokers at no cost, so only what no repair touches is certain to leave.
        let certain = |group: &TopicGroup| {
            let held = edges.held(state, &group.brokers, |_| true);
            let has: usize = held.values().map(Vec::len).sum();
            // What comes from other racks fills brokers as well.
            match repaired[topic] || has as u64 != group.total {
                true => edges.leaving(state, &group.brokers, repairs),
                false => edges.moving(&held, &group.brokers),
            }
        };
        Some(groups.map(certain).sum::<u64>())
    };
    Bytes((0..bands.topics()).filter_map(of).sum())
}

/// The range in which a topic's replicas on each broker ended.
struct Edges<'b> {
    shares: &'b TopicShares,
    topic: usize,
    /// Distances outside the bands, above and below.
    above: u64,
    below: u64,
}

impl<'b> Edges<'b> {
    /// `None` if the topic was even before the plan.
    fn new(state: &BalanceState<'_>, shares: &'b TopicShares, topic: usize) -> Option<Self> {
        let counts = state.topics.as_ref()?;
        let mut edges = Self { shares, topic, above: 0, below: 0 };
        for broker in shares.groups.iter().flat_map(|group| &group.brokers) {
            let (held, band) = (counts.held(topic, *broker), shares.band(*broker));
            edges.above = edges.above.max(u64::from(held.saturating_sub(band.high)));
            edges.below = edges.below.max(u64::from(band.low.saturating_sub(held)));
        }
        Some(edges)
    }

    fn high(&self, broker: BrokerIx) -> u64 {
        u64::from(self.shares.band(broker).high) + self.above
    }

    fn low(&self, broker: BrokerIx) -> u64 {
        u64::from(self.shares.band(broker).low).saturating_sub(self.below)
    }

    /// For each broker of the group the sizes of its replicas before the plan, ascending.
    fn held(
        &self,
        state: &BalanceState<'_>,
        group: &[BrokerIx],
        counts: impl Fn(usize) -> bool,
    ) -> BTreeMap<BrokerIx, Vec<u64>> {
        let mut held: BTreeMap<BrokerIx, Vec<u64>> = BTreeMap::new();
        let first = &state.cluster.first_partition;
        for partition in (first[self.topic]..first[self.topic + 1]).filter(|at| counts(*at)) {
            for seat in state.cluster.seats_of(partition) {
                if group.binary_search(seat).is_ok() {
                    held.entry(*seat).or_default().push(state.size[partition]);
                }
            }
        }
        held.values_mut().for_each(|sizes| sizes.sort_unstable());
        held
    }

    /// The bytes that have to leave brokers above their edge, from partitions that no repair touches.
    fn leaving(&self, state: &BalanceState<'_>, group: &[BrokerIx], repairs: &[Work]) -> u64 {
        let is_sound =
            |at: usize| repairs.binary_search_by_key(&at, |item| item.partition).is_err();
        let held = self.held(state, group, is_sound);
        let of = |(broker, sizes): (&BrokerIx, &Vec<u64>)| {
            sizes[..excess(sizes, self.high(*broker))].iter().sum::<u64>()
        };
        held.iter().map(of).sum()
    }

    /// The bytes that have to move in the group, if no replica of the topic is repaired.
    fn moving(&self, held: &BTreeMap<BrokerIx, Vec<u64>>, group: &[BrokerIx]) -> u64 {
        let (mut gone, mut bytes, mut missing) = (0, 0, 0);
        let mut spare: Vec<u64> = Vec::new();
        for (broker, sizes) in held {
            let most = excess(sizes, self.high(*broker));
            gone += most as u64;
            bytes += sizes[..most].iter().sum::<u64>();
            spare.extend(&sizes[most..excess(sizes, self.low(*broker)).max(most)]);
        }
        for broker in group {
            let has = held.get(broker).map_or(0, Vec::len) as u64;
            missing += self.low(*broker).saturating_sub(has);
        }
        spare.sort_unstable();
        let more = usize::try_from(missing.saturating_sub(gone)).unwrap_or(usize::MAX);
        bytes + spare.iter().take(more).sum::<u64>()
    }
}

/// How many replicas are above this number.
fn excess(sizes: &[u64], most: u64) -> usize {
    sizes.len().saturating_sub(usize::try_from(most).unwrap_or(usize::MAX))
}
