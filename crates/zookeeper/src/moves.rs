//! The target replica list of a partition. No IO.
//!
//! Kafka in ZooKeeper mode keeps reassignments in two places. The topic's znode has every one that the controller has
//! started. `/admin/reassign_partitions` has the requested ones, which may not have started. The topic's znode wins:
//! the controller follows it, even after a newer request through the Kafka protocol.

use crate::znode::ReplicaLists;
use mapper::BrokerId;

/// The current or target replica list of a partition, and the changes that are still to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// The target list, without replicas to be removed.
    pub replicas: Vec<BrokerId>,
    /// In the target list, but not copied yet.
    pub adding: Vec<BrokerId>,
    /// Not in the target list, but still a replica.
    pub removing: Vec<BrokerId>,
}

impl Heading {
    /// Derives it from the topic's znode and from the request for this partition, if there is one.
    #[must_use]
    pub fn of(lists: &ReplicaLists, requested: Option<&[BrokerId]>) -> Self {
        let started = !lists.adding.is_empty() || !lists.removing.is_empty();
        match requested {
            Some(target) if !started => Self::toward(&lists.replicas, target),
            _ => Self::stored(lists),
        }
    }

    /// Whether a replica is being added or removed.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        !self.adding.is_empty() || !self.removing.is_empty()
    }

    fn stored(lists: &ReplicaLists) -> Self {
        let replicas = without(&lists.replicas, &lists.removing);
        let adding = lists.adding.iter().copied().filter(|id| replicas.contains(id)).collect();
        Self { adding, removing: lists.removing.clone(), replicas }
    }

    fn toward(current: &[BrokerId], target: &[BrokerId]) -> Self {
        Self {
            replicas: target.to_vec(),
            adding: without(target, current),
            removing: without(current, target),
        }
    }
}

fn without(list: &[BrokerId], gone: &[BrokerId]) -> Vec<BrokerId> {
    list.iter().copied().filter(|id| !gone.contains(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids<const N: usize>(ids: [u32; N]) -> Vec<BrokerId> {
        ids.map(BrokerId).to_vec()
    }

    fn stored<const R: usize, const A: usize, const D: usize>(
        replicas: [u32; R],
        adding: [u32; A],
        removing: [u32; D],
    ) -> ReplicaLists {
        ReplicaLists { replicas: ids(replicas), adding: ids(adding), removing: ids(removing) }
    }

    #[test]
    fn the_target_list_is_what_is_not_being_removed() {
        let target = |lists: &ReplicaLists| Heading::of(lists, None).replicas;
        assert_eq!(target(&stored([0, 1, 2, 3], [0, 1], [2, 3])), ids([0, 1]));
        assert_eq!(target(&stored([0, 1], [0], [])), ids([0, 1]));
        assert_eq!(target(&stored([0, 1, 2], [], [2])), ids([0, 1]));
        assert_eq!(target(&stored([0, 1, 2, 5], [0], [5])), ids([0, 1, 2]));
        assert_eq!(target(&stored([2, 3, 4, 5], [], [4])), ids([2, 3, 5]));
    }

    #[test]
    fn a_partition_at_rest_moves_nothing() {
        let heading = Heading::of(&stored([0, 1], [], []), None);
        assert_eq!(heading.replicas, ids([0, 1]));
        assert!(!heading.is_moving());
    }

    #[test]
    fn a_request_that_nobody_has_started_is_a_move() {
        let heading = Heading::of(&stored([0, 1], [], []), Some(&ids([2, 1])));
        assert_eq!(
            heading,
            Heading { replicas: ids([2, 1]), adding: ids([2]), removing: ids([0]) }
        );
    }

    #[test]
    fn what_the_controller_does_outranks_what_was_asked_for() {
        let heading = Heading::of(&stored([3, 1, 0], [3], [0]), Some(&ids([2, 1])));
        assert_eq!(
            heading,
            Heading { replicas: ids([3, 1]), adding: ids([3]), removing: ids([0]) }
        );
    }

    #[test]
    fn a_request_already_fulfilled_is_no_move() {
        let heading = Heading::of(&stored([2, 1], [], []), Some(&ids([2, 1])));
        assert!(!heading.is_moving());
    }
}
