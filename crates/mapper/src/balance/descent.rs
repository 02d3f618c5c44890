//! Finds how far a limited number of bytes can even a cluster: a ladder of levels from the present state to an even one.
//!
//! Take a number of bytes off the fullest brokers, and the top comes down to a level. No plan that moves as many bytes
//! ends with a lower top. The bytes go to the emptiest brokers. Each rung is such a level, a few bytes below the one
//! before. It is reached directly from the start, so that few and large replicas move. The last rungs raise the bottom.

use super::band::Band;
use super::evening::Evening;
use super::load_goals::Layout;
use super::pour::{MovableSeats, pour};
use super::state::{BalanceState, SeatShift};
use crate::dense::BrokerIx;

/// The fewest rungs down, and the fewest rungs up. It sets the resolution: each rung is at most 1/128 of the bytes.
const FEWEST: usize = 128;

/// The most rungs in each direction. A cluster of few partitions gets more rungs, because they take no time there.
const MOST: usize = 4096;
const OF_PARTITIONS: usize = 1 << 20;

/// The bands of each rung. First the top comes down, and its bytes go to the emptiest brokers of the group. Then the
/// bottom comes up. The last bands are those of the layout.
pub(super) fn ladder(state: &BalanceState<'_>, layout: &Layout) -> Vec<Vec<Option<Band>>> {
    let rungs = (OF_PARTITIONS / state.partitions().max(1)).clamp(FEWEST, MOST) as u128;
    let slope = Slope::new(state, layout);
    let (given, taken) = (slope.given(0), slope.taken(slope.top));
    let down = |rung| {
        let bytes = given * rung / rungs;
        slope.edges(layout, 0, first(slope.top, |level| slope.given(level) <= bytes))
    };
    let up = |rung| {
        let bytes = taken * rung / rungs;
        let from_top = first(slope.top, |level| slope.taken(slope.top - level) <= bytes);
        slope.edges(layout, slope.top - from_top, 0)
    };
    let all = (1..=rungs).filter(|_| given > 0).map(down);
    all.chain((1..=rungs).filter(|_| taken > 0).map(up)).collect()
}

/// The changes that bring the cluster to each rung, until one is `beyond` the limit of the request.
///
/// A rung is kept only if the top is lower or the bottom is higher than before, and neither is worse.
pub(super) fn descend<'e, 'a>(
    evening: &mut Evening<'e, 'a>,
    layout: &Layout,
    ladder: &'e [Vec<Option<Band>>],
    beyond: impl Fn(&BalanceState<'a>) -> bool,
) -> Vec<Vec<SeatShift>> {
    let mut rungs = Vec::new();
    evening.state.rewind(0);
    let mut reached = BandExcess::of(evening.state, layout);
    for bands in ladder {
        evening.state.rewind(0);
        evening.bands = bands;
        for group in &layout.shares.groups {
            if evening.state.is_repaired {
                pour(evening, group, MovableSeats::Anew);
            }
            pour(evening, group, MovableSeats::All);
        }
        if beyond(evening.state) {
            break;
        }
        let ends = BandExcess::of(evening.state, layout);
        if ends != reached && ends.top <= reached.top && ends.bottom >= reached.bottom {
            reached = ends;
            rungs.push(evening.state.log.clone());
        }
    }
    evening.state.rewind(0);
    rungs
}

/// The level of the fullest broker above its band, and of the emptiest broker below its band.
#[derive(PartialEq, Eq)]
struct BandExcess {
    top: u64,
    bottom: u64,
}

impl BandExcess {
    fn of(state: &BalanceState<'_>, layout: &Layout) -> Self {
        let mut ends = Self { top: 0, bottom: u64::MAX };
        for BrokerLoad { band, used, capacity, .. } in Slope::new(state, layout).brokers {
            if used > band.high {
                ends.top = ends.top.max(level(used, capacity));
            } else if used < band.low {
                ends.bottom = ends.bottom.min(level(used, capacity));
            }
        }
        ends
    }
}

/// All brokers of a layout with their loads.
struct Slope {
    brokers: Vec<BrokerLoad>,
    /// The highest level of all brokers.
    top: u64,
}

struct BrokerLoad {
    broker: BrokerIx,
    band: Band,
    used: u64,
    capacity: u64,
}

impl Slope {
    fn new(state: &BalanceState<'_>, layout: &Layout) -> Self {
        let carried = state.carried(layout.load);
        let brokers: Vec<BrokerLoad> = (0..)
            .zip(&layout.bands)
            .filter_map(|(broker, band)| {
                let (band, used) = ((*band)?, carried[broker as usize]);
                let capacity = layout.load.capacity(state.cluster, broker)?;
                Some(BrokerLoad { broker, band, used, capacity })
            })
            .collect();
        let tops = brokers.iter().map(|one| level(one.used.max(one.band.high), one.capacity) + 1);
        let top = tops.max().unwrap_or(0);
        Self { brokers, top }
    }

    /// Bytes that brokers give to come down to this level, but never below the upper edge of their band.
    fn given(&self, level: u64) -> u128 {
        let of =
            |one: &BrokerLoad| one.used.saturating_sub(one.band.high.max(at(level, one.capacity)));
        self.brokers.iter().map(|one| u128::from(of(one))).sum()
    }

    /// Bytes that brokers take to come up to this level, but never above the lower edge of their band.
    fn taken(&self, level: u64) -> u128 {
        let of =
            |one: &BrokerLoad| one.band.low.min(at(level, one.capacity)).saturating_sub(one.used);
        self.brokers.iter().map(|one| u128::from(of(one))).sum()
    }

    /// The bands, widened to these levels.
    fn edges(&self, layout: &Layout, bottom: u64, top: u64) -> Vec<Option<Band>> {
        let mut bands = layout.bands.clone();
        for BrokerLoad { broker, band, capacity, .. } in &self.brokers {
            bands[*broker as usize] = Some(Band {
                low: band.low.min(at(bottom, *capacity)),
                high: band.high.max(at(top, *capacity)),
                ..*band
            });
        }
        bands
    }
}

/// Load in parts of the capacity per 2^30.
fn level(used: u64, capacity: u64) -> u64 {
    let parts = (u128::from(used) << 30) / u128::from(capacity.max(1));
    u64::try_from(parts).unwrap_or(u64::MAX)
}

/// The load of a broker at this level.
fn at(level: u64, capacity: u64) -> u64 {
    let carried = (u128::from(capacity) * u128::from(level)) >> 30;
    u64::try_from(carried).unwrap_or(u64::MAX)
}

/// The first number for which `holds` is true; `last` if it is true for none before.
fn first(last: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    high
}
