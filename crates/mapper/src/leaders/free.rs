//! Partitions whose preferred leader may be chosen, in flat arrays: a million of them cost three allocations.

use crate::dense::BrokerIx;

/// No incumbent: any choice changes the leader.
const NOBODY: u32 = u32::MAX;

/// The brokers that may lead each partition, its present leader, and the incumbent whose replacement costs a change.
pub(crate) struct FreeLeads {
    /// For each partition the index of its first member. The last entry is the number of all members.
    first: Vec<u32>,
    members: Vec<BrokerIx>,
    /// For each partition the position of its leader among its members.
    chosen: Vec<u32>,
    /// For each partition the position of the member that led at the start, or `u32::MAX`.
    incumbent: Vec<u32>,
    /// For each member whether it is outside the zone where the clients are; empty if no zone counts.
    away: Vec<bool>,
}

impl FreeLeads {
    pub(crate) fn new() -> Self {
        Self {
            first: vec![0],
            members: Vec::new(),
            chosen: Vec::new(),
            incumbent: Vec::new(),
            away: Vec::new(),
        }
    }

    /// Adds a partition that any of `members` may lead. The incumbent leads at first, or the first member if there is none.
    ///
    /// The caller must not add a partition without members, because it has no broker to choose.
    pub(crate) fn push(
        &mut self,
        members: impl Iterator<Item = BrokerIx>,
        incumbent: Option<BrokerIx>,
    ) {
        let start = self.members.len();
        self.members.extend(members);
        let held = self.members[start..].iter().zip(0_u32..);
        let slot = held.filter(|(member, _)| Some(**member) == incumbent).map(|(_, slot)| slot);
        let slot = slot.last();
        self.first.push(u32::try_from(self.members.len()).unwrap_or(u32::MAX));
        self.chosen.push(slot.unwrap_or(0));
        self.incumbent.push(slot.unwrap_or(NOBODY));
    }

    /// Of the choices that are as even as can be, prefers those with the most leaders on other brokers than these. The
    /// caller calls it once, after all partitions have been added.
    pub(crate) fn prefer_not(&mut self, is_away: impl Fn(BrokerIx) -> bool) {
        self.away = self.members.iter().map(|member| is_away(*member)).collect();
    }

    /// Whether a zone counts.
    pub(super) fn has_zone(&self) -> bool {
        !self.away.is_empty()
    }

    /// Whether the broker is outside the zone that counts, as a leader of this partition.
    pub(super) fn is_away(&self, lead: usize, broker: BrokerIx) -> bool {
        let at = |member| self.first[lead] as usize + member;
        let mut members = self.members(lead).iter().enumerate();
        self.has_zone() && members.any(|(slot, member)| *member == broker && self.away[at(slot)])
    }

    pub(crate) fn len(&self) -> usize {
        self.chosen.len()
    }

    pub(crate) fn members(&self, lead: usize) -> &[BrokerIx] {
        &self.members[self.first[lead] as usize..self.first[lead + 1] as usize]
    }

    /// The present leader.
    pub(crate) fn leader(&self, lead: usize) -> BrokerIx {
        self.members(lead)[self.chosen[lead] as usize]
    }

    /// The leader at the start, if it may continue.
    pub(crate) fn incumbent(&self, lead: usize) -> Option<BrokerIx> {
        self.members(lead).get(self.incumbent[lead] as usize).copied()
    }

    /// Makes a member the leader; a broker that is not a member is ignored.
    pub(super) fn choose(&mut self, lead: usize, broker: BrokerIx) {
        let slot = self.members(lead).iter().zip(0_u32..).find(|(member, _)| **member == broker);
        if let Some((_, slot)) = slot {
            self.chosen[lead] = slot;
        }
    }
}

/// The brokers of these partitions, numbered without gaps: a small topic's problem stays small in a large cluster.
pub(super) struct Locals {
    /// Ascending.
    pub(super) brokers: Vec<BrokerIx>,
    /// For each broker of the cluster its number here, if it has one.
    number: Vec<u32>,
}

impl Locals {
    pub(super) fn of(free: &FreeLeads, all: usize) -> Self {
        let mut takes_part = vec![false; all];
        for member in &free.members {
            takes_part[*member as usize] = true;
        }
        let mut number = vec![u32::MAX; all];
        let mut brokers = Vec::new();
        for (broker, _) in (0..).zip(&takes_part).filter(|(_, takes_part)| **takes_part) {
            number[broker as usize] = u32::try_from(brokers.len()).unwrap_or(u32::MAX);
            brokers.push(broker);
        }
        Self { brokers, number }
    }

    pub(super) fn len(&self) -> usize {
        self.brokers.len()
    }

    pub(super) fn number(&self, broker: BrokerIx) -> u32 {
        self.number[broker as usize]
    }
}
