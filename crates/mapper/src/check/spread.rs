//! How replicas spread over racks, and over the hosts in them.

use crate::ids::BrokerId;
use crate::snapshot::{Broker, Snapshot};
use crate::table::Positions;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// A rack, or a broker that counts as a separate rack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RackOrBroker {
    Named(u32),
    Own(BrokerId),
}

/// A host in its rack; an unknown host counts as a separate one.
pub(super) type Host = (RackOrBroker, RackOrBroker);

/// The rack and host of each broker of a snapshot.
#[derive(Clone)]
pub(super) struct BrokerPlaces<'s> {
    positions: Positions,
    of: Vec<(RackOrBroker, Host)>,
    racks: Vec<&'s str>,
}

impl<'s> BrokerPlaces<'s> {
    pub(super) fn new(snapshot: &'s Snapshot) -> Self {
        let brokers = snapshot.brokers();
        let ids = brokers.iter().map(|broker| broker.id).collect();
        let racks = numbered(brokers.iter().filter_map(|broker| broker.rack.as_deref()));
        let hosts = numbered(brokers.iter().filter_map(|broker| broker.host.as_deref()));
        let place = |broker: &Broker| {
            let known = |names: &BTreeMap<&str, u32>, name: Option<&str>| {
                let number = name.and_then(|name| names.get(name));
                number.map_or(RackOrBroker::Own(broker.id), |number| RackOrBroker::Named(*number))
            };
            let rack = known(&racks, broker.rack.as_deref());
            (rack, (rack, known(&hosts, broker.host.as_deref())))
        };
        let of = brokers.iter().map(place).collect();
        Self { positions: Positions::new(ids), of, racks: racks.into_keys().collect() }
    }

    pub(super) fn of(&self, id: BrokerId) -> (RackOrBroker, Host) {
        let own = RackOrBroker::Own(id);
        let at = self.positions.of(id);
        at.map_or((own, (own, own)), |at| self.of[at as usize])
    }

    /// Whether these brokers are all in different racks.
    pub(super) fn all_racks_differ(&self, brokers: &[BrokerId]) -> bool {
        all_differ(brokers.iter().map(|id| self.of(*id).0))
    }

    /// Whether these brokers are all on different hosts.
    pub(super) fn all_hosts_differ(&self, brokers: &[BrokerId]) -> bool {
        all_differ(brokers.iter().map(|id| self.of(*id).1))
    }

    pub(super) fn spread(&self, brokers: &[BrokerId]) -> Spread {
        Spread { racks: self.racks(brokers), hosts: self.hosts(brokers) }
    }

    pub(super) fn racks(&self, brokers: &[BrokerId]) -> CountOfEach<RackOrBroker> {
        CountOfEach::of(brokers.iter().map(|id| self.of(*id).0))
    }

    pub(super) fn hosts(&self, brokers: &[BrokerId]) -> CountOfEach<Host> {
        CountOfEach::of(brokers.iter().map(|id| self.of(*id).1))
    }

    pub(super) fn in_words(&self, spread: &Spread) -> String {
        let words = |(rack, count): &(RackOrBroker, usize)| match rack {
            RackOrBroker::Named(number) => format!("{} x{count}", self.racks[*number as usize]),
            RackOrBroker::Own(id) => format!("(none, broker {id}) x{count}"),
        };
        let mut words: Vec<String> = spread.racks.0.iter().map(words).collect();
        words.sort();
        words.join(", ")
    }
}

fn all_differ<K: PartialEq>(places: impl Iterator<Item = K>) -> bool {
    let places: SmallVec<[K; 4]> = places.collect();
    places.iter().enumerate().all(|(at, place)| !places[..at].contains(place))
}

/// Names in their order, and their numbers.
fn numbered<'s>(names: impl Iterator<Item = &'s str>) -> BTreeMap<&'s str, u32> {
    let mut numbers: BTreeMap<&str, u32> = names.map(|name| (name, 0)).collect();
    for (number, of) in (0..).zip(numbers.values_mut()) {
        *of = number;
    }
    numbers
}

/// How many replicas each rack and each host holds.
#[derive(Clone, Default)]
pub(super) struct Spread {
    pub(super) racks: CountOfEach<RackOrBroker>,
    pub(super) hosts: CountOfEach<Host>,
}

/// The count of each, in their order.
#[derive(Clone)]
pub(super) struct CountOfEach<K>(SmallVec<[(K, usize); 4]>);

impl<K> Default for CountOfEach<K> {
    fn default() -> Self {
        Self(SmallVec::new())
    }
}

impl<K: Ord + Copy> CountOfEach<K> {
    fn of(all: impl Iterator<Item = K>) -> Self {
        let mut counts: SmallVec<[(K, usize); 4]> = SmallVec::new();
        for key in all {
            match counts.binary_search_by_key(&key, |(known, _)| *known) {
                Ok(at) => counts[at].1 += 1,
                Err(at) => counts.insert(at, (key, 1)),
            }
        }
        Self(counts)
    }

    pub(super) fn get(&self, key: K) -> usize {
        let at = self.0.binary_search_by_key(&key, |(known, _)| *known);
        at.map_or(0, |at| self.0[at].1)
    }

    /// How many different ones there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether some place has more than in both others.
    pub(super) fn exceed(&self, one: &Self, other: &Self) -> bool {
        self.0.iter().any(|(place, count)| *count > one.get(*place).max(other.get(*place)))
    }
}

impl<K: Ord + Copy + Within> CountOfEach<K> {
    /// Whether some place could give a replica to a broker in another place that has two fewer.
    pub(super) fn are_uneven(&self, offered: &Self) -> bool {
        self.0.iter().any(|(from, _)| self.crowd(*from, offered))
    }

    /// Whether this place could.
    pub(super) fn crowd(&self, from: K, offered: &Self) -> bool {
        let here = self.get(from);
        here >= 2
            && offered.0.iter().any(|(to, brokers)| {
                let there = self.get(*to);
                there < *brokers && there + 1 < here && K::comparable(from, *to)
            })
    }
}

/// The places between which a replica may be exchanged when evenness is checked.
pub(super) trait Within {
    fn comparable(one: Self, other: Self) -> bool;
}

impl Within for RackOrBroker {
    fn comparable(_: Self, _: Self) -> bool {
        true
    }
}

impl Within for Host {
    /// Hosts are compared only within a rack.
    fn comparable(one: Self, other: Self) -> bool {
        one.0 == other.0
    }
}
