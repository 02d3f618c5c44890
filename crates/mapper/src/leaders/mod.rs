//! Chooses preferred leaders, as evenly as the replica sets allow. No data moves.
//!
//! In: a snapshot and a request. Out: a plan that reorders replica lists. By count the plan is exact: no other plan is
//! more even, and no equally even plan changes fewer leaders. By bytes it is nearly even, and has a bound.

mod bytes;
mod even;
mod fewest;
mod flow;
mod free;
mod handovers;
mod leader_rules;
mod levels;
mod of_work;
mod written;

pub(crate) use of_work::{LeadersToChoose, WantedZone, even_leaders};

use crate::bytes::Bytes;
use crate::dense::{BrokerIx, DenseCluster};
use crate::no_plan::NoPlan;
use crate::plan::{LeaderBytes, LeftOut, Plan};
use crate::request::{LeadBy, Leaders};
use crate::snapshot::Snapshot;
use crate::target::Targets;
use crate::work::log_size;
use even::even;
use leader_rules::{LeaderChoices, LeaderRules};
use std::ops::Range;

/// Answers `leaders`.
///
/// # Errors
/// [`NoPlan::Scope`] for topics that do not exist, [`NoPlan::MissingFact`] for a size that evening by bytes needs.
pub fn leaders(snapshot: &Snapshot, request: &Leaders) -> Result<Plan, NoPlan> {
    let cluster = DenseCluster::new(snapshot);
    let targets = Targets::new(&cluster, &request.terms)?;
    let rules = LeaderRules::new(&cluster, &targets, request);
    let mut chosen = ChosenLeaders::default();
    let topics = snapshot.topics().len();
    let together = if request.per_topic { 1 } else { topics.max(1) };
    for first in (0..topics).step_by(together) {
        let topics = first..first + together;
        if topics.clone().all(|topic| targets.of_topic[topic].is_none()) {
            continue;
        }
        let mut choices = rules.choices(topics.clone(), &mut chosen.left_out);
        match request.by {
            LeadBy::Count => even(&mut choices.load, &mut choices.free),
            LeadBy::Bytes => chosen.weigh(even_bytes(&cluster, topics, &mut choices)?),
        }
        chosen.take(&cluster, &choices);
    }
    Ok(written::plan(&cluster, &targets, request, chosen))
}

/// The chosen leaders, in order of partition.
#[derive(Default)]
struct ChosenLeaders {
    /// The partitions whose leader changes, each with its new leader.
    changes: Vec<(usize, BrokerIx)>,
    left_out: Vec<LeftOut>,
    bytes: Option<LeaderBytes>,
}

impl ChosenLeaders {
    fn take(&mut self, cluster: &DenseCluster<'_>, choices: &LeaderChoices) {
        for (lead, partition) in choices.partitions.iter().enumerate() {
            let leader = choices.free.leader(lead);
            if cluster.seats_of(*partition).first() != Some(&leader) {
                self.changes.push((*partition, leader));
            }
        }
    }

    /// Of several topics, keeps the figures of the one that ends the furthest above its floor.
    fn weigh(&mut self, bytes: LeaderBytes) {
        let gap = |bytes: LeaderBytes| bytes.after.0 - bytes.floor.0;
        if self.bytes.is_none_or(|known| gap(bytes) > gap(known)) {
            self.bytes = Some(bytes);
        }
    }
}

/// Evens the bytes that brokers lead of these topics.
fn even_bytes(
    cluster: &DenseCluster<'_>,
    topics: Range<usize>,
    choices: &mut LeaderChoices,
) -> Result<LeaderBytes, NoPlan> {
    let range = cluster.first_partition[topics.start]..cluster.first_partition[topics.end];
    let sizes = sizes(cluster, range.clone())?;
    let mut before = vec![0; cluster.ids.len()];
    let mut load = vec![0; cluster.ids.len()];
    let mut free = choices.partitions.iter().enumerate().peekable();
    for (index, size) in range.clone().zip(&sizes) {
        let Some(head) = cluster.seats_of(index).first().copied() else {
            continue;
        };
        let lead = free.next_if(|(_, partition)| **partition == index);
        let leader = lead.map_or(head, |(lead, _)| choices.free.leader(lead));
        before[head as usize] += size;
        load[leader as usize] += size;
    }
    let size: Vec<u64> =
        choices.partitions.iter().map(|index| sizes[index - range.start]).collect();
    let mut bytes = bytes::Led { free: &mut choices.free, size: &size, load };
    bytes.even();
    let most = |load: &[u64]| Bytes(load.iter().copied().max().unwrap_or(0));
    Ok(LeaderBytes { before: most(&before), after: most(&bytes.load), floor: Bytes(bytes.floor()) })
}

fn sizes(cluster: &DenseCluster<'_>, range: Range<usize>) -> Result<Vec<u64>, NoPlan> {
    let partitions = cluster.partitions().skip(range.start).take(range.len());
    let size = |(index, partition)| {
        log_size(cluster, partition).ok_or_else(|| {
            let what = format!("partition {}", cluster.name(index));
            NoPlan::MissingFact { fact: "size_bytes", what }
        })
    };
    partitions.map(size).collect()
}

#[cfg(test)]
mod tests;
