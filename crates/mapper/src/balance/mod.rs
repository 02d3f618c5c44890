//! Evens the load of brokers with the least movement.
//!
//! 1. Lost and leaving replicas get new brokers first. They cost their bytes on any broker.
//! 2. Every broker gets a share ([`shares`]) and a band around it.
//! 3. Bytes flow from brokers above their bands to brokers below ([`pour`]).
//! 4. Single changes bring the last brokers into their bands ([`settle`]), and needless moves are undone ([`trim`]).
//! 5. Where asked, the volumes of each broker are evened in the same way ([`disks`]).
//!
//! A cluster inside its bands is left alone, so planning again after a plan was carried out plans nothing.

mod band;
mod barter;
mod bound;
mod broker_volumes;
mod descent;
mod disks;
mod draft;
mod evening;
mod exact;
mod exchange;
mod forced;
mod limits;
mod load;
mod load_goals;
mod pour;
mod rules;
mod seat_preference;
mod settle;
mod shares;
mod shelves;
mod state;
mod topic_bands;
mod topic_bound;
mod topic_chain;
mod topic_counts;
mod topic_evening;
mod topic_swap;
mod trim;

use crate::bytes::Ratio;
use crate::dense::{BrokerIx, DenseCluster};
use crate::finish::FilledWork;
use crate::no_plan::NoPlan;
use crate::place::{BrokerPairs, Manner};
use crate::plan::Plan;
use crate::rebuild;
use crate::request::{Balance, Engine, Optimize, PlaceBy, PlanTerms, Rebalance, Request, Scale};
use crate::snapshot::Snapshot;
use crate::target::Targets;
use crate::traffic;
use crate::work::{Work, WorkSearch};
use bound::Base;
use draft::{BandsBefore, Draft};
use evening::Evening;
use load::BalancedLoad;
use load_goals::{Layout, LoadGoals, Special, Threshold};
use pour::MovableSeats;
use shelves::Shelves;
use state::{BalanceState, SeatShift};
use topic_evening::{Lean, even_topics};

/// Answers `rebalance`.
///
/// # Errors
/// [`NoPlan`]: a lost or leaving replica finds no broker, a storage fact is missing, or the required moves exceed the
/// limits of the request. Uneven load alone is never an error: replicas that cannot be moved stay.
pub fn rebalance(snapshot: &Snapshot, request: &Rebalance) -> Result<Plan, NoPlan> {
    let special = Special { threshold: Threshold::of(request), relieve: request.relieve };
    even(snapshot, Request::Rebalance(request.clone()), &request.balance, special)
}

/// Answers `scale`. New brokers hold nothing, so the least movement that ends evenly fills them.
///
/// # Errors
/// As [`rebalance`].
pub fn scale(snapshot: &Snapshot, request: &Scale) -> Result<Plan, NoPlan> {
    even(snapshot, Request::Scale(request.clone()), &request.balance, Special::default())
}

fn even(
    snapshot: &Snapshot,
    request: Request,
    balance: &Balance,
    special: Special,
) -> Result<Plan, NoPlan> {
    let plan = planned(snapshot, &request, balance, special, &|draft, state| {
        draft.carried_on(state, &|after| {
            planned(after, &request, balance, special, &|draft, state| draft.written(state))
        })
    })?;
    disks::with_volumes(snapshot, plan)
}

/// Writes a plan from the state in which it ends.
type Writing<'w> = &'w dyn Fn(&Draft<'_, '_>, &mut BalanceState<'_>) -> Result<Plan, NoPlan>;

fn planned(
    snapshot: &Snapshot,
    request: &Request,
    balance: &Balance,
    special: Special,
    write: Writing<'_>,
) -> Result<Plan, NoPlan> {
    let cluster = DenseCluster::new(snapshot);
    let terms = without_drained(request.terms(), balance);
    let targets = Targets::new(&cluster, &terms)?;
    storage_is_known(&cluster, &targets)?;
    let repairs = repair(&cluster, &targets, &terms, balance.solver)?;
    let base = Base::new(&cluster, &targets, terms.racks, &repairs.work);
    let goals = LoadGoals::new(&cluster, &terms, balance, special);
    let loads = traffic::of_goals(&cluster, &targets, balance)?;
    let mut state = BalanceState::after_repairs(&cluster, &targets, balance, &repairs.work, loads);
    let start = BandsBefore::new(&goals, &state);
    limits::repairs_fit(repairs.cluster, balance, &repairs.work)?;
    let searched = exact::ExactStart::new(&state, &goals, balance, &repairs.work)?;
    even_loads(&mut state, &goals, balance);
    let may_go_on = may_go_on(&state, &goals);
    let mut draft =
        Draft { repairs: &repairs, balance, base, start, may_go_on, solved: None, request };
    if limits::are_set(balance) {
        let plan = draft.within_limits(&mut state, &rungs(&goals, balance, &repairs.work))?;
        if searched.is_none() {
            return Ok(plan);
        }
    }
    let searched = searched.zip(draft.start.layouts.first());
    let even_out = evens(&goals, balance);
    draft.solved =
        searched.and_then(|(s, first)| s.search(&mut state, &goals, first, &draft.base, &even_out));
    write(&draft, &mut state)
}

/// In larger clusters, where nothing was repaired, planning again would take as long as the plan.
const SMALL: usize = 20_000;

/// Whether topics are evened among other loads, and something is left uneven.
fn may_go_on(state: &BalanceState<'_>, goals: &LoadGoals<'_>) -> bool {
    let with_others = goals.loads.contains(&BalancedLoad::Topics) && goals.loads.len() > 1;
    let is_cheap = state.is_repaired || state.partitions() <= SMALL;
    with_others && is_cheap && goals.strains(state).iter().any(|strain| *strain > 0)
}

/// The terms without the drained brokers: they take no replicas.
pub(crate) fn without_drained(terms: &PlanTerms, balance: &Balance) -> PlanTerms {
    let mut terms = terms.clone();
    for assignment in &mut terms.assignments {
        assignment.brokers.retain(|broker| !balance.drain.contains(broker));
    }
    terms
}

fn storage_is_known(cluster: &DenseCluster<'_>, targets: &Targets) -> Result<(), NoPlan> {
    let brokers = targets.all.iter().flat_map(|target| &target.brokers).copied();
    let lacks = |broker: &BrokerIx| {
        let at = *broker as usize;
        cluster.capacity[at].is_none() || cluster.used[at].is_none()
    };
    brokers.clone().find(lacks).map_or(Ok(()), |broker| {
        let what = format!("broker {}", cluster.id(broker));
        Err(NoPlan::MissingFact { fact: "storage_total_bytes", what })
    })
}

/// Places the replicas that are lost or leaving.
fn repair<'a>(
    cluster: &'a DenseCluster<'a>,
    targets: &'a Targets,
    terms: &'a PlanTerms,
    engine: Engine,
) -> Result<FilledWork<'a>, NoPlan> {
    let search = WorkSearch::new(cluster, targets, terms);
    let found = search.run()?;
    rebuild::all_sizes_are_known(cluster, targets, &found)?;
    let by_storage = Manner {
        by: PlaceBy::Storage,
        optimize: Optimize::Storage,
        size_factor: Ratio::ONE,
        tight: false,
    };
    rebuild::solve(&search, by_storage, &BrokerPairs::new(), found, engine)
}

/// The most rounds of evening. Nearly always one round evens everything, and the second finds nothing to do.
const ROUNDS: usize = 16;

/// Brings every broker into its bands, as far as possible. The most important load comes first. Each other load is
/// evened inside the bands of those before it.
fn even_loads<'a>(state: &mut BalanceState<'a>, goals: &LoadGoals<'a>, balance: &Balance) {
    match goals.loads.contains(&BalancedLoad::Topics) && goals.loads.len() > 1 {
        true => even_in_the_best_order(state, goals, balance),
        false => even_in_order(state, goals, balance),
    }
}

/// The most times that all orders are tried. Nearly always the first order evens everything.
const ORDERS: usize = 4;

/// Evens the loads in several orders, and keeps what is best for the order of the request. It ends when no order makes the
/// state better, so that planning again plans nothing.
fn even_in_the_best_order<'a>(
    state: &mut BalanceState<'a>,
    goals: &LoadGoals<'a>,
    balance: &Balance,
) {
    for _ in 0..ORDERS {
        let since = state.log.len();
        let mut least = goals.strains(state);
        let mut best: Option<Vec<SeatShift>> = None;
        for order in goals.orders() {
            if least.iter().all(|strain| *strain == 0) {
                break;
            }
            even_in_order(state, &goals.in_order(order), balance);
            let strains = goals.strains(state);
            if strains < least {
                least = strains;
                best = Some(state.log[since..].to_vec());
            }
            state.rewind(since);
        }
        let Some(changes) = best else { return };
        changes.into_iter().for_each(|change| state.shift(change));
    }
}

fn even_in_order<'a>(state: &mut BalanceState<'a>, goals: &LoadGoals<'a>, balance: &Balance) {
    let since = state.log.len();
    let sent = in_rounds(state, goals, balance, true);
    let first = || goals.loads.first().map(|load| goals.layout(state, *load));
    // Sending small replicas ahead must not make the most important load less even.
    if sent && first().is_some_and(|layout| !layout.is_even(state)) {
        state.rewind(since);
        in_rounds(state, goals, balance, false);
    }
}

/// The stages to which the limits can even the most important load.
fn rungs<'f, 'a>(
    goals: &'f LoadGoals<'a>,
    balance: &'f Balance,
    repairs: &'f [Work],
) -> impl Fn(&mut BalanceState<'a>) -> Vec<Vec<SeatShift>> + 'f {
    |state| {
        let Some(load) = goals.loads.first() else { return Vec::new() };
        state.rewind(0);
        let layout = goals.layout(state, *load);
        let ladder = descent::ladder(state, &layout);
        let beyond = |state: &BalanceState<'a>| !limits::allow(balance, repairs, state);
        let mut evening = evening(state, goals, balance, &layout, &[]);
        descent::descend(&mut evening, &layout, &ladder, beyond)
    }
}

/// [`even_loads`] as a function of the state, for callers that even another state.
fn evens<'f, 'a>(
    goals: &'f LoadGoals<'a>,
    balance: &'f Balance,
) -> impl Fn(&mut BalanceState<'a>) + 'f {
    |state| even_loads(state, goals, balance)
}

/// Evens round by round. Returns whether small replicas were sent ahead.
fn in_rounds<'a>(
    state: &mut BalanceState<'a>,
    goals: &LoadGoals<'a>,
    balance: &Balance,
    may_send: bool,
) -> bool {
    let mut sent = false;
    for _ in 0..ROUNDS {
        let since = state.log.len();
        let layouts = goals.layouts(state);
        if may_send {
            send_ahead(state, goals, balance, &layouts);
            sent |= state.log.len() > since;
        }
        for at in 0..layouts.len() {
            even_one(state, goals, balance, &layouts, at);
        }
        if state.log.len() == since {
            break;
        }
    }
    sent
}

/// Sends small replicas ahead from brokers that hold too many. Bytes have to flow anyway, and these replicas then need
/// no extra moves next to large ones.
fn send_ahead<'a>(
    state: &mut BalanceState<'a>,
    goals: &LoadGoals<'a>,
    balance: &Balance,
    layouts: &[Layout],
) {
    for (at, layout) in layouts.iter().enumerate().filter(|(_, l)| l.load == BalancedLoad::Replicas)
    {
        let before = &layouts[..at];
        if before.iter().all(|earlier| earlier.is_even(state)) || layout.is_even(state) {
            continue;
        }
        let mut evening = evening(state, goals, balance, layout, before);
        for group in &layout.shares.groups {
            pour::pour(&mut evening, group, MovableSeats::All);
        }
    }
}

/// Evens one layout until it is even or no change helps. The layouts before it stay as even as they are.
fn even_one<'a>(
    state: &mut BalanceState<'a>,
    goals: &LoadGoals<'a>,
    balance: &Balance,
    layouts: &[Layout],
    at: usize,
) {
    let (guards, rest) = layouts.split_at(at);
    let Some((layout, rest)) = rest.split_first() else { return };
    if layout.topics.is_some() {
        return even_all_topics(state, goals, balance, layout, guards);
    }
    let mut anew;
    let mut layout = layout;
    let mut least = u128::MAX;
    for _ in 0..ROUNDS {
        let (since, strain) = (state.log.len(), layout.strain(state));
        // A round that helps little is followed by more of them, which all take as long.
        if layout.is_even(state) || strain > least - least / 4 {
            return;
        }
        least = strain;
        let mut evening = evening(state, goals, balance, layout, guards);
        evening.later = rest
            .iter()
            .find(|later| later.load.is_by_amount())
            .filter(|_| layout.load.is_by_amount());
        for group in &layout.shares.groups {
            if evening.state.is_repaired {
                pour::pour(&mut evening, group, MovableSeats::Anew);
            }
            pour::pour(&mut evening, group, MovableSeats::All);
            settle::settle(&mut evening, group);
            trim::trim(&mut evening, group, since);
        }
        if state.log.len() == since {
            return;
        }
        anew = goals.layout(state, layout.load);
        layout = &anew;
    }
}

/// Evens each topic until all are even or no change helps. Of moves that are alike for a topic, it makes those that help
/// the next goal that is not the number of replicas.
fn even_all_topics<'a>(
    state: &mut BalanceState<'a>,
    goals: &LoadGoals<'a>,
    balance: &Balance,
    layout: &Layout,
    guards: &[Layout],
) {
    let Some(bands) = &layout.topics else { return };
    let after = &goals.loads[(guards.len() + 1).min(goals.loads.len())..];
    let mut others = after.iter().chain(guards.iter().map(|guard| &guard.load)).copied();
    // Even topics bring the numbers of replicas nearly into their bands, but not the bytes. Moving bytes later costs an
    // exchange each.
    let bytes = after.iter().copied().find(|load| *load != BalancedLoad::Replicas);
    let load = bytes.or_else(|| others.next()).unwrap_or(BalancedLoad::Storage);
    for _ in 0..ROUNDS {
        let since = state.log.len();
        if layout.is_even(state) {
            return;
        }
        let helped = goals.layout(state, load);
        let mut evening = evening(state, goals, balance, layout, guards);
        even_topics(&mut evening, bands, Lean::on(&helped, after));
        if state.log.len() == since {
            return;
        }
    }
}

fn evening<'e, 'a>(
    state: &'e mut BalanceState<'a>,
    goals: &'e LoadGoals<'a>,
    balance: &Balance,
    layout: &'e Layout,
    guards: &'e [Layout],
) -> Evening<'e, 'a> {
    let shelves = Shelves::new(state, balance.partition_limit, layout.load);
    let Layout { load, bands, gives, .. } = layout;
    Evening { state, rules: &goals.rules, shelves, load: *load, bands, gives, guards, later: None }
}
