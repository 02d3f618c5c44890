//! In which order pods are restarted.

use super::{Pod, RollScene};
use mapper::BrokerId;

/// The pods to restart, as indices into [`RollScene::pods`]. Servers that are already down come first, then one rack
/// after the other. The active controller, or the leader of the ZooKeeper servers, comes last, so that leadership of
/// the cluster moves once.
pub fn order(scene: &RollScene) -> Vec<usize> {
    let pods = scene.pods.iter().enumerate();
    let mut outdated: Vec<(usize, &Pod)> =
        pods.filter(|(_, pod)| pod.outdated && !pod.terminating).collect();
    outdated.sort_by_key(|(_, pod)| {
        let rank = match (scene.is_up(pod.id), is_active(scene, pod.id)) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        };
        // A pod without a rack counts as a separate rack, after the others.
        (rank, pod.rack.is_none(), pod.rack.clone(), pod.id)
    });
    outdated.into_iter().map(|(index, _)| index).collect()
}

/// Whether the server is the active controller, or the leader of the ZooKeeper servers.
pub(super) fn is_active(scene: &RollScene, id: BrokerId) -> bool {
    let active = scene.voters.as_ref().map_or(scene.controller, |voters| voters.active);
    active == Some(id)
}
