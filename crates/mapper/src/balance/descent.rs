//! How far so many bytes go: a ladder from the cluster as it is down to one that is even.
//!
//! So many bytes, taken off the fullest, bring the top down to one level, and no plan that moves as many ends with a lower
//! one. They go to the emptiest. Each rung is such a level, a few bytes below the one before, and is reached from the start
//! at once, so that few and large replicas move. The last rungs bring the bottom up.

use super::band::Band;
use super::evening::Evening;
use super::field::Layout;
use super::pour::{Seats, pour};
use super::state::{Shift, State};
use crate::dense::BrokerIx;

/// So many rungs lead down at least, and so many up: between two of them lies so small a part of the bytes.
const FEWEST: usize = 128;

/// Where there are few partitions, more rungs take no time.
const MOST: usize = 4096;
const OF_PARTITIONS: usize = 1 << 20;

/// The bands of each rung: first the top comes down, and what it gives goes to the emptiest of its group; then the bottom
/// comes up. The last are the bands of the layout.
pub(super) fn ladder(state: &State<'_>, layout: &Layout) -> Vec<Vec<Option<Band>>> {
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

/// What brings the cluster to each rung, until one is `beyond` what may be moved. Only rungs that end with a lower top or a
/// higher bottom than the one before, and with neither worse.
pub(super) fn descend<'e, 'a>(
    evening: &mut Evening<'e, 'a>,
    layout: &Layout,
    ladder: &'e [Vec<Option<Band>>],
    beyond: impl Fn(&State<'a>) -> bool,
) -> Vec<Vec<Shift>> {
    let mut rungs = Vec::new();
    evening.state.rewind(0);
    let mut reached = Ends::of(evening.state, layout);
    for bands in ladder {
        evening.state.rewind(0);
        evening.bands = bands;
        for group in &layout.shares.groups {
            if evening.state.is_repaired {
                pour(evening, group, Seats::Anew);
            }
            pour(evening, group, Seats::All);
        }
        if beyond(evening.state) {
            break;
        }
        let ends = Ends::of(evening.state, layout);
        if ends != reached && ends.top <= reached.top && ends.bottom >= reached.bottom {
            reached = ends;
            rungs.push(evening.state.log.clone());
        }
    }
    evening.state.rewind(0);
    rungs
}

/// The level of the fullest broker above its band, and of the emptiest below.
#[derive(PartialEq, Eq)]
struct Ends {
    top: u64,
    bottom: u64,
}

impl Ends {
    fn of(state: &State<'_>, layout: &Layout) -> Self {
        let mut ends = Self { top: 0, bottom: u64::MAX };
        for Standing { band, used, capacity, .. } in Slope::new(state, layout).brokers {
            if used > band.high {
                ends.top = ends.top.max(level(used, capacity));
            } else if used < band.low {
                ends.bottom = ends.bottom.min(level(used, capacity));
            }
        }
        ends
    }
}

/// Brokers at their levels.
struct Slope {
    brokers: Vec<Standing>,
    /// The highest level of all.
    top: u64,
}

struct Standing {
    broker: BrokerIx,
    band: Band,
    used: u64,
    capacity: u64,
}

impl Slope {
    fn new(state: &State<'_>, layout: &Layout) -> Self {
        let carried = state.carried(layout.load);
        let brokers: Vec<Standing> = (0..)
            .zip(&layout.bands)
            .filter_map(|(broker, band)| {
                let (band, used) = ((*band)?, carried[broker as usize]);
                let capacity = layout.load.capacity(state.cluster, broker)?;
                Some(Standing { broker, band, used, capacity })
            })
            .collect();
        let tops = brokers.iter().map(|one| level(one.used.max(one.band.high), one.capacity) + 1);
        let top = tops.max().unwrap_or(0);
        Self { brokers, top }
    }

    /// What those give that come down to a level, or only to the upper edge of their band.
    fn given(&self, level: u64) -> u128 {
        let of =
            |one: &Standing| one.used.saturating_sub(one.band.high.max(at(level, one.capacity)));
        self.brokers.iter().map(|one| u128::from(of(one))).sum()
    }

    /// What those take that come up to a level, or only to the lower edge of their band.
    fn taken(&self, level: u64) -> u128 {
        let of =
            |one: &Standing| one.band.low.min(at(level, one.capacity)).saturating_sub(one.used);
        self.brokers.iter().map(|one| u128::from(of(one))).sum()
    }

    /// The bands, widened to these levels.
    fn edges(&self, layout: &Layout, bottom: u64, top: u64) -> Vec<Option<Band>> {
        let mut bands = layout.bands.clone();
        for Standing { broker, band, capacity, .. } in &self.brokers {
            bands[*broker as usize] = Some(Band {
                low: band.low.min(at(bottom, *capacity)),
                high: band.high.max(at(top, *capacity)),
                ..*band
            });
        }
        bands
    }
}

/// How full, in parts of the capacity per 2^30.
fn level(used: u64, capacity: u64) -> u64 {
    let parts = (u128::from(used) << 30) / u128::from(capacity.max(1));
    u64::try_from(parts).unwrap_or(u64::MAX)
}

/// What a broker at this level carries.
fn at(level: u64, capacity: u64) -> u64 {
    let carried = (u128::from(capacity) * u128::from(level)) >> 30;
    u64::try_from(carried).unwrap_or(u64::MAX)
}

/// The first number for which `holds`, or the last of all.
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
