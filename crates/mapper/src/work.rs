//! Finds the necessary changes: the seats that must move, and the partitions that must be left alone.

use crate::both::both;
use crate::dense::{BrokerIx, DenseCluster};
use crate::ids::BrokerId;
use crate::no_plan::NoPlan;
use crate::plan::{LeftOut, Reason, WhyLeftOut};
use crate::request::{BaseLists, Mends, PlanTerms, RackRule, Rebuild};
use crate::snapshot::{Leader, Partition};
use crate::target::{RackCounts, Target, Targets};
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

/// The broker of each seat, where known. Three are nearly always enough, and there may be a million lists.
pub(crate) type WorkSeats = SmallVec<[Option<BrokerIx>; 3]>;

/// One partition on its way to its new replica list.
#[derive(Clone)]
pub(crate) struct Work {
    pub(crate) partition: usize,
    /// An index into [`Targets::all`].
    pub(crate) target: usize,
    /// The new list. An empty seat still needs a broker.
    pub(crate) seats: WorkSeats,
    /// For each seat the broker that it replaces, if any.
    pub(crate) replaces: WorkSeats,
    pub(crate) reason: Reason,
    /// The bytes that a copy transfers, where known.
    pub(crate) size: Option<u64>,
    /// Live brokers whose replica of the partition is in a failed log dir.
    pub(crate) offline: Box<[BrokerIx]>,
    /// Seats that any answer has to copy: those that are empty at the start, and those in the caller's list.
    pub(crate) must_copy: u32,
    /// Whether the former preferred leader is gone. Then any replica may come first without a further copy.
    pub(crate) head_is_free: bool,
}

/// In bytes. There may be a million.
const _: () = assert!(size_of::<Work>() <= 120);

impl Work {
    pub(crate) fn held(&self) -> impl Iterator<Item = BrokerIx> {
        self.seats.iter().filter_map(|seat| *seat)
    }

    /// Puts one of its brokers first; the others keep their order.
    pub(crate) fn lead_by(&mut self, leader: BrokerIx) {
        if let Some(at) = self.seats.iter().position(|seat| *seat == Some(leader)) {
            self.seats[..=at].rotate_right(1);
            self.replaces[..=at].rotate_right(1);
        }
    }

    pub(crate) fn empty(&self) -> usize {
        self.seats.iter().filter(|seat| seat.is_none()).count()
    }
}

/// All changes that a request makes necessary.
pub(crate) struct FoundWork {
    pub(crate) work: Vec<Work>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// How a planner searches for necessary changes.
pub(crate) struct WorkSearch<'a> {
    pub(crate) cluster: &'a DenseCluster<'a>,
    pub(crate) targets: &'a Targets,
    pub(crate) terms: &'a PlanTerms,
    force: bool,
    pub(crate) base: BaseLists<'a>,
}

impl<'a> WorkSearch<'a> {
    pub(crate) fn new(
        cluster: &'a DenseCluster<'a>,
        targets: &'a Targets,
        terms: &'a PlanTerms,
    ) -> Self {
        Self { cluster, targets, terms, force: false, base: BaseLists::new(&[]) }
    }

    pub(crate) fn of_rebuild(
        cluster: &'a DenseCluster<'a>,
        targets: &'a Targets,
        request: &'a Rebuild,
    ) -> Self {
        Self {
            force: request.force,
            base: BaseLists::new(&request.base),
            ..Self::new(cluster, targets, &request.terms)
        }
    }

    /// Examines every partition in scope.
    pub(crate) fn run(&self) -> Result<FoundWork, NoPlan> {
        let (topics, partitions) = (self.targets.of_topic.len(), self.cluster.partition_count());
        let middle = self.cluster.first_partition.partition_point(|first| *first < partitions / 2);
        let middle = middle.min(topics);
        let (first, second) =
            both(partitions, || self.look_at(0..middle), || self.look_at(middle..topics));
        let mut found = first?;
        let second = second?;
        found.work.extend(second.work);
        found.left_out.extend(second.left_out);
        Ok(found)
    }

    /// Examines every partition of these topics.
    fn look_at(&self, topics: Range<usize>) -> Result<FoundWork, NoPlan> {
        // Reserves room for later additions, too. Memory that is never written costs nothing.
        let room = self.cluster.partition_count() - self.cluster.first_partition[topics.start];
        let mut found = FoundWork { work: Vec::with_capacity(room), left_out: Vec::new() };
        for at in topics {
            let (topic, first) =
                (&self.cluster.snapshot.topics()[at], self.cluster.first_partition[at]);
            let Some(target) = self.targets.of_topic[at] else { continue };
            for (offset, partition) in topic.partitions.iter().enumerate() {
                let index = first + offset;
                if !self.base.cover(&topic.name, partition.id) {
                    continue;
                }
                let base = self.base.get(&topic.name, partition.id);
                let Some(work) = self.look(index, target, partition, base)? else {
                    continue;
                };
                match why_left_out(self.cluster, index) {
                    None => found.work.push(work),
                    Some(why) => found.left_out.push(LeftOut {
                        topic: Arc::from(topic.name.as_str()),
                        partition: partition.id,
                        replicas: partition.replicas.clone(),
                        why,
                    }),
                }
            }
        }
        Ok(found)
    }

    /// The work on one partition; `None` if it has no fault.
    fn look(
        &self,
        index: usize,
        at: usize,
        partition: &Partition,
        base: Option<&[Option<BrokerId>]>,
    ) -> Result<Option<Work>, NoPlan> {
        let target = &self.targets.all[at];
        let current = self.cluster.seats_of(index);
        let factor = target.replication.unwrap_or(base.map_or(current.len(), <[_]>::len));
        self.racks_suffice(index, factor, target)?;
        if !self.force && base.is_none() && factor == current.len() {
            let fine = |seat: &BrokerIx| self.fault(*seat, partition, target).is_none();
            if current.iter().all(fine) && !self.mends_racks(current, target) {
                return Ok(None);
            }
        }
        self.brokers_suffice(index, factor, target)?;
        let mut work = self.empty_work(index, at, partition);
        self.seat_those_who_stay(&mut work, partition, target, base);
        self.fit_to_factor(&mut work, factor, target);
        if self.terms.fix_racks {
            self.release_for_racks(&mut work, target);
        }
        let wished = work.held().filter(|held| !current.contains(held)).count();
        work.must_copy = u32::try_from(work.empty() + wished).unwrap_or(u32::MAX);
        work.head_is_free = self.force
            || current.first().is_none_or(|head| !work.held().any(|broker| broker == *head));
        Ok(Some(work))
    }

    fn empty_work(&self, index: usize, at: usize, partition: &Partition) -> Work {
        let offline = partition.offline().iter().filter_map(|id| self.cluster.index_of(*id));
        Work {
            partition: index,
            target: at,
            seats: SmallVec::new(),
            replaces: SmallVec::new(),
            reason: Reason::Leader,
            size: log_size(self.cluster, partition),
            offline: offline.collect(),
            must_copy: 0,
            head_is_free: false,
        }
    }

    /// Why a seat may not stay; `None` if it may.
    fn fault(&self, seat: BrokerIx, partition: &Partition, target: &Target) -> Option<Reason> {
        let id = self.cluster.id(seat);
        match self.terms.mends {
            Mends::Nothing => return None,
            Mends::SeatsOf(outgoing) if outgoing != id => return None,
            Mends::SeatsOf(_) | Mends::Everything => {}
        }
        if !self.cluster.live[seat as usize] || partition.offline().contains(&id) {
            return Some(Reason::Lost);
        }
        let off = if target.is_map { Reason::Map } else { Reason::Leaving };
        (!target.allowed[seat as usize]).then_some(off)
    }

    fn mends_racks(&self, current: &[BrokerIx], target: &Target) -> bool {
        let counts = RackCounts::of(self.cluster, current.iter().copied());
        self.terms.fix_racks && !counts.keeps(self.terms.racks, target)
    }

    /// Copies the list to start from, with an empty seat for each broker that may not stay.
    fn seat_those_who_stay(
        &self,
        work: &mut Work,
        partition: &Partition,
        target: &Target,
        base: Option<&[Option<BrokerId>]>,
    ) {
        let current = self.cluster.seats_of(work.partition);
        let start: WorkSeats = match base {
            Some(base) => base.iter().map(|id| self.cluster.index_of((*id)?)).collect(),
            None => current.iter().copied().map(Some).collect(),
        };
        let (mut given, mut reason) = (base.is_some(), Reason::Leader);
        for seat in start {
            let fault = match seat {
                _ if self.force => Some(Reason::Forced),
                None => Some(Reason::Forced),
                Some(broker) if work.held().any(|held| held == broker) => Some(Reason::Forced),
                // The caller's list may name a broker that gets no new replica. Another broker then fills its seat.
                Some(broker) if !self.cluster.cordon_lets(work.partition, broker) => {
                    Some(Reason::Forced)
                }
                Some(broker) => self.fault(broker, partition, target),
            };
            reason = fault.map_or(reason, |fault| reason.min(fault));
            work.seats.push(if fault.is_none() { seat } else { None });
            work.replaces.push(if fault.is_none() { None } else { seat });
        }
        given &= work.held().any(|broker| !current.contains(&broker));
        work.reason = if given { reason.min(Reason::Forced) } else { reason };
    }

    /// Adds empty seats at the end, or removes seats: empty ones first, then those that the racks need least.
    fn fit_to_factor(&self, work: &mut Work, factor: usize, target: &Target) {
        if work.seats.len() != factor {
            work.reason = work.reason.min(Reason::Replication);
        }
        while work.seats.len() < factor {
            work.seats.push(None);
            work.replaces.push(None);
        }
        while work.seats.len() > factor {
            let missed = self.least_missed(work);
            let empty = work.seats.iter().rposition(Option::is_none);
            let spared = empty.filter(|at| {
                self.keeps_racks_without(work, *at, target)
                    || !self.keeps_racks_without(work, missed, target)
            });
            let at = spared.unwrap_or(missed);
            work.seats.remove(at);
            work.replaces.remove(at);
        }
    }

    /// Whether the other seats can still be filled so that the rack rule holds.
    fn keeps_racks_without(&self, work: &Work, gone: usize, target: &Target) -> bool {
        let stay = work.seats.iter().enumerate().filter(|(at, _)| *at != gone);
        let empty = stay.clone().filter(|(_, seat)| seat.is_none()).count();
        let mut counts = RackCounts::of(self.cluster, stay.filter_map(|(_, seat)| *seat));
        counts.pour(empty, target);
        counts.keeps(self.terms.racks, target)
    }

    /// The seat in the fullest rack, then on the fullest host. A follower goes before the leader, and then the seat of the
    /// broker with the most storage used.
    fn least_missed(&self, work: &Work) -> usize {
        let counts = RackCounts::of(self.cluster, work.held());
        let on_host = |broker: BrokerIx| {
            let host = |broker: BrokerIx| self.cluster.host[broker as usize];
            work.held().filter(|other| host(*other) == host(broker)).count()
        };
        let missed_least = |at: usize| {
            let Some(broker) = work.seats[at] else {
                return (0, 0, false, 0, 0);
            };
            let in_rack = counts.get(self.cluster.rack[broker as usize]);
            (in_rack, on_host(broker), at > 0, used_ppm(self.cluster, broker), at)
        };
        (0..work.seats.len()).max_by_key(|at| missed_least(*at)).unwrap_or(0)
    }

    /// Empties seats of crowded racks, but no more than necessary to comply with the rack rule.
    fn release_for_racks(&self, work: &mut Work, target: &Target) {
        for at in (0..work.seats.len()).rev() {
            let mut counts = RackCounts::of(self.cluster, work.held());
            let Some(broker) = work.seats[at] else {
                continue;
            };
            let held = counts.get(self.cluster.rack[broker as usize]);
            counts.pour(work.empty(), target);
            if counts.keeps(self.terms.racks, target) {
                return;
            }
            let spare = match self.terms.racks {
                RackRule::AtLeast(_) => held > 1,
                RackRule::Spread => counts.least(target).is_some_and(|least| held > least + 1),
            };
            if spare {
                work.seats[at] = None;
                work.replaces[at] = Some(broker);
                work.reason = work.reason.min(Reason::Rack);
            }
        }
    }

    fn racks_suffice(&self, index: usize, factor: usize, target: &Target) -> Result<(), NoPlan> {
        let RackRule::AtLeast(asked) = self.terms.racks else {
            return Ok(());
        };
        if (asked as usize).min(factor) <= target.racks.len() {
            return Ok(());
        }
        let names = &self.cluster.rack_names;
        let racks = target.racks.iter().map(|rack| names[*rack].clone()).collect();
        Err(NoPlan::TooFewRacks { of: self.cluster.name(index), asked, racks })
    }

    fn brokers_suffice(&self, index: usize, factor: usize, target: &Target) -> Result<(), NoPlan> {
        if factor <= target.brokers.len() || self.terms.mends != Mends::Everything {
            return Ok(());
        }
        let ids = |list: &[BrokerIx]| list.iter().map(|broker| self.cluster.id(*broker)).collect();
        Err(NoPlan::TooFewBrokers {
            of: self.cluster.name(index),
            replication: factor,
            allowed: ids(&target.brokers),
            lost: ids(&target.lost),
            cordoned: Vec::new(),
        })
    }
}

/// The bytes that a new replica comes to hold: the partition's own size, else its largest live replica's.
pub(crate) fn log_size(cluster: &DenseCluster<'_>, partition: &Partition) -> Option<u64> {
    let own = partition.size.map(|size| size.0);
    own.or_else(|| {
        let facts = partition.facts.as_ref()?;
        let sizes = partition.replicas.iter().zip(&facts.replica_sizes);
        sizes
            .filter(|(id, _)| cluster.snapshot.is_live(**id))
            .filter_map(|(_, s)| Some((*s)?.0))
            .max()
    })
}

/// The share of its storage that a broker uses, in parts per million; 0 if unknown.
fn used_ppm(cluster: &DenseCluster<'_>, broker: BrokerIx) -> u64 {
    let (used, capacity) = (cluster.used[broker as usize], cluster.capacity[broker as usize]);
    used.zip(capacity).map_or(0, |(used, capacity)| {
        let ppm = u128::from(used) * 1_000_000 / u128::from(capacity.max(1));
        u64::try_from(ppm).unwrap_or(u64::MAX)
    })
}

/// Why a partition that needs work must be left alone; `None` if it can move.
pub(crate) fn why_left_out(cluster: &DenseCluster<'_>, index: usize) -> Option<WhyLeftOut> {
    let partition = cluster.partition(index);
    if let Some(config) = cluster.snapshot.topics()[cluster.topic_of(index)].diskless() {
        return Some(WhyLeftOut::Diskless { config: config.to_owned() });
    }
    let healthy = |id: &BrokerId| cluster.is_live(*id) && !partition.offline().contains(id);
    let led = match partition.leader() {
        Leader::None => false,
        Leader::Broker(id) => cluster.is_live(id),
        Leader::Unknown => partition.replicas.iter().any(healthy),
    };
    if !led {
        return Some(WhyLeftOut::NoLeader { heals: partition.heals() });
    }
    let facts = partition.facts.as_ref().filter(|_| partition.is_moving())?;
    Some(WhyLeftOut::Reassigning {
        adding: facts.rare.adding.to_vec(),
        removing: facts.rare.removing.to_vec(),
    })
}
