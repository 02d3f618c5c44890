//! What producers write has to fit through.

use crate::support::*;
use mapper::{BrokerId, Bytes};
use throttle::{
    CopySeen, OverrideScope, RateFloor, RateOverride, RateReason, ReplicationRole,
    ThrottleDecision, ThrottleInputs, ThrottleNote,
};

fn brokers() -> Vec<(u32, throttle::BrokerSeen)> {
    (1..=4).map(|id| (id, broker(100, 80, 80))).collect()
}

/// The log of the leader is so many MB long.
fn grown(copy: CopySeen, megabytes: u64) -> CopySeen {
    CopySeen { leader_bytes: Some(Bytes(megabytes * MB)), ..copy }
}

fn rounds(copies: impl IntoIterator<Item = CopySeen>) -> Vec<ThrottleInputs> {
    let each = copies.into_iter().enumerate();
    each.map(|(n, copy)| at(60 * n as u64, seen(&brokers(), &[copy]))).collect()
}

fn floor(decision: &ThrottleDecision, broker: u32, role: ReplicationRole) -> RateFloor {
    of_port(decision, broker, role).floor
}

#[test]
fn a_leader_s_floor_counts_every_follower_of_what_it_feeds_and_a_follower_s_only_itself() {
    // 5 MB/s to one follower in sync and one to be filled, and to two of the latter.
    let copies = [written(copy(0, &[1, 2], &[3]), 5), written(copy(1, &[1], &[3, 4]), 5)];
    let decision = first(&seen(&brokers(), &copies), &limits());
    assert_eq!(
        floor(&decision, 1, ReplicationRole::Leader),
        RateFloor::Now { rate: megabytes(24) }
    );
    assert_eq!(
        floor(&decision, 3, ReplicationRole::Follower),
        RateFloor::Now { rate: megabytes(12) }
    );
    assert_eq!(
        floor(&decision, 4, ReplicationRole::Follower),
        RateFloor::Now { rate: megabytes(6) }
    );
    // Who only would lead counts nothing yet.
    assert_eq!(floor(&decision, 2, ReplicationRole::Leader), RateFloor::Now { rate: megabytes(0) });
}

#[test]
fn a_rate_is_never_below_its_floor_and_says_so_when_clients_pay() {
    let facts = seen(&brokers(), &[written(copy(0, &[1, 2], &[3]), 40)]);
    let decision = first(&facts, &limits());
    let leader = of_port(&decision, 1, ReplicationRole::Leader);
    assert_eq!((leader.rate, leader.why), (megabytes(96), RateReason::Floor));
    let note = ThrottleNote::FloorAboveHeadroom {
        broker: BrokerId(1),
        role: ReplicationRole::Leader,
        floor: megabytes(96),
        headroom: megabytes(40 + 18),
    };
    assert!(decision.notes.contains(&note), "{:?}", decision.notes);
}

#[test]
fn what_a_leader_sends_to_those_in_sync_comes_on_top_of_what_it_gives() {
    // 5 MB/s to one in sync; 18 are free at each end.
    let decision = first(&seen(&brokers(), &[written(copy(0, &[1, 2], &[3]), 5)]), &limits());
    assert_eq!(rate(&decision, 3, ReplicationRole::Follower), 18);
    assert_eq!(rate(&decision, 1, ReplicationRole::Leader), 18 + 5);
}

#[test]
fn the_growth_of_the_leader_s_log_is_what_producers_write() {
    let move_of = |size| grown(copy(0, &[1, 2], &[3]), size);
    let decision = last(rounds([move_of(6_000), move_of(6_600)]), &limits());
    assert_eq!(
        floor(&decision, 1, ReplicationRole::Leader),
        RateFloor::Now { rate: megabytes(24) }
    );
    assert_eq!(
        floor(&decision, 3, ReplicationRole::Follower),
        RateFloor::Now { rate: megabytes(12) }
    );
    let once = last(rounds([move_of(6_000)]), &limits());
    assert_eq!(floor(&once, 1, ReplicationRole::Leader), RateFloor::Never);
}

#[test]
fn a_floor_rises_at_once_and_sinks_slowly() {
    let move_of = |size| grown(copy(0, &[1], &[3]), size);
    let rising = last(rounds([0, 60, 660].map(move_of)), &limits());
    assert_eq!(
        floor(&rising, 3, ReplicationRole::Follower),
        RateFloor::Now { rate: megabytes(12) }
    );
    let sinking = last(rounds([0, 600, 660].map(move_of)), &limits());
    // From 10 a second to 1 with a slowness of 20 s: a quarter of the way is left after 60 s.
    assert_eq!(
        floor(&sinking, 3, ReplicationRole::Follower),
        RateFloor::Now { rate: mapper::Rate(3_900_000) }
    );
}

#[test]
fn a_log_that_shrinks_or_changes_hands_says_nothing_about_producers() {
    let move_of = |size| grown(copy(0, &[1, 2], &[3]), size);
    let shrunk = last(rounds([6_000, 6_600, 3_000].map(move_of)), &limits());
    assert_eq!(
        floor(&shrunk, 3, ReplicationRole::Follower),
        RateFloor::Now { rate: megabytes(12) }
    );
    let other = grown(copy(0, &[2, 1], &[3]), 9_000);
    let handed_over = last(rounds([move_of(6_000), move_of(6_600), other]), &limits());
    assert_eq!(
        floor(&handed_over, 3, ReplicationRole::Follower),
        RateFloor::Before { rate: megabytes(12) }
    );
}

#[test]
fn when_nothing_is_told_the_last_floor_holds() {
    let told = |size| grown(copy(0, &[1, 2], &[3]), size);
    let untold = copy(0, &[1, 2], &[3]);
    let decision = last(rounds([told(0), told(3_600), untold.clone(), untold]), &limits());
    assert_eq!(
        floor(&decision, 1, ReplicationRole::Leader),
        RateFloor::Before { rate: megabytes(144) }
    );
    assert_eq!(rate(&decision, 1, ReplicationRole::Leader), 144);
}

#[test]
fn a_heavy_partition_that_is_over_is_forgotten_though_others_begin_all_the_time() {
    let round = |n: u32| {
        let heavy = if n == 0 { 40 } else { 2 };
        let known = written(copy(0, &[1], &[3]), heavy);
        at(60 * u64::from(n), seen(&brokers(), &[known, copy(n + 1, &[1], &[3])]))
    };
    let floor = |rounds| {
        let floor = floor(&last((0..rounds).map(round), &limits()), 3, ReplicationRole::Follower);
        assert!(matches!(floor, RateFloor::Before { .. }));
        floor.rate().map(|rate| rate.0 / MB)
    };
    assert_eq!([1, 2, 3].map(floor), [48, 40, 34].map(Some));
    assert_eq!(floor(40), Some(2));
}

#[test]
fn an_override_is_raised_to_a_known_floor_and_both_numbers_are_told() {
    let mut facts = seen(&brokers(), &[written(copy(0, &[1, 2], &[3]), 5)]);
    facts.overrides.brokers.insert(BrokerId(1), asked(7));
    facts.overrides.global = Some(asked(8));
    let decision = first(&facts, &limits());
    let leader = of_port(&decision, 1, ReplicationRole::Leader);
    assert_eq!(leader.rate, megabytes(12));
    let scope = OverrideScope::Broker;
    assert_eq!(leader.why, RateReason::Override { scope, asked: megabytes(7) });
    let (broker, role) = (BrokerId(1), ReplicationRole::Leader);
    let raised =
        ThrottleNote::OverrideRaised { broker, role, asked: megabytes(7), floor: megabytes(12) };
    assert_eq!(decision.notes, [raised].into());
    // Above its floor the global one is taken as it is, though the least rate is higher.
    assert_eq!(rate(&decision, 3, ReplicationRole::Follower), 8);
}

#[test]
fn an_override_below_a_floor_that_nobody_knows_is_taken_as_it_is() {
    let mut facts = seen(&brokers(), &[copy(0, &[1], &[3])]);
    facts.overrides.global = Some(RateOverride { rate: mapper::Rate(1), autoremove: false });
    let decision = first(&facts, &limits());
    let rates: Vec<u64> = decision.rates.values().map(|decided| decided.rate.0).collect();
    assert_eq!(rates, [1, 1]);
    let note = |broker, role| ThrottleNote::OverrideAboveUnknownFloor {
        broker: BrokerId(broker),
        role,
        asked: mapper::Rate(1),
    };
    assert_eq!(
        decision.notes,
        [note(1, ReplicationRole::Leader), note(3, ReplicationRole::Follower)].into()
    );
}

#[test]
fn a_rate_that_stands_below_its_floor_is_raised_however_little_it_lacks() {
    let mut facts = seen(&brokers(), &[written(copy(0, &[1, 2], &[3]), 40)]);
    facts.applied.insert((BrokerId(1), ReplicationRole::Leader), megabytes(95));
    let decision = first(&facts, &limits());
    assert_eq!(of_port(&decision, 1, ReplicationRole::Leader).rate, megabytes(96));
    facts.applied.insert((BrokerId(1), ReplicationRole::Leader), megabytes(100));
    let kept = of_port(&first(&facts, &limits()), 1, ReplicationRole::Leader);
    assert_eq!((kept.rate, kept.kept), (megabytes(100), true));
}
