//! What each port has to carry for the replicas that are paced.
//!
//! In: the throttled partitions and their measurements. Out: for each broker in each role, what its quota counts, what
//! producers need of it, and what new replicas got through it. Also the paths between brokers.

use crate::average::towards;
use crate::decision::{RateFloor, ThrottledReplicas};
use crate::limits::ThrottleTerms;
use crate::paced::Paced;
use crate::port::ReplicationRole;
use crate::watch::{Growth, Ingest};
use mapper::{BrokerId, Bytes, Rate};
use std::collections::BTreeMap;

/// How slowly a floor that is only partly known sinks, in milliseconds.
const SLOW_DOWN: u64 = 300_000;

/// A broker in a role: its index among the brokers that copy, times two, plus one for a follower.
pub(crate) type PortIx = usize;

/// What one port has to carry; in bytes per second.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PortLoad {
    /// The lists name it.
    pub(crate) named: bool,
    /// What its quota counts of in-sync followers, which it cannot throttle.
    pub(crate) counted: u64,
    /// What producers write, for each follower that it counts, as far as known.
    need: u64,
    /// Whether a part of it is measured now; known from before; not measured now.
    any_now: bool,
    any_before: bool,
    any_unknown: bool,
    /// What new replicas got through it.
    pub(crate) moved: u64,
    /// What some new replicas got is not known.
    pub(crate) moved_unknown: bool,
}

/// A path from a leader to a broker that it fills, both of them live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CopyPath {
    pub(crate) from: PortIx,
    pub(crate) to: PortIx,
    /// What producers write to the replicas that it fills, in bytes per second, as far as known.
    pub(crate) need: u64,
    /// What it carried, in bytes per second; `None`: not known.
    pub(crate) moved: Option<u64>,
    /// How long all of its replicas have been watched, in milliseconds.
    pub(crate) watched: u64,
}

/// The network load of all throttled replicas.
pub(crate) struct Loads {
    brokers: Vec<BrokerId>,
    ports: Vec<PortLoad>,
    /// In order of their ends, each pair once.
    pub(crate) ways: Vec<CopyPath>,
}

impl Loads {
    pub(crate) fn of(
        paced: &[Paced<'_>],
        growths: &[Growth],
        lists: &BTreeMap<String, ThrottledReplicas>,
    ) -> Self {
        let mut brokers: Vec<BrokerId> = lists.values().flat_map(named).collect();
        brokers.sort_unstable();
        brokers.dedup();
        let ports = vec![PortLoad::default(); brokers.len() * ReplicationRole::ALL.len()];
        let mut loads = Self { brokers, ports, ways: Vec::new() };
        for list in lists.values() {
            for (role, entries) in [
                (ReplicationRole::Leader, &list.leaders),
                (ReplicationRole::Follower, &list.followers),
            ] {
                for (_, broker) in entries {
                    loads.at(*broker, role, |load| load.named = true);
                }
            }
        }
        for (one, growth) in paced.iter().zip(growths) {
            loads.count(one, growth);
        }
        loads.merge_ways();
        loads
    }

    /// The ports that the lists name, in order of broker and role.
    pub(crate) fn named(
        &self,
    ) -> impl Iterator<Item = (PortIx, BrokerId, ReplicationRole, &PortLoad)> {
        let ports = self.ports.iter().enumerate().filter(|(_, load)| load.named);
        ports.map(|(index, load)| {
            let (broker, role) = self.name(index);
            (index, broker, role, load)
        })
    }

    pub(crate) fn name(&self, port: PortIx) -> (BrokerId, ReplicationRole) {
        let role = if port.is_multiple_of(2) {
            ReplicationRole::Leader
        } else {
            ReplicationRole::Follower
        };
        (self.brokers[port / 2], role)
    }

    /// The index of a path among all.
    pub(crate) fn way(&self, leader: BrokerId, follower: BrokerId) -> Option<usize> {
        let ends = (
            self.index(leader, ReplicationRole::Leader)?,
            self.index(follower, ReplicationRole::Follower)?,
        );
        self.ways.binary_search_by_key(&ends, |way| (way.from, way.to)).ok()
    }

    pub(crate) fn len(&self) -> usize {
        self.ports.len()
    }

    fn index(&self, broker: BrokerId, role: ReplicationRole) -> Option<PortIx> {
        let place = self.brokers.binary_search(&broker).ok()?;
        Some(place * 2 + usize::from(role == ReplicationRole::Follower))
    }

    fn at(&mut self, broker: BrokerId, role: ReplicationRole, change: impl FnOnce(&mut PortLoad)) {
        if let Some(index) = self.index(broker, role) {
            change(&mut self.ports[index]);
        }
    }

    fn count(&mut self, one: &Paced<'_>, growth: &Growth) {
        let live = one.to.iter().filter(|to| to.live).count() as u64;
        let Some(leader) = one.copy.leader else { return };
        let in_sync = one.copy.in_sync.iter().filter(|broker| **broker != leader).count() as u64;
        self.at(leader, ReplicationRole::Leader, |load| load.write(growth.ingest, in_sync, live));
        for (to, progress) in one.to.iter().zip(&growth.to).filter(|(to, _)| to.live) {
            self.at(to.broker, ReplicationRole::Follower, |load| {
                load.write(growth.ingest, 0, 1);
                load.fill(progress.moved);
            });
            self.at(leader, ReplicationRole::Leader, |load| load.fill(progress.moved));
            let ends = self
                .index(leader, ReplicationRole::Leader)
                .zip(self.index(to.broker, ReplicationRole::Follower));
            if let Some((from, to)) = ends.filter(|_| one.leads_live) {
                let moved = progress.moved.map(|rate| rate.0);
                let need = growth.ingest.rate().unwrap_or_default().0;
                self.ways.push(CopyPath { from, to, need, moved, watched: progress.watched });
            }
        }
    }

    fn merge_ways(&mut self) {
        self.ways.sort_unstable_by_key(|way| (way.from, way.to));
        self.ways.dedup_by(|next, kept| {
            let same = (next.from, next.to) == (kept.from, kept.to);
            if same {
                kept.moved = kept.moved.zip(next.moved).map(|(a, b)| a.saturating_add(b));
                kept.need = kept.need.saturating_add(next.need);
                kept.watched = kept.watched.min(next.watched);
            }
            same
        });
    }
}

impl PortLoad {
    fn write(&mut self, ingest: Ingest, in_sync: u64, filled: u64) {
        match ingest {
            Ingest::Now(_) => self.any_now = true,
            Ingest::Before(_) => (self.any_before, self.any_unknown) = (true, true),
            Ingest::Unknown => self.any_unknown = true,
        }
        let rate = ingest.rate().unwrap_or_default().0;
        self.counted = self.counted.saturating_add(rate.saturating_mul(in_sync));
        self.need = self.need.saturating_add(rate.saturating_mul(in_sync.saturating_add(filled)));
    }

    fn fill(&mut self, moved: Option<Rate>) {
        match moved {
            Some(rate) => self.moved = self.moved.saturating_add(rate.0),
            None => self.moved_unknown = true,
        }
    }

    /// The rate that producers need, with the margin; `last` is the last known one.
    ///
    /// The last one stays valid as long as nothing can be measured. If only new partitions are unknown in each round,
    /// it sinks slowly to what the others need. Otherwise one heavy partition would be remembered for ever.
    pub(crate) fn floor(
        &self,
        last: Option<Rate>,
        elapsed: Option<u64>,
        terms: &ThrottleTerms,
    ) -> RateFloor {
        let rate = Rate(terms.floor_margin.of(Bytes(self.need)).0);
        match last {
            _ if !self.any_unknown => RateFloor::Now { rate },
            Some(last) if last > rate && self.any_now => {
                let elapsed = elapsed.unwrap_or_default();
                RateFloor::Before { rate: towards(Some(last), rate, elapsed, SLOW_DOWN) }
            }
            Some(last) => RateFloor::Before { rate: rate.max(last) },
            None if self.any_now || self.any_before => RateFloor::Before { rate },
            None => RateFloor::Never,
        }
    }
}

fn named(list: &ThrottledReplicas) -> impl Iterator<Item = BrokerId> {
    list.leaders.iter().chain(&list.followers).map(|(_, broker)| *broker)
}
