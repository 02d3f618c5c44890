//! Exchanges of two replicas that bring a broker nearer to its band.

use super::settle::{ChangeSearch, HelpfulChange, PATIENCE};
use crate::dense::BrokerIx;
use std::cmp::Reverse;

/// The replicas of one topic, on each side of the best size, that are tried for an exchange.
const NEAREST: usize = 2;

impl ChangeSearch<'_, '_, '_> {
    /// The best exchange of two seats, with the fewest bytes.
    pub(super) fn two(
        &mut self,
        needed: u64,
        pairs: &mut dyn Iterator<Item = (BrokerIx, BrokerIx)>,
    ) -> Option<HelpfulChange> {
        self.asked = 0;
        for (from, to) in pairs {
            for at in (0..self.end(from)).rev() {
                if self.asked > PATIENCE {
                    return None;
                }
                let there = self.evening.shelf(from)[at];
                if let Some(back) = self.counterpart(needed, there, from, to) {
                    return Some(HelpfulChange::Two { there, back, from, to });
                }
            }
        }
        None
    }

    /// The seat that comes back for `there`: the difference is nearest to the load that is needed.
    fn counterpart(
        &mut self,
        needed: u64,
        there: u32,
        from: BrokerIx,
        to: BrokerIx,
    ) -> Option<u32> {
        self.asked += 1;
        let size = self.evening.weight(there);
        if !self.admit(there, from, to) {
            return None;
        }
        let exact = self.evening.first_at_most(to, size.saturating_sub(needed));
        let length = self.evening.shelf(to).len();
        self.first_helpful(there, from, to, exact..length)
            .or_else(|| self.first_helpful(there, from, to, (0..exact).rev()))
    }

    /// The first seat on the shelf of `to` that may come back for `there`. Seats further along the shelf help less.
    fn first_helpful(
        &mut self,
        there: u32,
        from: BrokerIx,
        to: BrokerIx,
        order: impl Iterator<Item = usize>,
    ) -> Option<u32> {
        let size = self.evening.weight(there);
        for at in order {
            let back = self.evening.shelf(to)[at];
            let returned = self.evening.weight(back);
            if !self.helps(from, to, size, returned) {
                return None;
            }
            if self.admit(back, to, from) && self.allowed(from, to, there, Some(back)) {
                return Some(back);
            }
        }
        None
    }

    /// The best exchange of two replicas of one topic between two brokers, where topics are even and have to stay so: the
    /// one that is nearest to the load that is needed, and of those the one with the fewest bytes.
    pub(super) fn of_one_topic(
        &mut self,
        needed: u64,
        from: BrokerIx,
        to: BrokerIx,
    ) -> Option<HelpfulChange> {
        let most = self.most_that_helps(from, to);
        if most == 0 {
            return None;
        }
        let (own, kin) = (self.evening.shelf_by_topic(from), self.evening.shelf_by_topic(to));
        // To look at both shelves takes as long as so many checks.
        self.asked += (own.len() + kin.len()) / 8;
        let mut best: Option<(_, u32, u32)> = None;
        let mut near = 0;
        // Both shelves are in one order, so the nearest replicas are found in one pass over both.
        for (topic, weight, there) in own.iter().copied() {
            if self.asked > PATIENCE {
                break;
            }
            let sought = (topic, weight.saturating_sub(needed));
            near += kin[near..].iter().take_while(|of| (of.0, of.1) < sought).count();
            let nearest = &kin[near.saturating_sub(NEAREST)..(near + NEAREST).min(kin.len())];
            let helpful =
                |of: &&(u32, u64, u32)| of.0 == topic && of.1 < weight && weight - of.1 <= most;
            for (_, returned, back) in nearest.iter().filter(helpful) {
                let off = (weight - returned).abs_diff(needed) / (needed / 8 + 1);
                let score = (off, weight + returned, weight, Reverse(there));
                if best.is_none_or(|(known, ..)| score < known)
                    && self.helps(from, to, weight, *returned)
                    && self.admit(there, from, to)
                    && self.admit(*back, to, from)
                    && self.allowed(from, to, there, Some(*back))
                {
                    best = Some((score, there, *back));
                }
            }
        }
        best.map(|(_, there, back)| HelpfulChange::Two { there, back, from, to })
    }

    /// The best exchange of two replicas that differ in this load more than in one that is even already: the one that moves
    /// the fewest bytes for what it helps. Among the lightest replicas, where [`Self::two`] begins, there may be none that
    /// keeps the other load even.
    pub(super) fn unlike(
        &mut self,
        needed: u64,
        from: BrokerIx,
        to: BrokerIx,
    ) -> Option<HelpfulChange> {
        // Before the rest, because most requests even one load by amount, and then have none.
        let own = if self.asked > PATIENCE { None } else { self.evening.unlike(from) }?;
        let most = self.most_that_helps(from, to);
        if most == 0 {
            return None;
        }
        let kin = self.evening.unlike(to)?;
        // To compare all of them takes as long as so many checks.
        self.asked += own.more.len() * kin.less.len() / 64;
        let mut best: Option<(u128, u32, u32)> = None;
        for (goes, size, there) in own.more.iter().copied() {
            for (comes, returned, back) in kin.less.iter().copied() {
                if goes <= comes || goes - comes > most {
                    continue;
                }
                let cost = (u128::from(size) + u128::from(returned)) << 20;
                let help = (goes - comes).min(needed).max(1);
                // Nearly all pairs are dearer than the best one, and a product is found much sooner than a quotient.
                let is_dearer = |known: u128| {
                    let above = u64::try_from(known + 1);
                    above.is_ok_and(|above| cost >= u128::from(above) * u128::from(help))
                };
                if best.is_some_and(|(known, ..)| is_dearer(known)) {
                    continue;
                }
                let price = cost / u128::from(help);
                if best.is_none_or(|known| (price, there, back) < known)
                    && self.helps(from, to, goes, comes)
                    && self.admit(there, from, to)
                    && self.admit(back, to, from)
                    && self.allowed(from, to, there, Some(back))
                {
                    best = Some((price, there, back));
                }
            }
        }
        best.map(|(_, there, back)| HelpfulChange::Two { there, back, from, to })
    }

    /// The most load that can go from one broker to the other and leave both better than the worse one is.
    fn most_that_helps(&self, from: BrokerIx, to: BrokerIx) -> u64 {
        let (mut most, mut too_much) = (0, self.evening.used(from).saturating_add(1));
        while too_much - most > 1 {
            let middle = most + (too_much - most) / 2;
            match self.helps(from, to, middle, 0) {
                true => most = middle,
                false => too_much = middle,
            }
        }
        most
    }
}
