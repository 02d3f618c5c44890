//! Checks that the figures of a plan match its moves.

use super::Violation;
use crate::ids::BrokerId;
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::table::Positions;
use std::collections::{BTreeMap, BTreeSet};

/// Replicas and leaders of each broker after the plan, and the extremes over the brokers that may hold replicas.
pub(super) fn wrong(
    before: &Snapshot,
    plan: &Plan,
    allowed: &BTreeSet<BrokerId>,
) -> Vec<Violation> {
    let counted = counted(before, plan);
    let mut broken = Vec::new();
    for stated in &plan.after.brokers {
        let found = counted.get(&stated.id).copied().unwrap_or_default();
        let pairs = [
            ("replicas", stated.replicas, found.replicas),
            ("leaders", stated.leaders, found.leaders),
        ];
        for (what, stated_count, found) in pairs {
            if stated_count != found {
                let (broker, stated) = (stated.id, stated_count);
                broken.push(Violation::Figures { what, broker: Some(broker), stated, found });
            }
        }
    }
    let of_allowed = || counted.iter().filter(|(id, _)| allowed.contains(id)).map(|(_, c)| *c);
    let extremes = [
        ("most replicas", plan.after.max_replicas, of_allowed().map(|c| c.replicas).max()),
        ("fewest replicas", plan.after.min_replicas, of_allowed().map(|c| c.replicas).min()),
        ("most leaders", plan.after.max_leaders, of_allowed().map(|c| c.leaders).max()),
        ("fewest leaders", plan.after.min_leaders, of_allowed().map(|c| c.leaders).min()),
    ];
    for (what, stated, found) in extremes {
        // A plan of an earlier version does not have them.
        if let (Some(stated), Some(found)) = (stated, found)
            && stated != found
        {
            broken.push(Violation::Figures { what, broker: None, stated, found });
        }
    }
    broken
}

#[derive(Debug, Clone, Copy, Default)]
struct BrokerCounts {
    replicas: u64,
    leaders: u64,
}

/// The replicas and leaders of each broker after the plan.
fn counted(before: &Snapshot, plan: &Plan) -> BTreeMap<BrokerId, BrokerCounts> {
    let mut ids: Vec<BrokerId> = before.brokers().iter().map(|broker| broker.id).collect();
    ids.extend(plan.after.brokers.iter().map(|broker| broker.id));
    ids.sort_unstable();
    ids.dedup();
    let positions = Positions::new(ids.clone());
    let mut counts = vec![BrokerCounts::default(); ids.len()];
    let mut add = |list: &[BrokerId], sign: i64| {
        for (at, id) in list.iter().enumerate() {
            let Some(counts) = positions.of(*id).map(|position| &mut counts[position as usize])
            else {
                continue;
            };
            counts.replicas = counts.replicas.wrapping_add_signed(sign);
            if at == 0 {
                counts.leaders = counts.leaders.wrapping_add_signed(sign);
            }
        }
    };
    for partition in before.topics().iter().flat_map(|topic| &topic.partitions) {
        add(&partition.replicas, 1);
    }
    for change in &plan.moves {
        add(&change.from, -1);
        add(&change.to, 1);
    }
    ids.iter().copied().zip(counts).collect()
}
