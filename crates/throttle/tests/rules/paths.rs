//! Sources, destinations, and what they leave each other.

use crate::support::*;
use mapper::{BrokerId, Bytes, Rate};
use throttle::{CopySeen, RateReason, ReplicationRole, ThrottleInputs};

#[test]
fn a_source_gives_as_much_as_its_destinations_can_take() {
    let brokers = [(1, broker(1000, 0, 0)), (3, broker(100, 0, 0)), (4, broker(100, 0, 80))];
    let decision = first(&seen(&brokers, &[copy(0, &[1], &[3]), copy(1, &[1], &[4])]), &limits());
    // And a tenth more, for it holds nothing back.
    assert_eq!(of_port(&decision, 1, ReplicationRole::Leader).rate, Rate(118_800_000));
    assert_eq!(of_port(&decision, 1, ReplicationRole::Leader).headroom, Some(megabytes(900)));
    assert_eq!(rate(&decision, 3, ReplicationRole::Follower), 90);
}

#[test]
fn two_sources_of_one_destination_share_it_and_the_rest_of_a_source_goes_elsewhere() {
    // 1 -> 3, 1 -> 4, 2 -> 4, each port with 90 to spare.
    let brokers = [1, 2, 3, 4].map(|id| (id, broker(100, 0, 0)));
    let copies = [copy(0, &[1], &[3]), copy(1, &[1], &[4]), copy(2, &[2], &[4])];
    let decision = first(&seen(&brokers, &copies), &limits());
    let of = |id, role| (rate(&decision, id, role), of_port(&decision, id, role).why);
    assert_eq!(of(1, ReplicationRole::Leader), (90, RateReason::Share));
    assert_eq!(of(4, ReplicationRole::Follower), (90, RateReason::Share));
    // 45, and a tenth more.
    assert_eq!(of(2, ReplicationRole::Leader), (49, RateReason::Share));
    assert_eq!(of(3, ReplicationRole::Follower), (49, RateReason::Share));
}

#[test]
fn many_partitions_between_two_brokers_are_one_path() {
    let brokers = [1, 3, 4].map(|id| (id, broker(100, 0, 0)));
    let mut copies: Vec<CopySeen> = (0..9).map(|n| copy(n, &[1], &[3])).collect();
    copies.push(copy(9, &[1], &[4]));
    let decision = first(&seen(&brokers, &copies), &limits());
    assert_eq!([3, 4].map(|id| rate(&decision, id, ReplicationRole::Follower)), [49, 49]);
}

#[test]
fn what_producers_write_goes_first_and_then_all_come_on_alike() {
    // 90 to spare: 24 of them for what is written to what 3 gets, and half of the rest to each.
    let brokers = [(1, broker(100, 0, 0)), (3, broker(500, 0, 0)), (4, broker(500, 0, 0))];
    let copies = [written(copy(0, &[1], &[3]), 20), written(copy(1, &[1], &[4]), 0)];
    let decision = first(&seen(&brokers, &copies), &limits());
    let followers = [3, 4].map(|id| of_port(&decision, id, ReplicationRole::Follower).rate);
    // And a tenth for the wider end.
    assert_eq!(followers, [24 + 33, 33].map(|share| Rate(share * MB * 11 / 10)));
}

#[test]
fn an_override_at_one_end_leaves_the_rest_to_the_others() {
    let brokers = [1, 3, 4].map(|id| (id, broker(100, 0, 0)));
    let mut facts = seen(&brokers, &[copy(0, &[1], &[3]), copy(1, &[1], &[4])]);
    facts.overrides.brokers.insert(BrokerId(3), asked(5));
    let decision = first(&facts, &limits());
    assert_eq!([3, 4].map(|id| rate(&decision, id, ReplicationRole::Follower)), [5, 90]);
    assert_eq!(rate(&decision, 1, ReplicationRole::Leader), 90);
}

#[test]
fn a_destination_that_is_away_takes_nothing_from_the_others() {
    let mut brokers = [1, 3, 4].map(|id| (id, broker(100, 0, 0)));
    brokers[1].1.live = false;
    let facts = seen(&brokers, &[copy(0, &[1], &[3]), copy(1, &[1], &[4])]);
    let decision = first(&facts, &limits());
    assert_eq!(rate(&decision, 4, ReplicationRole::Follower), 90);
    assert_eq!(of_port(&decision, 3, ReplicationRole::Follower).why, RateReason::NotLive);
}

/// One source with 90 to spare, two destinations that got so many MB a second each.
fn used(rounds: u64, three: u64, four: u64) -> Vec<ThrottleInputs> {
    let brokers = |n: u64| {
        let sent = if n == 0 { 0 } else { three + four };
        [(1, broker(100, sent, 0)), (3, broker(100, 0, three)), (4, broker(100, 0, four))]
    };
    let copy_to = |n: u64, partition, to, speed: u64| {
        let mut copy = copy(partition, &[1], &[to]);
        copy.destinations[0].done = Some(Bytes(60 * n * speed * MB));
        copy
    };
    let round = |n| {
        let copies = [copy_to(n, 0, 3, three), copy_to(n, 1, 4, four)];
        at(60 * n, seen(&brokers(n), &copies))
    };
    (0..rounds).map(round).collect()
}

#[test]
fn what_one_path_does_not_use_goes_to_the_other() {
    let decision = last(used(6, 5, 44), &limits());
    // Four times what it used is left to it, and a tenth to each.
    assert_eq!(rate(&decision, 3, ReplicationRole::Follower), 22);
    assert_eq!(rate(&decision, 4, ReplicationRole::Follower), 77);
}

#[test]
fn what_nobody_else_can_use_stays_with_a_slow_path() {
    let decision = last(used(6, 2, 3), &limits());
    assert_eq!([3, 4].map(|id| rate(&decision, id, ReplicationRole::Follower)), [48, 50]);
}

#[test]
fn a_path_that_uses_half_of_its_share_keeps_it() {
    let decision = last(used(6, 22, 44), &limits());
    assert_eq!([3, 4].map(|id| rate(&decision, id, ReplicationRole::Follower)), [49, 49]);
}
