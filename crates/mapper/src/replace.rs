//! Moves every seat of one broker to one other broker, and moves nothing else.

use crate::assignment::{Assignment, TopicSelection};
use crate::bytes::Ratio;
use crate::dense::DenseCluster;
use crate::finish::finish;
use crate::floor;
use crate::ids::BrokerId;
use crate::no_plan::NoPlan;
use crate::place::{BrokerPairs, Manner};
use crate::plan::Plan;
use crate::rebuild::solve;
use crate::request::{Engine, Mends, Optimize, PlaceBy, PlanTerms, RackRule, Replace, Request};
use crate::snapshot::Snapshot;
use crate::target::Targets;
use crate::work::WorkSearch;
use std::collections::BTreeSet;

impl Replace {
    /// A request that gives the seats of `outgoing` in these topics to `incoming`.
    pub fn new(
        topics: TopicSelection,
        outgoing: BrokerId,
        incoming: BrokerId,
        racks: RackRule,
        storage_headroom: Ratio,
    ) -> Self {
        let brokers = BTreeSet::from([incoming]);
        let all = PlanTerms::new(vec![Assignment::new(topics, brokers)], storage_headroom);
        let terms = PlanTerms { mends: Mends::SeatsOf(outgoing), racks, ..all };
        Self { terms, outgoing, incoming }
    }
}

/// Answers `replace`.
///
/// # Errors
/// [`NoPlan`]: the seat that the incoming broker cannot take, and the rule that refused it.
pub fn replace(snapshot: &Snapshot, request: &Replace) -> Result<Plan, NoPlan> {
    let cluster = DenseCluster::new(snapshot);
    let mut targets = Targets::new(&cluster, &request.terms)?;
    count_all_racks(&cluster, &mut targets, request.outgoing);
    let search = WorkSearch::new(&cluster, &targets, &request.terms);
    let found = search.run()?;
    let mut pairs = BrokerPairs::new();
    if let (Some(out), Some(into)) =
        (cluster.index_of(request.outgoing), cluster.index_of(request.incoming))
    {
        pairs.insert(out, into);
    }
    let by_count = Manner {
        by: PlaceBy::Count,
        optimize: Optimize::Storage,
        size_factor: Ratio::ONE,
        tight: false,
    };
    let mut solved = solve(&search, by_count, &pairs, found, Engine::Auto)?;
    let evidence = solved.evidence.take();
    finish(solved, Request::Replace(request.clone()), |work| {
        let bound = floor::had_to_copy(&cluster, work);
        floor::proof(&cluster, &targets, request.terms.racks, work, bound, evidence)
    })
}

/// The rack rule counts every broker that stays, although only one broker may take seats.
pub(crate) fn count_all_racks(
    cluster: &DenseCluster<'_>,
    targets: &mut Targets,
    outgoing: BrokerId,
) {
    for target in &mut targets.all {
        target.rack_size = vec![0; cluster.rack_names.len()];
        for (broker, live) in cluster.live.iter().enumerate() {
            if *live && cluster.ids[broker] != outgoing {
                target.rack_size[cluster.rack[broker]] += 1;
            }
        }
        let sizes = &target.rack_size;
        target.racks = (0..sizes.len()).filter(|rack| sizes[*rack] > 0).collect();
    }
}
