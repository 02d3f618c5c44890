//! What the restart of a broker does to partitions and to the quorum.

use super::{Pod, RestartHindrance, RollScene, RollTerms};
use crate::seen::isr;
use mapper::snapshot::{Leader, Partition, Topic};
use mapper::{BrokerId, TopicPartition};
use std::collections::BTreeSet;

/// Partitions that no order of restarts keeps available: they have only as many replicas as have to be in sync. Counts
/// only partitions with a replica on a pod that has to be restarted and is not already down.
pub fn unavailable(scene: &RollScene) -> BTreeSet<TopicPartition> {
    let up = scene.pods.iter().filter(|pod| pod.outdated && !pod.terminating);
    let up: BTreeSet<BrokerId> =
        up.map(|pod| pod.id).filter(|id| scene.cluster.live.contains(id)).collect();
    let mut found = BTreeSet::new();
    for (topic, partition) in partitions(scene) {
        let concerned = partition.replicas.iter().any(|id| up.contains(id));
        if concerned && cannot_spare(topic, partition) {
            found.insert(of(topic, partition));
        }
    }
    found
}

/// Why this pod may not be restarted now.
pub(super) fn hindrances(scene: &RollScene, pod: &Pod, terms: &RollTerms) -> Vec<RestartHindrance> {
    let id = pod.id;
    let mut found: Vec<RestartHindrance> = majority(scene, pod, terms).into_iter().collect();
    // A server that is already down cannot make anything unavailable.
    if !scene.cluster.live.contains(&id) {
        return found;
    }
    let (mut under, mut leaderless) = (BTreeSet::new(), BTreeSet::new());
    let mut untold = BTreeSet::new();
    let live = &scene.cluster.live;
    for (topic, partition) in partitions(scene) {
        if !partition.replicas.contains(&id) {
            continue;
        }
        match Spare::of(topic, partition, live) {
            Spare::Leaderless => drop(leaderless.insert(of(topic, partition))),
            Spare::MinIsrUntold => drop(untold.insert(topic.name.clone())),
            Spare::InSync(0) if isr(partition).contains(&id) => {
                under.insert(of(topic, partition));
            }
            Spare::Never | Spare::InSync(_) => {}
        }
    }
    found.extend((!leaderless.is_empty()).then_some(RestartHindrance::Leaderless(id, leaderless)));
    found.extend((!untold.is_empty()).then_some(RestartHindrance::MinIsrUntold(id, untold)));
    found.extend((!under.is_empty()).then_some(RestartHindrance::UnderMinIsr(id, under)));
    found
}

/// Whether the quorum would lose its majority. One or two voters cannot keep a majority through a restart.
pub(super) fn majority(
    scene: &RollScene,
    pod: &Pod,
    terms: &RollTerms,
) -> Option<RestartHindrance> {
    let quorum = scene.voters.as_ref()?;
    let voters = &quorum.behind_ms;
    if !voters.contains_key(&pod.id) || (voters.len() <= 2 && terms.allow_unavailable) {
        return None;
    }
    let left = voters.keys().filter(|other| **other != pod.id && quorum.has(**other)).count();
    let needed = voters.len() / 2 + 1;
    (left < needed).then(|| RestartHindrance::NoMajority(pod.name.clone(), left, needed))
}

/// What the loss of a replica does to its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spare {
    /// It has no leader now.
    Leaderless,
    /// The number of replicas that have to be in sync is unknown.
    MinIsrUntold,
    /// It has only as many replicas as have to be in sync.
    Never,
    /// It can lose this many of its live replicas that are in sync.
    InSync(usize),
}

impl Spare {
    pub(super) fn of(topic: &Topic, partition: &Partition, live: &BTreeSet<BrokerId>) -> Self {
        if partition.leader() == Leader::None {
            return Self::Leaderless;
        }
        let Some(min) = topic.min_insync_replicas else { return Self::MinIsrUntold };
        if cannot_spare(topic, partition) {
            return Self::Never;
        }
        let in_sync = isr(partition).iter().filter(|id| live.contains(id)).count();
        let min = usize::try_from(min.max(1)).unwrap_or(usize::MAX);
        Self::InSync(in_sync.saturating_sub(min))
    }
}

/// Every replica has to be in sync: the loss of any of them stops acknowledged writes, or the whole partition.
fn cannot_spare(topic: &Topic, partition: &Partition) -> bool {
    let replicas = u32::try_from(partition.replicas.len()).unwrap_or(u32::MAX);
    topic.min_insync_replicas.is_some_and(|min| replicas <= min.max(1)) || replicas <= 1
}

pub(super) fn partitions(scene: &RollScene) -> impl Iterator<Item = (&Topic, &Partition)> {
    let topics = scene.cluster.topics.values();
    topics.flat_map(|topic| topic.partitions.iter().map(move |partition| (topic, partition)))
}

pub(super) fn of(topic: &Topic, partition: &Partition) -> TopicPartition {
    TopicPartition { topic: topic.name.clone(), partition: partition.id }
}
