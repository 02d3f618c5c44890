//! Places topics on brokers, with least movement.
//!
//! What is right stays. A seat that is lost, leaving, off its map, or one too many or too few for the replication
//! factor is filled anew, and nothing else moves.

use crate::dense::{BrokerIx, Cluster};
use crate::finish::{Outcome, finish};
use crate::floor;
use crate::leaders::{self, FreeLeads};
use crate::no_plan::NoPlan;
use crate::place::{Manner, Pairs, Placement};
use crate::plan::{Plan, Reason};
use crate::request::{BaseLists, PlaceBy, Rebuild, Request};
use crate::snapshot::Snapshot;
use crate::target::Targets;
use crate::work::{Found, Search, Work, copy_size};
use smallvec::SmallVec;

/// Answers `rebuild`.
///
/// # Errors
/// [`NoPlan`]: the seat, each broker and the rule that refused it.
pub fn rebuild(snapshot: &Snapshot, request: &Rebuild) -> Result<Plan, NoPlan> {
    let cluster = Cluster::new(snapshot);
    let targets = Targets::new(&cluster, &request.terms)?;
    let search = Search::of_rebuild(&cluster, &targets, request);
    let found = search.run()?;
    if request.placement == PlaceBy::Storage {
        all_sizes_are_known(&cluster, &targets, &found)?;
    }
    let pairs = crate::pair::pairs(&cluster, &targets, request)?;
    let manner = Manner {
        by: request.placement,
        optimize: request.optimize,
        size_factor: request.partition_size_factor,
        tight: false,
    };
    let mut solved = solve(&search, manner, &pairs, found)?;
    let lead = Lead {
        all: request.optimize_leadership,
        as_paired: request.sub_affinity,
        lists: &search.base,
    };
    even_leaders(&cluster, &targets, lead, &mut solved.work);
    let request = Request::Rebuild(request.clone());
    let proof = floor::proof(&cluster, &targets, &request, &solved.work)?;
    finish(solved, request, proof)
}

/// Fills every seat; where that fails, once more in a way that packs tighter.
pub(crate) fn solve<'a>(
    search: &Search<'a>,
    manner: Manner,
    pairs: &Pairs,
    mut found: Found,
) -> Result<Outcome<'a>, NoPlan> {
    let Search { cluster, targets, terms, .. } = *search;
    let mut placement = Placement::new(cluster, targets, terms, pairs, manner);
    if let Err(first) = placement.fill(&mut found.work) {
        found = search.run()?;
        let tight = Manner { by: PlaceBy::Storage, tight: true, ..manner };
        placement = Placement::new(cluster, targets, terms, pairs, tight);
        placement.fill(&mut found.work).map_err(|_| first)?;
    }
    let Found { work, left_out } = found;
    Ok(Outcome { cluster, targets, terms: terms.clone(), work, left_out })
}

pub(crate) fn all_sizes_are_known(
    cluster: &Cluster<'_>,
    targets: &Targets,
    found: &Found,
) -> Result<(), NoPlan> {
    for item in found.work.iter().filter(|item| item.empty() > 0) {
        if item.size.is_none() {
            let what = format!("partition {}", cluster.name(item.partition));
            return Err(NoPlan::MissingFact { fact: "size_bytes", what });
        }
        let brokers = &targets.all[item.target].brokers;
        let lacks = |broker: &BrokerIx| {
            let at = *broker as usize;
            cluster.capacity[at].is_none() || cluster.used[at].is_none()
        };
        if let Some(broker) = brokers.iter().copied().find(lacks) {
            let what = format!("broker {}", cluster.id(broker));
            return Err(NoPlan::MissingFact { fact: "storage_total_bytes", what });
        }
    }
    Ok(())
}

/// Whose preferred leaders a plan may choose.
#[derive(Clone, Copy)]
pub(crate) struct Lead<'l> {
    /// Those of all partitions in scope, not only of those whose own is gone.
    pub(crate) all: bool,
    /// None, else: brokers stand in for others, and for their leadership.
    pub(crate) as_paired: bool,
    /// The lists that the caller gives, which bound the scope.
    pub(crate) lists: &'l BaseLists<'l>,
}

/// Chooses the preferred leaders that are free to choose: those of partitions whose own is gone, and of all in
/// scope where the request says so.
pub(crate) fn even_leaders(
    cluster: &Cluster<'_>,
    targets: &Targets,
    lead: Lead<'_>,
    work: &mut Vec<Work>,
) {
    if lead.all {
        add_untouched(cluster, targets, lead.lists, work);
    } else if lead.as_paired {
        // A stand-in takes over its partner's leadership with its seats.
        return;
    }
    let mut load = vec![0_u64; cluster.ids.len()];
    for partition in 0..cluster.first_seat.len() - 1 {
        if let Some(head) = cluster.seats_of(partition).first() {
            load[*head as usize] += 1;
        }
    }
    let mut free = FreeLeads::new();
    let mut items = Vec::new();
    for (at, item) in work.iter().enumerate() {
        let members: SmallVec<[BrokerIx; 4]> = item.held().collect();
        let (Some(old), Some(first)) = (cluster.seats_of(item.partition).first(), members.first())
        else {
            continue;
        };
        load[*old as usize] -= 1;
        if item.head_is_free || lead.all {
            free.push(members.iter().copied(), Some(*old));
            load[free.leader(items.len()) as usize] += 1;
            items.push(at);
        } else {
            load[*first as usize] += 1;
        }
    }
    leaders::even(&mut load, &mut free);
    for (lead, at) in items.into_iter().enumerate() {
        work[at].lead_by(free.leader(lead));
    }
}

/// Lets every healthy partition in scope take part, though none of its seats moves.
fn add_untouched(
    cluster: &Cluster<'_>,
    targets: &Targets,
    lists: &BaseLists<'_>,
    work: &mut Vec<Work>,
) {
    let mut touched = vec![false; cluster.first_seat.len() - 1];
    for item in work.iter() {
        touched[item.partition] = true;
    }
    let topics = cluster.snapshot.topics().iter().zip(&targets.of_topic);
    for ((topic, target), first) in topics.zip(&cluster.first_partition) {
        let Some(target) = *target else { continue };
        for (offset, partition) in topic.partitions.iter().enumerate() {
            let seats = cluster.seats_of(first + offset);
            let allowed = &targets.all[target].allowed;
            let healthy = seats.iter().all(|seat| allowed[*seat as usize])
                && lists.cover(&topic.name, partition.id);
            if touched[first + offset] || !healthy || partition.is_moving() || seats.len() < 2 {
                continue;
            }
            work.push(Work {
                partition: first + offset,
                target,
                seats: seats.iter().map(|seat| Some(*seat)).collect(),
                replaces: seats.iter().map(|_| None).collect(),
                reason: Reason::Leader,
                size: copy_size(cluster, partition),
                offline: SmallVec::new(),
                must_copy: 0,
                head_is_free: true,
            });
        }
    }
    work.sort_by_key(|item| item.partition);
}
