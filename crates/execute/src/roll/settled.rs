//! Whether a restarted server is back: ready, registered, caught up and in sync.

use super::{CAUGHT_UP_MS, Pod, RestartHindrance, RollMemory, RollScene, RollTerms};
use crate::seen::isr;
use mapper::{BrokerId, TopicPartition};
use std::collections::BTreeSet;

/// Everything that is not yet as it should be. Pods that are still to be restarted do not count: one of them may be the
/// problem.
pub(super) fn unsettled(
    scene: &RollScene,
    memory: &RollMemory,
    terms: &RollTerms,
) -> Vec<RestartHindrance> {
    let mut found: Vec<RestartHindrance> =
        scene.missing.iter().cloned().map(RestartHindrance::Missing).collect();
    for pod in &scene.pods {
        if pod.terminating {
            found.push(RestartHindrance::Terminating(pod.name.clone()));
        } else if !pod.outdated {
            found.extend(of_pod(scene, memory, terms, pod));
        }
    }
    found
}

fn of_pod(
    scene: &RollScene,
    memory: &RollMemory,
    terms: &RollTerms,
    pod: &Pod,
) -> Option<RestartHindrance> {
    let name = || pod.name.clone();
    if !pod.ready {
        return Some(RestartHindrance::NotReady(name()));
    }
    let behind = scene.voters.as_ref().and_then(|voters| voters.behind_ms.get(&pod.id));
    if let Some(behind) = behind
        && behind.is_none_or(|behind| behind > CAUGHT_UP_MS)
    {
        return Some(RestartHindrance::Behind(name(), *behind));
    }
    let is_broker = behind.is_none() || scene.cluster.live.contains(&pod.id);
    if is_broker && !scene.cluster.live.contains(&pod.id) {
        return Some(RestartHindrance::NotRegistered(name(), pod.id));
    }
    if pod.age_seconds < terms.settle_seconds && !memory.knows(pod) {
        return Some(RestartHindrance::Young(name(), pod.age_seconds));
    }
    let lagging = lagging(scene, pod.id);
    (!lagging.is_empty()).then_some(RestartHindrance::Lagging(pod.id, lagging))
}

/// Partitions whose replica on a broker should be in sync, and is not.
fn lagging(scene: &RollScene, id: BrokerId) -> BTreeSet<TopicPartition> {
    let mut found = BTreeSet::new();
    for topic in scene.cluster.topics.values() {
        for partition in &topic.partitions {
            let of = TopicPartition { topic: topic.name.clone(), partition: partition.id };
            let moving = scene.cluster.running.get(&of);
            let adding = moving.is_some_and(|moving| moving.adding.contains(&id));
            if partition.replicas.contains(&id) && !adding && !isr(partition).contains(&id) {
                found.insert(of);
            }
        }
    }
    found
}
