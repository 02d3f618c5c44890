//! Properties of plans with cordoned brokers and log dirs: these get no new replica from any planner.

use crate::balance;
use crate::clusters::{Ask, Shape, ask, cordoned, crowded, shape};
use crate::config;
use mapper::{
    ANY_LOG_DIR, BalanceGoal, BrokerId, LeadBy, Leaders, Measure, Mends, NoPlan, Plan, PlanTerms,
    RackRule, Ratio, Rebalance, Remedy, Replace, Request, Scale, Snapshot, TopicSelection,
    Violation, check, check_map, clash, plan,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use std::collections::BTreeSet;

/// A second implementation of the snapshot's rule: which brokers and log dirs accept no new replica.
fn is_shut(before: &Snapshot, id: BrokerId, log_dir: Option<&str>) -> bool {
    let Some(broker) = before.broker(id) else { return false };
    let named = |path: &str| broker.cordoned_log_dirs.iter().any(|one| one == path);
    let all = !broker.log_dirs.is_empty() && broker.log_dirs.iter().all(|dir| named(&dir.path));
    named("*") || all || log_dir.is_some_and(named)
}

fn holds(shape: &Shape, before: &Snapshot, request: &Request) -> Result<(), TestCaseError> {
    let planned = match plan(before, request) {
        Ok(planned) => planned,
        Err(why) => return offers_to_end_the_cordon(before, request, &why),
    };
    for change in &planned.moves {
        for id in change.via.iter().chain([&change.to]).flatten() {
            let dir = change.log_dir(*id);
            let new = !change.from.contains(id);
            prop_assert!(!new || !is_shut(before, *id, dir), "{} on {}", change.of(), id);
        }
    }
    prop_assert_eq!(check(before, &planned), []);
    let after = before.after(&planned);
    let again = plan(&after, request);
    // A replica from a failed log dir must not return to it, but once it has left, the snapshot no longer shows the
    // failure.
    let once = is_settled(request) && !shape.has_failed_log_dir() && !shape.several_volumes;
    if let (Ok(again), true) = (&again, once) {
        prop_assert_eq!(&again.moves, &[], "planned again");
    }
    Ok(())
}

/// Whether a second run has nothing to do. Forced moves are forced again, and evenness has its own laws.
fn is_settled(request: &Request) -> bool {
    match request {
        Request::Rebuild(rebuild) => !rebuild.force,
        Request::Replace(_) | Request::Leaders(_) => true,
        Request::Rebalance(_) | Request::Scale(_) => false,
    }
}

/// If a plan exists without the cordons, their end is a remedy.
fn offers_to_end_the_cordon(
    before: &Snapshot,
    request: &Request,
    why: &NoPlan,
) -> Result<(), TestCaseError> {
    let free = before.without_cordons(|_| true);
    if plan(&free, request).is_err() {
        return Ok(());
    }
    let clash = clash(before, request, why);
    let ends = |remedy: &Remedy| matches!(remedy, Remedy::Uncordon { .. });
    prop_assert!(clash.remedies.iter().any(ends), "{why:?}: {clash:?}");
    Ok(())
}

fn replacement(shape: &Shape, with: usize) -> Request {
    let ids = shape.ids();
    let (outgoing, incoming) = (ids[0], ids[1 + with % (ids.len() - 1)]);
    let headroom = Ratio::from_percent(10);
    Request::Replace(Replace::new(
        TopicSelection::Rest,
        outgoing,
        incoming,
        RackRule::AtLeast(0),
        headroom,
    ))
}

/// The requests of every planner.
fn all(shape: &Shape, ask: &Ask, even: &balance::Ask, with: usize) -> [Request; 5] {
    let rebalance: Rebalance = even.request(shape);
    let Rebalance { terms, balance, .. } = rebalance.clone();
    let leaders = Leaders {
        terms: PlanTerms { mends: Mends::Nothing, ..terms.clone() },
        by: LeadBy::Count,
        per_topic: false,
        evacuate: BTreeSet::new(),
    };
    [
        Request::Rebuild(ask.request(shape)),
        Request::Rebalance(rebalance),
        Request::Scale(Scale { terms, balance }),
        Request::Leaders(leaders),
        replacement(shape, with),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_planner_gives_a_cordoned_broker_or_log_dir_a_new_replica(
        shape in cordoned(shape()), ask in ask(), even in balance::ask(), with in 0_usize..9,
    ) {
        let before = shape.snapshot();
        for request in all(&shape, &ask, &even, with) {
            holds(&shape, &before, &request)?;
        }
    }

    #[test]
    fn who_ignores_cordons_gets_a_plan_that_names_no_cordoned_log_dir(
        shape in cordoned(crowded()), ask in ask(), even in balance::ask(), with in 0_usize..9,
    ) {
        let before = shape.snapshot();
        for mut request in all(&shape, &ask, &even, with) {
            request.terms_mut().ignore_cordons = true;
            let Ok(planned) = plan(&before, &request) else { continue };
            prop_assert_eq!(check(&before, &planned), []);
            prop_assert_eq!(&planned.snapshot, &before.hash());
            for change in &planned.moves {
                for (id, dir) in change.named_log_dirs() {
                    let listed = before.broker(id).is_some_and(|broker| broker.cordons(dir));
                    prop_assert!(!listed || change.from.contains(&id), "{} in {dir} of {id}", change.of());
                }
            }
        }
    }

    #[test]
    fn nor_where_there_is_little_room(
        shape in cordoned(crowded()), ask in ask(), even in balance::ask(), with in 0_usize..9,
    ) {
        let before = shape.snapshot();
        for request in all(&shape, &ask, &even, with) {
            holds(&shape, &before, &request)?;
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_plan_that_uses_what_was_cordoned_is_caught(shape in cordoned(shape()), ask in ask(), at in 0_usize..99) {
        let before = shape.snapshot();
        let Ok(plan) = plan(&before, &Request::Rebuild(ask.request(&shape))) else { return Ok(()) };
        let copies: Vec<(BrokerId, Option<&str>)> =
            plan.moves.iter().flat_map(|m| m.added().map(|id| (id, m.log_dir(id)))).collect();
        let Some((id, dir)) = copies.get(at % copies.len().max(1)) else { return Ok(()) };
        let cordon = |what: &str| {
            let mut parts = before.clone().into_parts();
            let broker = parts.brokers.iter_mut().find(|broker| broker.id == *id).unwrap();
            broker.cordoned_log_dirs.push(what.to_owned());
            Snapshot::new(parts).unwrap()
        };
        let of_broker = |one: &Violation| matches!(one, Violation::Cordoned { broker, .. } if broker == id);
        prop_assert!(check(&cordon("*"), &plan).iter().any(of_broker));
        if let Some(dir) = dir.filter(|dir| *dir != ANY_LOG_DIR) {
            let broken = check(&cordon(dir), &plan);
            let of_dir = |one: &Violation| {
                matches!(one, Violation::CordonedLogDir { log_dir, .. } if log_dir == dir)
            };
            prop_assert!(broken.iter().any(|one| of_dir(one) || of_broker(one)), "{broken:?}");
        }
        // Another tool's map with the same moves breaks the same guarantee.
        let map: Vec<_> = mapper::PlanFile::map(&plan);
        prop_assert!(check_map(&cordon("*"), &map, Ratio::ZERO).iter().any(of_broker));
    }

    #[test]
    fn evening_without_a_cordon_ends_no_less_evenly(shape in cordoned(shape()), even in balance::ask()) {
        let before = shape.snapshot();
        let free = before.without_cordons(|_| true);
        let asked = even.request(&shape);
        // The fullest disk counts for the goal storage. With free bytes or replicas as the goal, another broker may
        // count.
        let by_storage = asked.balance.by == Measure::PercentUsed
            && asked.balance.goals.first() == Some(&BalanceGoal::Storage);
        if !by_storage {
            return Ok(());
        }
        let request = Request::Rebalance(asked);
        if let (Ok(with), Ok(without)) = (plan(&before, &request), plan(&free, &request)) {
            let most = |plan: &Plan| plan.floor.as_ref().map(|floor| floor.max_used_ratio);
            let both = most(&with).zip(most(&without));
            let repaired = with.moves.iter().any(|change| change.reason != mapper::Reason::Balance);
            prop_assert!(repaired || both.is_none_or(|(with, without)| with >= without - 1e-6));
        }
    }
}
