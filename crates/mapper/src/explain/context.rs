//! The data behind every answer: the cluster, the request's rules, and the load of each broker through the steps.

use crate::balance::without_drained;
use crate::bytes::Ratio;
use crate::constraints::Constraints;
use crate::dense::{BrokerIx, DenseCluster};
use crate::ids::{BrokerId, PartitionId};
use crate::no_plan::NoPlan;
use crate::pair;
use crate::place::BrokerPairs;
use crate::plan::{Move, Plan};
use crate::replace::count_all_racks;
use crate::request::{PlanTerms, Request};
use crate::snapshot::Snapshot;
use crate::target::{Target, Targets};
use crate::work::WorkSearch;
use std::collections::BTreeMap;

/// No snapshot comes to more, but a plan file may state any figures. One more replica must not overflow them.
const MOST: u64 = 1 << 60;

/// A plan with its snapshot.
pub(super) struct Context<'a> {
    pub(super) plan: &'a Plan,
    pub(super) cluster: DenseCluster<'a>,
    /// The request's terms, without the brokers that are drained.
    pub(super) terms: PlanTerms,
    pub(super) targets: Targets,
    /// For each broker its usable storage; `None` if unknown.
    pub(super) limit: Vec<Option<u64>>,
    /// For each broker its storage used after the plan; `None` if unknown.
    pub(super) used_after: Vec<Option<u64>>,
    /// For each broker its replicas after the plan.
    pub(super) replicas_after: Vec<u64>,
    /// For each broker its changes: the step, the bytes that it takes in, and the bytes that it gives up.
    loads: Vec<Vec<StepLoad>>,
    /// For each move its steps, one for each list that it submits.
    pub(super) steps_of: Vec<Vec<usize>>,
    /// The brokers that replace others.
    pub(super) pairs: BrokerPairs,
}

#[derive(Default)]
struct StepLoad {
    step: usize,
    incoming: u64,
    freed: u64,
}

impl<'a> Context<'a> {
    pub(super) fn new(before: &'a Snapshot, plan: &'a Plan) -> Result<Self, NoPlan> {
        let cluster = DenseCluster::new(before);
        let terms = match plan.request.balance() {
            Some(balance) => without_drained(plan.request.terms(), balance),
            None => plan.request.terms().clone(),
        };
        let mut targets = Targets::new(&cluster, &terms)?;
        if let Request::Replace(replace) = &plan.request {
            count_all_racks(&cluster, &mut targets, replace.outgoing);
        }
        let pairs = pairs(&cluster, &targets, &plan.request)?;
        let of = |id: &BrokerId| plan.after.of_broker(*id);
        let mut context = Self {
            plan,
            limit: cluster.limits(terms.storage_headroom),
            used_after: cluster
                .ids
                .iter()
                .map(|id| Some(of(id)?.used_bytes?.0.min(MOST)))
                .collect(),
            replicas_after: cluster
                .ids
                .iter()
                .map(|id| of(id).map_or(0, |figures| figures.replicas.min(MOST)))
                .collect(),
            loads: Vec::new(),
            steps_of: steps_of(plan),
            pairs,
            cluster,
            terms,
            targets,
        };
        context.lower_limits();
        context.loads = context.loads();
        Ok(context)
    }

    /// Lowers the limits of a plan that relieves one broker: it fills no other broker beyond the same mark.
    fn lower_limits(&mut self) {
        let Request::Rebalance(rebalance) = &self.plan.request else { return };
        let Some(relieve) = rebalance.relieve else { return };
        let left = Ratio::from_ppm(1_000_000_u32.saturating_sub(relieve.below.ppm()));
        let marks = self.cluster.limits(left);
        for (limit, mark) in self.limit.iter_mut().zip(marks) {
            *limit = (*limit).min(mark);
        }
    }

    fn loads(&self) -> Vec<Vec<StepLoad>> {
        let mut sums: BTreeMap<(BrokerIx, usize), StepLoad> = BTreeMap::new();
        for (step, stages) in self.plan.stages().into_iter().enumerate() {
            for stage in stages {
                let change = stage.change;
                let partition = self.cluster.snapshot.partition(&change.topic, change.partition);
                let each = change.held_bytes(partition).unwrap_or_default().0;
                let freed = |id| partition.and_then(|p| p.size_on(id)).unwrap_or_default().0;
                let mut entry = |id: BrokerId, incoming: u64, freed: u64| {
                    if let Some(broker) = self.cluster.index_of(id) {
                        let load = sums.entry((broker, step)).or_default();
                        load.step = step;
                        load.incoming = load.incoming.saturating_add(incoming);
                        load.freed = load.freed.saturating_add(freed);
                    }
                };
                stage.added().for_each(|id| entry(id, each, 0));
                stage.removed().for_each(|id| entry(id, 0, freed(id)));
            }
        }
        let mut loads: Vec<Vec<StepLoad>> = self.cluster.ids.iter().map(|_| Vec::new()).collect();
        for ((broker, _), load) in sums {
            loads[broker as usize].push(load);
        }
        loads
    }

    /// The most that a broker uses from a step on, with both copies of moving replicas, and the step of that peak.
    pub(super) fn peak(&self, broker: BrokerIx, from: usize) -> Option<(u64, usize)> {
        let mut used = self.cluster.used[broker as usize]?;
        let mut peak = None;
        for load in &self.loads[broker as usize] {
            if load.step > from {
                peak = peak.max(Some((used, from)));
            }
            if load.step >= from {
                peak = peak.max(Some((used.saturating_add(load.incoming), load.step)));
            }
            used = used.saturating_add(load.incoming).saturating_sub(load.freed);
        }
        peak.max(Some((used, from)))
    }

    /// The step in which a move copies the partition to a broker.
    pub(super) fn step_of(&self, index: usize, broker: BrokerId) -> usize {
        let stages = (0..).map_while(|at| self.plan.moves[index].stage(at));
        let copies = stages.zip(&self.steps_of[index]);
        let mut adding = copies.filter(|(stage, _)| stage.added().any(|id| id == broker));
        adding.next().map_or(0, |(_, step)| *step)
    }

    pub(super) fn target(&self, partition: usize) -> Option<(usize, &Target)> {
        let at = self.targets.of_topic[self.cluster.topic_of(partition)]?;
        Some((at, &self.targets.all[at]))
    }

    pub(super) fn constraints(&self) -> Constraints<'_> {
        Constraints::new(&self.cluster, &self.terms)
    }

    /// The index of the move of a partition.
    pub(super) fn move_of(&self, topic: &str, partition: PartitionId) -> Option<usize> {
        let key = (topic, partition);
        let moves = &self.plan.moves;
        let found = moves.binary_search_by(|change| (&*change.topic, change.partition).cmp(&key));
        // Another tool may have changed the order of the moves. Then the binary search fails, and a scan helps.
        let scan = || moves.iter().position(|change| (&*change.topic, change.partition) == key);
        found.ok().or_else(scan)
    }

    pub(super) fn rack(&self, broker: BrokerIx) -> Option<&str> {
        self.cluster.snapshot.broker(self.cluster.id(broker))?.rack.as_deref()
    }

    /// These bytes as a share of a broker's storage; `None` if unknown.
    #[expect(clippy::cast_precision_loss, reason = "for display; no decision rests on it")]
    pub(super) fn ratio(&self, broker: BrokerIx, used: Option<u64>) -> Option<f64> {
        let capacity = self.cluster.capacity[broker as usize].filter(|capacity| *capacity > 0)?;
        Some(used? as f64 / capacity as f64)
    }
}

/// The bytes that each new replica comes to hold; 0 if unknown.
pub(super) fn each_held(cluster: &DenseCluster<'_>, change: &Move) -> u64 {
    let partition = cluster.snapshot.partition(&change.topic, change.partition);
    change.held_bytes(partition).map_or(0, |bytes| bytes.0)
}

fn steps_of(plan: &Plan) -> Vec<Vec<usize>> {
    let mut steps_of = vec![Vec::new(); plan.moves.len()];
    for (step, indices) in plan.steps.iter().enumerate() {
        for index in indices {
            if let Some(of_move) = steps_of.get_mut(*index) {
                of_move.push(step);
            }
        }
    }
    steps_of
}

fn pairs(
    cluster: &DenseCluster<'_>,
    targets: &Targets,
    request: &Request,
) -> Result<BrokerPairs, NoPlan> {
    match request {
        Request::Rebuild(rebuild) if rebuild.sub_affinity => {
            let found = WorkSearch::of_rebuild(cluster, targets, rebuild).run()?;
            pair::pairs(cluster, targets, rebuild, &found.work)
        }
        Request::Rebuild(_)
        | Request::Replace(_)
        | Request::Leaders(_)
        | Request::Rebalance(_)
        | Request::Scale(_) => Ok(BrokerPairs::new()),
    }
}
