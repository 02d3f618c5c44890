//! Whether racks, hosts and scope allow that a seat changes its broker. The caller checks the room.

use super::state::BalanceState;
use crate::dense::{BrokerIx, DenseCluster};
use crate::request::RackRule;
use crate::target::{RackCounts, Target};

/// The rules of a request for seats that do not have to move.
#[derive(Clone)]
pub(super) struct BalanceRules<'a> {
    pub(super) cluster: &'a DenseCluster<'a>,
    pub(super) racks: RackRule,
    /// Seats stay in their rack (`--locality-scoped`).
    pub(super) local: bool,
    /// The usable storage of each broker; `None` if unknown.
    pub(super) limit: Vec<Option<u64>>,
}

impl BalanceRules<'_> {
    /// Whether the seat of `partition` on `from` may go to `to`.
    pub(super) fn admit(
        &self,
        state: &BalanceState<'_>,
        partition: u32,
        from: BrokerIx,
        to: BrokerIx,
    ) -> bool {
        let index = partition as usize;
        let Some(target) = state.target_of(index).map(|at| &state.targets.all[at]) else {
            return false;
        };
        let seats = state.seats_of(index);
        let lets = target.allowed[to as usize] && self.cluster.cordon_lets(index, to);
        if !lets || seats.contains(&to) {
            return false;
        }
        let rack = |broker: BrokerIx| self.cluster.rack[broker as usize];
        if rack(from) != rack(to) && (self.local || !self.may_cross(seats, from, to, target)) {
            return false;
        }
        !self.cluster.shared_hosts || self.hosts_keep(seats, from, to, target)
    }

    /// Whether the rack rule still holds if the seat leaves its rack. A seat that broke the rule before stays in its rack.
    fn may_cross(&self, seats: &[BrokerIx], from: BrokerIx, to: BrokerIx, target: &Target) -> bool {
        let rack = |broker: BrokerIx| self.cluster.rack[broker as usize];
        let others = || seats.iter().copied().filter(|seat| *seat != from);
        if others().all(|seat| rack(seat) != rack(to)) && self.all_apart(seats) {
            return true;
        }
        if !self.keeps(seats, target) {
            return false;
        }
        let mut counts = RackCounts::of(self.cluster, others());
        counts.add(rack(to));
        counts.keeps(self.racks, target)
    }

    fn all_apart(&self, seats: &[BrokerIx]) -> bool {
        let rack = |broker: &BrokerIx| self.cluster.rack[*broker as usize];
        seats
            .iter()
            .enumerate()
            .all(|(at, seat)| seats[..at].iter().all(|other| rack(other) != rack(seat)))
    }

    /// Whether the seats comply with the rack rule.
    pub(super) fn keeps(&self, seats: &[BrokerIx], target: &Target) -> bool {
        let spread = self.racks == RackRule::Spread && seats.len() <= target.racks.len();
        if spread {
            return self.all_apart(seats);
        }
        RackCounts::of(self.cluster, seats.iter().copied()).keeps(self.racks, target)
    }

    /// Applies the rack rule to the hosts inside a rack. It is stricter than necessary where racks share hosts: a rack
    /// that would keep several replicas keeps them all.
    fn hosts_keep(
        &self,
        seats: &[BrokerIx],
        from: BrokerIx,
        to: BrokerIx,
        target: &Target,
    ) -> bool {
        let (rack, host) = (&self.cluster.rack, &self.cluster.host);
        let others = || seats.iter().copied().filter(|seat| *seat != from);
        let held = |broker: BrokerIx| {
            others().filter(|seat| host[*seat as usize] == host[broker as usize]).count()
        };
        let left = others().filter(|seat| rack[*seat as usize] == rack[from as usize]).count();
        if (left > 1 && rack[from as usize] != rack[to as usize]) || !self.keeps(seats, target) {
            return false;
        }
        let mut peers = target.brokers.iter().filter(|peer| {
            rack[**peer as usize] == rack[to as usize] && !others().any(|seat| seat == **peer)
        });
        held(to) == 0 || peers.all(|peer| held(*peer) >= held(to))
    }
}
