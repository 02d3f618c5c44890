//! Limits the number of connections, in total and per peer.
//!
//! When all places are taken, the connection that has been idle longest loses its place. It is one of the same peer
//! if that peer has used up its share; otherwise one of the peer with the most connections.

use rustix::process::{Resource, getrlimit};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The most connections of one server. Each takes about 20 kB when idle and at most 100 kB: 25 MB of the 128 MiB that
/// the chart sets.
const MOST: usize = 256;
/// One server may use one in this many of the process' file descriptors. A daemon has two servers, and files.
const OF_DESCRIPTORS: u64 = 4;
/// One peer may use one in this many of all places.
const OF_PLACES: usize = 4;
/// After this time a request no longer protects its connection: most likely its peer neither sends nor reads.
const WORKS: Duration = Duration::from_secs(5);

/// Places of one server.
#[derive(Debug, Clone)]
pub(super) struct Room {
    taken: Arc<Mutex<TakenPlaces>>,
    most: usize,
    most_of_a_peer: usize,
}

#[derive(Debug, Default)]
struct TakenPlaces {
    next: u64,
    places: BTreeMap<u64, Taker>,
}

#[derive(Debug)]
struct Taker {
    peer: IpAddr,
    /// The start or end of the last request, or the start of the connection.
    since: Instant,
    works: bool,
    lost: Arc<Notify>,
}

/// The place of one connection; dropping it frees the place.
#[derive(Debug)]
pub(super) struct Place {
    taken: Arc<Mutex<TakenPlaces>>,
    number: u64,
    lost: Arc<Notify>,
    /// Another connection was evicted for this place.
    pub(super) took_anothers: bool,
}

/// A request in progress, until this value is dropped.
#[derive(Debug)]
pub(super) struct Works {
    taken: Arc<Mutex<TakenPlaces>>,
    number: u64,
}

impl Room {
    /// The places that this process' limit of file descriptors allows.
    pub(super) fn for_this_process() -> Self {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let affordable = usize::try_from(descriptors / OF_DESCRIPTORS).unwrap_or(MOST);
        Self::of(affordable.clamp(OF_PLACES, MOST))
    }

    fn of(most: usize) -> Self {
        Self { taken: Arc::default(), most, most_of_a_peer: (most / OF_PLACES).max(1) }
    }

    /// A place for a new connection; `None` if no connection may be evicted for it.
    pub(super) fn place(&self, from: IpAddr) -> Option<Place> {
        let peer = peer(from);
        let now = Instant::now();
        let mut taken = lock(&self.taken);
        let own = taken.places.values().filter(|taker| taker.peer == peer).count();
        let victim = if own >= self.most_of_a_peer {
            Some(taken.idlest(now, |taker| taker.peer == peer)?)
        } else if taken.places.len() >= self.most {
            Some(taken.idlest(now, |_| true)?)
        } else {
            None
        };
        let took_anothers = victim.is_some();
        victim.into_iter().for_each(|number| taken.evict(number));
        let number = taken.next;
        taken.next += 1;
        let lost = Arc::new(Notify::new());
        let taker = Taker { peer, since: now, works: false, lost: lost.clone() };
        taken.places.insert(number, taker);
        drop(taken);
        Some(Place { taken: self.taken.clone(), number, lost, took_anothers })
    }

    /// Ends the connection that has been idle longest.
    pub(super) fn evict_one(&self) {
        let mut taken = lock(&self.taken);
        if let Some(number) = taken.idlest(Instant::now(), |_| true) {
            taken.evict(number);
        }
    }
}

impl TakenPlaces {
    /// The longest idle connection of the peer with the most connections.
    fn idlest(&self, now: Instant, of: impl Fn(&Taker) -> bool) -> Option<u64> {
        let mut crowds: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for taker in self.places.values() {
            *crowds.entry(taker.peer).or_default() += 1;
        }
        let idle = |taker: &Taker| !taker.works || now.duration_since(taker.since) >= WORKS;
        let candidates = self.places.iter().filter(|(_, taker)| of(taker) && idle(taker));
        let key = |(number, taker): &(&u64, &Taker)| {
            (Reverse(crowds.get(&taker.peer).copied()), taker.since, **number)
        };
        candidates.min_by_key(key).map(|(number, _)| *number)
    }

    fn evict(&mut self, number: u64) {
        if let Some(taker) = self.places.remove(&number) {
            taker.lost.notify_one();
        }
    }

    fn works(&mut self, number: u64, works: bool) {
        if let Some(taker) = self.places.get_mut(&number) {
            (taker.works, taker.since) = (works, Instant::now());
        }
    }
}

impl Place {
    /// Returns when this connection is evicted.
    pub(super) async fn is_lost(&self) {
        self.lost.notified().await;
    }

    /// Marks the start of a request.
    pub(super) fn works(&self) -> Works {
        lock(&self.taken).works(self.number, true);
        Works { taken: self.taken.clone(), number: self.number }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.taken).places.remove(&self.number);
    }
}

impl Drop for Works {
    fn drop(&mut self) {
        lock(&self.taken).works(self.number, false);
    }
}

fn lock(taken: &Mutex<TakenPlaces>) -> MutexGuard<'_, TakenPlaces> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The peer for the limits. For IPv6 it is a /64 network, because one machine may use all addresses in it.
fn peer(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn is_lost(place: &Place) -> bool {
        place.is_lost().now_or_never().is_some()
    }

    #[test]
    fn a_peer_with_its_share_takes_places_from_itself_the_idlest_first() {
        let room = Room::of(8);
        let other = room.place(at("10.0.0.2")).unwrap();
        let first = room.place(at("10.0.0.1")).unwrap();
        let second = room.place(at("10.0.0.1")).unwrap();
        drop(first.works()); // it has just been answered: the second is idle for longer
        let third = room.place(at("10.0.0.1")).unwrap();
        assert!(third.took_anothers);
        assert_eq!([&other, &first, &second, &third].map(is_lost), [false, false, true, false]);
    }

    #[test]
    fn what_works_keeps_its_place_and_then_a_new_one_is_refused() {
        let room = Room::of(4);
        let first = room.place(at("10.0.0.1")).unwrap();
        let works = first.works();
        assert!(room.place(at("10.0.0.1")).is_none());
        drop(works);
        assert!(room.place(at("10.0.0.1")).is_some() && is_lost(&first));
    }

    #[test]
    fn when_all_is_taken_the_peer_with_the_most_gives_one_back() {
        let room = Room::of(8);
        let of = |host: u32| room.place(IpAddr::from([10, 0, 0, host as u8])).unwrap();
        let alone: Vec<Place> = (1..=4).map(of).collect();
        let pairs: Vec<Place> = [5, 5, 6, 6].map(of).into();
        let new = of(7);
        assert!(new.took_anothers && is_lost(&pairs[0]));
        assert!(!alone.iter().any(is_lost));
        drop((alone, pairs, new));
        assert_eq!(lock(&room.taken).places.len(), 0);
    }

    #[test]
    fn a_machine_is_one_peer_whatever_address_it_takes() {
        assert_eq!(peer(at("::ffff:10.0.0.1")), at("10.0.0.1"));
        assert_eq!(peer(at("2001:db8::1")), peer(at("2001:db8::ffff:2")));
        assert_ne!(peer(at("2001:db8::1")), peer(at("2001:db8:0:1::1")));
    }
}
