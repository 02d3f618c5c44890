//! The load of a cluster hour by hour, as rates that a plan can use.
//!
//! In: a cluster, and a snapshot with rates for each recorded hour. Out: one rate for each partition, and what each broker
//! carries at a percentile of the hours, before and after a plan.
//!
//! Partitions peak in different hours, so the sum of their peaks is no load of any broker. Each sum here is over one hour.
//! A planner needs one rate for each partition: its mean over the hours around the percentile of the cluster's traffic, as
//! many hours above the percentile as below. A broker that is busiest in other hours carries more than was planned.
//! [`RecordedLoad::brokers`] shows that, because it takes the percentile of each broker's own hours.

use crate::ids::{BrokerId, PartitionId, Replicas};
use crate::plan::Plan;
use crate::snapshot::{Partition, Snapshot, SnapshotError};
use crate::traffic;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::Range;

/// A percentile of hours, by the nearest rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Percentile(u32);

impl Percentile {
    /// 50 to 100; `None` for other numbers. Below the median, too few hours are below the percentile.
    pub fn new(percent: u32) -> Option<Self> {
        (50..=100).contains(&percent).then_some(Self(percent))
    }

    /// The percent.
    pub fn percent(self) -> u32 {
        self.0
    }

    /// The number of hours up to the percentile.
    fn rank(self, hours: usize) -> usize {
        (hours * self.0 as usize).div_ceil(100)
    }

    /// The positions around the percentile, as many above it as below, among hours in order of their load.
    fn around(self, hours: usize) -> Range<usize> {
        let above = hours - self.rank(hours);
        hours.saturating_sub(2 * above + 1)..hours
    }

    /// The value at the percentile; 0 if there is none.
    fn of(self, mut values: Vec<u64>) -> u64 {
        values.sort_unstable();
        values.get(self.rank(values.len()).saturating_sub(1)).copied().unwrap_or(0)
    }
}

/// The rates of a cluster's partitions in each recorded hour.
#[derive(Debug, Default)]
pub struct RecordedLoad {
    hours: Vec<HourRates>,
}

/// What a broker carries, in bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RecordedBrokerLoad {
    /// The broker.
    pub id: BrokerId,
    /// At the percentile of its hours, with the replicas that it has.
    pub before_bytes_per_second: u64,
    /// The same with the replicas that it has after the plan.
    pub after_bytes_per_second: u64,
    /// After the plan, by the one rate of each partition that the planner used.
    pub planned_bytes_per_second: u64,
}

/// One hour, in the order of the cluster's partitions. A rate takes 32 bits: a week of a large cluster has to fit into
/// memory, and no partition gets 4 GB/s.
#[derive(Debug)]
struct HourRates {
    bytes_in: Vec<u32>,
    /// Empty if no rate of consumers is known.
    bytes_out: Vec<u32>,
}

const UNKNOWN: u32 = u32::MAX;

fn narrow(rate: Option<u64>) -> u32 {
    rate.map_or(UNKNOWN, |rate| u32::try_from(rate).unwrap_or(UNKNOWN).min(UNKNOWN - 1))
}

impl HourRates {
    fn of(cluster: &Snapshot, record: &Snapshot) -> Self {
        let mut rates = Self { bytes_in: Vec::new(), bytes_out: Vec::new() };
        for topic in cluster.topics() {
            let recorded = record.topic(&topic.name);
            for partition in &topic.partitions {
                let of = recorded.and_then(|topic| topic.partition(partition.id));
                let facts = of.and_then(|partition| partition.facts.as_deref());
                rates.bytes_in.push(narrow(facts.and_then(|facts| facts.bytes_in)));
                rates.bytes_out.push(narrow(facts.and_then(|facts| facts.bytes_out)));
            }
        }
        if rates.bytes_out.iter().all(|rate| *rate == UNKNOWN) {
            rates.bytes_out = Vec::new();
        }
        rates
    }

    fn at(&self, partition: usize) -> PartitionRates {
        let known = |rates: &[u32]| {
            rates.get(partition).filter(|rate| **rate != UNKNOWN).map(|rate| u64::from(*rate))
        };
        PartitionRates { bytes_in: known(&self.bytes_in), bytes_out: known(&self.bytes_out) }
    }
}

/// The rates of a partition, where known.
#[derive(Debug, Clone, Copy, Default)]
struct PartitionRates {
    bytes_in: Option<u64>,
    bytes_out: Option<u64>,
}

impl PartitionRates {
    fn of(partition: &Partition) -> Self {
        let facts = partition.facts.as_deref();
        let (bytes_in, bytes_out) = facts.map_or((None, None), |f| (f.bytes_in, f.bytes_out));
        Self { bytes_in, bytes_out }
    }

    fn or(self, other: Self) -> Self {
        Self {
            bytes_in: self.bytes_in.or(other.bytes_in),
            bytes_out: self.bytes_out.or(other.bytes_out),
        }
    }

    /// The traffic of one replica, as the planners count it. What is not known counts nothing.
    fn of_replica(self, replicas: usize) -> u64 {
        let (bytes_in, bytes_out) = (self.bytes_in.unwrap_or(0), self.bytes_out.unwrap_or(0));
        traffic::with_rates(bytes_in, bytes_out, replicas)
    }
}

impl RecordedLoad {
    /// Adds an hour: a snapshot of the same cluster with the rates of that hour. Partitions that the cluster does not have
    /// any more are left out.
    pub fn see(&mut self, cluster: &Snapshot, record: &Snapshot) {
        self.hours.push(HourRates::of(cluster, record));
    }

    /// The cluster with the rates to plan with, and the number of its partitions that no hour has a rate of.
    ///
    /// # Errors
    /// [`SnapshotError::Contradictions`] if the sum of all rates is beyond all measure.
    pub fn rated(
        &self,
        cluster: Snapshot,
        at: Percentile,
    ) -> Result<(Snapshot, usize), SnapshotError> {
        let usual: Vec<PartitionRates> =
            (0..partitions(&cluster).count()).map(|of| self.mean(of, |_| true)).collect();
        let busy = self.busy_hours(&cluster, &usual, at);
        let mut parts = cluster.into_parts();
        let (mut unknown, mut usual) = (0, usual.into_iter().enumerate());
        for partition in parts.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            let Some((index, usual)) = usual.next() else { break };
            let rates = self.mean(index, |hour| busy[hour]).or(usual);
            unknown += usize::from(rates.bytes_in.is_none());
            let facts = partition.facts.get_or_insert_default();
            (facts.bytes_in, facts.bytes_out) = (rates.bytes_in, rates.bytes_out);
            facts.records_in = None;
        }
        Ok((Snapshot::new(parts)?, unknown))
    }

    /// For each hour whether the cluster's traffic in it is around the percentile. Where a rate is unknown, the usual one
    /// of its partition counts.
    fn busy_hours(
        &self,
        cluster: &Snapshot,
        usual: &[PartitionRates],
        at: Percentile,
    ) -> Vec<bool> {
        let total = |hour: &HourRates| -> u64 {
            let of = |(index, (_, partition)): (usize, (&str, &Partition))| {
                let replicas = partition.replicas.len();
                let rate = hour.at(index).or(usual[index]).of_replica(replicas);
                rate.saturating_mul(replicas as u64)
            };
            partitions(cluster).enumerate().map(of).fold(0, u64::saturating_add)
        };
        let mut order: Vec<(u64, usize)> =
            self.hours.iter().enumerate().map(|(index, hour)| (total(hour), index)).collect();
        order.sort_unstable();
        let mut busy = vec![false; order.len()];
        for (_, hour) in &order[at.around(order.len())] {
            busy[*hour] = true;
        }
        busy
    }

    /// The mean rates of a partition over these hours, without hours in which they are unknown.
    fn mean(&self, partition: usize, counts: impl Fn(usize) -> bool) -> PartitionRates {
        let (mut sum_in, mut sum_out) = (MeanRate::default(), MeanRate::default());
        for (_, hour) in self.hours.iter().enumerate().filter(|(index, _)| counts(*index)) {
            let rates = hour.at(partition);
            sum_in.add(rates.bytes_in);
            sum_out.add(rates.bytes_out);
        }
        PartitionRates { bytes_in: sum_in.mean(), bytes_out: sum_out.mean() }
    }

    /// What each broker carries at the percentile of its own hours. `rated`: the cluster of [`Self::rated`]. Where the rate
    /// of an hour is unknown, the planned rate counts.
    pub fn brokers(
        &self,
        rated: &Snapshot,
        plan: &Plan,
        at: Percentile,
    ) -> Vec<RecordedBrokerLoad> {
        let moved = lists_after(plan);
        let before = self.sums(rated, |_, partition| &partition.replicas);
        let mut after = self.sums(rated, |topic, partition| {
            moved.get(&(topic, partition.id)).copied().unwrap_or(&partition.replicas)
        });
        let load = |(id, before): (BrokerId, BrokerHours)| {
            let after = after.remove(&id).unwrap_or_default();
            RecordedBrokerLoad {
                id,
                before_bytes_per_second: at.of(before.hours),
                after_bytes_per_second: at.of(after.hours),
                planned_bytes_per_second: after.planned,
            }
        };
        before.into_iter().map(load).collect()
    }

    /// The load of each broker in each hour, if these lists hold the replicas.
    fn sums<'s>(
        &self,
        rated: &'s Snapshot,
        list_of: impl Fn(&'s str, &'s Partition) -> &'s Replicas,
    ) -> BTreeMap<BrokerId, BrokerHours> {
        let none = BrokerHours { hours: vec![0; self.hours.len()], planned: 0 };
        let mut brokers: BTreeMap<BrokerId, BrokerHours> =
            rated.brokers().iter().map(|broker| (broker.id, none.clone())).collect();
        for (index, (topic, partition)) in partitions(rated).enumerate() {
            let (list, planned) = (list_of(topic, partition), PartitionRates::of(partition));
            for id in list {
                let sums = brokers.entry(*id).or_insert_with(|| none.clone());
                sums.planned = sums.planned.saturating_add(planned.of_replica(list.len()));
                for (sum, rates) in sums.hours.iter_mut().zip(&self.hours) {
                    let rate = rates.at(index).or(planned).of_replica(list.len());
                    *sum = sum.saturating_add(rate);
                }
            }
        }
        brokers
    }
}

/// A broker's load in each hour, and by the planned rates.
#[derive(Clone, Default)]
struct BrokerHours {
    hours: Vec<u64>,
    planned: u64,
}

#[derive(Default)]
struct MeanRate {
    sum: u64,
    count: u64,
}

impl MeanRate {
    fn add(&mut self, rate: Option<u64>) {
        // A rate has 32 bits, so a sum over all hours ever recorded has room.
        self.sum += rate.unwrap_or(0);
        self.count += u64::from(rate.is_some());
    }

    fn mean(&self) -> Option<u64> {
        (self.count > 0).then(|| self.sum / self.count)
    }
}

/// All partitions, each with its topic's name.
fn partitions(cluster: &Snapshot) -> impl Iterator<Item = (&str, &Partition)> {
    let topics = cluster.topics().iter();
    topics.flat_map(|topic| topic.partitions.iter().map(|one| (topic.name.as_str(), one)))
}

fn lists_after(plan: &Plan) -> BTreeMap<(&str, PartitionId), &Replicas> {
    let moves = plan.moves.iter();
    moves.map(|change| ((&*change.topic, change.partition), &change.to)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::{Assignment, TopicSelection};
    use crate::bytes::Ratio;
    use crate::request::{Balance, BalanceGoal, PlanTerms, Rebalance};

    /// Four partitions without followers: two on broker 1, two on broker 2.
    fn cluster(rates: [Option<u64>; 4]) -> Snapshot {
        let partition = |id: usize| {
            let rate =
                rates[id].map_or(String::new(), |r| format!(r#", "bytes_in_per_second": {r}"#));
            format!(r#"{{"id": {id}, "replicas": [{}], "size_bytes": 10{rate}}}"#, id / 2 + 1)
        };
        let broker = |id| {
            format!(r#"{{"id": {id}, "storage_total_bytes": 1000, "storage_free_bytes": 900}}"#)
        };
        let text = format!(
            r#"{{"version": 1, "brokers": [{}, {}], "topics": [{{"name": "t", "partitions": [{}]}}]}}"#,
            broker(1),
            broker(2),
            [0, 1, 2, 3].map(partition).join(",")
        );
        Snapshot::from_json(text.as_bytes()).unwrap()
    }

    fn recorded(hours: &[[Option<u64>; 4]]) -> RecordedLoad {
        let mut load = RecordedLoad::default();
        hours.iter().for_each(|rates| load.see(&cluster([None; 4]), &cluster(*rates)));
        load
    }

    fn rates(cluster: &Snapshot) -> Vec<Option<u64>> {
        partitions(cluster).map(|(_, one)| PartitionRates::of(one).bytes_in).collect()
    }

    fn percentile(percent: u32) -> Percentile {
        Percentile::new(percent).unwrap()
    }

    fn evened(rated: &Snapshot) -> Plan {
        let brokers = [1, 2].map(BrokerId).into();
        let all = vec![Assignment::new(TopicSelection::Rest, brokers)];
        let terms = PlanTerms::new(all, Ratio::from_percent(10));
        let balance = Balance { goals: vec![BalanceGoal::Network], ..Balance::default() };
        crate::rebalance(rated, &Rebalance::new(terms, balance)).unwrap()
    }

    #[test]
    fn as_many_hours_are_around_a_percentile_above_it_as_below() {
        let around = |percent, hours| percentile(percent).around(hours);
        assert_eq!(percentile(95).rank(168), 160);
        assert_eq!(around(95, 168), 151..168);
        assert_eq!(around(100, 168), 167..168);
        assert_eq!(around(50, 5), 0..5);
        assert_eq!((around(95, 1), around(95, 0)), (0..1, 0..0));
        assert_eq!((Percentile::new(49), Percentile::new(101)), (None, None));
        assert_eq!(percentile(75).of(vec![4, 1, 3, 2]), 3);
        assert_eq!(percentile(75).of(Vec::new()), 0);
    }

    #[test]
    fn partitions_that_peak_in_different_hours_do_not_add_up() {
        // Broker 1 carries 100 in each hour, although the peaks of its partitions are 200 together.
        let night = [Some(100), Some(0), Some(40), Some(40)];
        let day = [Some(0), Some(100), Some(45), Some(45)];
        let load = recorded(&[night, day]);
        let (rated, unknown) = load.rated(cluster([None; 4]), percentile(100)).unwrap();
        assert_eq!((rates(&rated), unknown), (day.to_vec(), 0));
        let brokers = load.brokers(&rated, &evened(&rated), percentile(100));
        assert_eq!(brokers[0].before_bytes_per_second, 100);
        assert_eq!(brokers[1].before_bytes_per_second, 90);
    }

    #[test]
    fn an_unknown_rate_is_taken_from_other_hours() {
        let quiet = [Some(10), Some(20), None, None];
        let busy = [None, Some(90), Some(30), None];
        let load = recorded(&[quiet, busy]);
        let (rated, unknown) = load.rated(cluster([None; 4]), percentile(100)).unwrap();
        assert_eq!(rates(&rated), [Some(10), Some(90), Some(30), None]);
        assert_eq!(unknown, 1);
    }

    #[test]
    fn the_broker_of_another_peak_carries_more_than_was_planned() {
        // The cluster is busiest by day, and even then. Broker 1 is busiest at night.
        let day = [Some(100), Some(100), Some(100), Some(100)];
        let night = [Some(190), Some(190), Some(0), Some(0)];
        let load = recorded(&[day, night]);
        let (rated, _) = load.rated(cluster([None; 4]), percentile(100)).unwrap();
        let plan = evened(&rated);
        assert_eq!(plan.moves, []);
        let brokers = load.brokers(&rated, &plan, percentile(100));
        let of = |broker: &RecordedBrokerLoad| {
            (broker.after_bytes_per_second, broker.planned_bytes_per_second)
        };
        assert_eq!((of(&brokers[0]), of(&brokers[1])), ((380, 200), (200, 200)));
    }
}
