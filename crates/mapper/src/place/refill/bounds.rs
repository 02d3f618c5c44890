//! The least and the most replicas of a partition that each rack, and each host of a rack, ends with.
//!
//! Replicas go where there are fewest. So the result is fixed except for the last level, which only some may reach.

use crate::dense::{BrokerIx, DenseCluster};
use crate::target::{RackCounts, Target};
use smallvec::SmallVec;

/// A rack or a host: its number, and the least and the most replicas that it ends with.
pub(super) type RackBounds = SmallVec<[(usize, usize, usize); 4]>;

/// A rack or a host: its number, the replicas that it holds, and the replicas that it can hold.
type HeldPlaces = SmallVec<[(usize, usize, usize); 4]>;

/// The racks of a partition on these brokers, after `come` more replicas; `None`: the racks cannot hold them.
pub(super) fn of_racks(
    cluster: &DenseCluster<'_>,
    target: &Target,
    held: &[BrokerIx],
    come: usize,
) -> Option<RackBounds> {
    let counts = RackCounts::of(cluster, held.iter().copied());
    let place = |rack: &usize| (*rack, counts.get(*rack), target.rack_size[*rack]);
    poured(&target.racks.iter().map(place).collect(), come)
}

/// The hosts of a rack, after `least` to `most` more replicas; `None`: the hosts cannot hold them.
pub(super) fn of_hosts(
    cluster: &DenseCluster<'_>,
    target: &Target,
    held: &[BrokerIx],
    rack: usize,
    (least, most): (usize, usize),
) -> Option<RackBounds> {
    let host = |broker: BrokerIx| cluster.host[broker as usize];
    let mut places = HeldPlaces::new();
    for broker in target.brokers.iter().filter(|b| cluster.rack[**b as usize] == rack) {
        let own = host(*broker);
        let free = usize::from(!held.contains(broker));
        match places.iter_mut().find(|(known, ..)| *known == own) {
            Some((_, _, most)) => *most += free,
            None => {
                let there = held.iter().filter(|other| host(**other) == own).count();
                places.push((own, there, there + free));
            }
        }
    }
    let (low, high) = (poured(&places, least)?, poured(&places, most)?);
    let both = low.into_iter().zip(high);
    Some(both.map(|((own, least, _), (_, _, most))| (own, least, most)).collect())
}

/// Fills places level by level. Only some of them reach the last level.
fn poured(places: &HeldPlaces, replicas: usize) -> Option<RackBounds> {
    let mut held: SmallVec<[usize; 4]> = places.iter().map(|(_, held, _)| *held).collect();
    let mut left = replicas;
    let mut partly: Option<usize> = None;
    while left > 0 {
        let open = |at: &usize| held[*at] < places[*at].2;
        let level = (0..places.len()).filter(open).map(|at| held[at]).min()?;
        let lowest = (0..places.len()).filter(open).filter(|at| held[*at] == level);
        let lowest: SmallVec<[usize; 4]> = lowest.collect();
        if left < lowest.len() {
            partly = Some(level);
            break;
        }
        left -= lowest.len();
        lowest.iter().for_each(|at| held[*at] += 1);
    }
    let end = |(place, held): (&(usize, usize, usize), usize)| {
        let rises = partly == Some(held) && held < place.2;
        (place.0, held, held + usize::from(rises))
    };
    Some(places.iter().zip(held).map(end).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_come_where_there_are_fewest_and_where_there_is_a_broker() {
        let ends = |places: &[(usize, usize, usize)], replicas| {
            poured(&places.iter().copied().collect(), replicas).map(|ends| ends.to_vec())
        };
        let three = [(0, 1, 3), (1, 0, 3), (2, 0, 1)];
        assert_eq!(ends(&three, 0), Some(vec![(0, 1, 1), (1, 0, 0), (2, 0, 0)]));
        assert_eq!(ends(&three, 1), Some(vec![(0, 1, 1), (1, 0, 1), (2, 0, 1)]));
        assert_eq!(ends(&three, 2), Some(vec![(0, 1, 1), (1, 1, 1), (2, 1, 1)]));
        assert_eq!(ends(&three, 3), Some(vec![(0, 1, 2), (1, 1, 2), (2, 1, 1)]));
        assert_eq!(ends(&three, 6), Some(vec![(0, 3, 3), (1, 3, 3), (2, 1, 1)]));
        assert_eq!(ends(&three, 7), None);
    }
}
