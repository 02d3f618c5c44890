//! What holds whatever is seen.

use crate::support::*;
use mapper::BrokerId;
use proptest::option;
use proptest::prelude::*;
use std::collections::BTreeSet;
use throttle::{
    BrokerSeen, BrokerTraffic, CopySeen, PerDirection, RateOverrides, RateReason, ReplicationRole,
    ThrottleDecision, ThrottleInputs, ThrottleMemory, WhyNotInSync, decide,
};

const BROKERS: u32 = 6;

fn brokers() -> impl Strategy<Value = Vec<(u32, BrokerSeen)>> {
    let rates = || {
        (0..300_u64, 0..300_u64)
            .prop_map(|(tx, rx)| PerDirection { tx: megabytes(tx), rx: megabytes(rx) })
    };
    let traffic = (rates(), option::of(rates())).prop_map(|(total, replication)| BrokerTraffic {
        total,
        replication,
        ..BrokerTraffic::default()
    });
    let parts =
        (prop::bool::weighted(0.9), option::weighted(0.9, rates()), option::weighted(0.9, traffic));
    let one = parts.prop_map(|(live, capacity, traffic)| BrokerSeen {
        live,
        capacity,
        traffic,
        ..BrokerSeen::default()
    });
    prop::collection::vec(one, BROKERS as usize).prop_map(|all| (0..).zip(all).collect())
}

fn copies() -> impl Strategy<Value = Vec<CopySeen>> {
    let order = Just((0..BROKERS).collect::<Vec<_>>()).prop_shuffle();
    let facts = (order, 1..4_usize, 1..3_usize, option::of(0..20_u64), option::of(0..9_000_u64));
    let one = (facts, any::<bool>(), prop::bool::weighted(0.9));
    let one = one.prop_map(|((order, in_sync, to, ingest, done), recovery, led)| {
        let mut one = copy(0, &order[..in_sync], &order[in_sync..in_sync + to]);
        one.ingest = ingest.map(megabytes);
        one.leader = one.leader.filter(|_| led);
        one.leader_bytes = Some(mapper::Bytes(9_000 * MB));
        one.destinations[0].done = done.map(|done| mapper::Bytes(done * MB));
        one.cause = if recovery { WhyNotInSync::Recovery } else { WhyNotInSync::Reassignment };
        one
    });
    prop::collection::vec(one, 0..12).prop_map(|mut all| {
        all.iter_mut().zip(0..).for_each(|(one, partition)| one.of = of(partition));
        all
    })
}

fn rounds() -> impl Strategy<Value = Vec<ThrottleInputs>> {
    let overrides = (
        option::weighted(0.2, 1..100_u64),
        prop::collection::btree_map(0..BROKERS, 1..100_u64, 0..2),
    );
    let applied = prop::collection::btree_map((0..BROKERS, any::<bool>()), 0..300_u64, 0..8);
    let one = (brokers(), copies(), overrides, applied, 0..300_u64);
    let one = one.prop_map(|(brokers, copies, (global, own), applied, seconds)| ThrottleInputs {
        overrides: RateOverrides {
            global: global.map(asked),
            brokers: own.into_iter().map(|(id, rate)| (BrokerId(id), asked(rate))).collect(),
        },
        applied: applied
            .into_iter()
            .map(|((id, leads), rate)| {
                let role = if leads { ReplicationRole::Leader } else { ReplicationRole::Follower };
                ((BrokerId(id), role), megabytes(rate))
            })
            .collect(),
        ..at(seconds, seen(&brokers, &copies))
    });
    prop::collection::vec(one, 1..4)
}

fn decisions(rounds: &[ThrottleInputs]) -> Vec<(&ThrottleInputs, ThrottleDecision)> {
    let mut state = ThrottleMemory::default();
    let one = |seen| {
        let (next, decision) = decide(std::mem::take(&mut state), seen, &limits());
        state = next;
        (seen, decision)
    };
    rounds.iter().map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whoever_is_listed_has_a_rate_and_nobody_else(rounds in rounds()) {
        for (_, decision) in decisions(&rounds) {
            let lists = decision.lists.values();
            let of = |list: &throttle::ThrottledReplicas| {
                let leaders = list.leaders.iter().map(|(_, id)| (*id, ReplicationRole::Leader));
                let followers = list.followers.iter().map(|(_, id)| (*id, ReplicationRole::Follower));
                leaders.chain(followers).collect::<Vec<_>>()
            };
            let named: BTreeSet<_> = lists.flat_map(of).collect();
            prop_assert_eq!(named, decision.rates.keys().copied().collect());
        }
    }

    #[test]
    fn no_reassignment_is_left_out_and_nothing_in_sync_is_held_back(rounds in rounds()) {
        for (seen, decision) in decisions(&rounds) {
            for copy in &seen.copies {
                let followers = decision.lists.get("events").map(|list| &list.followers);
                let listed = |id| followers.is_some_and(|all| all.contains(&(copy.of.partition, id)));
                prop_assert!(!copy.in_sync.iter().any(|id| listed(*id)));
                let paced = copy.destinations.iter().all(|to| listed(to.broker));
                prop_assert!(copy.cause == WhyNotInSync::Recovery || paced);
            }
        }
    }

    #[test]
    fn no_rate_is_below_its_floor_nor_a_computed_one_below_the_least(rounds in rounds()) {
        for (_, decision) in decisions(&rounds) {
            for decided in decision.rates.values() {
                prop_assert!(decided.rate >= decided.floor.rate().unwrap_or_default());
                let asked = matches!(decided.why, RateReason::Override { .. });
                prop_assert!(asked || decided.rate >= megabytes(10));
            }
        }
    }

    #[test]
    fn no_share_is_above_what_the_network_can_spare(rounds in rounds()) {
        for (seen, decision) in decisions(&rounds) {
            for ((broker, role), decided) in &decision.rates {
                if decided.why != RateReason::Share || decided.kept {
                    continue;
                }
                // What is sent to those in sync comes on top: it is among what is protected already.
                let of_leader = |copy: &&CopySeen| *role == ReplicationRole::Leader && copy.leader == Some(*broker);
                let counted = seen.copies.iter().filter(of_leader).map(|copy| {
                    copy.ingest.unwrap_or_default().0 * (copy.in_sync.len() as u64 - 1)
                });
                let headroom = decided.headroom.unwrap_or_default().0;
                let most = headroom.saturating_add(counted.sum());
                let remembered = seen.copies.iter().any(|copy| copy.ingest.is_none());
                prop_assert!(remembered || decided.rate.0 <= most.max(10 * MB), "{decided:?}");
            }
        }
    }

    #[test]
    fn the_same_facts_in_another_order_give_the_same_answer(rounds in rounds()) {
        let backwards = |seen: &ThrottleInputs| {
            let mut seen = seen.clone();
            seen.copies.reverse();
            seen
        };
        let turned: Vec<ThrottleInputs> = rounds.iter().map(backwards).collect();
        let (there, back) = (decisions(&rounds), decisions(&turned));
        for ((_, there), (_, back)) in there.iter().zip(&back) {
            prop_assert_eq!(there, back);
        }
    }

    #[test]
    fn a_state_survives_being_written_down(rounds in rounds()) {
        let mut state = ThrottleMemory::default();
        for seen in &rounds {
            state = decide(state, seen, &limits()).0;
            let text = serde_json::to_string(&state).expect("a state can be written");
            let again: ThrottleMemory = serde_json::from_str(&text).expect("a state can be read");
            prop_assert_eq!(&again, &state);
        }
    }
}
