//! Executions of plans in a fluid model, with the executor's own decisions, against bounds that no order can better.

mod cluster;
mod fluid;
mod run;

use cluster::{Case, M, S, Size, planned};
use mapper::Rate;
use run::{Order, Run};

/// The least time that a plan takes, in seconds.
const LEAST_SECONDS: u64 = 3_600;

/// Time and exposure of one order, as multiples of the bounds.
fn ratios(size: Size, case: Case, order: Order) -> (f64, f64) {
    let (snapshot, plan) = planned(size, case);
    let (moves, steps) = (plan.moves.len(), plan.steps.len());
    let start = Run::of(&snapshot, plan.clone(), Rate(1));
    let bounds = start.bounds();
    let rate = Rate(bounds.busiest.0 / LEAST_SECONDS);
    let mut run = Run::of(&snapshot, plan, rate);
    let said = run.said();
    run.ends(order);
    let (last, sum) = run.figures();
    let seconds = |bytes: f64| bytes / rate.0 as f64;
    let (least, urgent_first) = (seconds(bounds.exposure as f64), seconds(start.urgent_first()));
    let (time, exposure) = (last / LEAST_SECONDS as f64, sum / least);
    println!(
        "{size:?} {case:?} {order:?}: {moves} moves in {steps} steps, time {time:.3}, exposure {exposure:.3}, \
         {:.3} with the urgent first; said {said:.0?}, done {:.0?}",
        sum / urgent_first,
        run.seen_done(),
    );
    if order == Order::Ours {
        let shares = said.iter().zip(run.seen_done()).map(|(said, seen)| (said / seen - 1.0).abs());
        let shares: Vec<f64> = shares.collect();
        assert!(shares[2] < 0.1, "{case:?}: the end was not as said");
        let heals = matches!(case, Case::Lost(_) | Case::RackLost);
        assert!(!heals || shares.iter().all(|share| *share < 0.15), "{case:?}: {shares:.2?}");
    }
    (time, exposure)
}

/// The executor's order stays within these multiples of the bounds.
fn stays_within(size: Size, case: Case, (most_time, most_exposure): (f64, f64)) {
    let (time, exposure) = ratios(size, case, Order::Ours);
    assert!(time <= most_time, "{case:?}: {time:.3} times the least time");
    assert!(exposure <= most_exposure, "{case:?}: {exposure:.3} times the least exposure");
}

#[test]
fn a_small_cluster_is_healed_in_half_the_exposure_of_all_moves_at_once() {
    stays_within(S, Case::Lost(1), (1.01, 1.03));
    let (time, exposure) = ratios(S, Case::Lost(1), Order::AsPlanned);
    assert!(time >= 1.0 && exposure > 1.9, "{exposure:.3}");
}

/// Partitions with one replica left go first, which the bound does not know.
#[test]
fn what_is_urgent_comes_first_and_no_port_is_idle() {
    stays_within(S, Case::Lost(2), (1.02, 2.0));
    stays_within(S, Case::RackLost, (1.03, 1.25));
}

/// Nothing lacks replicas; "exposure" is the sum of the times until each move is done.
#[test]
fn evenness_comes_early() {
    stays_within(S, Case::Uneven, (1.03, 1.6));
    stays_within(S, Case::New(1), (1.03, 1.1));
    stays_within(S, Case::New(6), (1.03, 1.4));
    stays_within(M, Case::Uneven, (1.03, 1.5));
    stays_within(M, Case::New(1), (1.03, 1.3));
    // All moves at once need 1.05 times the least time.
    stays_within(M, Case::New(6), (1.09, 2.0));
}

#[test]
fn a_cluster_of_medium_size_is_healed_in_about_the_least_time() {
    stays_within(M, Case::Lost(1), (1.02, 1.08));
}
