//! Which of the seats that fit leaves a broker first while a load is poured, and where it goes.
//!
//! Where another load is evened later, both are nearly even already if the seats are chosen well. A broker that gives or
//! takes a part of one load has to give or take a certain part of the later load with it. So it prefers seats in which the
//! two loads have nearly this ratio.

use super::evening::Evening;
use super::load::BalancedLoad;
use super::load_goals::Layout;
use crate::dense::BrokerIx;

/// The seats among which a giver chooses: the largest that fit.
const CHOICE: usize = 64;

/// What is preferred.
pub(super) enum SeatPreference<'l> {
    /// The largest seat, so that few replicas move, and the emptiest taker.
    Largest,
    /// For the traffic or CPU that a seat takes along, the fewest bytes.
    FewestBytes,
    /// The ratio to a load that is evened later.
    Later(&'l Layout),
}

impl<'l> SeatPreference<'l> {
    pub(super) fn of(evening: &Evening<'l, '_>) -> Self {
        match (evening.later, evening.load) {
            (Some(later), _) => Self::Later(later),
            (None, BalancedLoad::Network | BalancedLoad::Cpu) => Self::FewestBytes,
            (None, _) => Self::Largest,
        }
    }

    /// The number of seats among which a giver chooses.
    pub(super) fn choice(&self) -> usize {
        if matches!(self, Self::Largest) { 1 } else { CHOICE }
    }

    /// Puts seats of a giver in order, the best first. `spare`: what it has to give of the load that is evened now.
    pub(super) fn sort(
        &self,
        evening: &Evening<'_, '_>,
        seats: &mut [u32],
        giver: BrokerIx,
        spare: u64,
    ) {
        match self {
            Self::Largest => {}
            Self::FewestBytes => seats.sort_by_cached_key(|partition| {
                let bytes = evening.state.size[*partition as usize];
                ratio(i128::from(bytes), evening.weight(*partition))
            }),
            Self::Later(later) => {
                let wanted = ratio(-lacks(later, evening, giver), spare);
                let off = |partition: &u32| seat_ratio(later, evening, *partition).abs_diff(wanted);
                seats.sort_by_cached_key(off);
            }
        }
    }

    /// How badly a replica suits a taker that has this space for the load that is evened now. `None` if all takers are
    /// alike, so that the emptiest one takes it.
    pub(super) fn off(
        &self,
        evening: &Evening<'_, '_>,
        partition: u32,
        taker: BrokerIx,
        space: u64,
    ) -> Option<u128> {
        let Self::Later(later) = self else { return None };
        let wanted = ratio(lacks(later, evening, taker), space);
        Some(seat_ratio(later, evening, partition).abs_diff(wanted))
    }
}

/// What a broker lacks of its share of the later load; below 0 if it has more.
fn lacks(later: &Layout, evening: &Evening<'_, '_>, broker: BrokerIx) -> i128 {
    let carried = evening.state.carried(later.load)[broker as usize];
    later.shares.of[broker as usize].map_or(0, |share| i128::from(share) - i128::from(carried))
}

fn seat_ratio(later: &Layout, evening: &Evening<'_, '_>, partition: u32) -> i128 {
    let weight = evening.state.weight(later.load, partition);
    ratio(i128::from(weight), evening.weight(partition))
}

/// A load for each unit of the load that is evened now, in parts per 2^40.
fn ratio(load: i128, now: u64) -> i128 {
    (load << 40) / i128::from(now.max(1))
}
