//! The level of each broker: in *every* most even choice, it leads this number of partitions or one more.
//!
//! Say that each partition is led by a member of the lowest level among its members. Say also that each broker leads as
//! many as its level, or one more. Then no choice has a smaller sum of squares. The proof: for whole numbers,
//! `(y - m)(y - m - 1) >= 0`. So a broker of level `m` that leads `y` adds at least `(2m + 1) y - m (m + 1)`. Over all
//! brokers, `(2m + 1) y` sums to `2m + 1` of each partition's leader. So the most even choices are exactly those that
//! comply with the levels. A choice among them by another measure needs to know nothing else.

use super::flow::LeaderFlow;

/// Evens `load` (the partitions that each broker leads) through `flow`, and returns the level of each broker.
///
/// The caller passes a flow with all brokers in one set, without hubs and prices.
pub(super) fn find(flow: &mut LeaderFlow<'_>, load: &mut [i64]) -> Vec<i64> {
    let mut open = vec![true];
    loop {
        let levels = mean_levels(&flow.set, load, open.len());
        let level_of: Vec<i64> = flow.set.iter().map(|set| levels[*set]).collect();
        // First bring brokers down to one above the level, as far as possible. Then bring brokers up to the level.
        for tolerated in [1, 0] {
            let target = |broker: usize| level_of[broker] + tolerated;
            for broker in 0..load.len() {
                let is_open = open[flow.set[broker]];
                flow.room[broker] = if is_open { load[broker] - target(broker) } else { 0 };
            }
            flow.saturate();
            for broker in (0..load.len()).filter(|broker| open[flow.set[*broker]]) {
                load[broker] = flow.room[broker] + target(broker);
            }
        }
        open.fill(false);
        if !split(flow, load, &level_of, &mut open) {
            return level_of;
        }
    }
}

/// For each set the mean of its brokers' load, rounded down.
fn mean_levels(set: &[usize], load: &[i64], sets: usize) -> Vec<i64> {
    let mut sums = vec![(0_i64, 0_i64); sets];
    for (set, load) in set.iter().zip(load) {
        sums[*set].0 += load;
        sums[*set].1 += 1;
    }
    sums.iter().map(|(sum, brokers)| sum.div_euclid((*brokers).max(1))).collect()
}

/// Splits off brokers that a broker with too much load can reach, and brokers that can reach one with too little. Each
/// part becomes a set; false if there are none.
///
/// A broker that one with too much load can reach leads more than the level, or there would be a chain. The same holds
/// the other way round.
fn split(flow: &mut LeaderFlow<'_>, load: &[i64], level: &[i64], open: &mut Vec<bool>) -> bool {
    let is_high = |broker: &usize| load[*broker] > level[*broker] + 1;
    let is_low = |broker: &usize| load[*broker] < level[*broker];
    let high: Vec<usize> = (0..load.len()).filter(is_high).collect();
    let low: Vec<usize> = (0..load.len()).filter(is_low).collect();
    if high.is_empty() && low.is_empty() {
        return false;
    }
    let arcs = flow.arcs();
    let reached = closure(high, arcs.iter().copied(), load.len());
    let reaching = closure(low, arcs.iter().map(|(from, to)| (*to, *from)), load.len());
    let sets = open.len();
    // A set has a high part, a low part and the rest: three numbers each. Unused numbers stay closed.
    open.resize(3 * sets, false);
    for broker in 0..load.len() {
        let part = if reached[broker] { 1 } else { usize::from(reaching[broker]) * 2 };
        flow.set[broker] += part * sets;
        open[flow.set[broker]] |= part > 0;
    }
    renumber(&mut flow.set, open);
    true
}

/// All brokers that can be reached from `start` along `arcs`.
fn closure(
    start: Vec<usize>,
    arcs: impl Iterator<Item = (usize, usize)>,
    nodes: usize,
) -> Vec<bool> {
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    for (from, to) in arcs {
        next[from].push(to);
    }
    let mut seen = vec![false; nodes];
    let mut waiting = start;
    while let Some(node) = waiting.pop() {
        if !std::mem::replace(&mut seen[node], true) {
            waiting.extend(&next[node]);
        }
    }
    seen
}

/// Numbers the sets that have brokers, without gaps.
fn renumber(set: &mut [usize], open: &mut Vec<bool>) {
    let mut used: Vec<usize> = set.to_vec();
    used.sort_unstable();
    used.dedup();
    *open = used.iter().map(|old| open[*old]).collect();
    for set in set {
        *set = used.partition_point(|old| old < set);
    }
}
