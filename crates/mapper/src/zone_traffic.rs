//! Where partitions are led, and how many bytes go between zones, if producers and consumers are in one of them.
//!
//! Producers write to leaders. Consumers read from leaders, too, unless brokers serve them from their own rack (KIP-392).

use crate::dense::{BrokerIx, DenseCluster};
use crate::figures::{Figures, ZoneFigures};
use crate::lookup::Lookup;
use crate::plan::Move;
use crate::request::{Balance, BalanceGoal};
use crate::target::Targets;
use smallvec::SmallVec;
use std::collections::BTreeMap;

impl Figures {
    /// Sets where the partitions in scope are led, if that is a goal of the request. `moves`: what the plan changes.
    pub(crate) fn set_zone(
        &mut self,
        cluster: &DenseCluster<'_>,
        targets: &Targets,
        balance: Option<&Balance>,
        moves: &[Move],
    ) {
        let asked = balance.filter(|asked| asked.goals.contains(&BalanceGoal::LeadersZone));
        let zone = asked.and_then(|asked| asked.leaders_zone.as_deref());
        // Nothing is in an unknown rack.
        let rack = zone.map(|zone| cluster.rack_named(zone).unwrap_or(usize::MAX));
        self.zone = rack.map(|rack| of_zone(cluster, targets, rack, moves));
    }
}

/// Bytes per second between zones.
struct Crossing {
    /// Of producers and followers. `None` once a rate is unknown.
    written: Option<u64>,
    /// Of consumers.
    read: Option<u64>,
}

fn of_zone(
    cluster: &DenseCluster<'_>,
    targets: &Targets,
    zone: usize,
    moves: &[Move],
) -> ZoneFigures {
    let mut figures = ZoneFigures::default();
    let mut crossing = Crossing { written: Some(0), read: Some(0) };
    let find = Lookup::new(cluster.snapshot);
    let known = find.topics_of(moves).filter_map(|(change, topic)| {
        let partitions = &cluster.snapshot.topics()[topic?].partitions;
        let at = partitions.binary_search_by_key(&change.partition, |known| known.id).ok()?;
        Some((cluster.first_partition[topic?] + at, change))
    });
    let changed: BTreeMap<usize, &Move> = known.collect();
    for (index, partition) in cluster.partitions() {
        if targets.of_topic[cluster.topic_of(index)].is_none() {
            continue;
        }
        let list: SmallVec<[BrokerIx; 4]> = match changed.get(&index) {
            Some(change) => change.to.iter().filter_map(|id| cluster.index_of(*id)).collect(),
            None => cluster.seats_of(index).iter().copied().collect(),
        };
        let racks: SmallVec<[usize; 4]> =
            list.iter().map(|broker| cluster.rack[*broker as usize]).collect();
        let Some(head) = racks.first() else { continue };
        let is_outside = *head != zone;
        figures.leaders_inside += u64::from(!is_outside);
        figures.leaders_outside += u64::from(is_outside);
        figures.without_replica += u64::from(!racks.contains(&zone));
        let facts = partition.facts.as_ref();
        let (bytes_in, bytes_out) =
            facts.map_or((None, None), |facts| (facts.bytes_in, facts.bytes_out));
        let far = racks.iter().filter(|rack| *rack != head).count() as u64 + u64::from(is_outside);
        crossing.written = plus(crossing.written, bytes_in, far);
        crossing.read = plus(crossing.read, bytes_out, u64::from(is_outside));
        figures.consumers |= bytes_out.is_some();
    }
    let Crossing { written, read } = crossing;
    let read = if figures.consumers { read } else { Some(0) };
    figures.crossing_bytes_per_second = plus(written, read, 1);
    figures
}

fn plus(sum: Option<u64>, bytes: Option<u64>, times: u64) -> Option<u64> {
    Some(sum?.saturating_add(bytes?.saturating_mul(times)))
}
