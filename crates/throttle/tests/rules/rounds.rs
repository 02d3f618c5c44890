//! What one round leaves to the next.

use crate::support::*;
use mapper::{BrokerId, Bytes, Ratio};
use std::time::Duration;
use throttle::{
    BrokerHealth, CopySeen, HealthLimits, ReplicationRole, ThrottleDecision, ThrottleInputs,
    ThrottleLimits, ThrottleMemory, ThrottleNote, WhyIll, decide,
};

fn brokers(rx: u64) -> [(u32, throttle::BrokerSeen); 3] {
    [(1, broker(100, 0, 0)), (2, broker(100, 0, 0)), (3, broker(100, 0, rx))]
}

fn standing(rate: u64, rx: u64) -> ThrottleInputs {
    let mut facts = seen(&brokers(rx), &[copy(0, &[1], &[3])]);
    for at in [(BrokerId(1), ReplicationRole::Leader), (BrokerId(3), ReplicationRole::Follower)] {
        facts.applied.insert(at, megabytes(rate));
    }
    facts
}

#[test]
fn a_small_change_is_not_written() {
    // 90 pass, of which the throttle allowed 80: 90 % of the other 90 against 80.
    let decision = first(&standing(80, 90), &limits());
    let decided = of_port(&decision, 3, ReplicationRole::Follower);
    assert_eq!((decided.rate, decided.kept), (megabytes(80), true));
    let exact = limits_with(|terms| terms.change_threshold = Ratio::ZERO);
    let decided = of_port(&first(&standing(80, 90), &exact), 3, ReplicationRole::Follower);
    assert_eq!((decided.rate, decided.kept), (megabytes(81), false));
    let decided = of_port(&first(&standing(40, 80), &limits()), 3, ReplicationRole::Follower);
    assert_eq!((decided.rate, decided.kept), (megabytes(54), false));
}

#[test]
fn what_is_asked_for_is_written_to_the_byte() {
    let mut facts = standing(80, 90);
    facts.overrides.global = Some(asked(81));
    assert_eq!(rate(&first(&facts, &limits()), 3, ReplicationRole::Follower), 81);
}

fn still(seconds: u64, done: u64) -> ThrottleInputs {
    let mut one = copy(0, &[1], &[3]);
    one.destinations[0].done = Some(Bytes(done));
    let mut other = copy(1, &[1], &[2]);
    other.destinations[0].done = Some(Bytes(seconds));
    at(seconds, seen(&brokers(95), &[one, other]))
}

fn stalled(decision: &ThrottleDecision) -> Vec<&ThrottleNote> {
    decision.notes.iter().filter(|note| matches!(note, ThrottleNote::Stalled { .. })).collect()
}

#[test]
fn a_replica_that_gets_nothing_for_long_is_told_with_the_port_that_holds_it_back() {
    let before = last([still(0, 7), still(300, 7), still(599, 7)], &limits());
    assert_eq!(stalled(&before), Vec::<&ThrottleNote>::new());
    let after = last([still(0, 7), still(300, 7), still(600, 7)], &limits());
    let note = ThrottleNote::Stalled {
        broker: BrokerId(3),
        role: ReplicationRole::Follower,
        since: Duration::from_secs(600),
        partitions: [of(0)].into(),
    };
    assert_eq!(stalled(&after), [&note]);
    let going = last([still(0, 7), still(300, 8), still(600, 8)], &limits());
    assert_eq!(stalled(&going), Vec::<&ThrottleNote>::new());
}

#[test]
fn a_broker_that_does_not_tell_is_not_said_to_stand_but_one_that_is_away_is() {
    let round = |seconds, live| {
        let mut brokers = brokers(0);
        brokers[2].1.live = live;
        at(seconds, seen(&brokers, &[copy(0, &[1], &[3])]))
    };
    let silent = last([round(0, true), round(700, true)], &limits());
    assert_eq!(stalled(&silent), Vec::<&ThrottleNote>::new());
    let away = last([round(0, true), round(700, false)], &limits());
    assert_eq!(stalled(&away).len(), 1);
}

fn ill_limits() -> ThrottleLimits {
    limits_with(|terms| {
        let p99_produce = Some(Duration::from_millis(100));
        terms.health = HealthLimits { p99_produce, ..HealthLimits::default() };
    })
}

fn feeling(seconds: u64, milliseconds: u64) -> ThrottleInputs {
    let mut facts = at(seconds, seen(&brokers(0), &[copy(0, &[1], &[3])]));
    let p99_produce = Some(Duration::from_millis(milliseconds));
    for broker in facts.brokers.values_mut() {
        broker.health = BrokerHealth { p99_produce, ..BrokerHealth::default() };
    }
    facts
}

#[test]
fn an_ill_broker_gets_half_of_its_headroom_and_more_again_when_it_is_well() {
    let ill = last([feeling(0, 20), feeling(60, 500)], &ill_limits());
    assert_eq!(rate(&ill, 3, ReplicationRole::Follower), 45);
    let why = WhyIll::ProduceLatency;
    let used = Ratio::from_percent(50);
    assert!(ill.notes.contains(&ThrottleNote::Ill { broker: BrokerId(3), why, used }));
    let better = last([feeling(0, 500), feeling(60, 20), feeling(120, 20)], &ill_limits());
    assert_eq!(rate(&better, 3, ReplicationRole::Follower), 63);
    assert_eq!(better.notes, [].into());
}

#[test]
fn however_ill_a_broker_is_it_keeps_its_floor_and_the_least_rate() {
    let rounds = |ingest: u64| {
        (0..20).map(move |n| {
            let mut facts = feeling(60 * n, 9_000);
            facts.copies[0] = written(facts.copies[0].clone(), ingest);
            facts
        })
    };
    assert_eq!(rate(&last(rounds(0), &ill_limits()), 3, ReplicationRole::Follower), 10);
    assert_eq!(rate(&last(rounds(30), &ill_limits()), 3, ReplicationRole::Follower), 36);
}

#[test]
fn a_state_that_was_written_down_and_read_again_decides_the_same() {
    let told = |n: u64| {
        let mut facts = still(60 * n, 1_000 * MB * n);
        facts.copies[0].leader_bytes = Some(Bytes((5_000 + 700 * n) * MB));
        facts
    };
    let mut state = ThrottleMemory::default();
    let mut again = ThrottleMemory::default();
    for n in 0..5 {
        let (next, decision) = decide(state, &told(n), &limits());
        let (other, same) = decide(again, &told(n), &limits());
        assert_eq!(decision, same);
        let text = serde_json::to_string(&other).unwrap();
        again = serde_json::from_str(&text).unwrap();
        assert_eq!(next, again);
        state = next;
    }
}

#[test]
fn nothing_is_remembered_of_what_is_over() {
    let moving: CopySeen = written(copy(0, &[1], &[3]), 5);
    let (state, _) = decide(ThrottleMemory::default(), &seen(&brokers(0), &[moving]), &limits());
    let (state, decision) = decide(state, &seen(&brokers(0), &[]), &limits());
    assert_eq!(decision, ThrottleDecision::default());
    let (fresh, _) = decide(ThrottleMemory::default(), &seen(&brokers(0), &[]), &limits());
    assert_eq!(state, fresh);
}

#[test]
fn a_decision_reads_as_json() {
    let decision = first(&standing(80, 90), &limits());
    let json = serde_json::to_value(&decision).unwrap();
    let follower = serde_json::json!({
        "broker": 3, "role": "follower", "rate_bytes_per_second": 80_000_000, "why": "share",
        "kept": true, "headroom_bytes_per_second": 81_000_000, "floor": {"known": "never"},
    });
    assert_eq!(json["rates"][1], follower);
    assert_eq!(json["lists"]["events"]["followers"], serde_json::json!([[0, 3]]));
}
