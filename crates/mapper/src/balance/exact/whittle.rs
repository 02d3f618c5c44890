//! Fewer bytes for the same evenness: a replica that moved changes places with a smaller one that stayed.
//!
//! Whole replicas overshoot: a broker that gave ends below its upper edge, and one that took ends above its lower edge.
//! A smaller replica would have been enough. It moves instead, and the larger one returns, if both bands allow it.

use super::super::shelves::Shelves;
use super::super::state::{BalanceState, SeatShift};
use super::{Marks, SearchConditions};
use crate::dense::BrokerIx;
use std::cmp::Reverse;

/// The most rounds over all moved replicas. Nearly always the second round finds almost nothing.
const ROUNDS: usize = 4;

/// The most smaller replicas that are tried in place of one that moved. Then that one stays moved.
const CANDIDATES: usize = 64;

pub(super) fn whittle(
    state: &mut BalanceState<'_>,
    asked: &SearchConditions<'_, '_>,
    marks: &Marks,
) {
    for _ in 0..ROUNDS {
        let mut shelves =
            Shelves::new(state, asked.balance.partition_limit, super::BalancedLoad::Storage);
        let mut better = false;
        for change in moved(state) {
            let spare = spare(state, marks, change.from, change.to);
            let size = state.size[change.partition as usize];
            if spare == 0 || !state.holds(change.partition, change.to) {
                continue;
            }
            let home = SeatShift { from: change.to, to: change.from, ..change };
            if !asked.rules.admit(state, home.partition, home.from, home.to) {
                continue;
            }
            if size <= spare {
                state.shift(home);
                better = true;
                continue;
            }
            let shelf = shelves.of(change.from, state);
            // The shelf is in order of size, so the last replica of this part is the smallest that is enough.
            let end = shelf.partition_point(|other| state.size[*other as usize] >= size - spare);
            let instead = shelf[..end].iter().rev().take(CANDIDATES).copied().find(|other| {
                state.size[*other as usize] < size && may_go(state, asked, *other, change)
            });
            if let Some(partition) = instead {
                state.shift(home);
                state.shift(SeatShift { partition, ..change });
                better = true;
            }
        }
        if !better {
            return;
        }
    }
}

/// All moved replicas, the largest first, each with its old and new broker, which are in one rack if possible.
fn moved(state: &BalanceState<'_>) -> Vec<SeatShift> {
    let mut moved = Vec::new();
    for partition in 0..state.partitions() {
        let (before, now) = (state.cluster.seats_of(partition), state.seats_of(partition));
        if state.target_of(partition).is_none() || before.len() != now.len() {
            continue;
        }
        let mut gone: Vec<BrokerIx> =
            before.iter().copied().filter(|broker| !now.contains(broker)).collect();
        for to in now.iter().copied().filter(|broker| !before.contains(broker)) {
            let rack = |broker: BrokerIx| state.cluster.rack[broker as usize];
            let at = gone.iter().position(|from| rack(*from) == rack(to)).unwrap_or(0);
            let from = gone.remove(at);
            moved.push(SeatShift {
                partition: u32::try_from(partition).unwrap_or(u32::MAX),
                from,
                to,
            });
        }
    }
    moved.sort_by_key(|c| (Reverse(state.size[c.partition as usize]), c.partition, c.from, c.to));
    moved
}

/// The bytes that `from` may still take and `to` may still give.
fn spare(state: &BalanceState<'_>, marks: &Marks, from: BrokerIx, to: BrokerIx) -> u64 {
    let (from, to) = (from as usize, to as usize);
    let (Some(gave), Some(took)) = (marks.of[from], marks.of[to]) else { return 0 };
    let above = gave.high.min(gave.room).saturating_sub(state.used[from]);
    above.min(state.used[to].saturating_sub(took.low))
}

fn may_go(
    state: &BalanceState<'_>,
    asked: &SearchConditions<'_, '_>,
    partition: u32,
    change: SeatShift,
) -> bool {
    let SeatShift { from, to, .. } = change;
    asked.layout.gives[from as usize]
        && state.holds(partition, from)
        && state.cluster.seats_of(partition as usize).contains(&from)
        && !state.cluster.seats_of(partition as usize).contains(&to)
        && asked.rules.admit(state, partition, from, to)
}
