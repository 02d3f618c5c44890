//! What no plan can do better: the bytes that have to move, and the fullest broker that has to be.

use crate::bytes::Bytes;
use crate::dense::{BrokerIx, Cluster};
use crate::exact::Evidence;
use crate::finish::Proof;
use crate::no_plan::NoPlan;
use crate::plan::Floor;
use crate::request::{RackRule, Terms};
use crate::target::{RackCounts, Targets};
use crate::work::{Search, Work};
use std::collections::BTreeMap;

/// What is proven about a request that only fills the seats of `work`.
pub(crate) fn proof(
    cluster: &Cluster<'_>,
    targets: &Targets,
    rule: RackRule,
    work: &[Work],
    bound_bytes: Option<Bytes>,
    evidence: Option<Evidence>,
) -> Proof {
    let mut floor = fullest(cluster, targets, rule, work);
    if let Some((floor, searched)) = floor.as_mut().zip(evidence.as_ref().and_then(|e| e.fullest)) {
        floor.max_used_ratio = floor.max_used_ratio.max(searched);
    }
    Proof { bound_bytes, floor, evidence }
}

/// The bytes that any answer has to copy, where a request forces work that nothing is wrong with: one copy for each
/// seat that would have to be filled anew without that.
pub(crate) fn unforced(
    cluster: &Cluster<'_>,
    targets: &Targets,
    terms: &Terms,
) -> Result<Option<Bytes>, NoPlan> {
    let found = Search::new(cluster, targets, terms).run()?;
    Ok(must_copy(&found.work))
}

/// The bytes that repairs had to copy, once their seats are filled.
pub(crate) fn had_to_copy(cluster: &Cluster<'_>, work: &[Work]) -> Option<Bytes> {
    sum(work, |item| item.must_copy.min(copied(cluster, item)))
}

/// The copies that the seats as they are filled come to: fewer than had to be expected where a broker that gave up a
/// seat was the only one to take it back.
fn copied(cluster: &Cluster<'_>, item: &Work) -> usize {
    let current = cluster.seats_of(item.partition);
    item.held().filter(|broker| !current.contains(broker)).count()
}

pub(crate) fn must_copy(work: &[Work]) -> Option<Bytes> {
    sum(work, |item| item.must_copy)
}

fn sum(work: &[Work], copies: impl Fn(&Work) -> usize) -> Option<Bytes> {
    let bytes = work.iter().map(|item| match copies(item) {
        0 => Some(0),
        copies => item.size.map(|size| size * copies as u64),
    });
    bytes.sum::<Option<u64>>().map(Bytes)
}

/// The least share that the fullest allowed broker must use, if only the seats of `work` are placed.
///
/// What stays is fixed; what has to go to one rack is poured over its brokers like water, and so is all of it over
/// all brokers. `None` where a size or capacity is unknown.
pub(crate) fn fullest(
    cluster: &Cluster<'_>,
    targets: &Targets,
    rule: RackRule,
    work: &[Work],
) -> Option<Floor> {
    let mut fixed: Vec<Option<u64>> = cluster.used.clone();
    for item in work {
        let partition = cluster.partition(item.partition);
        for seat in cluster.seats_of(item.partition) {
            if !item.held().any(|held| held == *seat) {
                let size = partition.size_on(cluster.id(*seat)).unwrap_or_default().0;
                let fixed = &mut fixed[*seat as usize];
                *fixed = fixed.map(|fixed| fixed.saturating_sub(size));
            }
        }
    }
    let mut worst = 0.0_f64;
    for (at, target) in targets.all.iter().enumerate() {
        let of_target = work.iter().filter(|item| item.target == at);
        let pools = pools(cluster, target, rule, of_target)?;
        for (rack, (bytes, largest)) in pools {
            let brokers = target.brokers.iter().copied();
            let disks: Option<Vec<(u64, u64)>> = brokers
                .filter(|broker| rack.is_none_or(|rack| cluster.rack[*broker as usize] == rack))
                .map(|broker| disk(cluster, &fixed, broker))
                .collect();
            worst = worst.max(level(&mut disks?, bytes, largest));
        }
    }
    Some(Floor { max_used_ratio: worst, ..Floor::default() })
}

/// What is used for certain on a broker's disk, and the disk.
fn disk(cluster: &Cluster<'_>, fixed: &[Option<u64>], broker: BrokerIx) -> Option<(u64, u64)> {
    fixed[broker as usize].zip(cluster.capacity[broker as usize])
}

/// For each rack that the rule leaves no choice but (and for all brokers together, `None`): the bytes that have to go
/// there, and the largest replica among them.
type Pools = BTreeMap<Option<usize>, (u64, u64)>;

fn pools<'w>(
    cluster: &Cluster<'_>,
    target: &crate::target::Target,
    rule: RackRule,
    work: impl Iterator<Item = &'w Work>,
) -> Option<Pools> {
    let mut pools = Pools::from([(None, (0, 0))]);
    for item in work {
        let current = cluster.seats_of(item.partition);
        let new = item.held().filter(|broker| !current.contains(broker)).count();
        if new == 0 {
            continue;
        }
        let size = item.size?;
        let mut pour = |rack: Option<usize>, copies: usize| {
            let pool = pools.entry(rack).or_default();
            *pool = (pool.0 + size * copies as u64, pool.1.max(size));
        };
        pour(None, new);
        let kept = item.held().filter(|broker| current.contains(broker));
        let counts = RackCounts::of(cluster, kept);
        if new == 1
            && rule == RackRule::Spread
            && let Some(least) = counts.least(target)
        {
            let mut open = target.racks.iter().copied().filter(|rack| {
                counts.get(*rack) <= least && counts.get(*rack) < target.rack_size[*rack]
            });
            if let (Some(only), None) = (open.next(), open.next()) {
                pour(Some(only), 1);
            }
        }
    }
    Some(pools)
}

/// The level to which `bytes` fill disks that are partly full, each in proportion to its size; at least what the
/// fullest holds already, and what the largest replica makes of the disk that it suits best.
#[expect(clippy::cast_precision_loss, reason = "a bound for display; no decision rests on it")]
fn level(disks: &mut [(u64, u64)], bytes: u64, largest: u64) -> f64 {
    let share = |(used, capacity): &(u64, u64)| *used as f64 / (*capacity).max(1) as f64;
    disks.sort_by(|a, b| share(a).total_cmp(&share(b)).then(a.cmp(b)));
    let best = disks.iter().map(|(used, capacity)| share(&(used + largest, *capacity)));
    let indivisible = best.reduce(f64::min).unwrap_or(0.0);
    let fullest = disks.last().map_or(0.0, share);
    let (mut used, mut capacity, mut level) = (0.0, 0.0, 0.0);
    for (index, disk) in disks.iter().enumerate() {
        used += disk.0 as f64;
        capacity += disk.1 as f64;
        level = (used + bytes as f64) / f64::max(capacity, 1.0);
        if disks.get(index + 1).is_none_or(|next| share(next) >= level) {
            break;
        }
    }
    level.max(indivisible).max(fullest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn water_fills_the_emptiest_disks_first() {
        assert!((level(&mut [(10, 100), (50, 100)], 20, 1) - 0.5).abs() < 1e-9);
        assert!((level(&mut [(10, 100), (20, 100)], 30, 1) - 0.3).abs() < 1e-9);
    }
}
