//! What happens when something is missing: always something, and only there.

use crate::support::*;
use mapper::{BrokerId, Rate};
use throttle::{
    Fallback, RateReason, ReplicationRole, ThrottleDecision, ThrottleInputs, ThrottleNote,
};

/// Two brokers to be filled from one; the metrics of broker 3 are missing in some rounds.
fn rounds(missing: &[bool]) -> Vec<ThrottleInputs> {
    let one = |(n, missing): (usize, &bool)| {
        let mut brokers =
            [(1, broker(200, 20, 0)), (3, broker(100, 0, 20)), (4, broker(100, 0, 20))];
        if *missing {
            brokers[1].1.traffic = None;
        }
        at(60 * n as u64, seen(&brokers, &[copy(0, &[1], &[3]), copy(1, &[1], &[4])]))
    };
    missing.iter().enumerate().map(one).collect()
}

fn of_three(decision: &ThrottleDecision) -> (u64, RateReason) {
    let decided = of_port(decision, 3, ReplicationRole::Follower);
    (decided.rate.0 / MB, decided.why)
}

fn note(rounds: u32, fallback: Fallback) -> ThrottleNote {
    ThrottleNote::MetricsMissing { broker: BrokerId(3), rounds, fallback }
}

#[test]
fn a_broker_keeps_its_rate_for_a_while_and_then_gets_the_least() {
    let limits = limits_with(|terms| terms.failure_threshold = 2);
    let after = |missing: &[bool]| last(rounds(missing), &limits);
    assert_eq!(of_three(&after(&[false])), (72, RateReason::Share));
    let second = after(&[false, true, true]);
    assert_eq!(of_three(&second), (72, RateReason::MetricsMissing));
    assert_eq!(second.notes, [note(2, Fallback::RateBefore)].into());
    let third = after(&[false, true, true, true]);
    assert_eq!(of_three(&third), (10, RateReason::MetricsLost));
    assert_eq!(third.notes, [note(3, Fallback::MinRate)].into());
    assert_eq!(of_three(&after(&[false, true, true, true, false])), (72, RateReason::Share));
    assert_eq!(of_three(&after(&[false, true, false, true, true])).1, RateReason::MetricsMissing);
}

#[test]
fn the_others_go_on_meanwhile_and_take_over_what_it_leaves() {
    let whole = last(rounds(&[false]), &limits());
    let lost = last(rounds(&[false, true, true]), &limits());
    for decision in [&whole, &lost] {
        assert_eq!(rate(decision, 4, ReplicationRole::Follower), 72);
    }
    // What they take, and a tenth more.
    assert_eq!(of_port(&whole, 1, ReplicationRole::Leader).rate, Rate(158_400_000));
    assert_eq!(of_port(&lost, 1, ReplicationRole::Leader).rate, Rate(90_200_000));
}

#[test]
fn a_broker_that_never_had_a_rate_gets_the_least() {
    let decision = last(rounds(&[true]), &limits());
    assert_eq!(of_three(&decision), (10, RateReason::MetricsLost));
    assert_eq!(decision.notes, [note(1, Fallback::MinRate)].into());
}

#[test]
fn a_daemon_that_takes_over_keeps_what_stands() {
    let mut facts = rounds(&[true]).remove(0);
    facts.applied.insert((BrokerId(3), ReplicationRole::Follower), megabytes(44));
    assert_eq!(of_three(&first(&facts, &limits())), (44, RateReason::MetricsMissing));
}

#[test]
fn what_others_set_meanwhile_is_not_kept_nor_what_no_network_can_carry() {
    let three = (BrokerId(3), ReplicationRole::Follower);
    let mut facts = rounds(&[false, true]);
    facts[1].applied.insert(three, megabytes(5_000));
    assert_eq!(of_three(&last(facts.clone(), &limits())), (72, RateReason::MetricsMissing));
    assert_eq!(of_three(&first(&facts[1], &limits())), (90, RateReason::MetricsMissing));
}

#[test]
fn nothing_at_all_is_known_and_everything_gets_the_least_rate() {
    let facts = ThrottleInputs { copies: vec![copy(0, &[1], &[3])], ..ThrottleInputs::default() };
    let decision = first(&facts, &limits());
    let all: Vec<_> = decision.rates.values().map(|d| (d.rate, d.why)).collect();
    assert_eq!(all, [(megabytes(10), RateReason::NotLive); 2]);
}

#[test]
fn a_clock_that_goes_back_only_means_that_nothing_is_measured() {
    let facts = |seconds| at(seconds, rounds(&[false]).remove(0));
    let decision = last([facts(1_000), facts(10), facts(20)], &limits());
    assert_eq!(of_three(&decision), (72, RateReason::Share));
}
