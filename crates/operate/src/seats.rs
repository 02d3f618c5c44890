//! Chooses the brokers for a new topic of this program, while a plan is about to be executed: brokers that stay.
//!
//! In: the cluster's brokers, and the plan. Out: a broker for each replica, the leader first. A replica on a broker
//! that the plan drains would keep the broker from being empty. A dead broker cannot take a replica.

use kafka::admin::Cluster;
use mapper::{BrokerId, Plan};
use std::collections::{BTreeMap, BTreeSet};

/// Up to `copies` live brokers, in as many racks as possible, in order of id. Brokers that only lose replicas by the
/// plan come last. Drained or `cordoned` brokers count only if there are no others.
pub(crate) fn seats(
    cluster: &Cluster,
    plan: Option<&Plan>,
    cordoned: &BTreeSet<BrokerId>,
    copies: usize,
) -> Vec<BrokerId> {
    let drained = plan.map(|plan| plan.request.emptied()).unwrap_or_default();
    let giving = plan.map(giving).unwrap_or_default();
    let shut = |id: &BrokerId| drained.contains(id) || cordoned.contains(id);
    let mut free: BTreeSet<BrokerId> = cluster.live().filter(|id| !shut(id)).collect();
    if free.is_empty() {
        free = cluster.live().collect();
    }
    let rack = |id: &BrokerId| cluster.brokers.get(id).and_then(|broker| broker.rack.as_deref());
    let mut of_rack: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    let mut seats = Vec::new();
    while seats.len() < copies {
        let taken = |id: &BrokerId| of_rack.get(&rack(id)).copied().unwrap_or(0);
        let best = free.iter().copied().min_by_key(|id| (giving.contains(id), taken(id), *id));
        let Some(best) = best else { break };
        free.remove(&best);
        *of_rack.entry(rack(&best)).or_default() += 1;
        seats.push(best);
    }
    seats
}

/// The brokers that only lose replicas by the plan: the operator may be about to remove them.
fn giving(plan: &Plan) -> BTreeSet<BrokerId> {
    let added: BTreeSet<BrokerId> = plan.moves.iter().flat_map(|change| change.added()).collect();
    let removed = plan.moves.iter().flat_map(|change| change.removed());
    removed.filter(|id| !added.contains(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka::admin::ClusterBroker;
    use mapper::{
        Assignment, Balance, PlanTerms, RackRule, Ratio, Request, Scale, Snapshot, TopicSelection,
    };

    fn three_racks() -> (Snapshot, Cluster) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/three-racks.json");
        let snapshot = Snapshot::from_json(&std::fs::read(path).unwrap()).unwrap();
        let brokers = snapshot.brokers().iter().map(|broker| {
            let (rack, live) = (broker.rack.clone(), broker.live);
            (broker.id, ClusterBroker { address: None, rack, live })
        });
        let cluster = Cluster { brokers: brokers.collect(), ..Cluster::default() };
        (snapshot, cluster)
    }

    fn draining(drain: BTreeSet<BrokerId>, snapshot: &Snapshot) -> Plan {
        let brokers = snapshot.brokers().iter().map(|broker| broker.id).collect();
        let assignments = vec![Assignment::new(TopicSelection::Rest, brokers)];
        let all = PlanTerms::new(assignments, Ratio::from_percent(10));
        let request = Request::Scale(Scale {
            terms: PlanTerms { racks: RackRule::AtLeast(0), ..all },
            balance: Balance { drain, ..Balance::default() },
        });
        mapper::plan(snapshot, &request).unwrap()
    }

    #[test]
    fn copies_are_in_different_racks_and_not_where_the_plan_drains_or_nobody_lives() {
        let (snapshot, mut cluster) = three_racks();
        let ids: Vec<BrokerId> = cluster.brokers.keys().copied().collect();
        let plan = draining([ids[0]].into(), &snapshot);
        let dead = ids[1];
        cluster.brokers.get_mut(&dead).unwrap().live = false;
        let seats = seats(&cluster, Some(&plan), &BTreeSet::new(), 3);
        assert_eq!(seats.len(), 3);
        let racks: BTreeSet<_> = seats.iter().map(|id| &cluster.brokers[id].rack).collect();
        assert_eq!(racks.len(), 3, "{seats:?}");
        assert!(!seats.contains(&ids[0]) && !seats.contains(&dead), "{seats:?}");
    }

    #[test]
    fn a_broker_that_only_gives_away_comes_after_the_others_and_a_drained_one_is_the_last_resort() {
        let (snapshot, mut cluster) = three_racks();
        let ids: Vec<BrokerId> = cluster.brokers.keys().copied().collect();
        let mut plan = draining([ids[0]].into(), &snapshot);
        let of = |cluster: &Cluster, plan: &Plan, live: &[BrokerId]| {
            let mut cluster = cluster.clone();
            cluster.brokers.retain(|id, _| live.contains(id));
            seats(&cluster, Some(plan), &BTreeSet::new(), 3)
        };
        assert_eq!(of(&cluster, &plan, &ids[..1]), ids[..1], "there is no other");
        assert_eq!(of(&cluster, &plan, &ids[..2]), ids[1..2]);
        let cordoned = ids[1..3].iter().copied().collect();
        assert!(!seats(&cluster, Some(&plan), &cordoned, 9).iter().any(|id| cordoned.contains(id)));
        // The same moves, from a plan that does not state that it drains.
        if let Request::Scale(scale) = &mut plan.request {
            scale.balance.drain.clear();
        }
        plan.moves.iter_mut().for_each(|change| change.to.retain(|id| *id != ids[0]));
        cluster.brokers.values_mut().for_each(|broker| broker.rack = None);
        assert_eq!(of(&cluster, &plan, &ids), ids[1..4]);
        assert_eq!(of(&cluster, &plan, &ids[..2]), [ids[1], ids[0]]);
    }
}
