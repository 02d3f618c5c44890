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
use std::collections::BTreeMap;

/// The copies of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyJob {
    /// Its leader, which sends each copy; `None` if unknown.
    pub source: Option<BrokerId>,
    /// The brokers that receive one copy each.
    pub to: Vec<BrokerId>,
    /// The bytes of one copy.
    pub bytes: Bytes,
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
            let copies = u64::try_from(job.to.len()).unwrap_or(u64::MAX);
            let all = job.bytes.0.saturating_mul(copies);
            for id in &job.to {
                *received.entry(*id).or_insert(0_u64) += job.bytes.0;
            }
            into.entry(job.to.first().copied()).or_insert_with(Vec::new).push(job.bytes.0);
            out_of.entry(job.source).or_insert_with(Vec::new).push(all);
            if let Some(id) = job.source {
                *sent.entry(id).or_insert(0_u64) += all;
            }
        }
        // Nothing is known of the ports of jobs without a source.
        let unknown: u128 = out_of.remove(&None).into_iter().flatten().map(u128::from).sum();
        let busiest = sent.values().chain(received.values()).max().copied().unwrap_or_default();
        let exposure = smallest_first(into).max(smallest_first(out_of).saturating_add(unknown));
        Self { busiest: Bytes(busiest), exposure }
    }

    /// The least time in seconds, if each port copies at this rate.
    pub fn seconds(&self, rate: Rate) -> u64 {
        self.busiest.0.div_ceil(rate.0.max(1))
    }

    /// The least exposure in partition-seconds, if each port copies at this rate.
    pub fn exposure_seconds(&self, rate: Rate) -> u64 {
        u64::try_from(self.exposure / u128::from(rate.0.max(1))).unwrap_or(u64::MAX)
    }
}

/// The sum of completion times, port by port, of the smallest job first.
fn smallest_first(ports: BTreeMap<Option<BrokerId>, Vec<u64>>) -> u128 {
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
    ports.into_values().map(port).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(source: u32, to: &[u32], bytes: u64) -> CopyJob {
        let to = to.iter().copied().map(BrokerId).collect();
        CopyJob { source: Some(BrokerId(source)), to, bytes: Bytes(bytes) }
    }

    #[test]
    fn one_port_copies_the_smallest_first() {
        let bounds = CopyBounds::of(&[job(1, &[2], 30), job(1, &[3], 10), job(1, &[4], 20)]);
        assert_eq!(bounds, CopyBounds { busiest: Bytes(60), exposure: 10 + 30 + 60 });
        assert_eq!((bounds.seconds(Rate(7)), bounds.exposure_seconds(Rate(10))), (9, 10));
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
