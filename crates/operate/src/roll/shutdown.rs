//! Checks that a restarted broker hands over its partitions before it stops.

use crate::events::RollEvent;
use execute::roll::{Pod, RollScene};
use mapper::BrokerId;
use mapper::snapshot::Leader;

/// The pod that is stopping.
#[derive(Debug)]
pub(super) struct Shutdown {
    id: BrokerId,
    uid: String,
    name: String,
    grace_seconds: u64,
    over: bool,
}

impl Shutdown {
    pub(super) fn of(pod: &Pod, grace_seconds: u64) -> Self {
        let (id, uid, name) = (pod.id, pod.uid.clone(), pod.name.clone());
        Self { id, uid, name, grace_seconds, over: false }
    }

    /// If a pod is gone while its broker still leads, it was killed: a controlled shutdown hands over first.
    pub(super) fn look(&mut self, scene: &RollScene) -> Option<RollEvent> {
        let there = scene.pods.iter().any(|pod| pod.uid == self.uid);
        if self.over || there {
            return None;
        }
        self.over = true;
        let topics = scene.cluster.topics.values();
        let partitions = topics.flat_map(|topic| &topic.partitions);
        let led = partitions.filter(|one| one.leader() == Leader::Broker(self.id)).count();
        if led == 0 || !scene.cluster.live.contains(&self.id) {
            return None;
        }
        Some(RollEvent::killed(&self.name, self.id, led, self.grace_seconds))
    }
}
