//! The order in which moves go into steps.

use crate::dense::DenseCluster;
use crate::ids::BrokerId;
use crate::plan::{Move, Reason};
use crate::request::PlanTerms;
use crate::snapshot::{Partition, Snapshot};
use crate::step_limits::StepOrder;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// The indices of the moves, the first to go first.
pub(super) fn order(
    cluster: &DenseCluster<'_>,
    terms: &PlanTerms,
    partitions: &[Option<&Partition>],
    moves: &[Move],
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..moves.len()).collect();
    let size = |at: &usize| moves[*at].copy_bytes().unwrap_or_default();
    // Every sort is stable, so equal moves stay in order of topic and partition.
    match terms.pacing.order {
        StepOrder::ByReason => order.sort_by_key(|at| moves[*at].reason),
        StepOrder::SmallFirst => order.sort_by_cached_key(size),
        StepOrder::LargeFirst => order.sort_by_cached_key(|at| Reverse(size(at))),
        StepOrder::LeastRiskFirst => {
            let full = full_brokers(cluster, terms);
            order.sort_by_cached_key(|at| {
                let change = &moves[*at];
                (Risk::of(cluster, partitions[*at], &full, change), size(at))
            });
        }
    }
    order
}

/// What a move improves, the most urgent first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Risk {
    /// Its partition lacks replicas. The fewer are left, the more urgent it is.
    Heals {
        sound: usize,
    },
    /// It takes load off a broker beyond its limit.
    Relieves,
    Other,
}

impl Risk {
    fn of(
        cluster: &DenseCluster<'_>,
        partition: Option<&Partition>,
        full: &BTreeSet<BrokerId>,
        change: &Move,
    ) -> Self {
        let sound = partition.map_or(0, |partition| sound(cluster.snapshot, partition));
        let least = cluster.snapshot.topic(&change.topic).and_then(|t| t.min_insync_replicas);
        // An out-of-sync replica on a live broker catches up by itself. It makes the move urgent only if the ISR is too
        // small for the topic.
        let in_sync = partition.and_then(|p| p.facts.as_ref()?.isr.as_ref()).map(|isr| isr.len());
        let too_few = in_sync.zip(least).is_some_and(|(held, least)| held < least as usize);
        if change.reason == Reason::Lost || too_few {
            return Self::Heals { sound };
        }
        if change.removed().any(|id| full.contains(&id)) { Self::Relieves } else { Self::Other }
    }
}

/// The number of replicas that serve: on live brokers, in healthy log dirs, and in sync if the ISR is known.
pub(crate) fn sound(snapshot: &Snapshot, partition: &Partition) -> usize {
    let told = partition.facts.as_ref().and_then(|facts| facts.isr.as_ref());
    let serves = |id: &&BrokerId| snapshot.is_live(**id) && !partition.offline().contains(id);
    told.unwrap_or(&partition.replicas).iter().filter(serves).count()
}

fn full_brokers(cluster: &DenseCluster<'_>, terms: &PlanTerms) -> BTreeSet<BrokerId> {
    let limits = cluster.limits(terms.storage_headroom);
    let over =
        |at: &usize| limits[*at].zip(cluster.used[*at]).is_some_and(|(limit, used)| used > limit);
    (0..cluster.ids.len()).filter(over).map(|at| cluster.ids[at]).collect()
}
