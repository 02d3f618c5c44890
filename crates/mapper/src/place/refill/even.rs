//! The fullest broker made as empty as placing the seats of the plan can make it.
//!
//! In: seats filled one by one. Out: the same, or other brokers for them with which the fullest one is emptier; and a
//! share of its storage that the fullest broker cannot end below. What does not have to move stays.

use super::ease::ease;
use super::model::{self, RefillModel};
use super::seat::seat;
use super::{ROUNDS, cut, emptied, fresh, nodes};
use crate::dense::BrokerIx;
use crate::exact::{
    Column, EXACT, Effort, Evidence, HIGHS, MOST_BINARIES, MOST_LINEAR, POLISHED, Program,
    Solution, SolverAnswer, SolverChoice, SolverLimits, thorough,
};
use crate::floor;
use crate::no_plan::{NoPlan, NoPlanStatus};
use crate::place::{BrokerPairs, Manner, Placement};
use crate::plan::{BoundBy, CONSTRUCTIVE};
use crate::request::{Engine, PlaceBy};
use crate::work::{Work, WorkSearch};

/// More seats than this end even enough as they are filled one by one.
const MOST_PLACED: usize = 30_000;
/// With more columns than this, a few milliseconds are not enough.
const MOST_SHORT: usize = 300;
/// With more than this, no share is looked for that the fullest broker cannot end below: the one that adding up gives
/// has to do.
const MOST_RELAXED: usize = if HIGHS { MOST_LINEAR } else { MOST_SHORT };
/// Columns times nodes of a search that no flag asked for.
const SHORT_WORK: usize = 24_000;
const SHORT_GAP: f64 = 1e-3;
const GAP: f64 = 1e-6;
/// So near to what it has to be, the fullest broker is left alone: a part of its share.
const NEAR: f64 = 2e-3;
/// Shares are no finer than this: what floats may be off.
const FINE: f64 = 1e-6;

/// What is polished, and how far.
pub(crate) struct Polishing<'s, 'a> {
    pub(crate) search: &'s WorkSearch<'a>,
    pub(crate) pairs: &'a BrokerPairs,
    pub(crate) manner: Manner,
    pub(crate) engine: Engine,
}

/// Betters the brokers of `work`, which `placement` filled, and says what is proven; `None`: no search was made.
///
/// # Errors
/// [`NoPlan::TooLarge`]: the exact solver is asked for, and would not come to an end.
pub(crate) fn polish<'a>(
    asked: &Polishing<'_, 'a>,
    placement: &mut Placement<'_>,
    work: &mut Vec<Work>,
) -> Result<Option<Evidence>, NoPlan> {
    let Manner { by, size_factor, .. } = asked.manner;
    let placed: usize = placement.placed.iter().map(Vec::len).sum();
    let by_size = by == PlaceBy::Storage && size_factor == crate::bytes::Ratio::ONE;
    let exact = asked.engine == Engine::Exact;
    if !by_size || placed == 0 || (!exact && placed > MOST_PLACED) {
        return Ok(None);
    }
    let WorkSearch { cluster, targets, terms, .. } = *asked.search;
    let least = floor::fullest(cluster, targets, terms.racks, work);
    let enough = least.map_or(0.0, |least| least.max_used_ratio * (1.0 + NEAR));
    ease(placement, work, enough);
    if !exact && placed > MOST_RELAXED {
        return Ok(None);
    }
    let empty = emptied(placement, work);
    let Some(pace) = RefillLimits::of(asked.engine, model::weight(placement, &empty))? else {
        return Ok(None);
    };
    let Some((_, full)) = fullest(placement) else { return Ok(None) };
    if full.share() <= enough && pace != RefillLimits::Thorough {
        return Ok(None);
    }
    let start = fresh(asked.search, asked.pairs, asked.manner, &empty);
    let Some(model) = RefillModel::new(&start, &empty) else { return Ok(None) };
    let polish = Polish { asked, start, empty, model, pace };
    Ok(match pace {
        RefillLimits::Relaxed => polish.bound_alone(full),
        RefillLimits::Short | RefillLimits::Thorough => Some(polish.run(full, work)),
    })
}

/// How far a search goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RefillLimits {
    /// To the proof, or to the limit of what one may wait for.
    Thorough,
    /// A few milliseconds.
    Short,
    /// No search: the linear relaxation, as a bound.
    Relaxed,
}

impl RefillLimits {
    /// `None`: no search at all.
    fn of(engine: Engine, binaries: usize) -> Result<Option<Self>, NoPlan> {
        match engine {
            Engine::Exact if binaries > MOST_BINARIES => {
                Err(NoPlan::TooLarge { binaries, most: MOST_BINARIES })
            }
            Engine::Exact => Ok(Some(Self::Thorough)),
            Engine::Auto if binaries <= MOST_SHORT => Ok(Some(Self::Short)),
            Engine::Auto if binaries <= MOST_RELAXED => Ok(Some(Self::Relaxed)),
            Engine::Auto | Engine::Heuristic => Ok(None),
        }
    }
}

struct Polish<'s, 'a> {
    asked: &'s Polishing<'s, 'a>,
    /// The cluster with the seats still empty.
    start: Placement<'a>,
    empty: Vec<Work>,
    model: RefillModel,
    pace: RefillLimits,
}

impl Polish<'_, '_> {
    /// A share that the fullest broker cannot end below, if replicas could be cut into parts.
    fn bound_alone(&self, full: FullestShare) -> Option<Evidence> {
        let limits = SolverLimits { who: SolverChoice::Strong, nodes: 0, gap: 0.0 };
        let program = self.least_share(full).relaxed();
        let SolverAnswer::Found(found) = program.solve(limits, None) else { return None };
        Some(self.evidence(full, found.bound - FINE / 10.0, found.effort))
    }

    fn run(mut self, mut full: FullestShare, work: &mut Vec<Work>) -> Evidence {
        let binaries = self.model.binaries();
        let nodes = nodes(SHORT_WORK, binaries);
        let limits = match self.pace {
            RefillLimits::Thorough => thorough(binaries, GAP),
            RefillLimits::Short | RefillLimits::Relaxed => {
                SolverLimits { who: SolverChoice::Quick, nodes, gap: SHORT_GAP }
            }
        };
        let (mut effort, mut bound) = (Effort::NONE, 0.0_f64);
        for _ in 0..ROUNDS {
            let Some(found) = self.ask(full, work, limits) else { break };
            effort.add(found.effort);
            bound = bound.max(found.bound - FINE / 10.0);
            let mut placement =
                fresh(self.asked.search, self.asked.pairs, self.asked.manner, &self.empty);
            let mut filled = self.empty.clone();
            match seat(&mut placement, &mut filled, &self.model, &found.values) {
                Ok(()) => {
                    let other = fullest(&placement).map_or(full, |(_, other)| other);
                    if full.exceeds(other) {
                        (full, *work) = (other, filled);
                    }
                    break;
                }
                Err(unseated) => {
                    let mut certain = NoPlanStatus::Infeasible;
                    let shut_out = cut(&mut self.model, unseated, &mut certain);
                    // What is shut out without a proof might have been better than what is found next.
                    if shut_out.is_none() || certain != NoPlanStatus::Infeasible {
                        break;
                    }
                }
            }
        }
        self.evidence(full, bound, effort)
    }

    fn evidence(&self, full: FullestShare, bound: f64, effort: Effort) -> Evidence {
        Evidence {
            engine: match self.pace {
                RefillLimits::Thorough => EXACT,
                RefillLimits::Short => POLISHED,
                RefillLimits::Relaxed => CONSTRUCTIVE,
            },
            binaries: self.model.binaries(),
            effort,
            most_even: Some(full.share() <= bound + FINE),
            fullest: Some(bound.min(full.share())),
            by: BoundBy::Loads,
        }
    }

    fn ask(&self, full: FullestShare, work: &[Work], limits: SolverLimits) -> Option<Solution> {
        let mut hint = self.model.values(work);
        hint.push(full.share());
        match self.least_share(full).solve(limits, Some(&hint)) {
            SolverAnswer::Found(found) => Some(found),
            SolverAnswer::Infeasible | SolverAnswer::Nothing => None,
        }
    }

    /// The rules, and one column more: the share that no broker is beyond.
    fn least_share(&self, full: FullestShare) -> Program {
        let RefillModel { rules, on, .. } = &self.model;
        let mut program: Program = rules.clone();
        let most = program.column(Column { cost: 1.0, most: full.share(), whole: false });
        for broker in allowed(&self.start) {
            let at = broker as usize;
            let Some((used, capacity)) = self.start.used[at].zip(self.start.cluster.capacity[at])
            else {
                continue;
            };
            let mut terms: Vec<(usize, f64)> = on.get(&broker).cloned().unwrap_or_default();
            terms.retain(|(_, load)| *load > 0.0);
            terms.push((most, -self.model.load(capacity.max(1))));
            program.row(terms, f64::NEG_INFINITY, -self.model.load(used));
        }
        program
    }
}

/// What the fullest broker uses of its storage: an exact fraction.
#[derive(Clone, Copy)]
pub(super) struct FullestShare {
    pub(super) used: u64,
    pub(super) capacity: u64,
}

impl FullestShare {
    /// `None` where it is unknown.
    pub(super) fn of(placement: &Placement<'_>, broker: BrokerIx) -> Option<Self> {
        let at = broker as usize;
        let (used, capacity) = placement.used[at].zip(placement.cluster.capacity[at])?;
        Some(Self { used, capacity: capacity.max(1) })
    }

    pub(super) fn exceeds(self, other: Self) -> bool {
        let product = |a: u64, b: u64| u128::from(a) * u128::from(b);
        product(self.used, other.capacity) > product(other.used, self.capacity)
    }

    pub(super) fn share(self) -> f64 {
        model::as_float(self.used) / model::as_float(self.capacity)
    }
}

/// Of the allowed brokers.
pub(super) fn fullest(placement: &Placement<'_>) -> Option<(BrokerIx, FullestShare)> {
    let all = allowed(placement).into_iter();
    let all = all.filter_map(|broker| Some((broker, FullestShare::of(placement, broker)?)));
    all.reduce(|worst, one| if one.1.exceeds(worst.1) { one } else { worst })
}

/// The brokers that any target allows.
pub(super) fn allowed(placement: &Placement<'_>) -> Vec<BrokerIx> {
    let targets = &placement.targets.all;
    let mut allowed: Vec<BrokerIx> = targets.iter().flat_map(|t| &t.brokers).copied().collect();
    allowed.sort_unstable();
    allowed.dedup();
    allowed
}
