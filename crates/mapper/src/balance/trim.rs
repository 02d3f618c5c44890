//! Undoes changes that turned out to be needless.

use super::evening::Evening;
use super::shares::BrokerGroup;
use super::state::SeatShift;
use std::cmp::Reverse;

/// Undoes each change without which giver and taker are still in their bands, the largest first.
///
/// It does this only if every broker of the group is in its band. Otherwise each change was needed.
pub(super) fn trim(evening: &mut Evening<'_, '_>, group: &BrokerGroup, since: usize) {
    if group.brokers.iter().any(|broker| evening.strain(*broker) > 0) {
        return;
    }
    let mut changes: Vec<SeatShift> = evening.state.log[since..].to_vec();
    changes.sort_by_key(|change| {
        let size = evening.state.size[change.partition as usize];
        (Reverse(size), change.partition, change.from, change.to)
    });
    for SeatShift { partition, from, to } in changes {
        let home = SeatShift { partition, from: to, to: from };
        let weight = evening.weight(partition);
        let in_band = evening.used(from) + weight <= evening.band(from).high
            && evening.used(to).saturating_sub(weight) >= evening.band(to).low;
        if in_band
            && evening.state.holds(partition, to)
            && evening.state.copies(home) < 0
            && evening.rules.admit(evening.state, partition, to, from)
            && evening.fits(to, from, partition, None)
            && evening.guarded(to, from, partition, None)
        {
            evening.state.shift(home);
        }
    }
}
