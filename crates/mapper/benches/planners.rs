//! The inner loops of planning, each by the planner that spends its time there: 5,000 partitions on 30 brokers in 3 racks.
//! `cargo bench -p mappr-mapper [NAME]`; whole processes are measured by `cargo xtask bench`.

#![expect(clippy::unwrap_used, reason = "what has no plan is not to be measured")]

extern crate mappr_mapper as mapper;

mod uneven;

use divan::{Bencher, black_box};
use mapper::{
    Assignment, Balance, BalanceGoal, BrokerId, Engine, LeadBy, Leaders, PlaceBy, PlanFile,
    PlanTerms, Ratio, Rebalance, Rebuild, Snapshot, TopicSelection, check, leaders, rebalance,
    rebuild,
};
use std::io;
use uneven::{cluster, rack};

fn main() {
    divan::main();
}

/// Every topic, on every live broker.
fn terms(snapshot: &Snapshot) -> PlanTerms {
    let live = snapshot.brokers().iter().filter(|broker| broker.live);
    let brokers = live.map(|broker| broker.id).collect();
    PlanTerms::new(vec![Assignment::new(TopicSelection::Rest, brokers)], Ratio::from_percent(10))
}

fn rebuilding(snapshot: &Snapshot) -> Rebuild {
    Rebuild::new(terms(snapshot), PlaceBy::Storage)
}

fn rebalancing(snapshot: &Snapshot, goals: &[BalanceGoal]) -> Rebalance {
    let balance =
        Balance { goals: goals.to_vec(), solver: Engine::Heuristic, ..Balance::default() };
    Rebalance::new(terms(snapshot), balance)
}

/// `place`, `queues`, `constraints`: a third of all seats are filled.
#[divan::bench]
fn fill_the_seats_of_a_lost_rack(bencher: Bencher<'_, '_>) {
    let snapshot = cluster().without_live(&rack(0));
    let request = rebuilding(&snapshot);
    bencher.bench_local(|| rebuild(black_box(&snapshot), &request).unwrap());
}

/// The same with one of thirty brokers lost: what is looked at, rather than what is filled.
#[divan::bench]
fn find_the_seats_of_a_lost_broker(bencher: Bencher<'_, '_>) {
    let snapshot = cluster().without_live(&[BrokerId(1001)].into());
    let request = rebuilding(&snapshot);
    bencher.bench_local(|| rebuild(black_box(&snapshot), &request).unwrap());
}

/// `place` with every seat empty.
#[divan::bench]
fn place_everything_anew(bencher: Bencher<'_, '_>) {
    let snapshot = cluster();
    let request = Rebuild { force: true, ..rebuilding(&snapshot) };
    bencher.bench_local(|| rebuild(black_box(&snapshot), &request).unwrap());
}

/// `balance`: shares, pouring, settling, trimming, the bound.
#[divan::bench]
fn even_storage(bencher: Bencher<'_, '_>) {
    let snapshot = cluster();
    let request = rebalancing(&snapshot, &[BalanceGoal::Storage]);
    bencher.bench_local(|| rebalance(black_box(&snapshot), &request).unwrap());
}

/// The same with goals inside the bands of others.
#[divan::bench]
fn even_storage_replicas_and_leaders(bencher: Bencher<'_, '_>) {
    let snapshot = cluster();
    let request = rebalancing(
        &snapshot,
        &[BalanceGoal::Storage, BalanceGoal::Replicas, BalanceGoal::Leaders],
    );
    bencher.bench_local(|| rebalance(black_box(&snapshot), &request).unwrap());
}

/// `leaders::flow`, `leaders::web`: the exact answer with the fewest changes.
#[divan::bench]
fn even_leaders(bencher: Bencher<'_, '_>) {
    let snapshot = cluster();
    let request = Leaders {
        terms: terms(&snapshot),
        by: LeadBy::Count,
        per_topic: false,
        evacuate: [].into(),
    };
    bencher.bench_local(|| leaders(black_box(&snapshot), &request).unwrap());
}

/// `steps`: everything moves, and no broker takes part in more than two moves at a time.
#[divan::bench]
fn cut_into_many_steps(bencher: Bencher<'_, '_>) {
    let snapshot = cluster().without_live(&rack(0));
    let mut request = rebuilding(&snapshot);
    request.terms.pacing.max_moves_per_broker = Some(2);
    bencher.bench_local(|| rebuild(black_box(&snapshot), &request).unwrap());
}

/// `check`, the second opinion.
#[divan::bench]
fn judge_a_plan(bencher: Bencher<'_, '_>) {
    let snapshot = cluster().without_live(&rack(0));
    let plan = rebuild(&snapshot, &rebuilding(&snapshot)).unwrap();
    bencher.bench_local(|| check(black_box(&snapshot), &plan));
}

/// `snapshot::wire`.
#[divan::bench]
fn read_a_snapshot(bencher: Bencher<'_, '_>) {
    let mut text = Vec::new();
    cluster().write_json(&mut text).unwrap();
    bencher.bench_local(|| Snapshot::from_json(black_box(&text)).unwrap());
}

/// `snapshot::hash`.
#[divan::bench]
fn hash_a_snapshot(bencher: Bencher<'_, '_>) {
    let snapshot = cluster();
    bencher.bench_local(|| black_box(&snapshot).hash());
}

/// `plan_file`.
#[divan::bench]
fn write_a_plan_down(bencher: Bencher<'_, '_>) {
    let snapshot = cluster().without_live(&rack(0));
    let plan = PlanFile::of(rebuild(&snapshot, &rebuilding(&snapshot)).unwrap());
    bencher.bench_local(|| plan.write_json(&mut io::sink()).unwrap());
}
