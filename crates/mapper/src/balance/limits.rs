//! What a plan may move at most.
//!
//! Of the changes that even the load, in the order in which they were found, the plan keeps the first so many: of all
//! numbers that stay within the limits, the one that ends most evenly. A larger limit leaves more to choose from, so
//! it never ends less evenly.

use super::field::Layout;
use super::state::State;
use crate::bytes::Bytes;
use crate::floor;
use crate::no_plan::NoPlan;
use crate::request::Balance;
use crate::work::Work;

/// What has to move whatever is evened is not beyond the limits.
pub(super) fn repairs_fit(balance: &Balance, repairs: &[Work]) -> Result<(), NoPlan> {
    let (bytes, replicas) = needed(repairs);
    let fits = balance.max_bytes_moved.is_none_or(|most| bytes <= most.0)
        && balance.max_moves.is_none_or(|most| replicas <= most);
    if fits { Ok(()) } else { Err(NoPlan::BeyondLimit { bytes: Bytes(bytes), replicas }) }
}

/// The bytes and replicas that repairs copy.
fn needed(repairs: &[Work]) -> (u64, u64) {
    let replicas = repairs.iter().map(|item| item.must_copy as u64).sum();
    (floor::must_copy(repairs).map_or(0, |bytes| bytes.0), replicas)
}

/// Goes back to the most even state on the way that is within the limits.
pub(super) fn keep(state: &mut State<'_>, balance: &Balance, repairs: &[Work], layout: &Layout) {
    if balance.max_bytes_moved.is_none() && balance.max_moves.is_none() {
        return;
    }
    let changes = state.log.clone();
    state.rewind(0);
    let (bytes, replicas) = needed(repairs);
    let (mut bytes, mut replicas) = (i128::from(bytes), i128::from(replicas));
    let most_bytes = balance.max_bytes_moved.map_or(i128::MAX, |most| most.0.into());
    let most_replicas = balance.max_moves.map_or(i128::MAX, i128::from);
    let mut best = (worst(state, layout), 0);
    for (count, change) in (1..).zip(&changes) {
        let copies = i128::from(state.copies(*change));
        bytes += copies * i128::from(state.size[change.partition as usize]);
        replicas += copies;
        state.shift(*change);
        if bytes <= most_bytes && replicas <= most_replicas {
            best = best.min((worst(state, layout), count));
        }
    }
    state.rewind(best.1);
}

/// How far the worst broker is from its share.
fn worst(state: &State<'_>, layout: &Layout) -> u64 {
    let brokers = layout.bands.iter().zip(&state.used);
    brokers.filter_map(|(band, used)| Some(band.as_ref()?.strain(*used))).max().unwrap_or(0)
}
