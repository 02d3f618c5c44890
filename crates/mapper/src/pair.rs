//! Pairs each outgoing broker with an incoming one (`--sub-affinity`, `replace --with auto`).
//!
//! A new broker replaces an outgoing one of its rack, lowest ids first. If the rack of a lost broker is unknown, it is
//! inferred: it is a rack in which no partition of the broker has another replica.

use crate::dense::{BrokerIx, DenseCluster};
use crate::ids::{BrokerId, in_words};
use crate::no_plan::NoPlan;
use crate::place::BrokerPairs;
use crate::request::Rebuild;
use crate::snapshot::Snapshot;
use crate::target::Targets;
use crate::work::Work;
use std::collections::{BTreeMap, BTreeSet};

/// The pairs of a rebuild, one for each broker that gives up seats; empty if the request does not ask for pairs.
pub(crate) fn pairs(
    cluster: &DenseCluster<'_>,
    targets: &Targets,
    request: &Rebuild,
    work: &[Work],
) -> Result<BrokerPairs, NoPlan> {
    let mut pairs = BrokerPairs::new();
    if !request.sub_affinity || request.force {
        return Ok(pairs);
    }
    let holders = holders(cluster, targets);
    let allowed =
        |broker: &BrokerIx| targets.all.iter().any(|target| target.allowed[*broker as usize]);
    let given_up = work.iter().flat_map(|item| item.replaces.iter().flatten().copied());
    let outgoing: BTreeSet<BrokerIx> = given_up.filter(|broker| !allowed(broker)).collect();
    let mut free: BTreeSet<BrokerIx> = targets
        .all
        .iter()
        .flat_map(|target| target.brokers.iter().copied())
        .filter(|broker| !holders.contains(broker) && !cluster.is_cordoned(*broker))
        .collect();
    for broker in outgoing {
        let partner =
            partner(cluster, broker, &free).ok_or_else(|| no_partner(cluster, broker, &free))?;
        free.remove(&partner);
        pairs.insert(broker, partner);
    }
    Ok(pairs)
}

/// The new, empty broker that can replace `outgoing`.
///
/// # Errors
/// [`NoPlan::NoPartner`] with the rack of every empty broker.
pub fn incoming_for(snapshot: &Snapshot, outgoing: BrokerId) -> Result<BrokerId, NoPlan> {
    let cluster = DenseCluster::new(snapshot);
    let mut empty = cluster.live.clone();
    for seat in &cluster.seats {
        empty[*seat as usize] = false;
    }
    let free: BTreeSet<BrokerIx> = (0..cluster.ids.len())
        .filter(|broker| empty[*broker])
        .filter_map(|broker| BrokerIx::try_from(broker).ok())
        .filter(|broker| cluster.id(*broker) != outgoing && !cluster.is_cordoned(*broker))
        .collect();
    let Some(broker) = cluster.index_of(outgoing) else {
        let problem = "it is neither registered nor in any replica list".to_owned();
        return Err(NoPlan::NoPartner { outgoing, problem, candidates: BTreeMap::new() });
    };
    let partner =
        partner(&cluster, broker, &free).ok_or_else(|| no_partner(&cluster, broker, &free))?;
    Ok(cluster.id(partner))
}

/// The brokers that hold a replica in scope.
fn holders(cluster: &DenseCluster<'_>, targets: &Targets) -> BTreeSet<BrokerIx> {
    let mut holds = vec![false; cluster.ids.len()];
    let topics = targets.of_topic.iter().enumerate().filter(|(_, target)| target.is_some());
    for (topic, _) in topics {
        let range = cluster.first_partition[topic]..cluster.first_partition[topic + 1];
        for seat in range.flat_map(|partition| cluster.seats_of(partition)) {
            holds[*seat as usize] = true;
        }
    }
    (0..holds.len()).filter(|b| holds[*b]).filter_map(|b| BrokerIx::try_from(b).ok()).collect()
}

fn partner(
    cluster: &DenseCluster<'_>,
    outgoing: BrokerIx,
    free: &BTreeSet<BrokerIx>,
) -> Option<BrokerIx> {
    let possible = possible_racks(cluster, outgoing);
    free.iter().copied().find(|broker| possible.contains(&cluster.rack[*broker as usize]))
}

/// Its rack where known, else the racks in which no partition of it has another replica.
fn possible_racks(cluster: &DenseCluster<'_>, broker: BrokerIx) -> BTreeSet<usize> {
    let id = cluster.id(broker);
    if cluster.snapshot.broker(id).is_some_and(|b| b.rack.is_some())
        || cluster.live[broker as usize]
    {
        return BTreeSet::from([cluster.rack[broker as usize]]);
    }
    let mut possible: BTreeSet<usize> = (0..cluster.rack_names.len()).collect();
    possible.remove(&cluster.rack[broker as usize]);
    for partition in 0..cluster.first_seat.len() - 1 {
        let seats = cluster.seats_of(partition);
        if seats.contains(&broker) {
            for other in seats.iter().filter(|other| **other != broker) {
                possible.remove(&cluster.rack[*other as usize]);
            }
        }
    }
    possible
}

fn no_partner(cluster: &DenseCluster<'_>, outgoing: BrokerIx, free: &BTreeSet<BrokerIx>) -> NoPlan {
    let rack = |broker: BrokerIx| cluster.rack_names[cluster.rack[broker as usize]].clone();
    let possible = possible_racks(cluster, outgoing);
    let names: Vec<&str> =
        possible.iter().map(|rack| cluster.rack_names[*rack].as_str()).take(20).collect();
    let cordoned = (0..).take(cluster.ids.len()).filter(|broker| cluster.is_cordoned(*broker));
    let cordoned: Vec<BrokerId> = cordoned.map(|broker| cluster.id(broker)).collect();
    let left_out = match cordoned.is_empty() {
        true => String::new(),
        false => format!("; cordoned brokers get no new replica: {}", in_words(&cordoned)),
    };
    let names = names.join(" or ");
    NoPlan::NoPartner {
        outgoing: cluster.id(outgoing),
        problem: format!("it would have to be an empty broker of rack {names}{left_out}"),
        candidates: free.iter().map(|broker| (cluster.id(*broker), rack(*broker))).collect(),
    }
}
