//! Of all most even choices of leaders, finds one with the most leaders in the zone that counts, if one does, and of these
//! one with the fewest changes of leader.
//!
//! At the start, every partition has its cheapest leader: the present one, if no zone counts. Then leadership moves to where the
//! levels need it, always along the cheapest chains. So at any time the choice is a cheapest one for its loads.

use super::flow::LeaderFlow;
use super::free::{FreeLeads, Locals};
use super::handovers::{Handovers, SharingBrokers};
use crate::dense::BrokerIx;

/// The leader of each partition, by the brokers' numbers. `even` is one most even choice. `fixed` is the load that each
/// broker leads in addition. `None` if the levels cannot be kept, which never happens for levels of such a choice.
pub(super) fn leaders(
    free: &FreeLeads,
    locals: &Locals,
    pairs: &SharingBrokers,
    level: &[i64],
    even: &[u32],
    fixed: &[i64],
) -> Option<Vec<u32>> {
    let leader: Vec<u32> = (0..free.len())
        .map(|lead| {
            let incumbent = free.incumbent(lead).map(|broker| locals.number(broker));
            // In the even choice a broker of the lowest level leads, so no broker of a higher level may lead.
            let may = |broker: &u32| level[*broker as usize] == level[even[lead] as usize];
            let members = free.members(lead).iter();
            let numbers = members.map(|broker| (*broker, locals.number(*broker)));
            let cost = |(broker, number): &(BrokerIx, u32)| {
                let changes = Some(*number) != incumbent;
                (free.is_away(lead, *broker), changes, *number != even[lead], *number)
            };
            let cheapest = numbers.filter(|(_, number)| may(number)).min_by_key(cost);
            cheapest.map_or(even[lead], |(_, number)| number)
        })
        .collect();
    let mut load = fixed.to_vec();
    for broker in &leader {
        load[*broker as usize] += 1;
    }
    let handovers = Handovers::new(free, locals, pairs, true, leader);
    let mut flow = towards(handovers, level, &load);
    flow.saturate();
    while !flow.is_done() {
        if !flow.raise() {
            return None;
        }
        flow.saturate();
    }
    Some(flow.handovers.leaders())
}

/// The flow from these loads to the levels: a set, and a hub, for each level.
fn towards<'f>(handovers: Handovers<'f>, level: &[i64], load: &[i64]) -> LeaderFlow<'f> {
    let mut levels = level.to_vec();
    levels.sort_unstable();
    levels.dedup();
    let set: Vec<usize> =
        level.iter().map(|level| levels.partition_point(|other| other < level)).collect();
    let above: Vec<bool> = load.iter().zip(level).map(|(load, level)| load > level).collect();
    let mut room: Vec<i64> = load
        .iter()
        .zip(level)
        .zip(&above)
        .map(|((load, level), above)| load - level - i64::from(*above))
        .collect();
    let mut hubs = vec![0; levels.len()];
    for (set, room) in set.iter().zip(&room) {
        hubs[*set] -= room;
    }
    room.extend(hubs);
    LeaderFlow::new(handovers, set, room, above)
}
