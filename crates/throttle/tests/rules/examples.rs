//! The examples that operators of kafka-kit's autothrottle know.

use crate::support::*;
use mapper::{BrokerId, PartitionId, Rate, Ratio};
use std::collections::BTreeSet;
use throttle::{RateReason, ReplicationRole, ThrottleInputs, ThrottleNote};

fn of_topic(entries: &[(u32, u32)]) -> BTreeSet<(PartitionId, BrokerId)> {
    entries.iter().map(|(partition, broker)| (PartitionId(*partition), BrokerId(*broker))).collect()
}

/// Two partitions, two leaders, three brokers to be filled, one of them for two.
fn reassignment() -> ThrottleInputs {
    let brokers = [
        (1000, broker(200, 80, 80)),
        (1002, broker(200, 80, 80)),
        (1003, broker(200, 80, 80)),
        (1005, broker(200, 80, 180)),
        (1010, broker(200, 80, 120)),
    ];
    let copies = [copy(0, &[1000, 1002], &[1003]), copy(1, &[1002, 1003], &[1005, 1010])];
    let applied = [((BrokerId(1000), ReplicationRole::Leader), megabytes(20))].into();
    ThrottleInputs { applied, ..seen(&brokers, &copies) }
}

#[test]
fn one_port_follows_the_known_formula_from_its_traffic_and_the_rate_before() {
    for (percent, expected) in [(80, [24, 72, 40, 10]), (60, [18, 54, 30, 10])] {
        let limits = formula(|terms| {
            terms.max_tx = Ratio::from_percent(percent);
            terms.change_threshold = Ratio::ZERO;
        });
        for ((util, before), expected) in
            [(70, 0), (80, 70), (110, 70), (200, 70)].into_iter().zip(expected)
        {
            let brokers = [(1, broker(100, util, 0)), (2, broker(100, 0, 0))];
            let mut seen = seen(&brokers, &[copy(0, &[1], &[2])]);
            if before > 0 {
                seen.applied.insert((BrokerId(1), ReplicationRole::Leader), megabytes(before));
            }
            let wanted = first(&seen, &limits);
            assert_eq!(
                rate(&wanted, 1, ReplicationRole::Leader),
                expected,
                "{percent} % of {util}, {before}"
            );
        }
    }
}

#[test]
fn a_reassignment_gets_the_rates_of_the_known_formula() {
    let limits = formula(|terms| {
        terms.max_rx = Ratio::from_percent(80);
        terms.min_rate = megabytes(20);
    });
    let decision = first(&reassignment(), &limits);
    let leaders = [1000, 1002].map(|id| rate(&decision, id, ReplicationRole::Leader));
    assert_eq!(leaders, [126, 108]);
    let followers = [1003, 1005, 1010].map(|id| rate(&decision, id, ReplicationRole::Follower));
    assert_eq!(followers, [96, 20, 64]);
    assert_eq!(of_port(&decision, 1005, ReplicationRole::Follower).why, RateReason::MinRate);
    // Beyond the known answer only 1003 has a rate as a leader: it leads partition 1 at once when 1002 fails.
    let standby = of_port(&decision, 1003, ReplicationRole::Leader);
    assert_eq!((standby.why, standby.rate), (RateReason::Standby, megabytes(108)));
    assert_eq!(decision.rates.len(), 6);
}

#[test]
fn followers_are_listed_while_they_are_filled_and_leaders_with_their_successors() {
    let lists = first(&reassignment(), &limits()).lists;
    assert_eq!(lists.keys().collect::<Vec<_>>(), ["events"]);
    assert_eq!(lists["events"].followers, of_topic(&[(0, 1003), (1, 1005), (1, 1010)]));
    // The known list holds the first of each; the others are in sync and may lead before the next round.
    assert_eq!(lists["events"].leaders, of_topic(&[(0, 1000), (0, 1002), (1, 1002), (1, 1003)]));
}

#[test]
fn an_override_of_a_broker_that_fills_nothing_lists_what_it_holds_as_followers() {
    let mut seen = reassignment();
    seen.brokers.insert(BrokerId(1001), broker(200, 80, 80));
    for id in [1001, 1003] {
        seen.overrides.brokers.insert(BrokerId(id), asked(50));
        let hosted = [("other".to_owned(), [PartitionId(4)].into())].into();
        seen.hosted.insert(BrokerId(id), hosted);
    }
    let decision = first(&seen, &limits());
    assert_eq!(decision.lists["other"].followers, of_topic(&[(4, 1001)]));
    assert_eq!(decision.lists["other"].leaders, of_topic(&[]));
    assert_eq!(rate(&decision, 1001, ReplicationRole::Follower), 50);
    assert!(!decision.rates.contains_key(&(BrokerId(1001), ReplicationRole::Leader)));
    assert_eq!(rate(&decision, 1003, ReplicationRole::Follower), 50);
}

#[test]
fn one_broker_of_unknown_capacity_gets_the_least_rate_and_the_others_go_on() {
    let mut seen = reassignment();
    seen.brokers.get_mut(&BrokerId(1003)).unwrap().capacity = None;
    let decision = first(&seen, &formula(|_| {}));
    let unknown = of_port(&decision, 1003, ReplicationRole::Follower);
    assert_eq!((unknown.why, unknown.rate), (RateReason::CapacityUnknown, megabytes(10)));
    assert_eq!(unknown.headroom, None);
    assert_eq!(rate(&decision, 1000, ReplicationRole::Leader), 126);
    assert_eq!(rate(&decision, 1010, ReplicationRole::Follower), 72);
    assert_eq!(decision.notes, [ThrottleNote::UnknownCapacity { broker: BrokerId(1003) }].into());
    assert_eq!(decision.rates[&(BrokerId(1002), ReplicationRole::Leader)].rate, Rate(108 * MB));
}
