//! Places topics on brokers with the least movement.
//!
//! Healthy replicas stay. A seat gets a new broker if it is lost, leaving or off its map, or if the replication factor
//! changes. Nothing else moves.

use crate::both::both;
use crate::dense::{BrokerIx, DenseCluster};
use crate::exact::Evidence;
use crate::finish::{FilledWork, StateBefore, finish};
use crate::floor;
use crate::leaders::{LeadersToChoose, even_leaders};
use crate::no_plan::NoPlan;
use crate::place::{BrokerPairs, Manner, Placement, Polishing, polish, rescue};
use crate::plan::{LeftOut, Plan};
use crate::request::{Engine, PlaceBy, Rebuild, Request};
use crate::snapshot::Snapshot;
use crate::target::{Target, Targets};
use crate::work::{FoundWork, Work, WorkSearch};

/// Answers `rebuild`.
///
/// # Errors
/// [`NoPlan`]: the seat, each broker and the rule that refused it.
pub fn rebuild(snapshot: &Snapshot, request: &Rebuild) -> Result<Plan, NoPlan> {
    let cluster = DenseCluster::new(snapshot);
    let targets = Targets::new(&cluster, &request.terms)?;
    let search = WorkSearch::of_rebuild(&cluster, &targets, request);
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
    let terms = &request.terms;
    let (solved, (start, unforced)) = both(
        cluster.partition_count(),
        || solve_evenly(&search, manner, &pairs, found, request.solver),
        || {
            let unforced = || floor::unforced(&cluster, &targets, terms);
            (StateBefore::of(&cluster, &targets, terms), request.force.then(unforced).transpose())
        },
    );
    let mut solved = FilledWork { start: Some(start), ..solved? };
    let lead = LeadersToChoose {
        zone: None,
        all: request.optimize_leadership,
        as_paired: request.sub_affinity,
        lists: &search.base,
        evacuation: request.leader_evacuation.as_ref(),
    };
    even_leaders(&cluster, &targets, lead, &mut solved.work, &mut solved.left_out)?;
    let (unforced, evidence) = (unforced?, solved.evidence.take());
    finish(solved, Request::Rebuild(request.clone()), |work| {
        let bound = unforced.unwrap_or_else(|| floor::had_to_copy(&cluster, work));
        floor::proof(&cluster, &targets, terms.racks, work, bound, evidence)
    })
}

/// Fills every seat. If that fails, tries again with tighter packing, and then with a search.
pub(crate) fn solve<'a>(
    search: &WorkSearch<'a>,
    manner: Manner,
    pairs: &BrokerPairs,
    found: FoundWork,
    engine: Engine,
) -> Result<FilledWork<'a>, NoPlan> {
    let Seated { work, left_out, evidence, .. } = seated(search, manner, pairs, found, engine)?;
    let WorkSearch { cluster, targets, terms, .. } = *search;
    Ok(FilledWork { cluster, targets, terms: terms.clone(), work, left_out, evidence, start: None })
}

/// As [`solve`], but also makes no broker fuller than necessary, as far as a search of limited length can find.
fn solve_evenly<'a>(
    search: &WorkSearch<'a>,
    manner: Manner,
    pairs: &BrokerPairs,
    found: FoundWork,
    engine: Engine,
) -> Result<FilledWork<'a>, NoPlan> {
    let mut seated = seated(search, manner, pairs, found, engine)?;
    let polishing = Polishing { search, pairs, manner, engine };
    let polished = polish(&polishing, &mut seated.placement, &mut seated.work)?;
    let Seated { work, left_out, evidence, .. } = seated;
    let WorkSearch { cluster, targets, terms, .. } = *search;
    let evidence = match (polished, evidence) {
        (Some(polished), Some(rescued)) => Some(polished.after(&rescued)),
        (one, other) => one.or(other),
    };
    Ok(FilledWork { cluster, targets, terms: terms.clone(), work, left_out, evidence, start: None })
}

/// Filled seats, and their placement.
struct Seated<'a> {
    placement: Placement<'a>,
    work: Vec<Work>,
    left_out: Vec<LeftOut>,
    evidence: Option<Evidence>,
}

fn seated<'a>(
    search: &WorkSearch<'a>,
    manner: Manner,
    pairs: &'a BrokerPairs,
    mut found: FoundWork,
    engine: Engine,
) -> Result<Seated<'a>, NoPlan> {
    let WorkSearch { cluster, targets, terms, .. } = *search;
    let mut placement = Placement::new(cluster, targets, terms, pairs, manner);
    let mut evidence = None;
    if let Err(first) = placement.fill(&mut found.work) {
        found = search.run()?;
        let tight = Manner { by: PlaceBy::Storage, tight: true, ..manner };
        placement = Placement::new(cluster, targets, terms, pairs, tight);
        let again = placement.fill(&mut found.work);
        if again.is_err() && engine == Engine::Heuristic {
            return Err(first);
        }
        if again.is_err() {
            let rescued = rescue(search, pairs, manner, &placement, &mut found.work);
            let (filled, said) = rescued.map_err(|standing| first.judged(standing))?;
            (placement, evidence) = (filled, Some(said));
        }
    }
    let FoundWork { work, left_out } = found;
    Ok(Seated { placement, work, left_out, evidence })
}

pub(crate) fn all_sizes_are_known(
    cluster: &DenseCluster<'_>,
    targets: &Targets,
    found: &FoundWork,
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
