//! Whether a restarted server is back: ready, registered, caught up and in sync.

use super::impact::{of, partitions};
use super::{CAUGHT_UP_MS, Pod, RestartHindrance, RollMemory, RollScene, RollTerms};
use crate::seen::isr;
use mapper::{BrokerId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that is not yet as it should be. Pods that are still to be restarted do not count: one of them may be the
/// problem.
pub(super) fn unsettled(
    scene: &RollScene,
    memory: &RollMemory,
    terms: &RollTerms,
) -> Vec<RestartHindrance> {
    let mut found: Vec<RestartHindrance> =
        scene.missing.iter().cloned().map(RestartHindrance::Missing).collect();
    let lagging = lagging(scene);
    for pod in &scene.pods {
        if pod.terminating {
            found.push(RestartHindrance::Terminating(pod.name.clone()));
        } else if !pod.outdated {
            found.extend(of_pod(scene, memory, terms, pod, &lagging));
        }
    }
    found
}

/// Whether no pod of the batch is back yet, and every other pod is as it should be. Pods that are still to be restarted
/// count here: with trouble anywhere, the batch takes no other pod.
pub(super) fn only_batch_is_away(
    scene: &RollScene,
    memory: &RollMemory,
    terms: &RollTerms,
) -> bool {
    let lagging = lagging(scene);
    let of_batch = |name: &String| memory.batch.iter().any(|member| member.name == *name);
    scene.missing.iter().all(of_batch)
        && scene.pods.iter().all(|pod| {
            let settled = || of_pod(scene, memory, terms, pod, &lagging).is_none();
            match of_batch(&pod.name) {
                true => pod.terminating || pod.outdated || !settled(),
                false => !pod.terminating && settled(),
            }
        })
}

fn of_pod(
    scene: &RollScene,
    memory: &RollMemory,
    terms: &RollTerms,
    pod: &Pod,
    lagging: &BTreeMap<BrokerId, BTreeSet<TopicPartition>>,
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
    let lagging = lagging.get(&pod.id)?;
    Some(RestartHindrance::Lagging(pod.id, lagging.clone()))
}

/// For each broker, the partitions whose replica there should be in sync, and is not.
fn lagging(scene: &RollScene) -> BTreeMap<BrokerId, BTreeSet<TopicPartition>> {
    let mut found: BTreeMap<BrokerId, BTreeSet<TopicPartition>> = BTreeMap::new();
    for (topic, partition) in partitions(scene) {
        for id in partition.replicas.iter().filter(|id| !isr(partition).contains(id)) {
            let of = of(topic, partition);
            let moving = scene.cluster.running.get(&of);
            if !moving.is_some_and(|moving| moving.adding.contains(id)) {
                found.entry(*id).or_default().insert(of);
            }
        }
    }
    found
}
