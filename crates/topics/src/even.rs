//! Evens out new replicas, so that no broker of their map holds two more than another.
//!
//! Choosing one seat after the other cannot foresee the last ones. A broker with too many replicas therefore gives a
//! seat to one with too few. If racks prevent a direct exchange, it goes through other brokers.

use mapper::snapshot::{Broker, Snapshot};
use mapper::{BrokerId, Replicas};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Evens `lists` over the `live` brokers of a map. `held` counts the other replicas of each broker.
pub(crate) fn even(
    lists: &mut [Replicas],
    snapshot: &Snapshot,
    live: &[BrokerId],
    mut held: BTreeMap<BrokerId, usize>,
) {
    for id in live {
        held.entry(*id).or_insert(0);
    }
    held.retain(|id, _| live.contains(id));
    for id in lists.iter().flatten() {
        *held.entry(*id).or_insert(0) += 1;
    }
    let mut seats = Seats { lists, places: live.iter().map(|id| place(snapshot, *id)).collect() };
    while let Some(path) = seats.path(&held) {
        seats.shift(&path);
        if let (Some(first), Some(last)) = (path.first(), path.last()) {
            *held.entry(first.from).or_insert(1) -= 1;
            *held.entry(last.to).or_insert(0) += 1;
        }
    }
}

/// The rack of a broker, and its host within the rack. A broker without a known rack or host counts as a separate one.
type RackAndHost = (String, String);

fn place(snapshot: &Snapshot, id: BrokerId) -> (BrokerId, RackAndHost) {
    let broker: Option<&Broker> = snapshot.broker(id);
    let alone = || format!("(broker {id})");
    let rack = broker.and_then(|broker| broker.rack.clone()).unwrap_or_else(alone);
    let host = broker.and_then(|broker| broker.host.clone()).unwrap_or_else(alone);
    (id, (rack, host))
}

/// One seat of one list that goes from one broker to another.
#[derive(Clone, Copy)]
struct Shift {
    list: usize,
    from: BrokerId,
    to: BrokerId,
}

struct Seats<'l> {
    lists: &'l mut [Replicas],
    places: BTreeMap<BrokerId, RackAndHost>,
}

impl Seats<'_> {
    /// The shortest path from the broker with most replicas to one with at least two fewer. If there is none, the
    /// broker with the next most is tried.
    fn path(&self, held: &BTreeMap<BrokerId, usize>) -> Option<Vec<Shift>> {
        let fewest = held.values().min()?;
        let mut full: Vec<BrokerId> = held.keys().copied().collect();
        full.retain(|id| held[id] > fewest + 1);
        full.sort_by_key(|id| (usize::MAX - held[id], *id));
        full.into_iter().find_map(|from| self.path_from(from, held))
    }

    fn path_from(&self, from: BrokerId, held: &BTreeMap<BrokerId, usize>) -> Option<Vec<Shift>> {
        let mut came: BTreeMap<BrokerId, Shift> = BTreeMap::new();
        let mut next = VecDeque::from([from]);
        while let Some(at) = next.pop_front() {
            let reached: BTreeSet<BrokerId> = came.keys().copied().collect();
            for shift in self.shifts(at, |to| to != from && !reached.contains(&to)) {
                if came.contains_key(&shift.to) {
                    continue;
                }
                came.insert(shift.to, shift);
                if held[&shift.to] + 2 <= held[&from] {
                    return self.walked(shift.to, &came);
                }
                next.push_back(shift.to);
            }
        }
        None
    }

    /// The path back to its start. None if it has two seats of one list, because racks were checked for each seat
    /// alone.
    fn walked(&self, to: BrokerId, came: &BTreeMap<BrokerId, Shift>) -> Option<Vec<Shift>> {
        let mut path = Vec::new();
        let mut at = to;
        while let Some(shift) = came.get(&at) {
            path.push(*shift);
            at = shift.from;
        }
        path.reverse();
        let lists: BTreeSet<usize> = path.iter().map(|shift| shift.list).collect();
        (lists.len() == path.len()).then_some(path)
    }

    /// Every seat that a broker may give to one of the wanted brokers.
    fn shifts(&self, from: BrokerId, wanted: impl Fn(BrokerId) -> bool) -> Vec<Shift> {
        let mut shifts = Vec::new();
        let mut open: BTreeSet<BrokerId> =
            self.places.keys().copied().filter(|id| wanted(*id)).collect();
        for (list, replicas) in self.lists.iter().enumerate() {
            if open.is_empty() {
                break;
            }
            if replicas.contains(&from) {
                let taken: Vec<BrokerId> =
                    open.iter().copied().filter(|to| self.may(replicas, from, *to)).collect();
                for to in taken {
                    open.remove(&to);
                    shifts.push(Shift { list, from, to });
                }
            }
        }
        shifts
    }

    /// Whether the list stays as well spread over racks, and over hosts within them, as it is.
    fn may(&self, replicas: &Replicas, from: BrokerId, to: BrokerId) -> bool {
        let (Some(old), Some(new)) = (self.places.get(&from), self.places.get(&to)) else {
            return false;
        };
        let others =
            || replicas.iter().filter(|id| **id != from).filter_map(|id| self.places.get(id));
        let in_rack = |place: &RackAndHost| others().filter(|other| other.0 == place.0).count();
        let on_host = |place: &RackAndHost| others().filter(|other| *other == place).count();
        !replicas.contains(&to)
            && (old.0 == new.0 || in_rack(new) <= in_rack(old))
            && on_host(new) <= on_host(old)
    }

    fn shift(&mut self, path: &[Shift]) {
        for Shift { list, from, to } in path {
            for id in self.lists[*list].iter_mut().filter(|id| *id == from) {
                *id = *to;
            }
        }
    }
}
