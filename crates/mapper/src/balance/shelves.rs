//! What each broker could give away, the largest first.

use super::state::State;
use crate::dense::BrokerIx;
use std::cmp::Reverse;

/// For each broker its movable partitions at one moment. Later changes are not followed: whoever takes one down looks
/// whether it is still there.
pub(super) struct Shelves {
    first: Vec<usize>,
    partitions: Vec<u32>,
    sorted: Vec<bool>,
    /// Partitions per broker that may move at all (`--partition-limit`).
    most: usize,
}

impl Shelves {
    pub(super) fn new(state: &State<'_>, most: Option<u32>) -> Self {
        let brokers = state.used.len();
        let mut first = vec![0; brokers + 1];
        let movable = || (0..state.partitions()).filter(|p| state.target_of(*p).is_some());
        for seat in movable().flat_map(|partition| state.seats_of(partition)) {
            first[*seat as usize + 1] += 1;
        }
        for broker in 0..brokers {
            first[broker + 1] += first[broker];
        }
        let mut next = first.clone();
        let mut partitions = vec![0; first[brokers]];
        for partition in movable() {
            for seat in state.seats_of(partition) {
                let slot = &mut next[*seat as usize];
                partitions[*slot] = u32::try_from(partition).unwrap_or(u32::MAX);
                *slot += 1;
            }
        }
        let most = most.map_or(usize::MAX, |most| most as usize);
        Self { first, partitions, sorted: vec![false; brokers], most }
    }

    /// The partitions on one broker, the largest first, equal ones in order.
    pub(super) fn of(&mut self, broker: BrokerIx, state: &State<'_>) -> &[u32] {
        let at = broker as usize;
        let shelf = &mut self.partitions[self.first[at]..self.first[at + 1]];
        if !self.sorted[at] {
            let mut keyed: Vec<(Reverse<u64>, u32)> =
                shelf.iter().map(|p| (Reverse(state.size[*p as usize]), *p)).collect();
            keyed.sort_unstable();
            for (slot, (_, partition)) in shelf.iter_mut().zip(keyed) {
                *slot = partition;
            }
            self.sorted[at] = true;
        }
        &shelf[..shelf.len().min(self.most)]
    }
}
