//! Exchanges a replica of a topic for one of another topic, where disks or earlier goals forbid a single move.
//!
//! Both replicas have nearly the same size, and both brokers keep their number of replicas. So storage and replicas stay
//! as even as they are, and only the topics change.

use super::topic_bands::TopicExchange;
use super::topic_evening::TopicTurn;
use crate::dense::BrokerIx;
use std::cmp::Reverse;

/// The most givers' replicas and takers that are tried for one exchange, and the most replicas that may come back. The
/// nearest in size are tried first.
const SEATS: usize = 24;
const TAKERS: usize = 24;
const BACK: usize = 96;

/// The most checks in one search for an exchange.
const PATIENCE: usize = 8_192;

impl TopicTurn<'_, '_, '_> {
    /// Brings the topic into its bands by exchanges with other topics, as far as possible.
    pub(super) fn exchange_with_other_topics(&mut self) {
        while let Some((there, back, from, to)) = self.find_exchange() {
            self.evening.exchange(there, back, from, to);
        }
    }

    /// The replica that goes, the one that comes back, and their brokers.
    fn find_exchange(&mut self) -> Option<(u32, u32, BrokerIx, BrokerIx)> {
        let (givers, takers) = self.ends();
        let seats = self.movable();
        let mut asked = 0;
        for from in givers {
            let size = |partition: u32| self.evening.state.size[partition as usize];
            let own = seats.iter().filter(|(broker, _)| *broker == from);
            let mut own: Vec<(u64, u32)> = own.map(|(_, p)| (size(*p), *p)).collect();
            own.sort_unstable();
            for (_, there) in own.into_iter().take(SEATS) {
                for to in takers.iter().copied().take(TAKERS) {
                    if asked > PATIENCE {
                        return None;
                    }
                    asked += 1;
                    if !self.evening.admit(there, from, to) {
                        continue;
                    }
                    if let Some(back) = self.counterpart(there, from, to, &mut asked) {
                        return Some((there, back, from, to));
                    }
                }
            }
        }
        None
    }

    /// Brokers that have to give, or can, and brokers that have to take, or can. If none has to, there is no exchange.
    fn ends(&self) -> (Vec<BrokerIx>, Vec<BrokerIx>) {
        let of = |holds: &dyn Fn(u32, u32, u32) -> bool| -> Vec<BrokerIx> {
            let band = |broker: &BrokerIx| self.band(*broker);
            let is = |broker: &&BrokerIx| {
                holds(self.held(**broker), band(broker).low, band(broker).high)
            };
            self.group.iter().filter(is).copied().collect()
        };
        let (above, below) = (of(&|held, _, high| held > high), of(&|held, low, _| held < low));
        let (mut givers, mut takers) = match (above.is_empty(), below.is_empty()) {
            (true, true) => (Vec::new(), Vec::new()),
            (true, false) => (of(&|held, low, _| held > low), below),
            (false, true) => (above, of(&|held, _, high| held < high)),
            (false, false) => (above, below),
        };
        givers.sort_by_key(|broker| (Reverse(self.level(*broker)), *broker));
        takers.sort_by_key(|broker| (self.level(*broker), *broker));
        (givers, takers)
    }

    /// The replica of another topic on `to` that may come back for `there`, the nearest in size first.
    fn counterpart(
        &mut self,
        there: u32,
        from: BrokerIx,
        to: BrokerIx,
        asked: &mut usize,
    ) -> Option<u32> {
        let size = self.evening.weight(there);
        let near = self.evening.first_at_most(to, size);
        let shelf = self.evening.shelf(to);
        let (smaller, larger) = (&shelf[near..], &shelf[..near]);
        let smaller = smaller.iter().take(BACK / 2);
        let larger = larger.iter().rev().take(BACK / 2);
        let mut near: Vec<(u64, u32)> = smaller.chain(larger).map(|back| (0, *back)).collect();
        for (off, back) in &mut near {
            *off = self.evening.weight(*back).abs_diff(size);
        }
        near.sort_unstable();
        near.into_iter().map(|(_, back)| back).find(|back| {
            *asked += 1;
            self.comes_back(there, *back, from, to)
        })
    }

    fn comes_back(&self, there: u32, back: u32, from: BrokerIx, to: BrokerIx) -> bool {
        let state = &*self.evening.state;
        let Some(counts) = &state.topics else { return false };
        let other = state.cluster.topic_of(back as usize) != self.topic;
        let exchange = TopicExchange::new(state.cluster, &[there], Some(back));
        other
            && state.holds(back, to)
            && exchange.keeps(self.bands, counts, from, to)
            && self.evening.admit(back, to, from)
            && self.evening.fits(from, to, there, Some(back))
            && self.evening.guarded(from, to, there, Some(back))
    }
}
