//! Plans that follow the linear relaxation.
//!
//! If a plan is far from the bound, the cheapest flow of bytes gives a better direction. Whole replicas follow it. Their
//! sizes leave some brokers outside the bands, and the usual evening brings these back.

use super::super::band::Band;
use super::super::bound::edges;
use super::flow::{Classes, placed};
use super::marks::Marks;
use super::model::StorageModel;
use super::whittle::whittle;
use super::{BalanceState, SearchConditions, copied, is_near};
use crate::bytes::Bytes;

/// Evens a state as far as possible.
pub(in super::super) type Evens<'e, 'a> = &'e dyn Fn(&mut BalanceState<'a>);

/// Parts of each band, of [`PARTS`], that the flow keeps free on both sides, because whole replicas overshoot. They are
/// tried in this order. The search stops as soon as a plan is near the bound.
const FREE: [u64; 8] = [0, 3, 6, 9, 12, 16, 20, 26];
const PARTS: u64 = 32;

/// Follows the cheapest flow if that copies less and no broker ends further outside its band.
///
/// Returns the number of seats in the program, and a lower bound of bytes for plans that end as evenly.
pub(super) fn follow<'a>(
    state: &mut BalanceState<'a>,
    asked: &SearchConditions<'_, 'a>,
    even: Evens<'_, 'a>,
) -> (usize, Option<Bytes>) {
    let model = StorageModel::new(asked);
    let classes = Classes::new(asked, &model);
    let groups = &asked.layout.shares.groups;
    let own = asked.marks(&asked.layout.bands);
    let exact = vec![0; state.used.len()];
    let better = |state: &mut BalanceState<'a>, other: BalanceState<'a>| {
        let other = whittled(other, asked, &own, even);
        let as_even = groups
            .iter()
            .all(|group| !own.strain(&other.used, group).exceeds(own.strain(&state.used, group)));
        if as_even && own.have_room(&other.used) && copied(&other) < copied(state) {
            *state = other;
        }
    };
    let built = state.clone();
    better(state, built);
    let mut least = None;
    for free in FREE {
        let bands: Vec<Option<Band>> =
            asked.layout.bands.iter().map(|band| band.map(|band| narrower(band, free))).collect();
        let marks = asked.marks(&bands).widened(&state.used, groups);
        let Some(poured) = classes.pour(&model, &marks, &exact) else { continue };
        // The first flow may use the whole bands, so no other flow costs less.
        let least = *least.get_or_insert(Bytes(model.given.0 + poured.copied));
        if is_near(copied(state).0, Some(least)) {
            break;
        }
        let mut other = placed(asked, &model, &classes.whole(&model, &poured));
        even(&mut other);
        better(state, other);
    }
    (model.binaries(), bound(state, asked, &model, &classes))
}

/// The state with fewer bytes, if evening it again changes nothing. Otherwise planning again after the plan would not
/// end, and the state stays as it is.
fn whittled<'a>(
    state: BalanceState<'a>,
    asked: &SearchConditions<'_, 'a>,
    own: &Marks,
    even: Evens<'_, 'a>,
) -> BalanceState<'a> {
    let mut fewer = state.clone();
    whittle(&mut fewer, asked, &own.widened(&state.used, &asked.layout.shares.groups));
    let changes = fewer.log.len();
    even(&mut fewer);
    if fewer.log.len() == changes { fewer } else { state }
}

/// The least bytes that a plan copies if it ends as evenly.
fn bound(
    state: &BalanceState<'_>,
    asked: &SearchConditions<'_, '_>,
    model: &StorageModel,
    classes: &Classes,
) -> Option<Bytes> {
    if model.narrowed {
        return None;
    }
    let shares = &asked.layout.shares;
    let mut bands = vec![None; state.used.len()];
    for group in &shares.groups {
        for (broker, band) in edges(state, shares, &group.brokers) {
            bands[broker as usize] = Some(band);
        }
    }
    let poured = classes.pour(model, &asked.marks(&bands), &classes.off)?;
    Some(Bytes(model.given.0 + poured.copied))
}

fn narrower(band: Band, free: u64) -> Band {
    let by = |width: u64| width / PARTS * free;
    // Where a broker cannot hold its share, the band ends before it.
    let (below, above) =
        (band.share.saturating_sub(band.low), band.high.saturating_sub(band.share));
    let high = band.high - by(above);
    Band { low: (band.low + by(below)).min(high), share: band.share, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_that_ends_before_the_share_stays_a_band() {
        for free in FREE {
            let narrow = narrower(Band { low: 10_000, share: 100_000, high: 12_000 }, free);
            assert_eq!((narrow.share, narrow.high), (100_000, 12_000));
            assert!((10_000..=12_000).contains(&narrow.low), "{}", narrow.low);
            let inside = narrower(Band { low: 90_000, share: 100_000, high: 110_000 }, free);
            assert!(90_000 <= inside.low && inside.low <= 100_000 && 100_000 <= inside.high);
        }
    }
}
