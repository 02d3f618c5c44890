//! What no order of moves can better: the least time to copy everything, and the least time without full replication.
//!
//! In: what each partition has to copy. Out: bounds in bytes; divided by the rate of a port they are seconds. Every port
//! (a broker's network, in or out) copies one byte at a time, and all ports have the same rate.
//!
//! * **Time**: the busiest port has to copy its bytes (data migration as open-shop scheduling: Khuller, Kim and Wan 2004).
//! * **Exposure**: the sum over partitions of the time until their copies are complete. On a single port, the smallest
//!   first is best (Smith 1956). All ports of one direction together are single ports with jobs of their own, so their
//!   sums add up, and no order is better than the larger of the two directions (data migration to minimise the sum of
//!   completion times: Gandhi and Mestre 2009; orders by LP and their bounds: Hall, Schulz, Shmoys and Wein 1997).

use crate::bytes::{Bytes, Rate};
use crate::ids::BrokerId;
use crate::plan::{Move, Plan};
use crate::snapshot::{Leader, Snapshot};
use crate::steps::sound;
use std::collections::BTreeMap;

/// The copies of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyJob {
    /// Its leader, which sends each copy; `None` if unknown.
    pub source: Option<BrokerId>,
    /// The brokers that receive one copy each.
    pub to: Vec<BrokerId>,
    /// How many of these copies it waits for; the first of them to arrive count.
    pub needed: usize,
    /// The bytes of one copy.
    pub bytes: Bytes,
}

/// How long partitions are at risk, summed over partitions, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExposureSeconds {
    /// With fewer replicas in sync than the plan gives them.
    pub below_full_replication: u64,
    /// With fewer replicas in sync than `min.insync.replicas`.
    pub below_min_isr: u64,
}

/// The least [`ExposureSeconds`] of any order of moves, as bytes at a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeastExposure {
    below_full_replication: u128,
    below_min_isr: u128,
}

/// Bounds for any order, in bytes at a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopyBounds {
    /// The bytes of the busiest port.
    pub busiest: Bytes,
    /// The sum over partitions of the bytes that a port copies until each is complete.
    pub exposure: u128,
}

impl CopyBounds {
    /// The bounds for these copies.
    pub fn of(jobs: &[CopyJob]) -> Self {
        let (mut sent, mut received) = (BTreeMap::new(), BTreeMap::new());
        // A partition with several copies counts once: at the first of its receivers, and with all of them at its source.
        let (mut into, mut out_of) = (BTreeMap::new(), BTreeMap::new());
        for job in jobs {
            let each = |copies: usize| {
                job.bytes.0.saturating_mul(u64::try_from(copies).unwrap_or(u64::MAX))
            };
            for id in &job.to {
                *received.entry(*id).or_insert(0_u64) += job.bytes.0;
            }
            // Which of the receivers is first is not known where it does not wait for all.
            let first = job.to.first().copied().filter(|_| job.needed >= job.to.len());
            into.entry(first).or_insert_with(Vec::new).push(job.bytes.0);
            out_of.entry(job.source).or_insert_with(Vec::new).push(each(job.needed));
            if let Some(id) = job.source {
                *sent.entry(id).or_insert(0_u64) += each(job.to.len());
            }
        }
        let busiest = sent.values().chain(received.values()).max().copied().unwrap_or_default();
        let exposure = smallest_first(into).max(smallest_first(out_of));
        Self { busiest: Bytes(busiest), exposure }
    }

    /// The least time in seconds, if each port copies at this rate.
    pub fn seconds(&self, rate: Rate) -> u64 {
        self.busiest.0.div_ceil(rate.0.max(1))
    }
}

impl LeastExposure {
    /// The least exposure of partitions that lack replicas: the copies of each, and how many of them it needs to reach
    /// `min.insync.replicas`.
    pub fn of(lacking: Vec<(CopyJob, usize)>) -> Self {
        let urgent = lacking.iter().filter(|(_, needed)| *needed > 0);
        let urgent = urgent.map(|(job, needed)| CopyJob { needed: *needed, ..job.clone() });
        let below_min_isr = CopyBounds::of(&urgent.collect::<Vec<_>>()).exposure;
        let all: Vec<CopyJob> = lacking.into_iter().map(|(job, _)| job).collect();
        Self { below_full_replication: CopyBounds::of(&all).exposure, below_min_isr }
    }

    /// In seconds, if each port copies at this rate. `None` if no partition lacks replicas.
    pub fn at(&self, rate: Rate) -> Option<ExposureSeconds> {
        let seconds =
            |bytes: u128| u64::try_from(bytes / u128::from(rate.0.max(1))).unwrap_or(u64::MAX);
        (self.below_full_replication > 0).then(|| ExposureSeconds {
            below_full_replication: seconds(self.below_full_replication),
            below_min_isr: seconds(self.below_min_isr),
        })
    }
}

impl Plan {
    /// The least exposure of this plan's partitions, from the snapshot that it was made from.
    pub fn least_exposure(&self, before: &Snapshot) -> LeastExposure {
        let lacking = |change: &Move| {
            let topic = before.topic(&change.topic)?;
            let partition = topic.partition(change.partition)?;
            let in_sync = sound(before, partition);
            let source = match partition.leader() {
                Leader::Broker(id) => Some(id),
                Leader::None | Leader::Unknown => None,
            };
            let to: Vec<BrokerId> = change.added().collect();
            if to.is_empty() || in_sync >= partition.replicas.len() {
                return None;
            }
            let copies = u64::try_from(to.len()).unwrap_or(u64::MAX);
            let bytes = Bytes(change.bytes.map_or(0, |bytes| bytes.0 / copies));
            let min = topic.min_insync_replicas.map_or(0, |min| min as usize);
            let needed = min.saturating_sub(in_sync).min(to.len());
            Some((CopyJob { source, needed: to.len(), to, bytes }, needed))
        };
        LeastExposure::of(self.moves.iter().filter_map(lacking).collect())
    }
}

/// The sum of completion times, port by port, of the smallest job first. Jobs of an unknown port wait for none.
fn smallest_first(mut ports: BTreeMap<Option<BrokerId>, Vec<u64>>) -> u128 {
    let unknown: u128 = ports.remove(&None).into_iter().flatten().map(u128::from).sum();
    let port = |mut jobs: Vec<u64>| {
        jobs.sort_unstable();
        let mut done = 0_u128;
        jobs.into_iter()
            .map(|bytes| {
                done += u128::from(bytes);
                done
            })
            .sum::<u128>()
    };
    ports.into_values().map(port).fold(unknown, u128::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(source: u32, to: &[u32], bytes: u64) -> CopyJob {
        let to: Vec<BrokerId> = to.iter().copied().map(BrokerId).collect();
        let (source, needed) = (Some(BrokerId(source)), to.len());
        CopyJob { source, to, needed, bytes: Bytes(bytes) }
    }

    #[test]
    fn one_port_copies_the_smallest_first() {
        let bounds = CopyBounds::of(&[job(1, &[2], 30), job(1, &[3], 10), job(1, &[4], 20)]);
        assert_eq!(bounds, CopyBounds { busiest: Bytes(60), exposure: 10 + 30 + 60 });
        assert_eq!(bounds.seconds(Rate(7)), 9);
    }

    #[test]
    fn the_busier_direction_counts() {
        let bounds = CopyBounds::of(&[job(1, &[3], 10), job(2, &[3], 10)]);
        assert_eq!(bounds, CopyBounds { busiest: Bytes(20), exposure: 10 + 20 });
    }

    #[test]
    fn a_partition_with_two_copies_is_complete_after_both() {
        let bounds = CopyBounds::of(&[job(1, &[2, 3], 10), job(1, &[4], 30)]);
        assert_eq!(bounds, CopyBounds { busiest: Bytes(50), exposure: 20 + 50 });
    }

    #[test]
    fn one_of_two_copies_ends_the_time_below_min_isr() {
        let two = job(1, &[2, 3], 10);
        let bounds = CopyBounds::of(&[CopyJob { needed: 1, ..two.clone() }]);
        assert_eq!(bounds, CopyBounds { busiest: Bytes(20), exposure: 10 });
        let least = LeastExposure::of(vec![(two, 1), (job(1, &[2], 20), 0)]);
        assert_eq!(least, LeastExposure { below_full_replication: 20 + 40, below_min_isr: 10 });
        let seconds = ExposureSeconds { below_full_replication: 30, below_min_isr: 5 };
        assert_eq!(least.at(Rate(2)), Some(seconds));
        assert_eq!(LeastExposure::of(Vec::new()).at(Rate(2)), None);
    }

    #[test]
    fn an_unknown_source_limits_nothing() {
        let unknown = CopyJob { source: None, ..job(1, &[2], 10) };
        let bounds =
            CopyBounds::of(&[unknown.clone(), CopyJob { to: vec![BrokerId(3)], ..unknown }]);
        assert_eq!(bounds, CopyBounds { busiest: Bytes(10), exposure: 20 });
        assert_eq!(CopyBounds::of(&[]), CopyBounds::default());
    }

    /// Two ports in, two out, in every order of whole jobs: none is below the bounds.
    #[test]
    fn no_order_is_better() {
        let jobs = [job(1, &[3], 5), job(1, &[4], 3), job(2, &[3], 4), job(2, &[4], 1)];
        let bounds = CopyBounds::of(&jobs);
        let mut least = (u64::MAX, u128::MAX);
        for order in orders(jobs.len()) {
            let mut free: BTreeMap<(bool, BrokerId), u64> = BTreeMap::new();
            let (mut last, mut sum) = (0, 0_u128);
            for job in order.into_iter().map(|at| &jobs[at]) {
                let ports = [(false, job.source.unwrap()), (true, job.to[0])];
                let begins = ports.iter().filter_map(|port| free.get(port)).max().copied();
                let ends = begins.unwrap_or(0) + job.bytes.0;
                free.extend(ports.map(|port| (port, ends)));
                last = last.max(ends);
                sum += u128::from(ends);
            }
            least = (least.0.min(last), least.1.min(sum));
        }
        assert!(bounds.busiest.0 <= least.0 && bounds.exposure <= least.1, "{bounds:?} {least:?}");
    }

    fn orders(count: usize) -> Vec<Vec<usize>> {
        let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
        let shorter = orders(last).into_iter();
        let with = |order: Vec<usize>| {
            (0..count).map(move |at| [&order[..at], &[last], &order[at..]].concat())
        };
        shorter.flat_map(with).collect()
    }
}
