//! Properties of every refusal: its remedies help, and each rule of the clash is needed for it.

use crate::clusters::{ask, crowded};
use crate::config;
use mapper::{
    Balance, Bytes, Clash, ClashRule, NoPlan, Plan, RackRule, Ratio, Replace, Request, Scale,
    Snapshot, TopicSelection, clash, plan,
};
use proptest::prelude::*;
use proptest::test_runner::Config;

/// Each refusal is planned again about fifty times, and some with exact answers.
fn fewer() -> Config {
    let config = config();
    Config { cases: config.cases / 8, ..config }
}

fn holds(before: &Snapshot, request: &Request) -> Result<(), TestCaseError> {
    let Err(why) = plan(before, request) else { return Ok(()) };
    let Clash { rules, minimal, remedies, untried } = clash(before, request, &why);
    prop_assert!(minimal && untried == 0);
    for remedy in &remedies {
        let (snapshot, request) = remedy.applied(before, request);
        let planned = plan(&snapshot, &request);
        prop_assert!(planned.is_ok(), "{remedy:?}: {:?}", planned.err());
        prop_assert_eq!(mapper::check(&snapshot, &planned.unwrap()), []);
    }
    // All rules together clash, even if everything else is given up. Without any one of them, they do not.
    let all = clash_of_all(before, request, &rules, None);
    prop_assert!(rules.is_empty() || all.is_err(), "{rules:?} do not clash");
    for rule in &rules {
        let without = clash_of_all(before, request, &rules, Some(rule));
        prop_assert!(without.is_ok(), "{rules:?} without {rule:?}: {:?}", without.err());
    }
    Ok(())
}

/// The plan without all rules except those that clash, and without one of these (`except`).
fn clash_of_all(
    before: &Snapshot,
    request: &Request,
    rules: &[ClashRule],
    except: Option<&ClashRule>,
) -> Result<Plan, NoPlan> {
    let kept = |rule: &ClashRule| rules.contains(rule) && Some(rule) != except;
    let (mut snapshot, mut asked) = (before.clone(), request.clone());
    for rule in ClashRule::of(before, request).iter().filter(|rule| !kept(rule)) {
        (snapshot, asked) = rule.dropped(&snapshot, &asked);
    }
    plan(&snapshot, &asked)
}

proptest! {
    #![proptest_config(fewer())]

    #[test]
    fn every_remedy_of_a_rebuild_gives_a_plan(shape in crowded(), ask in ask()) {
        holds(&shape.snapshot(), &Request::Rebuild(ask.request(&shape)))?;
    }

    #[test]
    fn every_remedy_of_an_evening_gives_a_plan(shape in crowded(), ask in ask(), limit in 0_u64..3_000) {
        let balance = Balance {
            max_bytes_moved: Some(Bytes(limit)),
            drain: shape.live().into_iter().take(1).collect(),
            ..Balance::default()
        };
        let terms = ask.request(&shape).terms;
        holds(&shape.snapshot(), &Request::Scale(Scale { terms, balance }))?;
    }

    #[test]
    fn every_remedy_of_a_replacement_gives_a_plan(shape in crowded()) {
        let ids = shape.ids();
        let request = Replace::new(
            TopicSelection::Rest, ids[0], ids[ids.len() - 1], RackRule::Spread, Ratio::from_percent(10),
        );
        holds(&shape.snapshot(), &Request::Replace(request))?;
    }
}
