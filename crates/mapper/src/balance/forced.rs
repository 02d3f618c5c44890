//! Bytes that the rack rule sends into some racks in every plan: replicas that find no place in the other racks.
//!
//! Say that a partition lost a replica, and its other replicas are in racks `A` and `B`. Then it gets its new replica
//! outside those two racks. If all such partitions bring more bytes than there is room for, the excess has to leave
//! the brokers there, or they end fuller.

use super::shares::replicas_in;
use crate::dense::{BrokerIx, DenseCluster};
use crate::request::RackRule;
use crate::target::{RackCounts, Target, Targets};
use crate::work::Work;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// Racks, ascending. A rack with several replicas of a partition occurs once for each of them.
type UsedRacks = SmallVec<[usize; 4]>;

/// The most racks of a partition that are examined. Beyond it there are too many sets of racks, and the bound omits them.
const MOST_RACKS: usize = 6;

/// For sets of racks: the bytes that have to arrive in all other racks together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Forced {
    beyond: BTreeMap<UsedRacks, u64>,
}

impl Forced {
    /// The bytes of lost and leaving replicas. Only for one target: several targets have different brokers in a rack.
    pub(super) fn new(
        cluster: &DenseCluster<'_>,
        targets: &Targets,
        rule: RackRule,
        repairs: &[Work],
    ) -> Self {
        let [target] = targets.all.as_slice() else { return Self::default() };
        let mut alike: BTreeMap<(usize, UsedRacks), u64> = BTreeMap::new();
        for item in repairs {
            let current = cluster.seats_of(item.partition).iter().copied();
            // A partition that broke the rule before may continue to break it.
            let keeps = RackCounts::of(cluster, current).keeps(rule, target);
            if let Some(racks) = racks_that_stay(cluster, target, item).filter(|_| keeps) {
                *alike.entry((item.seats.len(), racks)).or_default() += item.size.unwrap_or(0);
            }
        }
        let mut forced = Self::default();
        for ((replicas, racks), bytes) in alike {
            forced.add(&racks, bytes, replicas, |rack| {
                replicas_in(&target.rack_size, rack, replicas, rule).1
            });
        }
        forced
    }

    /// Adds partitions with this number of replicas in these racks; `most`: the rule's maximum in one rack.
    fn add(
        &mut self,
        racks: &UsedRacks,
        bytes: u64,
        replicas: usize,
        most: impl Fn(usize) -> usize,
    ) {
        let mut apart = racks.clone();
        apart.dedup();
        for set in 1..1_usize << apart.len() {
            let of_set = apart.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0);
            let of_set: UsedRacks = of_set.map(|(_, rack)| *rack).collect();
            let held = |rack: usize| racks.iter().filter(|other| **other == rack).count();
            let inside: usize = of_set.iter().map(|rack| held(*rack)).sum();
            let room: usize = of_set.iter().map(|rack| most(*rack)).sum();
            let beyond = replicas.saturating_sub(room).saturating_sub(racks.len() - inside);
            if beyond > 0 {
                *self.beyond.entry(of_set).or_default() += bytes * beyond as u64;
            }
        }
    }

    /// The bytes that have to leave brokers because of these arrivals, beyond those of brokers that are too full.
    /// `brokers`: each with the bytes that stay on it, and the most that it may end with.
    pub(super) fn leaves(
        &self,
        cluster: &DenseCluster<'_>,
        brokers: &[(BrokerIx, u64, u64)],
    ) -> u64 {
        let beyond = |(racks, arrives): (&UsedRacks, &u64)| {
            let there = brokers
                .iter()
                .filter(|(broker, ..)| !racks.contains(&cluster.rack[*broker as usize]));
            let room: u64 = there.map(|(_, stays, most)| most.saturating_sub(*stays)).sum();
            arrives.saturating_sub(room)
        };
        self.beyond.iter().map(beyond).max().unwrap_or(0)
    }
}

/// The racks of the replicas that need not leave. `None`: no replica is lost, the plan chooses which replica leaves, or
/// there are too many racks.
fn racks_that_stay(cluster: &DenseCluster<'_>, target: &Target, item: &Work) -> Option<UsedRacks> {
    let partition = cluster.partition(item.partition);
    let right = |broker: &&BrokerIx| {
        target.allowed[**broker as usize] && !partition.offline().contains(&cluster.id(**broker))
    };
    let stay: SmallVec<[BrokerIx; 4]> =
        cluster.seats_of(item.partition).iter().filter(right).copied().collect();
    if stay.len() >= item.seats.len() || !stay.iter().all(|b| item.held().any(|held| held == *b)) {
        return None;
    }
    let mut racks: UsedRacks = stay.iter().map(|broker| cluster.rack[*broker as usize]).collect();
    racks.sort_unstable();
    (racks.len() <= MOST_RACKS).then_some(racks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forced(racks: &[usize], replicas: usize, most: usize) -> Vec<(Vec<usize>, u64)> {
        let mut forced = Forced::default();
        forced.add(&racks.iter().copied().collect(), 10, replicas, |_| most);
        forced.beyond.into_iter().map(|(racks, bytes)| (racks.to_vec(), bytes)).collect()
    }

    #[test]
    fn a_lost_replica_goes_beyond_the_racks_that_the_others_hold() {
        let beyond = forced(&[0, 1], 3, 1);
        assert_eq!(beyond, [(vec![0], 10), (vec![0, 1], 10), (vec![1], 10)]);
    }

    #[test]
    fn racks_that_may_hold_two_force_nothing() {
        assert!(forced(&[0, 1], 3, 2).is_empty());
    }

    #[test]
    fn two_lost_replicas_go_beyond_the_rack_that_the_third_holds() {
        assert_eq!(forced(&[4], 3, 1), [(vec![4], 20)]);
    }
}
