//! Repairs compared with every way to fill the seats, on clusters small and full enough to try them all.

use crate::brute::{Fate, Tiny};
use crate::config;
use mapper::{Engine, NoPlan, NoPlanStatus, PlaceBy, Plan, Rebuild, SolverStatus, check, rebuild};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::cell::Cell;

/// One broker is lost or drained, and there is little room for its replicas.
fn cramped() -> impl Strategy<Value = Tiny> {
    let fate = prop_oneof![Just(Fate::Lost), Just(Fate::Drained)];
    let brokers = vec((0_u8..3, 2_u64..5), 3..7);
    let size = prop_oneof![
        3 => 1_u64..12,
        2 => 10_000_000_u64..1_000_000_000,
        1 => Just(3_000_000_017_u64),
    ];
    let partitions = vec((size, any::<u32>()), 3..9);
    let spread = (brokers, 0_usize..6, fate, 1_usize..4, partitions, 35_u64..90);
    prop_oneof![3 => spread.prop_map(tiny), 2 => two_gone(), 1 => packed()]
}

/// Two brokers leave. Their replicas may go to some racks and not to others.
fn two_gone() -> impl Strategy<Value = Tiny> {
    let brokers = vec((0_u8..4, 2_u64..5), 5..8);
    let fate = prop_oneof![Just(Fate::Lost), Just(Fate::Drained)];
    let size = prop_oneof![3 => 10_000_000_u64..1_000_000_000, 1 => Just(1_000_000_017_u64)];
    let partitions = vec((size, any::<u32>()), 3..6);
    let spread = (brokers, 0_usize..7, fate, 2_usize..4, partitions, 20_u64..50);
    (spread, 0_usize..7).prop_map(|(made, leaves)| {
        let tiny = tiny(made);
        let leaves = leaves % tiny.brokers.len();
        Tiny { leaves: Some(leaves), ..tiny }
    })
}

/// A drained broker holds the most, in a few pieces that few brokers can take. Whether a plan exists depends on which
/// broker takes which.
fn packed() -> impl Strategy<Value = Tiny> {
    let brokers = vec((0_u8..1, 4_u64..6), 3..5);
    let partitions = vec((20_u64..60, any::<u32>()), 5..8);
    (brokers, 0_usize..5, partitions, 52_u64..72).prop_map(|(brokers, at, mut partitions, fill)| {
        let at = at % brokers.len();
        for (_, seed) in partitions.iter_mut().filter(|(_, seed)| seed % 8 != 0) {
            *seed = u32::try_from(at).unwrap();
        }
        tiny((brokers, at, Fate::Drained, 1, partitions, fill))
    })
}

type Made = (Vec<(u8, u64)>, usize, Fate, usize, Vec<(u64, u32)>, u64);

fn tiny((brokers, at, fate, replication, partitions, fill): Made) -> Tiny {
    let fate = Some((at % brokers.len(), fate));
    Tiny { brokers, fate, leaves: None, replication, partitions, fill, tolerance_ppm: 0 }
}

fn request(tiny: &Tiny, solver: Engine) -> Rebuild {
    let mut terms = tiny.request(Engine::Auto).terms;
    terms.assignments[0].brokers = tiny.allowed().into_iter().map(Tiny::id).collect();
    Rebuild { solver, ..Rebuild::new(terms, PlaceBy::Storage) }
}

/// The possible lists of each partition. Replicas on staying brokers stay.
fn choices(tiny: &Tiny) -> Vec<Vec<Vec<usize>>> {
    let allowed = tiny.allowed();
    let lists = tiny.lists(&allowed);
    let of = |before: &Vec<usize>| {
        let stay: Vec<usize> = before.iter().copied().filter(|at| allowed.contains(at)).collect();
        let keeps = |list: &&Vec<usize>| stay.iter().all(|at| list.contains(at));
        match stay.len() == before.len() {
            true => vec![before.clone()],
            false => lists.iter().filter(keeps).cloned().collect(),
        }
    };
    tiny.before().iter().map(of).collect()
}

/// The storage use of the fullest allowed broker, in the best of all plans with room; `None` if there is none.
fn least_full(tiny: &Tiny) -> Option<f64> {
    let (choices, limit) = (choices(tiny), tiny.limit());
    let mut best: Option<f64> = None;
    let mut plan = vec![0; choices.len()];
    if choices.iter().any(Vec::is_empty) {
        return None;
    }
    loop {
        let lists: Vec<Vec<usize>> =
            plan.iter().zip(&choices).map(|(at, of)| of[*at].clone()).collect();
        let used = tiny.used(&lists);
        // A broker may keep what it already holds.
        if tiny.allowed().iter().all(|at| used[*at] <= limit[*at]) {
            let full = fullest(tiny, &used);
            best = Some(best.map_or(full, |best| best.min(full)));
        }
        let next = plan.iter().zip(&choices).rposition(|(at, of)| at + 1 < of.len());
        let Some(next) = next else { return best };
        plan[next] += 1;
        plan[next + 1..].fill(0);
    }
}

fn fullest(tiny: &Tiny, used: &[u64]) -> f64 {
    let capacity = tiny.capacity();
    let share = |at: &usize| used[*at] as f64 / capacity[*at] as f64;
    tiny.allowed().iter().map(share).fold(0.0, f64::max)
}

#[derive(Debug, Default)]
struct Tally {
    placed: Cell<u32>,
    /// Placed by a search after the heuristic found no room.
    rescued: Cell<u32>,
    polished: Cell<u32>,
    impossible: Cell<u32>,
    /// There is room at the end, but not for both copies during the moves.
    no_way: Cell<u32>,
}

fn add(to: &Cell<u32>) {
    to.set(to.get() + 1);
}

/// Searches take longer than other laws.
fn fewer_cases() -> Config {
    let all = config();
    Config { cases: all.cases / 2, ..all }
}

fn every_case(
    engine: Engine,
    law: impl Fn(&Tiny, &Plan, f64) -> Result<(), TestCaseError>,
) -> Tally {
    let tally = Tally::default();
    let outcome = TestRunner::new(fewer_cases()).run(&cramped(), |tiny| {
        prop_assume!(tiny.is_sound());
        let (before, best) = (tiny.snapshot(), least_full(&tiny));
        match rebuild(&before, &request(&tiny, engine)) {
            Ok(plan) => {
                prop_assert_eq!(check(&before, &plan), []);
                let Some(best) = best else { panic!("a plan where there is none") };
                let engine = plan.solver.engine.as_str();
                let searched = [("searched", &tally.rescued), (", polished", &tally.polished)];
                searched
                    .iter()
                    .filter(|(word, _)| engine.contains(word))
                    .for_each(|(_, to)| add(to));
                add(&tally.placed);
                law(&tiny, &plan, best)
            }
            Err(NoPlan::NoRoomForBothCopies { .. }) => {
                prop_assert!(best.is_some());
                add(&tally.no_way);
                Ok(())
            }
            Err(refused) => {
                prop_assert!(best.is_none(), "{refused}, though {best:?}");
                prop_assert_eq!(refused.standing(), Some(NoPlanStatus::Infeasible), "{}", refused);
                add(&tally.impossible);
                Ok(())
            }
        }
    });
    outcome.unwrap_or_else(|problem| panic!("{problem}"));
    tally
}

#[test]
fn a_repair_is_found_exactly_where_there_is_one_and_ends_nearly_as_even_as_can_be() {
    let tally = every_case(Engine::Auto, |tiny, plan, best| {
        let reached = fullest(tiny, &tiny.used(&tiny.after(plan)));
        prop_assert!(reached <= best * 1.01, "{reached}, though {best} is possible");
        let floor = plan.floor.unwrap().max_used_ratio;
        prop_assert!(floor <= best * (1.0 + 1e-6), "a floor of {floor}, though {best} is possible");
        prop_assert_eq!(plan.bytes_moved(), plan.bound_bytes);
        Ok(())
    });
    // Seats that only a search can place are rare. The script "searched" has a separate case.
    let searched = tally.rescued.get() + tally.polished.get();
    assert!(searched > 0 && tally.impossible.get() > 0, "{tally:?}");
}

#[test]
fn an_exact_repair_is_proven_to_be_as_even_as_can_be() {
    let unproven = Cell::new(0);
    let tally = every_case(Engine::Exact, |tiny, plan, best| {
        if plan.moves.is_empty() {
            return Ok(());
        }
        if plan.solver.evenness != Some(SolverStatus::Optimal) {
            add(&unproven);
            return Ok(());
        }
        let reached = fullest(tiny, &tiny.used(&tiny.after(plan)));
        prop_assert!(reached <= best * (1.0 + 1e-5), "{reached}, though {best} is possible");
        prop_assert!(plan.solver.evenness_gap_ratio.unwrap() <= 1e-5);
        Ok(())
    });
    assert!(unproven.get() * 50 < tally.placed.get(), "{unproven:?} of {tally:?}");
}

/// A drained broker held everything, and the others together have barely more room. The plan depends on which broker
/// takes which.
fn brim_full(others: &[u64], drained: u64, fill: u64, partitions: u64, dice: u64) -> Tiny {
    let mut state = dice;
    let mut size = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1_000_000 + (state >> 33) % 2_000_000
    };
    let mut brokers = vec![(0, drained)];
    brokers.extend(others.iter().map(|units| (0, *units)));
    let partitions = (0..partitions).map(|_| (size(), 0)).collect();
    tiny((brokers, 0, Fate::Drained, 1, partitions, fill))
}

/// The result of HiGHS in builds with it, and of microlp in others.
fn said(tiny: &Tiny) -> String {
    match rebuild(&tiny.snapshot(), &request(tiny, Engine::Auto)) {
        Ok(plan) => {
            assert_eq!(check(&tiny.snapshot(), &plan), []);
            plan.solver.engine
        }
        Err(refused) => format!("{:?}", refused.standing()),
    }
}

#[test]
fn highs_finds_room_where_microlp_leaves_open_whether_there_is_any() {
    let found = said(&brim_full(&[5, 5, 5], 4, 71, 16, 2));
    let expected = if cfg!(feature = "highs") { "searched (HiGHS)" } else { "Some(Unproven)" };
    assert_eq!(found, expected);
}

#[test]
fn highs_proves_that_there_is_no_room_where_microlp_leaves_it_open() {
    let found = said(&brim_full(&[5, 5, 5, 5], 9, 62, 12, 1));
    let expected = if cfg!(feature = "highs") { "Some(Infeasible)" } else { "Some(Unproven)" };
    assert_eq!(found, expected);
}
