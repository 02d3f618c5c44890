//! Evens preferred leadership by bytes. The result is not exact, because that is as hard as packing, but it has a bound.
//!
//! Leadership moves only if that makes two brokers more even, so the sum of squares falls each time. The search ends if
//! no change helps, or if the brokers that lead most and least are close enough to the mean. Both conditions depend on
//! the leaders alone, so planning again from there changes nothing.

use super::free::FreeLeads;
use crate::dense::BrokerIx;
use std::cmp::Reverse;

/// If the brokers that lead most and least are within 1/1000 of the mean, the load is even enough, and the search ends.
const CLOSE: u64 = 1_000;
/// Two brokers whose loads differ by less than 1/10000 of the mean are not evened further.
const SAME: u64 = 10_000;
/// The most rounds. A round examines every partition; two or three are usual. After the last one the result is kept.
const MOST_ROUNDS: usize = 200;

/// The bytes that brokers lead, and the partitions that they consist of.
pub(super) struct Led<'f> {
    pub(super) free: &'f mut FreeLeads,
    /// For each partition the bytes that it adds to its leader.
    pub(super) size: &'f [u64],
    /// For each broker the bytes that it leads, those of free partitions included.
    pub(super) load: Vec<u64>,
}

impl Led<'_> {
    /// Chooses leaders so that the load is nearly even.
    pub(super) fn even(&mut self) {
        let brokers = self.with_a_choice();
        let total: u64 = brokers.iter().map(|broker| self.load[*broker as usize]).sum();
        let mean = total.div_ceil(brokers.len().max(1) as u64);
        let mut order: Vec<usize> = (0..self.free.len()).collect();
        order.sort_by_key(|lead| (Reverse(self.size[*lead]), *lead));
        for _ in 0..MOST_ROUNDS {
            let fullest = brokers.iter().copied().max_by_key(|b| (self.load(*b), Reverse(*b)));
            let emptiest = brokers.iter().map(|broker| self.load(*broker)).min().unwrap_or(0);
            let Some(fullest) = fullest.filter(|fullest| {
                self.load(*fullest) > mean + mean / CLOSE || emptiest < mean - mean / CLOSE
            }) else {
                return;
            };
            // The first try passes the mean on neither side, which takes the fewest hand-overs. Then any change counts.
            let helped = self.round(&order, mean, Some(mean))
                || self.round(&order, mean, None)
                || self.exchange(fullest, mean / SAME);
            if !helped {
                return;
            }
        }
    }

    /// The brokers that can hand over or receive some partition, ascending. A broker that can give nothing is left out,
    /// because the search would wait for it in vain. Planning again would not see it at all.
    fn with_a_choice(&self) -> Vec<BrokerIx> {
        let mut chosen_from = vec![false; self.load.len()];
        let members = (0..self.free.len()).map(|lead| self.free.members(lead));
        for member in members.filter(|members| members.len() > 1).flatten() {
            chosen_from[*member as usize] = true;
        }
        (0..).zip(chosen_from).filter(|(_, chosen)| *chosen).map(|(broker, _)| broker).collect()
    }

    fn load(&self, broker: BrokerIx) -> u64 {
        self.load[broker as usize]
    }

    fn hand_over(&mut self, lead: usize, to: BrokerIx) {
        let from = self.free.leader(lead);
        self.load[from as usize] -= self.size[lead];
        self.load[to as usize] += self.size[lead];
        self.free.choose(lead, to);
    }

    /// Hands over each partition where that helps; false if there is none. With a `mark`, givers stay at it or above,
    /// and takers stay at it or below.
    fn round(&mut self, order: &[usize], mean: u64, mark: Option<u64>) -> bool {
        let mut helped = false;
        for lead in order.iter().copied() {
            let (from, size) = (self.free.leader(lead), self.size[lead]);
            let most = self.load(from);
            if size == 0 || mark.is_some_and(|mark| most < mark + size) {
                continue;
            }
            let others = self.free.members(lead).iter().copied().filter(|other| *other != from);
            let Some(to) = others.min_by_key(|other| (self.load(*other), *other)) else {
                continue;
            };
            let after = self.load(to) + size;
            let differ = most.saturating_sub(self.load(to)) > mean / SAME;
            if differ && after < most && mark.is_none_or(|mark| after <= mark) {
                self.hand_over(lead, to);
                helped = true;
            }
        }
        helped
    }

    /// Swaps a partition that a broker leads for a smaller one of another broker, where that helps most; false if it
    /// helps nowhere by more than `least`.
    fn exchange(&mut self, broker: BrokerIx, least: u64) -> bool {
        let offers = self.offers(broker);
        let mut best: Option<(u64, usize, usize)> = None;
        for lead in (0..self.free.len()).filter(|lead| self.free.leader(*lead) == broker) {
            for other in self.free.members(lead).iter().filter(|other| **other != broker) {
                let gap = self.load(broker).saturating_sub(self.load(*other));
                // The best exchange is worth half the gap, so only the offers next below and next above it are examined.
                let ideal = self.size[lead].saturating_sub(gap / 2);
                let at = offers.partition_point(|(by, size, _)| (*by, *size) < (*other, ideal));
                let near = &offers[at.saturating_sub(1)..(at + 1).min(offers.len())];
                for (_, offered, offer) in near.iter().filter(|(by, ..)| by == other) {
                    let gain = self.size[lead].saturating_sub(*offered);
                    let worth = gain.min(gap.saturating_sub(gain));
                    if worth > least && best.is_none_or(|(best, ..)| worth > best) {
                        best = Some((worth, lead, *offer));
                    }
                }
            }
        }
        let Some((_, lead, offer)) = best else {
            return false;
        };
        self.hand_over(lead, self.free.leader(offer));
        self.hand_over(offer, broker);
        true
    }

    /// Partitions that other brokers lead and this broker could lead: by leader, then by size.
    fn offers(&self, broker: BrokerIx) -> Vec<(BrokerIx, u64, usize)> {
        let others = (0..self.free.len()).filter(|lead| self.free.leader(*lead) != broker);
        let mut offers: Vec<(BrokerIx, u64, usize)> = others
            .filter(|lead| self.free.members(*lead).contains(&broker))
            .map(|lead| (self.free.leader(lead), self.size[lead], lead))
            .collect();
        offers.sort_unstable();
        offers
    }

    /// The bytes that the broker with the most must lead at least, however leaders are chosen.
    ///
    /// Brokers that share no partition with others divide their load among themselves, so their mean is a bound. The
    /// bytes that a broker leads in any case are also a bound. So is each partition together with such bytes of the
    /// broker that suits it best.
    pub(super) fn floor(&self) -> u64 {
        let mut fixed = self.load.clone();
        for (lead, size) in self.size.iter().enumerate() {
            fixed[self.free.leader(lead) as usize] -= size;
        }
        let alone = fixed.iter().copied().max().unwrap_or(0);
        let with_one = self.size.iter().enumerate().map(|(lead, size)| {
            let members = self.free.members(lead).iter();
            size + members.map(|member| fixed[*member as usize]).min().unwrap_or(0)
        });
        let closed = self.closed_set();
        let total: u64 = closed.iter().map(|broker| self.load(*broker)).sum();
        let mean = total.div_ceil(closed.len().max(1) as u64);
        alone.max(with_one.max().unwrap_or(0)).max(mean)
    }

    /// All brokers that the leadership of the broker with the most bytes can reach.
    fn closed_set(&self) -> Vec<BrokerIx> {
        let all: Vec<BrokerIx> = (0..).take(self.load.len()).collect();
        let fullest = all.iter().copied().max_by_key(|b| (self.load(*b), Reverse(*b)));
        let mut inside = vec![false; all.len()];
        let mut grew = false;
        if let Some(fullest) = fullest {
            inside[fullest as usize] = true;
            grew = true;
        }
        while std::mem::take(&mut grew) {
            for lead in 0..self.free.len() {
                let from = inside[self.free.leader(lead) as usize];
                for member in self.free.members(lead).iter().filter(|_| from) {
                    grew |= !std::mem::replace(&mut inside[*member as usize], true);
                }
            }
        }
        all.into_iter().filter(|broker| inside[*broker as usize]).collect()
    }
}
