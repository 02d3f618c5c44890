//! Who is paced.

use crate::support::*;
use mapper::{BrokerId, PartitionId};
use throttle::{
    CopySeen, RateOverride, ReplicationRole, ThrottleDecision, ThrottleInputs, ThrottleNote,
    WhyNotThrottled,
};

fn brokers() -> Vec<(u32, throttle::BrokerSeen)> {
    (1..=4).map(|id| (id, broker(100, 10, 10))).collect()
}

fn decided(copy: CopySeen) -> ThrottleDecision {
    first(&seen(&brokers(), &[copy]), &limits())
}

#[test]
fn a_wiped_broker_is_filled_at_a_pace_though_no_reassignment_runs() {
    let decision = decided(behind(0, &[1, 2], 3, 2_000));
    assert_eq!(decision.lists["events"].followers, [(PartitionId(0), BrokerId(3))].into());
    let sources: Vec<_> =
        decision.rates.keys().filter(|(_, role)| *role == ReplicationRole::Leader).collect();
    assert_eq!(
        sources,
        [&(BrokerId(1), ReplicationRole::Leader), &(BrokerId(2), ReplicationRole::Leader)]
    );
}

#[test]
fn what_lacks_little_is_left_to_catch_up() {
    assert_eq!(decided(behind(0, &[1, 2], 3, 1_000)), ThrottleDecision::default());
    let unpaced = limits_with(|terms| terms.pace_recovery = false);
    let seen = seen(&brokers(), &[behind(0, &[1, 2], 3, 2_000)]);
    assert_eq!(first(&seen, &unpaced), ThrottleDecision::default());
}

#[test]
fn what_has_not_told_its_size_may_lack_everything() {
    let mut copy = behind(0, &[1, 2], 3, 2_000);
    copy.destinations[0].done = None;
    assert_eq!(decided(copy.clone()).lists.len(), 1);
    copy.leader_bytes = None;
    assert_eq!(decided(copy).lists.len(), 1);
}

#[test]
fn partitions_in_danger_are_filled_first_and_unpaced() {
    let under = CopySeen { min_insync: Some(3), ..behind(0, &[1, 2], 3, 2_000) };
    let last = behind(1, &[1], 3, 2_000);
    let facts = seen(&brokers(), &[under, last]);
    let decision = first(&facts, &limits());
    assert_eq!((decision.lists.len(), decision.rates.len()), (0, 0));
    let notes = [(0, WhyNotThrottled::UnderMinIsr), (1, WhyNotThrottled::LastInSync)]
        .map(|(partition, why)| ThrottleNote::Unpaced { of: of(partition), why });
    assert_eq!(decision.notes, notes.into());
    let all = first(&facts, &limits_with(|terms| terms.pace_all = true));
    assert_eq!((all.lists["events"].followers.len(), all.notes.len()), (2, 0));
}

#[test]
fn a_broker_s_own_override_does_not_hold_back_what_goes_first() {
    let mut facts = seen(&brokers(), &[behind(1, &[1], 3, 2_000)]);
    facts.overrides.brokers.insert(BrokerId(3), asked(5));
    let held = [PartitionId(1), PartitionId(2)].into();
    facts.hosted.insert(BrokerId(3), [("events".to_owned(), held)].into());
    let decision = first(&facts, &limits());
    assert_eq!(decision.lists["events"].followers, [(PartitionId(2), BrokerId(3))].into());
}

#[test]
fn a_reassignment_is_paced_however_few_are_in_sync() {
    let alone = CopySeen { min_insync: Some(2), ..copy(0, &[1], &[3]) };
    let decision = decided(alone);
    assert_eq!(decision.lists["events"].followers.len(), 1);
    assert!(!decision.notes.iter().any(|note| matches!(note, ThrottleNote::Unpaced { .. })));
}

#[test]
fn a_broker_that_is_away_has_its_pace_in_a_reassignment_and_waits_in_a_recovery() {
    let mut brokers = brokers();
    brokers[2].1.live = false;
    let moving = first(&seen(&brokers, &[copy(0, &[1, 2], &[3])]), &limits());
    assert_eq!(rate(&moving, 3, ReplicationRole::Follower), 10);
    let recovering = first(&seen(&brokers, &[behind(0, &[1, 2], 3, 2_000)]), &limits());
    assert_eq!(recovering, ThrottleDecision::default());
}

#[test]
fn without_a_leader_nothing_is_fed_and_a_note_says_so() {
    let orphan = CopySeen { leader: None, ..copy(0, &[], &[3]) };
    let decision = decided(orphan);
    assert_eq!(decision.notes, [ThrottleNote::NoLeader { of: of(0) }].into());
    assert!(decision.lists["events"].leaders.is_empty());
    assert_eq!(decision.lists["events"].followers.len(), 1);
}

#[test]
fn a_broker_that_has_finished_is_named_no_more() {
    let both = seen(&brokers(), &[copy(0, &[1, 2], &[3]), copy(1, &[1, 2], &[4])]);
    let one = at(60, seen(&brokers(), &[copy(0, &[1, 2], &[3])]));
    let decision = last([both, one], &limits());
    assert!(!decision.rates.contains_key(&(BrokerId(4), ReplicationRole::Follower)));
    assert!(decision.rates.contains_key(&(BrokerId(3), ReplicationRole::Follower)));
}

#[test]
fn a_global_override_ends_with_what_it_paced_and_not_before() {
    let global = Some(RateOverride { autoremove: true, ..asked(30) });
    let with = |seen: ThrottleInputs| {
        let mut seen = seen;
        seen.overrides.global = global;
        seen
    };
    let idle = |seconds| with(at(seconds, seen(&brokers(), &[])));
    let moving = with(at(60, seen(&brokers(), &[copy(0, &[1, 2], &[3])])));
    assert!(!last([idle(0)], &limits()).global_override_is_over);
    assert!(!last([idle(0), moving.clone()], &limits()).global_override_is_over);
    assert!(last([idle(0), moving.clone(), idle(120)], &limits()).global_override_is_over);
    assert!(last([moving, idle(120), idle(180)], &limits()).global_override_is_over);
}

#[test]
fn a_brokers_override_that_is_to_end_ends_with_what_it_paced_and_paces_nothing_else() {
    let own = RateOverride { autoremove: true, ..asked(30) };
    let with = |mut seen: ThrottleInputs| {
        seen.overrides.brokers = [(BrokerId(3), own), (BrokerId(1), asked(40))].into();
        for id in [1, 3] {
            let topics = [("orders".to_owned(), [PartitionId(0)].into())].into();
            seen.hosted.insert(BrokerId(id), topics);
        }
        seen
    };
    let idle = |seconds| with(at(seconds, seen(&brokers(), &[])));
    let moving = |seconds| with(at(seconds, seen(&brokers(), &[copy(0, &[1, 2], &[3])])));
    let over = |rounds: &[ThrottleInputs]| last(rounds.to_vec(), &limits()).broker_overrides_over;
    assert_eq!(over(&[idle(0)]), [].into(), "it has paced nothing yet");
    assert_eq!(over(&[idle(0), moving(60)]), [].into());
    assert_eq!(over(&[moving(0), idle(60)]), [BrokerId(3)].into());
    assert_eq!(over(&[moving(0), idle(60), idle(120)]), [BrokerId(3)].into(), "until it is gone");
    let paced = last([idle(0)], &limits());
    let at_rest = paced.rates.keys().map(|(broker, _)| *broker);
    assert_eq!(at_rest.collect::<Vec<_>>(), [BrokerId(1)], "what stays paces also what may come");
    let paced = last([moving(0)], &limits());
    assert_eq!(paced.rates[&(BrokerId(3), ReplicationRole::Follower)].rate, own.rate);
}

#[test]
fn the_order_of_the_copies_does_not_count() {
    let copies = [copy(0, &[1, 2], &[3]), behind(1, &[2, 1], 4, 5_000), copy(2, &[3], &[1])];
    let backwards: Vec<CopySeen> = copies.iter().rev().cloned().collect();
    let (there, back) = (seen(&brokers(), &copies), seen(&brokers(), &backwards));
    assert_eq!(first(&there, &limits()), first(&back, &limits()));
}
