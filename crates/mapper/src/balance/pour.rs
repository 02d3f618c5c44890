//! Moves most of the bytes, each directly from a broker that has too many to one that has too few.
//!
//! If every broker ends in its band, the bytes moved are at least the excess over the upper edges. They are also at
//! least the deficit under the lower edges. The larger sum decides. If it is the excess, givers come down only to
//! their upper edge, and takers rise together inside their bands. If it is the deficit, it is the other way round.
//! The fullest broker gives first: its largest replica that fits goes to the emptiest broker. So few replicas move,
//! and a plan that is cut short has made the most important moves. Where another load is evened later, it is one of the
//! largest, and goes where it suits that load as well ([`seat_preference`](super::seat_preference)).

use super::band::Band;
use super::evening::Evening;
use super::load::BalancedLoad;
use super::seat_preference::SeatPreference;
use super::shares::BrokerGroup;
use crate::dense::BrokerIx;
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// The loads between which bytes flow: givers go down to `floor`, takers up to `ceiling`.
struct Edges {
    floor: Vec<u64>,
    ceiling: Vec<u64>,
}

/// The seats that may move.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum MovableSeats {
    /// Seats that get a new broker anyway: they cost their bytes on any broker.
    Anew,
    All,
}

/// Moves as many bytes as possible without passing an edge.
pub(super) fn pour(evening: &mut Evening<'_, '_>, group: &BrokerGroup, seats: MovableSeats) {
    let edges = edges(evening, group);
    let mut takers = BTreeSet::new();
    let mut givers = BinaryHeap::new();
    for broker in group.brokers.iter().copied() {
        if evening.used(broker) < edges.ceiling[broker as usize] {
            takers.insert((evening.level(broker), broker));
        } else if evening.used(broker) > edges.floor[broker as usize]
            && evening.gives[broker as usize]
        {
            givers.push((evening.level(broker), Reverse(broker)));
        }
    }
    let brokers = evening.state.used.len();
    let (next, refused) = (vec![0; brokers], vec![0; brokers]);
    let preference = SeatPreference::of(evening);
    let mut flow = PourFlow {
        seats,
        next,
        takers,
        edges,
        widest: u64::MAX,
        is_narrower: true,
        refused,
        preference,
        left: BTreeSet::new(),
    };
    while let Some((_, Reverse(giver))) = givers.pop() {
        if flow.one_seat(evening, giver) {
            givers.push((evening.level(giver), Reverse(giver)));
        }
    }
}

/// The brokers that take, and the position of each giver on its shelf.
struct PourFlow<'l> {
    seats: MovableSeats,
    /// For each broker the next partition on its shelf.
    next: Vec<usize>,
    /// Brokers that still take, ordered by load.
    takers: BTreeSet<(u64, BrokerIx)>,
    edges: Edges,
    /// The most room that any taker has.
    widest: u64,
    /// Whether a taker has got less room since then.
    is_narrower: bool,
    /// For each broker the seats that it refused in spite of enough space, since it last took one.
    refused: Vec<u32>,
    preference: SeatPreference<'l>,
    /// Seats that no taker accepted, when a giver gave one of the next instead.
    left: BTreeSet<(BrokerIx, u32)>,
}

/// The most refusals in a row when counts are evened. Then the taker takes no more, or the giver gives no more. The
/// bytes grow along the shelf, so later seats would be refused as well.
const MOST_REFUSED: u32 = 32;

impl PourFlow<'_> {
    /// Gives one seat away; false if the giver has none left that a taker accepts.
    fn one_seat(&mut self, evening: &mut Evening<'_, '_>, giver: BrokerIx) -> bool {
        if !evening.count_lets_go(giver) {
            return false;
        }
        let spare = evening.used(giver).saturating_sub(self.edges.floor[giver as usize]);
        let mut misses = 0;
        loop {
            let fits = evening.first_at_most(giver, spare.min(self.widest));
            self.next[giver as usize] = self.next[giver as usize].max(fits);
            let (choice, end) = self.choice(evening, giver, spare);
            if choice.is_empty() {
                return false;
            }
            for (tried, partition) in choice.iter().copied().enumerate() {
                if let Some(taker) = self.taker_of(evening, partition, giver) {
                    self.left.extend(choice[..tried].iter().map(|seat| (giver, *seat)));
                    self.takers.remove(&(evening.level(taker), taker));
                    self.refused[taker as usize] = 0;
                    evening.shift(partition, giver, taker);
                    self.is_narrower = true;
                    if self.space(evening, taker) > 0 {
                        self.takers.insert((evening.level(taker), taker));
                    }
                    return true;
                }
            }
            self.next[giver as usize] = end;
            misses += u32::from(evening.load.is_uniform());
            if misses > MOST_REFUSED {
                return false;
            }
        }
    }

    /// The next seats of the giver that may move, the best first, and the position on the shelf after them.
    fn choice(
        &mut self,
        evening: &mut Evening<'_, '_>,
        giver: BrokerIx,
        spare: u64,
    ) -> (SmallVec<[u32; 1]>, usize) {
        let mut choice = SmallVec::new();
        let mut at = self.next[giver as usize];
        while choice.len() < self.preference.choice() {
            let Some(partition) = evening.shelf(giver).get(at).copied() else { break };
            at += 1;
            if self.may_flow(evening, partition, giver) {
                choice.push(partition);
            } else if choice.is_empty() {
                self.next[giver as usize] = at;
            }
        }
        self.preference.sort(evening, &mut choice, giver, spare);
        (choice, at)
    }

    /// Whether the replica is still on the giver, and is one of the seats that may move.
    fn may_flow(&self, evening: &Evening<'_, '_>, partition: u32, giver: BrokerIx) -> bool {
        let (state, at) = (&evening.state, partition as usize);
        state.seats_of(at).contains(&giver)
            && evening.weight(partition) > 0
            && !self.left.contains(&(giver, partition))
            && evening.spares(partition, giver)
            && (self.seats == MovableSeats::All || !state.cluster.seats_of(at).contains(&giver))
    }

    /// The preferred taker of those that the rules allow and that have the space.
    fn taker_of(
        &mut self,
        evening: &Evening<'_, '_>,
        partition: u32,
        giver: BrokerIx,
    ) -> Option<BrokerIx> {
        let weight = evening.weight(partition);
        // Where numbers of replicas are evened, refusals are counted for each taker, so each is asked.
        let is_counted = evening.load.is_uniform();
        if !is_counted && !evening.amounts_let_go(partition, giver) {
            self.measure_widest(evening);
            return None;
        }
        let mut widest = 0;
        let mut found: Option<(Option<u128>, BrokerIx)> = None;
        let mut tired = None;
        for (level, taker) in &self.takers {
            let space = self.space(evening, *taker);
            widest = widest.max(space);
            if space < weight
                || !evening.count_lets_come(*taker)
                || !(is_counted || evening.amounts_let_come(partition, *taker))
                || !evening.admit(partition, giver, *taker)
            {
                continue;
            }
            if evening.fits(giver, *taker, partition, None)
                && evening.guarded(giver, *taker, partition, None)
            {
                let off = self.preference.off(evening, partition, *taker, space);
                if found.is_none_or(|(least, _)| off < least) {
                    found = Some((off, *taker));
                }
                if off.is_none() {
                    break;
                }
                continue;
            }
            let refused = &mut self.refused[*taker as usize];
            *refused += u32::from(is_counted);
            if *refused > MOST_REFUSED {
                tired = Some((*level, *taker));
            }
        }
        if let Some(tired) = tired {
            self.takers.remove(&tired);
        }
        if found.is_none() {
            (self.widest, self.is_narrower) = (widest, tired.is_some());
        }
        found.map(|(_, taker)| taker)
    }

    fn measure_widest(&mut self, evening: &Evening<'_, '_>) {
        if self.is_narrower {
            let spaces = self.takers.iter().map(|(_, taker)| self.space(evening, *taker));
            (self.widest, self.is_narrower) = (spaces.max().unwrap_or(0), false);
        }
    }

    fn space(&self, evening: &Evening<'_, '_>, taker: BrokerIx) -> u64 {
        let below = self.edges.ceiling[taker as usize].saturating_sub(evening.used(taker));
        if evening.load == BalancedLoad::Storage { below.min(evening.room(taker)) } else { below }
    }
}

/// Levels between the lower and the upper edge of a band.
const LEVELS: u64 = 1 << 20;

fn edges(evening: &Evening<'_, '_>, group: &BrokerGroup) -> Edges {
    let brokers = || group.brokers.iter().copied().map(|b| (evening.band(b), evening.used(b), b));
    let excess: u64 = brokers().map(|(band, used, _)| used.saturating_sub(band.high)).sum();
    let deficit: u64 = brokers().map(|(band, used, _)| band.low.saturating_sub(used)).sum();
    let all = evening.state.used.len();
    let mut edges = Edges { floor: vec![u64::MAX; all], ceiling: vec![0; all] };
    let taken =
        |at: u64| brokers().map(|(band, used, _)| between(band, at).saturating_sub(used)).sum();
    let given =
        |at: u64| brokers().map(|(band, used, _)| used.saturating_sub(between(band, at))).sum();
    let (floor, ceiling) = if excess >= deficit {
        (LEVELS, first_level(|at| at == LEVELS || sum_reaches(taken(at), excess)))
    } else {
        let down = first_level(|at| at == LEVELS || sum_reaches(given(LEVELS - at), deficit));
        (LEVELS - down, 0)
    };
    for (band, _, broker) in brokers() {
        edges.floor[broker as usize] = between(band, floor);
        edges.ceiling[broker as usize] = between(band, ceiling);
    }
    edges
}

fn sum_reaches(sum: u64, bytes: u64) -> bool {
    sum >= bytes
}

/// The load inside the band at level `at` of [`LEVELS`].
fn between(band: Band, at: u64) -> u64 {
    let above = u128::from(band.high - band.low) * u128::from(at) / u128::from(LEVELS);
    band.low + u64::try_from(above).unwrap_or(u64::MAX)
}

/// The first level for which `enough` is true. It is true for the last level, and for all levels above the first.
fn first_level(enough: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, LEVELS);
    while low < high {
        let middle = low + (high - low) / 2;
        if enough(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Ratio;

    #[test]
    fn levels_lead_from_edge_to_edge() {
        let band = Band::around(1_000, Ratio::from_percent(10));
        assert_eq!((between(band, 0), between(band, LEVELS)), (900, 1_100));
        assert_eq!(between(band, LEVELS / 2), 1_000);
    }

    #[test]
    fn the_first_level_is_found() {
        assert_eq!(first_level(|at| at >= 4_711), 4_711);
        assert_eq!(first_level(|at| at == LEVELS), LEVELS);
    }
}
