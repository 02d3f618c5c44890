//! Decides which broker may take a seat. Each rule is one function, and a rule can only refuse.

use crate::bytes::Bytes;
use crate::dense::{BrokerIx, DenseCluster};
use crate::no_plan::Refusal;
use crate::plan::Reason;
use crate::request::{PlanTerms, RackRule};
use crate::target::{RackCounts, Target};
use crate::work::Work;
use smallvec::SmallVec;

/// The rules of a request for a cluster.
pub(crate) struct Constraints<'a> {
    cluster: &'a DenseCluster<'a>,
    racks: RackRule,
    fix_racks: bool,
    limit: Vec<Option<u64>>,
}

impl<'a> Constraints<'a> {
    pub(crate) fn new(cluster: &'a DenseCluster<'a>, terms: &PlanTerms) -> Self {
        Self {
            cluster,
            racks: terms.racks,
            fix_racks: terms.fix_racks,
            limit: cluster.limits(terms.storage_headroom),
        }
    }

    /// How replicas spread over racks, and whether the plan repairs existing violations.
    pub(crate) fn rack_rule(&self) -> (RackRule, bool) {
        (self.racks, self.fix_racks)
    }

    /// The bytes that a broker may still take; `None` if its capacity or use is unknown.
    #[inline]
    pub(crate) fn room(&self, broker: BrokerIx, used: Option<u64>) -> Option<u64> {
        let (limit, used) = self.limit[broker as usize].zip(used)?;
        Some(limit.saturating_sub(used))
    }

    /// The rules for one seat.
    pub(crate) fn of<'s>(
        &'s self,
        item: &'s Work,
        seat: usize,
        target: &'s Target,
    ) -> SeatRules<'s> {
        let others: SmallVec<[BrokerIx; 4]> = item
            .seats
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != seat)
            .filter_map(|(_, s)| *s)
            .collect();
        let counts = RackCounts::of(self.cluster, others.iter().copied());
        let racks = match self.racks {
            RackRule::Spread => AllowedRacks::HoldingAtMost(counts.least(target).unwrap_or(0)),
            RackRule::AtLeast(asked) => {
                let still_to_come = item.seats.len() - others.len() - 1;
                let needed = item.seats.len().min(asked as usize);
                if counts.distinct() + still_to_come >= needed {
                    AllowedRacks::Any
                } else {
                    AllowedRacks::HoldingAtMost(0)
                }
            }
        };
        SeatRules { all: self, item, seat, target, others, counts, racks }
    }
}

/// The racks that a seat may go to.
#[derive(Clone, Copy)]
enum AllowedRacks {
    Any,
    /// Racks with at most this number of replicas of the partition.
    HoldingAtMost(usize),
    /// Only this rack, because the partition broke the rule there before.
    Only(usize),
}

/// The rules for one seat of one partition.
pub(crate) struct SeatRules<'s> {
    all: &'s Constraints<'s>,
    item: &'s Work,
    seat: usize,
    target: &'s Target,
    /// The brokers on its other seats.
    others: SmallVec<[BrokerIx; 4]>,
    counts: RackCounts,
    racks: AllowedRacks,
}

impl SeatRules<'_> {
    /// Admits a broker only if every rule returns `Ok`. `used`: its storage as planned so far.
    #[inline]
    pub(crate) fn admits(&self, broker: BrokerIx, used: Option<u64>) -> Result<(), Refusal> {
        self.live(broker)?;
        self.allowed(broker)?;
        self.not_cordoned(broker)?;
        self.not_already_held(broker)?;
        self.log_dir_is_sound(broker)?;
        self.rack_is_free(broker)?;
        self.host_is_free(broker)?;
        self.has_room(broker, used)
    }

    /// Weaker rules for a partition that already broke the rack rule: it may continue to do so.
    pub(crate) fn as_before(&self) -> Option<Self> {
        // A request that repairs racks, or forces a rebuild, must fail rather than keep the violation.
        let current = self.all.cluster.seats_of(self.item.partition);
        let before = RackCounts::of(self.all.cluster, current.iter().copied());
        if self.all.fix_racks || self.item.reason == Reason::Forced {
            return None;
        }
        let rack = self.all.cluster.rack[self.item.replaces[self.seat]? as usize];
        let broken = !before.keeps(self.all.racks, self.target);
        let others = self.others.clone();
        let counts = RackCounts::of(self.all.cluster, others.iter().copied());
        (broken && counts.get(rack) < before.get(rack)).then_some(Self {
            others,
            counts,
            racks: AllowedRacks::Only(rack),
            ..*self
        })
    }

    /// The racks that the rule allows.
    #[inline]
    pub(crate) fn open_racks(&self) -> impl Iterator<Item = usize> {
        let free = |rack: &usize| self.counts.get(*rack) < self.target.rack_size[*rack];
        self.target.racks.iter().copied().filter(move |rack| self.rack_allows(*rack) && free(rack))
    }

    /// The rack that the rule allows, if there is only one.
    pub(crate) fn only_rack(&self) -> Option<usize> {
        let mut open = self.open_racks();
        let first = open.next()?;
        open.next().is_none().then_some(first)
    }

    #[inline]
    fn live(&self, broker: BrokerIx) -> Result<(), Refusal> {
        if self.all.cluster.live[broker as usize] { Ok(()) } else { Err(Refusal::NotLive) }
    }

    #[inline]
    fn allowed(&self, broker: BrokerIx) -> Result<(), Refusal> {
        if self.target.allowed[broker as usize] { Ok(()) } else { Err(Refusal::NotAllowed) }
    }

    #[inline]
    fn not_cordoned(&self, broker: BrokerIx) -> Result<(), Refusal> {
        let lets = self.all.cluster.cordon_lets(self.item.partition, broker);
        if lets { Ok(()) } else { Err(Refusal::Cordoned) }
    }

    #[inline]
    fn not_already_held(&self, broker: BrokerIx) -> Result<(), Refusal> {
        if self.others.contains(&broker) { Err(Refusal::Holds) } else { Ok(()) }
    }

    /// Refuses the broker of a replica in a failed log dir: a reassignment to it would leave the replica there.
    #[inline]
    fn log_dir_is_sound(&self, broker: BrokerIx) -> Result<(), Refusal> {
        if self.item.offline.contains(&broker) { Err(Refusal::FailedLogDir) } else { Ok(()) }
    }

    #[inline]
    fn rack_allows(&self, rack: usize) -> bool {
        match self.racks {
            AllowedRacks::Any => true,
            AllowedRacks::HoldingAtMost(most) => self.counts.get(rack) <= most,
            AllowedRacks::Only(only) => rack == only,
        }
    }

    #[inline]
    fn rack_is_free(&self, broker: BrokerIx) -> Result<(), Refusal> {
        let rack = self.all.cluster.rack[broker as usize];
        if self.rack_allows(rack) {
            return Ok(());
        }
        let name = self.all.cluster.rack_names[rack].clone();
        Err(Refusal::RackTaken { rack: name, held: self.counts.get(rack) })
    }

    /// Spreads replicas over the hosts of a rack as evenly as possible, like replicas over racks.
    fn host_is_free(&self, broker: BrokerIx) -> Result<(), Refusal> {
        let cluster = self.all.cluster;
        if !cluster.shared_hosts {
            return Ok(());
        }
        let host = |broker: BrokerIx| cluster.host[broker as usize];
        let held = |broker: BrokerIx| {
            self.others.iter().filter(|other| host(**other) == host(broker)).count()
        };
        let rack = cluster.rack[broker as usize];
        let mut peers =
            self.target.brokers.iter().filter(|peer| {
                cluster.rack[**peer as usize] == rack && !self.others.contains(peer)
            });
        if held(broker) > 0 && peers.any(|peer| held(*peer) < held(broker)) {
            let known = cluster.snapshot.broker(cluster.id(broker));
            let host = known.and_then(|b| b.host.clone()).unwrap_or_default();
            return Err(Refusal::HostTaken { host });
        }
        Ok(())
    }

    #[inline]
    fn has_room(&self, broker: BrokerIx, used: Option<u64>) -> Result<(), Refusal> {
        let (Some(room), Some(size)) = (self.all.room(broker, used), self.item.size) else {
            return Ok(());
        };
        if size <= room {
            return Ok(());
        }
        let (room_bytes, missing_bytes) = (Bytes(room), Bytes(size - room));
        Err(Refusal::NoRoom { log_dir: None, room_bytes, missing_bytes })
    }
}
