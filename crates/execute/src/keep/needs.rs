//! What calls for a plan in a cluster.

use super::notes::Need;
use super::policy::{KeepPolicy, Trigger};
use mapper::snapshot::Broker;
use mapper::{Assignment, BrokerId, NoPlan, Snapshot, assign, holders};
use std::collections::BTreeSet;

/// Which topics belong to which brokers: of each topic that an assignment takes, the brokers.
type Homes<'a> = Vec<Option<&'a BTreeSet<BrokerId>>>;

/// What calls for a plan, the most urgent first. Whether a load is uneven shows only the plan that evens it, so
/// [`Trigger::Imbalance`] is always there. `later`: the same cluster as it is expected to be, if that is known.
///
/// # Errors
/// The assignments contradict the snapshot.
pub fn needs(
    snapshot: &Snapshot,
    later: Option<&Snapshot>,
    assignments: &[Assignment],
    policy: &KeepPolicy,
) -> Result<Vec<Need>, NoPlan> {
    let snapshot = &*snapshot.with_free_storage();
    let taken = assign(snapshot, assignments)?;
    let homes: Homes<'_> =
        taken.into_iter().map(|at| Some(&assignments.get(at?)?.brokers)).collect();
    let holding = holders(snapshot.topics());
    let live = || snapshot.brokers().iter().filter(|broker| broker.live);
    let of = |trigger: Trigger| {
        let about = |ids: Vec<BrokerId>| ids.into_iter().map(|id| id.to_string()).collect();
        let whole = |is: bool| if is { vec![String::new()] } else { Vec::new() };
        let subjects: Vec<String> = match trigger {
            Trigger::LostBroker => {
                about(holding.iter().copied().filter(|id| !snapshot.is_live(*id)).collect())
            }
            Trigger::LeavingBroker => {
                let leaves =
                    |broker: &&Broker| broker.is_cordoned() && holding.contains(&broker.id);
                about(live().filter(leaves).map(|broker| broker.id).collect())
            }
            Trigger::FullDisk => {
                let full = |broker: &&Broker| is_full(broker, policy);
                about(live().filter(full).map(|broker| broker.id).collect())
            }
            Trigger::FillingDisk => {
                let fills = |broker: &&Broker| {
                    let then = later.and_then(|later| later.broker(broker.id));
                    !is_full(broker, policy) && then.is_some_and(|then| is_full(then, policy))
                };
                about(live().filter(fills).map(|broker| broker.id).collect())
            }
            Trigger::Drift => whole(drifts(snapshot, &homes)),
            Trigger::NewBroker => {
                let wanted = |id| assignments.iter().any(|one| one.brokers.contains(&id));
                let new = |b: &Broker| !b.is_cordoned() && !holding.contains(&b.id) && wanted(b.id);
                whole(!holding.is_empty() && live().any(new))
            }
            Trigger::Imbalance => whole(true),
            // No snapshot has them.
            Trigger::Certificates => Vec::new(),
        };
        subjects.into_iter().map(move |subject| Need { trigger, subject })
    };
    let enabled = Trigger::ALL.into_iter().filter(|trigger| policy.terms(*trigger).is_some());
    Ok(enabled.flat_map(of).collect())
}

/// Whether a volume is fuller than the mark.
fn is_full(broker: &Broker, policy: &KeepPolicy) -> bool {
    let volumes = broker.volumes().into_iter().map(|volume| (volume.total, volume.free));
    let sums = broker.storage_total.zip(broker.storage_free);
    volumes.chain(sums).any(|(total, free)| {
        total.0 > 0 && total.0.saturating_sub(free.0) > policy.full.of(total).0
    })
}

/// Whether live brokers outside a topic's assignment hold replicas of it. Lost brokers are another need.
fn drifts(snapshot: &Snapshot, homes: &Homes<'_>) -> bool {
    let topics = snapshot.topics().iter().zip(homes);
    topics.filter_map(|(topic, home)| Some((topic, (*home)?))).any(|(topic, home)| {
        let replicas = topic.partitions.iter().flat_map(|partition| &partition.replicas);
        replicas.into_iter().any(|id| !home.contains(id) && snapshot.is_live(*id))
    })
}
