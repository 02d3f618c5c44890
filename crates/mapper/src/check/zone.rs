//! Counts leaders and traffic between zones before and after a plan that wants leaders in one zone, and compares the sums with
//! those of the plan.

use super::Violation;
use super::topic_spread::{list_after, of_topic};
use super::view::CheckedSnapshot;
use crate::figures::{Figures, ZoneFigures};
use crate::ids::BrokerId;
use crate::plan::{Move, Plan};
use crate::request::BalanceGoal;
use std::collections::BTreeMap;

/// Wrong sums; `moves`: in order of topic and partition.
pub(super) fn wrong(view: &CheckedSnapshot<'_>, plan: &Plan, moves: &[&Move]) -> Vec<Violation> {
    let asked = plan.request.balance();
    let asked = asked.filter(|asked| asked.goals.contains(&BalanceGoal::LeadersZone));
    let Some(zone) = asked.and_then(|asked| asked.leaders_zone.as_deref()) else {
        return Vec::new();
    };
    let mut wrong = differences(&plan.before, counted(view, zone, &[]));
    wrong.extend(differences(&plan.after, counted(view, zone, moves)));
    wrong
}

/// Sums that are missing count as 0.
fn differences(stated: &Figures, found: ZoneFigures) -> Vec<Violation> {
    let stated = stated.zone.unwrap_or_default();
    let crossing = |of: ZoneFigures| of.crossing_bytes_per_second.unwrap_or(u64::MAX);
    let sums = [
        ("leaders in the zone", stated.leaders_inside, found.leaders_inside),
        ("leaders outside the zone", stated.leaders_outside, found.leaders_outside),
        ("partitions without a replica in the zone", stated.without_replica, found.without_replica),
        ("bytes per second between zones", crossing(stated), crossing(found)),
        ("known rates of consumers", stated.consumers.into(), found.consumers.into()),
    ];
    let wrong = sums.into_iter().filter(|(_, stated, found)| stated != found);
    wrong
        .map(|(what, stated, found)| Violation::Figures { what, broker: None, stated, found })
        .collect()
}

fn counted(view: &CheckedSnapshot<'_>, zone: &str, moves: &[&Move]) -> ZoneFigures {
    let brokers = view.snapshot.brokers().iter();
    let racks: BTreeMap<BrokerId, &str> =
        brokers.filter_map(|broker| Some((broker.id, broker.rack.as_deref()?))).collect();
    let (mut found, mut left) = (ZoneFigures::default(), moves);
    let (mut written, mut read) = (Some(0_u64), Some(0_u64));
    for (topic, _) in view.in_scope() {
        let mut own = of_topic(&mut left, topic).iter().peekable();
        for partition in &topic.partitions {
            let list = list_after(partition, &mut own);
            let Some((leader, followers)) = list.split_first() else { continue };
            let of = |id: &BrokerId| racks.get(id).copied();
            match (of(leader) == Some(zone), list.iter().any(|id| of(id) == Some(zone))) {
                (true, _) => found.leaders_inside += 1,
                (false, held) => {
                    found.leaders_outside += 1;
                    found.without_replica += u64::from(!held);
                }
            }
            // Two brokers without a rack are in two zones.
            let is_far = |id: &&BrokerId| of(id).is_none() || of(id) != of(leader);
            let copies = followers.iter().filter(is_far).count() as u64;
            let outside = u64::from(of(leader) != Some(zone));
            let facts = partition.facts.as_deref();
            let bytes_in = facts.and_then(|facts| facts.bytes_in);
            let bytes_out = facts.and_then(|facts| facts.bytes_out);
            found.consumers |= bytes_out.is_some();
            let more = bytes_in.map(|bytes| bytes.saturating_mul(copies + outside));
            written = written.zip(more).map(|(sum, more)| sum.saturating_add(more));
            let more = bytes_out.map(|bytes| bytes * outside);
            read = read.zip(more).map(|(sum, more)| sum.saturating_add(more));
        }
    }
    if !found.consumers {
        read = Some(0);
    }
    let both = written.zip(read).map(|(written, read)| written.saturating_add(read));
    ZoneFigures { crossing_bytes_per_second: both, ..found }
}
