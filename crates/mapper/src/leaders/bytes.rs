//! Evens preferred leadership by bytes: not exactly (that is as hard as packing), but with a bound beside it.
//!
//! Leadership goes over only where that makes two brokers more even, so the sum of squares shrinks each time. It ends
//! where nothing helps, or where the brokers that lead most and least are close enough to the mean; both can be seen
//! from the leaders alone, so planning again from there changes nothing.

use super::free::FreeLeads;
use crate::dense::BrokerIx;
use std::cmp::Reverse;

/// The brokers that lead most and least are even enough within this part of the mean.
const CLOSE: u64 = 1_000;
/// Two brokers are not evened any more within this part of the mean.
const SAME: u64 = 10_000;
/// Rounds, each one look at every partition; two or three are the rule.
const MOST_ROUNDS: usize = 200;

/// The bytes that brokers lead, and the partitions that they are made of.
pub(super) struct Led<'f> {
    pub(super) free: &'f mut FreeLeads,
    /// For each partition: what it adds to its leader.
    pub(super) size: &'f [u64],
    /// For each broker: the bytes that it leads, those included.
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
            // First without passing the mean on either side, which takes the fewest hand-overs; then whatever helps.
            let helped = self.round(&order, mean, Some(mean))
                || self.round(&order, mean, None)
                || self.exchange(fullest, mean / SAME);
            if !helped {
                return;
            }
        }
    }

    /// The brokers between which some partition could change hands, ascending. One that nothing can be taken from is
    /// left aside, so that it is not waited for in vain; it would not be seen at all when planning again.
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

    /// Hands over each partition that it helps to; false if there is none. With a `mark`, only from brokers that stay
    /// at it or above, to brokers that stay at it or below.
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

    /// Lets one broker swap a partition that it leads for a smaller one of another broker, where that helps most;
    /// false if it helps nowhere by more than `least`.
    fn exchange(&mut self, broker: BrokerIx, least: u64) -> bool {
        let offers = self.offers(broker);
        let mut best: Option<(u64, usize, usize)> = None;
        for lead in (0..self.free.len()).filter(|lead| self.free.leader(*lead) == broker) {
            for other in self.free.members(lead).iter().filter(|other| **other != broker) {
                let gap = self.load(broker).saturating_sub(self.load(*other));
                // The best exchange is worth half the gap: look at the offer next below that, and next above.
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

    /// What others lead and this broker could: by leader, then by size.
    fn offers(&self, broker: BrokerIx) -> Vec<(BrokerIx, u64, usize)> {
        let others = (0..self.free.len()).filter(|lead| self.free.leader(*lead) != broker);
        let mut offers: Vec<(BrokerIx, u64, usize)> = others
            .filter(|lead| self.free.members(*lead).contains(&broker))
            .map(|lead| (self.free.leader(lead), self.size[lead], lead))
            .collect();
        offers.sort_unstable();
        offers
    }

    /// What the broker that leads most must lead at least, however leaders are chosen.
    ///
    /// Brokers that share no partition with others share what they lead, so their mean is a bound; so is what a broker
    /// leads besides, and each partition on top of that on the broker that it suits best.
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

    /// All brokers that leadership can get to from the one that leads most.
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
