//! The most even preferred leadership by count, with the fewest changes of leader. Both are exact.

use super::flow::LeaderFlow;
use super::free::{FreeLeads, Locals};
use super::handovers::{Handovers, SharingBrokers};
use super::{fewest, levels};

/// Chooses leaders for `free` so that `load` is as even as possible. `load` counts the partitions that each broker leads,
/// those of `free` included. The sum of squares is the least, and of such choices this one changes the fewest leaders.
pub(super) fn even(load: &mut [u64], free: &mut FreeLeads) {
    if free.len() == 0 {
        return;
    }
    let locals = Locals::of(free, load.len());
    let leader: Vec<u32> = (0..free.len()).map(|lead| locals.number(free.leader(lead))).collect();
    let mut even: Vec<i64> =
        locals.brokers.iter().map(|broker| load[*broker as usize].cast_signed()).collect();
    let mut fixed = even.clone();
    for broker in &leader {
        fixed[*broker as usize] -= 1;
    }
    let pairs = SharingBrokers::of(free, &locals);
    let brokers = locals.len();
    let handovers = Handovers::new(free, &locals, &pairs, false, leader);
    let mut flow =
        LeaderFlow::new(handovers, vec![0; brokers], vec![0; brokers], vec![false; brokers]);
    let level = levels::find(&mut flow, &mut even);
    let most_even = flow.handovers.leaders();
    let best = fewest::leaders(free, &locals, &pairs, &level, &most_even, &fixed);
    choose(load, free, &locals, &best.unwrap_or(most_even));
}

fn choose(load: &mut [u64], free: &mut FreeLeads, locals: &Locals, leader: &[u32]) {
    for (lead, number) in leader.iter().enumerate() {
        let (old, new) = (free.leader(lead), locals.brokers[*number as usize]);
        if old != new {
            load[old as usize] -= 1;
            load[new as usize] += 1;
            free.choose(lead, new);
        }
    }
}
