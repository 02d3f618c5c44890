//! The fullest broker eased: what was filled seat by seat, changed where that leaves the fullest one emptier.
//!
//! One replica goes elsewhere, or to where it pushes another one on. What this plan does not copy stays.

use super::even::{Full, fullest};
use crate::dense::BrokerIx;
use crate::place::Placement;
use crate::work::Work;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Replicas that change their broker, at the most.
const MOST_EASED: usize = 200;
/// Replicas of a broker that are looked at in turn.
const MOST_TRIED: usize = 100;
/// Exchanges that are looked at in all: some milliseconds.
const MOST_EXCHANGES: usize = 8_000;

/// Eases until no broker is fuller than `enough`, or nothing helps.
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
    /// The fullest, which is eased.
    broker: BrokerIx,
    full: Full,
    /// Exchanges that may still be looked at.
    left: &'e mut usize,
}

/// A replica that this plan copies: its work and seat.
type Copy = (usize, usize);

impl Ease<'_, '_> {
    /// A replica of the fullest goes to a broker that it leaves emptier.
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

    /// A replica of the fullest goes where another one makes room for it.
    fn swap(&mut self) -> bool {
        let from = self.broker;
        let mut copies_to: BTreeMap<BrokerIx, Vec<Copy>> = BTreeMap::new();
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
    fn copies(&self, broker: BrokerIx) -> Vec<Copy> {
        let cluster = self.placement.cluster;
        let placed = self.placement.placed[broker as usize].iter().copied();
        let mut copies: Vec<Copy> = placed
            .filter(|(at, _)| !cluster.seats_of(self.work[*at].partition).contains(&broker))
            .collect();
        copies.sort_unstable_by_key(|copy| (Reverse(self.size(*copy)), *copy));
        copies.truncate(MOST_TRIED);
        copies
    }

    fn size(&self, (at, _): Copy) -> u64 {
        self.work[at].size.unwrap_or(0)
    }

    /// Where a replica leaves the emptiest broker, `leaves` being on its way from the fullest; emptier than that is.
    fn emptiest(&self, (at, seat): Copy, except: BrokerIx, leaves: u64) -> Option<BrokerIx> {
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

    fn full_with(&self, broker: BrokerIx, comes: u64, leaves: u64) -> Option<Full> {
        let full = Full::of(self.placement, broker)?;
        Some(Full { used: (full.used + comes).saturating_sub(leaves), ..full })
    }
}
