//! Brings the last brokers into their bands: those that pouring left just outside.
//!
//! The worst broker comes first. A change counts only if it leaves both brokers better than the worse one was. So the
//! list of strains, worst first, gets smaller with every change, and the search ends. A single seat is tried before
//! an exchange of two seats, and few bytes before many.

use super::barter::Barter;
use super::evening::Evening;
use super::load::REPLICA;
use super::shares::BrokerGroup;
use crate::dense::BrokerIx;
use std::cmp::Reverse;

/// The most checks in one search for a change. After that the broker stays as it is.
pub(super) const PATIENCE: usize = 20_000;

/// The most steps from a broker's strain to its band, or through the band.
const STEPS: u64 = 16;

/// The most replicas of one broker that another may refuse before it is skipped, when counts are evened.
const MOST_REFUSED: usize = 64;

/// Brings brokers into their bands one by one.
pub(super) fn settle(evening: &mut Evening<'_, '_>, group: &BrokerGroup) {
    let mut stuck = vec![false; evening.state.used.len()];
    let mut strains = strains(evening);
    // A broker improves a few dozen times at most. The factor leaves room for clusters of few, huge replicas.
    for _ in 0..group.brokers.len() * 64 {
        let open = group.brokers.iter().copied().filter(|broker| !stuck[*broker as usize]);
        let worst = open
            .map(|broker| (strains[broker as usize], Reverse(broker)))
            .max()
            .filter(|(strain, _)| *strain > 0);
        let Some((strain, Reverse(broker))) = worst else { return };
        let step = match evening.load.is_uniform() {
            true => 0,
            false => (strain / STEPS).min(evening.band(broker).width() / STEPS),
        };
        let least = evening.band(broker).of_parts(step);
        let brokers = &group.brokers;
        let mut search =
            ChangeSearch { evening, brokers, strains: &strains, strain, step, least, asked: 0 };
        match search.improve(broker) {
            Some(change) => {
                change.carry_out(evening);
                strains = self::strains(evening);
            }
            None => stuck[broker as usize] = true,
        }
    }
}

/// The strain of each broker.
fn strains(evening: &Evening<'_, '_>) -> Vec<u64> {
    (0..).take(evening.state.used.len()).map(|broker| evening.strain(broker)).collect()
}

/// A change that helps a broker.
#[derive(Debug, Clone)]
pub(super) enum HelpfulChange {
    One {
        partition: u32,
        from: BrokerIx,
        to: BrokerIx,
    },
    /// `there` goes from `from` to `to`, and `back` the other way. The one that finds room goes first.
    Two {
        there: u32,
        back: u32,
        from: BrokerIx,
        to: BrokerIx,
    },
    Many(Barter),
}

impl HelpfulChange {
    fn carry_out(self, evening: &mut Evening<'_, '_>) {
        match self {
            Self::One { partition, from, to } => evening.shift(partition, from, to),
            Self::Many(barter) => barter.carry_out(evening),
            Self::Two { there, back, from, to } => evening.exchange(there, back, from, to),
        }
    }
}

/// The search for a change that helps one broker.
pub(super) struct ChangeSearch<'s, 'e, 'a> {
    pub(super) evening: &'s mut Evening<'e, 'a>,
    brokers: &'s [BrokerIx],
    /// For each broker its distance from its band.
    strains: &'s [u64],
    /// That of the broker which is searched for.
    strain: u64,
    /// The least that a change has to help. Otherwise, thousands of changes help by nearly nothing.
    step: u64,
    /// The least load that helps by a step.
    least: u64,
    pub(super) asked: usize,
}

impl ChangeSearch<'_, '_, '_> {
    fn improve(&mut self, broker: BrokerIx) -> Option<HelpfulChange> {
        let over = self.evening.used(broker) > self.evening.band(broker).high;
        let mut others: Vec<BrokerIx> =
            self.brokers.iter().copied().filter(|other| *other != broker).collect();
        others.sort_by_cached_key(|other| (self.evening.level(*other), *other));
        if !over {
            others.reverse();
        }
        let pairs = || others.iter().map(move |o| if over { (broker, *o) } else { (*o, broker) });
        let needed = self.needed(broker);
        if !self.evening.load.is_uniform() {
            return match self.evening.guards.is_empty() {
                true => self
                    .one(needed, PATIENCE, &mut pairs())
                    .or_else(|| self.two(needed, &mut pairs())),
                false => self.guarded(needed, &pairs),
            };
        }
        self.one(needed, PATIENCE, &mut pairs()).or_else(|| {
            let barter = |(from, to)| {
                let nears = self.nears(from, to);
                nears.then(|| Barter::between(self.evening, from, to)).flatten()
            };
            pairs().find_map(barter).map(HelpfulChange::Many)
        })
    }

    /// The same where other loads are even already. Most searches for a single replica end in vain there, so only a short
    /// one comes first.
    fn guarded<I: Iterator<Item = (BrokerIx, BrokerIx)>>(
        &mut self,
        needed: u64,
        pairs: &impl Fn() -> I,
    ) -> Option<HelpfulChange> {
        let by_topic = self.evening.guards_topics();
        let short = self.one(needed, PATIENCE / 16, &mut pairs());
        self.asked = 0;
        let of_one_topic = |search: &mut Self| {
            let mut pairs = pairs().filter(|_| by_topic);
            pairs.find_map(|(from, to)| search.of_one_topic(needed, from, to))
        };
        let unlike = |search: &mut Self| {
            search.asked = 0;
            pairs().find_map(|(from, to)| search.unlike(needed, from, to))
        };
        short
            .or_else(|| of_one_topic(self))
            .or_else(|| unlike(self))
            .or_else(|| self.two(needed, &mut pairs()))
            .or_else(|| self.one(needed, PATIENCE, &mut pairs()))
    }

    /// Whether one replica less here and one more there leaves both brokers better than the worse one is.
    fn nears(&self, from: BrokerIx, to: BrokerIx) -> bool {
        self.helps(from, to, REPLICA, 0)
    }

    /// The position on a broker's shelf after the seats that are heavy enough to help.
    pub(super) fn end(&mut self, from: BrokerIx) -> usize {
        self.evening.first_at_most(from, self.least.saturating_sub(1))
    }

    /// The load that brings the broker just into its band.
    fn needed(&self, broker: BrokerIx) -> u64 {
        let (band, used) = (self.evening.band(broker), self.evening.used(broker));
        used.saturating_sub(band.high).max(band.low.saturating_sub(used))
    }

    /// The best change of one seat: the smallest seat that is enough, else the largest that is not.
    fn one(
        &mut self,
        needed: u64,
        patience: usize,
        pairs: &mut dyn Iterator<Item = (BrokerIx, BrokerIx)>,
    ) -> Option<HelpfulChange> {
        let mut best: Option<(bool, u64, HelpfulChange)> = None;
        self.asked = PATIENCE - patience;
        for (from, to) in pairs {
            if self.asked > PATIENCE {
                break;
            }
            // Where topics are even as well, most searches for a single replica end in vain.
            let lets = self.evening.count_lets_go(from) && self.evening.count_lets_come(to);
            if self.evening.guards_topics() && !lets {
                continue;
            }
            let Some((enough, size, change)) = self.one_of_pair(needed, from, to) else {
                continue;
            };
            let better =
                best.as_ref().is_none_or(|(was_enough, was, _)| match (enough, *was_enough) {
                    (true, true) => size < *was,
                    (false, false) => size > *was,
                    (enough, _) => enough,
                });
            if better {
                best = Some((enough, size, change));
            }
            if self.evening.load.is_uniform() {
                break;
            }
            // If one seat helps, the search for a pair gets less effort: it beats that seat soon or not at all.
            self.asked += PATIENCE / 256;
        }
        best.map(|(_, _, change)| change)
    }

    fn one_of_pair(
        &mut self,
        needed: u64,
        from: BrokerIx,
        to: BrokerIx,
    ) -> Option<(bool, u64, HelpfulChange)> {
        // With equal weights, all seats are enough or none is. Then the one with the fewest bytes comes first.
        let middle = match self.evening.load.is_uniform() {
            true => 0,
            false => self.evening.first_at_most(from, needed.saturating_sub(1)),
        };
        let length = self.end(from);
        let found = |search: &mut Self, at: usize| {
            let partition = search.evening.shelf(from)[at];
            let size = search.evening.weight(partition);
            let helps = search.helps(from, to, size, 0)
                && search.admit(partition, from, to)
                && search.allowed(from, to, partition, None);
            helps.then_some((size >= needed, size, HelpfulChange::One { partition, from, to }))
        };
        for at in (0..middle).rev() {
            let partition = self.evening.shelf(from)[at];
            let size = self.evening.weight(partition);
            // Larger seats only overshoot further.
            if !self.helps(from, to, size, 0) || self.asked > PATIENCE {
                break;
            }
            if let Some(found) = found(self, at) {
                return Some(found);
            }
        }
        let mut refused = 0;
        for at in middle..length {
            // When counts are evened, bytes grow along the shelf, so later seats are refused as well.
            if self.asked > PATIENCE || refused > MOST_REFUSED {
                break;
            }
            self.asked += 1;
            let partition = self.evening.shelf(from)[at];
            if !self.evening.spares(partition, from) {
                continue;
            }
            if let Some(found) = found(self, at) {
                return Some(found);
            }
            refused += usize::from(self.evening.load.is_uniform());
        }
        None
    }

    pub(super) fn admit(&mut self, partition: u32, from: BrokerIx, to: BrokerIx) -> bool {
        self.asked += 1;
        self.evening.state.holds(partition, from) && self.evening.admit(partition, from, to)
    }

    /// Whether both brokers end better than the worse one is, if `there` goes and `back` comes back.
    pub(super) fn helps(&self, from: BrokerIx, to: BrokerIx, there: u64, back: u64) -> bool {
        if there <= back {
            return false;
        }
        let (giver, taker) = (self.evening.used(from), self.evening.used(to));
        let less = (giver + back).saturating_sub(there);
        let more = (taker + there).saturating_sub(back);
        let old = self.strains[from as usize].max(self.strains[to as usize]).min(self.strain);
        old.checked_sub(self.step).is_some_and(|least| {
            self.evening.band(from).strains_less(less, least)
                && self.evening.band(to).strains_less(more, least)
        })
    }

    /// Whether the disks and the loads that were evened before allow the change.
    pub(super) fn allowed(
        &self,
        from: BrokerIx,
        to: BrokerIx,
        there: u32,
        back: Option<u32>,
    ) -> bool {
        self.evening.fits(from, to, there, back) && self.evening.guarded(from, to, there, back)
    }
}
