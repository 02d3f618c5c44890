//! The check's view: brokers, racks and disks by id, and what the request allows for each topic.

use super::spread::{BrokerPlaces, Spread};
use super::topics;
use crate::assignment::Assignment;
use crate::bytes::{Bytes, Ratio};
use crate::ids::BrokerId;
use crate::lookup::Lookup;
use crate::plan::Move;
use crate::request::{Mends, RackRule};
use crate::scope::ScopeError;
use crate::snapshot::{Broker, Partition, Snapshot, Topic};
use crate::table::{IdSet, Positions};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A snapshot with what the request allows.
#[derive(Clone)]
pub(super) struct CheckedSnapshot<'s> {
    pub(super) snapshot: &'s Snapshot,
    /// Its partitions.
    pub(super) find: Lookup<'s>,
    /// The racks and hosts of its brokers.
    places: BrokerPlaces<'s>,
    live: IdSet,
    /// Brokers with several volumes.
    several_volumes: IdSet,
    /// Whether any broker or log dir is cordoned.
    has_cordons: bool,
    allowed: Vec<Allowed>,
    /// For each topic of the snapshot: an index into `allowed`.
    of_topic: Vec<Option<usize>>,
}

/// A move, and its partition in the snapshot.
pub(super) struct Touched<'v> {
    pub(super) change: &'v Move,
    /// The partition that it changes, if it exists.
    pub(super) partition: Option<&'v Partition>,
    /// What is allowed for its topic, if the topic is in scope.
    pub(super) allowed: Option<&'v Allowed>,
}

/// What one assignment allows.
#[derive(Clone)]
pub(super) struct Allowed {
    /// The brokers that the assignment names and that are live. It is read for every replica.
    pub(super) brokers: IdSet,
    /// How many these are.
    pub(super) members: usize,
    pub(super) replication: Option<usize>,
    /// How many brokers each rack and host offers.
    places: Spread,
}

impl<'s> CheckedSnapshot<'s> {
    pub(super) fn new(
        snapshot: &'s Snapshot,
        assignments: &[Assignment],
    ) -> Result<Self, ScopeError> {
        let of_topic = topics::taken(snapshot, assignments)?;
        let places = BrokerPlaces::new(snapshot);
        let allowed = assignments.iter().map(|of| Allowed::new(snapshot, &places, of));
        let allowed = allowed.collect();
        let those = |of: fn(&&Broker) -> bool| snapshot.brokers().iter().filter(of).map(|b| b.id);
        let live = those(|broker| broker.live).collect();
        let several_volumes = those(|broker| broker.volumes().len() > 1).collect();
        let has_cordons = snapshot.brokers().iter().any(|b| !b.cordoned_log_dirs.is_empty());
        let find = Lookup::new(snapshot);
        Ok(Self { snapshot, find, places, live, several_volumes, has_cordons, allowed, of_topic })
    }

    /// Whether the broker is listed and live.
    pub(super) fn is_live(&self, id: BrokerId) -> bool {
        self.live.contains(id)
    }

    pub(super) fn has_several_volumes(&self, id: BrokerId) -> bool {
        self.several_volumes.contains(id)
    }

    pub(super) fn has_cordons(&self) -> bool {
        self.has_cordons
    }

    /// What a move touches; `topic` is the position of its topic.
    pub(super) fn touched<'v>(&'v self, change: &'v Move, topic: Option<usize>) -> Touched<'v> {
        let allowed = topic.and_then(|topic| self.of_topic[topic]);
        let topic = topic.map(|topic| &self.snapshot.topics()[topic]);
        Touched {
            change,
            partition: topic.and_then(|topic| topic.partition(change.partition)),
            allowed: allowed.map(|allowed| &self.allowed[allowed]),
        }
    }

    /// The brokers that any assignment allows.
    pub(super) fn all_allowed(&self) -> BTreeSet<BrokerId> {
        self.allowed.iter().flat_map(|allowed| allowed.brokers.clone().into_sorted()).collect()
    }

    pub(super) fn in_scope(&self) -> impl Iterator<Item = (&'s Topic, &Allowed)> {
        let topics = self.snapshot.topics().iter().zip(&self.of_topic);
        topics.filter_map(|(topic, allowed)| Some((topic, &self.allowed[(*allowed)?])))
    }

    /// Brokers in a final list that a finished plan should not have left there.
    pub(super) fn still_wrong(
        &self,
        allowed: &Allowed,
        mends: Mends,
        partition: &Partition,
        list: &[BrokerId],
    ) -> Vec<BrokerId> {
        let wrong = |id: &BrokerId| match mends {
            Mends::Nothing => false,
            Mends::SeatsOf(outgoing) => *id == outgoing,
            Mends::Everything => {
                let was_offline =
                    partition.offline().contains(id) && partition.replicas.contains(id);
                was_offline || !allowed.brokers.contains(*id)
            }
        };
        if list.iter().any(wrong) {
            list.iter().copied().filter(|id| wrong(id)).collect()
        } else {
            Vec::new()
        }
    }

    /// Both spreads as text, if the move newly breaks the rack rule, or breaks it more than before.
    pub(super) fn racks_get_worse(
        &self,
        rule: RackRule,
        touched: &Touched<'_>,
    ) -> Option<(String, String)> {
        let change = touched.change;
        // A new order has the same spread as the old one.
        change.added().chain(change.removed()).next()?;
        // The rule is kept at best with a rack for each replica.
        if self.places.all_racks_differ(&change.to) {
            return None;
        }
        let allowed = touched.allowed?;
        let room = self.room(allowed, &change.to);
        // Most moves keep the rule, whatever the old list was.
        if rule == RackRule::Spread && self.is_even(&change.to, &room) {
            return None;
        }
        let (before, after) = (self.places.spread(&change.from), self.places.spread(&change.to));
        let bad = match rule {
            RackRule::AtLeast(asked) => {
                after.racks.len() < change.to.len().min(asked as usize)
                    && after.racks.len() < before.racks.len().max(1)
            }
            RackRule::Spread => {
                self.is_even(&change.from, &self.room(allowed, &change.from))
                    || self.crowds_more(&before, &after, &room, change)
            }
        };
        bad.then(|| (self.places.in_words(&before), self.places.in_words(&after)))
    }

    /// Whether no rack or host could give a replica to another one that has two fewer.
    fn is_even(&self, list: &[BrokerId], room: &Spread) -> bool {
        // A host with a single replica cannot give one.
        let hosts = || {
            self.places.all_hosts_differ(list) || !self.places.hosts(list).are_uneven(&room.hosts)
        };
        !self.places.racks(list).are_uneven(&room.racks) && hosts()
    }

    /// Both spreads as text, if a list between the ends of a move is worse than both ends. It is worse if it crowds a
    /// rack or host more, or is in fewer racks.
    pub(super) fn racks_are_worse_between(
        &self,
        change: &Move,
        list: &[BrokerId],
    ) -> Option<(String, String)> {
        let [from, to, on_the_way] = [change.from.as_slice(), change.to.as_slice(), list]
            .map(|list| self.places.spread(list));
        let fewer = on_the_way.racks.len() < from.racks.len().min(to.racks.len());
        let crowded = on_the_way.racks.exceed(&from.racks, &to.racks)
            || on_the_way.hosts.exceed(&from.hosts, &to.hosts);
        (fewer || crowded).then(|| (self.places.in_words(&from), self.places.in_words(&on_the_way)))
    }

    /// Whether a new replica is in a place although another place had two fewer. The place must have had fewer before,
    /// so that the old list is not the cause.
    fn crowds_more(&self, before: &Spread, after: &Spread, room: &Spread, change: &Move) -> bool {
        change.added().any(|id| {
            let (rack, host) = self.places.of(id);
            (after.racks.get(rack) > before.racks.get(rack) && after.racks.crowd(rack, &room.racks))
                || (after.hosts.get(host) > before.hosts.get(host)
                    && after.hosts.crowd(host, &room.hosts))
        })
    }

    /// How many brokers each rack and host offers: the allowed ones, and those that stay in any case.
    fn room<'p>(&self, allowed: &'p Allowed, list: &[BrokerId]) -> Cow<'p, Spread> {
        if list.iter().all(|id| allowed.brokers.contains(*id)) {
            return Cow::Borrowed(&allowed.places);
        }
        let mut all: BTreeSet<BrokerId> =
            allowed.brokers.clone().into_sorted().into_iter().collect();
        all.extend(list);
        let all: Vec<BrokerId> = all.into_iter().collect();
        Cow::Owned(self.places.spread(&all))
    }

    pub(super) fn disks(&self, headroom: Ratio) -> StorageFill {
        let ids = self.snapshot.brokers().iter().map(|broker| broker.id).collect();
        let mut disks = StorageFill {
            positions: Positions::new(ids),
            brokers: Vec::new(),
            volumes: self.volumes(headroom),
        };
        let mut sums: BTreeMap<BrokerId, Option<u64>> = BTreeMap::new();
        for broker in self.snapshot.brokers().iter().filter(|b| b.storage_free.is_none()) {
            sums.insert(broker.id, Some(0));
        }
        if !sums.is_empty() {
            for partition in self.snapshot.topics().iter().flat_map(|topic| &topic.partitions) {
                for id in &partition.replicas {
                    if let Some(sum) = sums.get_mut(id) {
                        *sum = sum.zip(partition.size_on(*id)).map(|(sum, size)| sum + size.0);
                    }
                }
            }
        }
        for broker in self.snapshot.brokers() {
            let disk = |total: Bytes| {
                let used = match broker.storage_free {
                    Some(free) => Some(total.0 - free.0),
                    None => sums.get(&broker.id).copied().flatten(),
                };
                let limit = total.0 - headroom.of(total).0.min(total.0);
                used.map(|used| FillAndLimit { used, limit })
            };
            disks.brokers.push(broker.storage_total.and_then(disk));
        }
        disks
    }
}

impl CheckedSnapshot<'_> {
    fn volumes(&self, headroom: Ratio) -> BTreeMap<BrokerId, Vec<VolumeDisk>> {
        let of = |broker: &Broker| {
            let volumes = broker.volumes();
            let disks = volumes.into_iter().map(|volume| VolumeDisk {
                paths: volume.paths.into_iter().map(str::to_owned).collect(),
                disk: FillAndLimit {
                    used: volume.total.0 - volume.free.0,
                    limit: volume.total.0 - headroom.of(volume.total).0.min(volume.total.0),
                },
            });
            (broker.id, disks.collect::<Vec<VolumeDisk>>())
        };
        let all = self.snapshot.brokers().iter().map(of);
        all.filter(|(_, volumes)| volumes.len() > 1).collect()
    }
}

impl Allowed {
    fn new(snapshot: &Snapshot, places: &BrokerPlaces<'_>, assignment: &Assignment) -> Self {
        let live = assignment.brokers.iter().copied().filter(|id| snapshot.is_live(*id));
        let brokers: Vec<BrokerId> = live.collect();
        Self {
            places: places.spread(&brokers),
            members: brokers.len(),
            brokers: brokers.into_iter().collect(),
            replication: assignment.replication.map(|factor| factor as usize),
        }
    }
}

/// The fill of each disk, and the volumes of brokers that have several.
pub(super) struct StorageFill {
    positions: Positions,
    /// The disks with complete facts, by the broker's position.
    brokers: Vec<Option<FillAndLimit>>,
    volumes: BTreeMap<BrokerId, Vec<VolumeDisk>>,
}

struct FillAndLimit {
    used: u64,
    limit: u64,
}

struct VolumeDisk {
    paths: Vec<String>,
    disk: FillAndLimit,
}

impl FillAndLimit {
    fn over(&self) -> Option<Bytes> {
        (self.used > self.limit).then(|| Bytes(self.used - self.limit))
    }
}

impl StorageFill {
    pub(super) fn add(&mut self, id: BrokerId, log_dir: Option<&str>, bytes: u64) {
        if let Some(disk) = self.broker(id) {
            disk.used = disk.used.saturating_add(bytes);
        }
        if let Some(disk) = self.volume(id, log_dir) {
            disk.used = disk.used.saturating_add(bytes);
        }
    }

    pub(super) fn remove(&mut self, id: BrokerId, log_dir: Option<&str>, bytes: u64) {
        if let Some(disk) = self.broker(id) {
            disk.used = disk.used.saturating_sub(bytes);
        }
        if let Some(disk) = self.volume(id, log_dir) {
            disk.used = disk.used.saturating_sub(bytes);
        }
    }

    /// How far a broker is beyond its limit, or the volume of one of its log dirs.
    pub(super) fn over(&mut self, id: BrokerId, log_dir: Option<&str>) -> Option<Bytes> {
        match log_dir {
            None => self.broker(id).and_then(|disk| disk.over()),
            Some(_) => self.volume(id, log_dir).and_then(|disk| disk.over()),
        }
    }

    fn broker(&mut self, id: BrokerId) -> Option<&mut FillAndLimit> {
        let at = self.positions.of(id)?;
        self.brokers[at as usize].as_mut()
    }

    fn volume(&mut self, id: BrokerId, log_dir: Option<&str>) -> Option<&mut FillAndLimit> {
        let log_dir = log_dir?;
        let volumes = self.volumes.get_mut(&id)?;
        let of = volumes.iter_mut().find(|volume| volume.paths.iter().any(|p| p == log_dir))?;
        Some(&mut of.disk)
    }
}
