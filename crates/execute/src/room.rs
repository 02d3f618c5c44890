//! Room on disks, checked again before anything is copied there.

use crate::dirs;
use crate::move_state::{MoveHindrance, MoveState};
use crate::progress::PlanProgress;
use crate::seen::Seen;
use crate::task::Task;
use mapper::{BrokerId, Bytes, Move};
use std::collections::{BTreeMap, BTreeSet};

/// The free bytes on each broker once everything in flight has arrived in full.
pub(crate) struct FreeRoom {
    free: BTreeMap<BrokerId, u64>,
    /// The free bytes in each of its log dirs.
    in_dirs: BTreeMap<BrokerId, BTreeMap<String, Bytes>>,
    /// Brokers on which moves of earlier steps should have made room, and have not.
    not_freed: BTreeSet<BrokerId>,
}

impl FreeRoom {
    /// `earlier` are the moves of the steps before.
    pub(crate) fn of(
        task: &Task<'_>,
        course: &PlanProgress,
        seen: &Seen,
        earlier: &[usize],
    ) -> Self {
        let free = seen.free.iter().map(|(id, bytes)| (*id, bytes.0)).collect();
        let not_freed = earlier.iter().filter_map(|index| task.of(*index)).flat_map(|change| {
            let now = seen.partition(change).map_or(&[][..], |partition| &partition.replicas);
            change.removed().filter(|id| now.contains(id)).collect::<Vec<_>>()
        });
        let not_freed = not_freed.collect();
        let in_dirs = seen.stored.iter().map(|(id, stored)| (*id, stored.free.clone())).collect();
        let mut room = Self { free, in_dirs, not_freed };
        // Bytes that have already arrived are counted twice here. Too little room only delays moves, and only while
        // others run.
        for index in course.all(|standing| *standing == MoveState::Moving) {
            task.of(index).into_iter().for_each(|change| room.take(change));
        }
        room
    }

    /// The lack of room that keeps this move from being copied now.
    pub(crate) fn hindrance(&self, seen: &Seen, change: &Move) -> Option<MoveHindrance> {
        let each = each_copy(change);
        let mut to_fill = change
            .named_log_dirs()
            .filter(|(id, dir)| dirs::lies(seen, change, *id, dir) != dirs::Lies::There);
        let dirs = to_fill.find_map(|(broker, dir)| {
            let free = self.in_dirs.get(&broker)?.get(dir)?;
            let missing_bytes = Bytes(copy_to_dir(change, broker).saturating_sub(free.0));
            let log_dir = Some(dir.to_owned());
            (missing_bytes.0 > 0).then_some(MoveHindrance::NoRoom {
                broker,
                log_dir,
                missing_bytes,
            })
        });
        let brokers = || self.of_brokers(change, each).filter(|_| !seen.has_arrived(change));
        dirs.or_else(brokers)
    }

    fn of_brokers(&self, change: &Move, each: u64) -> Option<MoveHindrance> {
        change.added().find_map(|broker| match self.free.get(&broker) {
            Some(free) => {
                let missing = each.saturating_sub(*free);
                let missing_bytes = Bytes(missing);
                let log_dir = None;
                (missing > 0).then_some(MoveHindrance::NoRoom { broker, log_dir, missing_bytes })
            }
            None => {
                let waits = self.not_freed.contains(&broker);
                waits.then_some(MoveHindrance::RoomNotFreed { broker })
            }
        })
    }

    /// Subtracts a move from the free room.
    pub(crate) fn take(&mut self, change: &Move) {
        let each = each_copy(change);
        for broker in change.added() {
            if let Some(free) = self.free.get_mut(&broker) {
                *free = free.saturating_sub(each);
            }
        }
        for (broker, dir) in change.named_log_dirs() {
            if let Some(free) = self.in_dirs.get_mut(&broker).and_then(|dirs| dirs.get_mut(dir)) {
                free.0 = free.0.saturating_sub(copy_to_dir(change, broker));
            }
        }
    }
}

/// The bytes of one new replica; 0 if the size is not known.
pub(crate) fn each_copy(change: &Move) -> u64 {
    let copies = u64::try_from(change.added().count()).unwrap_or(1).max(1);
    change.bytes.map_or(0, |bytes| bytes.0 / copies)
}

/// The most bytes of a replica that goes to a named log dir: from another broker, or from another dir of its own broker.
pub(crate) fn copy_to_dir(change: &Move, broker: BrokerId) -> u64 {
    // Of replicas that change their dir, a move has only the sum. Asking for too much room delays it at worst.
    if change.from.contains(&broker) { change.disk_bytes.0 } else { each_copy(change) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::legs;
    use crate::seen::{Lying, Stored};
    use mapper::{LeadBy, Leaders, Mends, Plan, PlanTerms, Ratio, Request};

    #[test]
    fn a_copy_to_another_dir_of_its_broker_needs_room_there() {
        let broker = BrokerId(1);
        let change = Move {
            log_dirs: vec!["/b".to_owned()],
            disk_bytes: Bytes(100),
            ..crate::window::tests::change(0, 1, 1, 0)
        };
        let terms = PlanTerms { mends: Mends::Nothing, ..PlanTerms::new(Vec::new(), Ratio::ZERO) };
        let request =
            Leaders { terms, by: LeadBy::Count, per_topic: false, evacuate: BTreeSet::new() };
        let (moves, steps) = (vec![change.clone()], vec![vec![0]]);
        let plan = Plan { moves, steps, ..Plan::empty(Request::Leaders(request)) };
        let leg = &legs(&plan).moves[0];
        assert_eq!(*leg, change, "a move with one list is its only leg");
        let lying = Lying { log_dir: Some("/a".to_owned()), arriving: None };
        let stored = |free: u64| Stored {
            free: [("/b".to_owned(), Bytes(free))].into(),
            replicas: [(change.of(), lying.clone())].into(),
        };
        let lack = |free: u64| {
            let seen = Seen {
                live: [broker].into(),
                stored: [(broker, stored(free))].into(),
                ..Seen::default()
            };
            let in_dirs = [(broker, seen.stored[&broker].free.clone())].into();
            let room = FreeRoom { free: BTreeMap::new(), in_dirs, not_freed: BTreeSet::new() };
            room.hindrance(&seen, leg)
        };
        assert_eq!(lack(100), None);
        let (log_dir, missing_bytes) = (Some("/b".to_owned()), Bytes(1));
        assert_eq!(lack(99), Some(MoveHindrance::NoRoom { broker, log_dir, missing_bytes }));
    }
}
