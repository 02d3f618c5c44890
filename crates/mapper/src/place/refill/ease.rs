//! Eases the fullest broker: changes seats that were filled one by one, if that leaves the fullest broker emptier.
//!
//! One replica goes to another broker, or takes the place of a second one, which moves on. Replicas that this plan does
//! not copy stay.

use super::even::{FullestShare, fullest};
use crate::dense::BrokerIx;
use crate::place::Placement;
use crate::work::Work;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The most replicas that change their broker. After that the plan stays as it is.
const MOST_EASED: usize = 200;
/// The most replicas of a broker that are tried in turn.
const MOST_TRIED: usize = 100;
/// The most exchanges that are tried in all. They take some milliseconds.
const MOST_EXCHANGES: usize = 8_000;

/// Eases brokers until none is fuller than `enough`, or no change helps.
pub(super) fn ease(placement: &mut Placement<'_>, work: &mut [Work], enough: f64) {
    let mut left = MOST_EXCHANGES;
    for _ in 0..MOST_EASED {
        let Some((broker, full)) = fullest(placement) else { return };
        let mut ease = Ease { placement, work, broker, full, left: &mut left };
        if full.share() <= enough || !(ease.hand_on() || ease.swap()) {
            return;
        }
    }
}

struct Ease<'e, 'a> {
    placement: &'e mut Placement<'a>,
    work: &'e mut [Work],
    /// The fullest broker.
    broker: BrokerIx,
    full: FullestShare,
    /// The number of exchanges that may still be tried.
    left: &'e mut usize,
}

/// A replica that this plan copies: its work and seat.
type PlacedCopy = (usize, usize);

impl Ease<'_, '_> {
    /// Moves a replica of the fullest broker to one that stays emptier with it.
    fn hand_on(&mut self) -> bool {
        let from = self.broker;
        for copy in self.copies(from) {
            if let Some(to) = self.emptiest(copy, from, 0) {
                self.placement.shift(self.work, copy, from, to);
                return true;
            }
        }
        false
    }

    /// Moves a replica of the fullest broker to one where another replica makes room for it.
    fn swap(&mut self) -> bool {
        let from = self.broker;
        let mut copies_to: BTreeMap<BrokerIx, Vec<PlacedCopy>> = BTreeMap::new();
        for copy in self.copies(from) {
            for to in self.placement.admitted(&self.work[copy.0], copy.1) {
                if to == from {
                    continue;
                }
                let others = copies_to.entry(to).or_insert_with(|| self.copies(to));
                for other in others.iter().copied() {
                    let size = self.size(copy);
                    if other.0 == copy.0 || !self.fits(to, size, self.size(other)) {
                        continue;
                    }
                    let Some(left) = self.left.checked_sub(1) else { return false };
                    *self.left = left;
                    if let Some(onward) = self.emptiest(other, to, size) {
                        self.placement.shift(self.work, other, to, onward);
                        self.placement.shift(self.work, copy, from, to);
                        return true;
                    }
                }
            }
        }
        false
    }

    /// The largest replicas that this plan copies to a broker.
    fn copies(&self, broker: BrokerIx) -> Vec<PlacedCopy> {
        let cluster = self.placement.cluster;
        let placed = self.placement.placed[broker as usize].iter().copied();
        let mut copies: Vec<PlacedCopy> = placed
            .filter(|(at, _)| !cluster.seats_of(self.work[*at].partition).contains(&broker))
            .collect();
        copies.sort_unstable_by_key(|copy| (Reverse(self.size(*copy)), *copy));
        copies.truncate(MOST_TRIED);
        copies
    }

    fn size(&self, (at, _): PlacedCopy) -> u64 {
        self.work[at].size.unwrap_or(0)
    }

    /// The broker that is emptiest with the replica, if it is emptier than the fullest now. `leaves`: bytes on their way
    /// from the fullest broker.
    fn emptiest(&self, (at, seat): PlacedCopy, except: BrokerIx, leaves: u64) -> Option<BrokerIx> {
        let size = self.size((at, seat));
        let admitted = self.placement.admitted(&self.work[at], seat).into_iter();
        let fits = admitted.filter(|to| *to != except).filter_map(|to| {
            let leaves = if to == self.broker { leaves } else { 0 };
            Some((self.full_with(to, size, leaves)?, to))
        });
        let best = fits.reduce(|best, next| if best.0.exceeds(next.0) { next } else { best });
        best.filter(|(full, _)| self.full.exceeds(*full)).map(|(_, to)| to)
    }

    fn fits(&self, broker: BrokerIx, comes: u64, leaves: u64) -> bool {
        self.full_with(broker, comes, leaves).is_some_and(|full| self.full.exceeds(full))
    }

    fn full_with(&self, broker: BrokerIx, comes: u64, leaves: u64) -> Option<FullestShare> {
        let full = FullestShare::of(self.placement, broker)?;
        Some(FullestShare { used: (full.used + comes).saturating_sub(leaves), ..full })
    }
}
