//! Places topics on brokers, with least movement.
//!
//! What is right stays. A seat that is lost, leaving, off its map, or one too many or too few for the replication
//! factor is filled anew, and nothing else moves.

use crate::dense::{BrokerIx, Cluster};
use crate::finish::{Outcome, finish};
use crate::floor;
use crate::leaders::{Lead, even_leaders};
use crate::no_plan::NoPlan;
use crate::place::{Manner, Pairs, Placement};
use crate::plan::Plan;
use crate::request::{PlaceBy, Rebuild, Request};
use crate::snapshot::Snapshot;
use crate::target::{Target, Targets};
use crate::work::{Found, Search};

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
    let pairs = crate::pair::pairs(&cluster, &targets, request, &found.work)?;
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
        evacuation: request.leader_evacuation.as_ref(),
    };
    even_leaders(&cluster, &targets, lead, &mut solved.work, &mut solved.left_out)?;
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
    let lacks = |broker: &BrokerIx| {
        let at = *broker as usize;
        cluster.capacity[at].is_none() || cluster.used[at].is_none()
    };
    let first_that_lacks = |target: &Target| target.brokers.iter().copied().find(lacks);
    let unknown: Vec<Option<BrokerIx>> = targets.all.iter().map(first_that_lacks).collect();
    for item in found.work.iter().filter(|item| item.empty() > 0) {
        if item.size.is_none() {
            let what = format!("partition {}", cluster.name(item.partition));
            return Err(NoPlan::MissingFact { fact: "size_bytes", what });
        }
        if let Some(broker) = unknown[item.target] {
            let what = format!("broker {}", cluster.id(broker));
            return Err(NoPlan::MissingFact { fact: "storage_total_bytes", what });
        }
    }
    Ok(())
}
