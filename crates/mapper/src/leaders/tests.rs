use super::even::even;
use super::free::FreeLeads;
use crate::dense::BrokerIx;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;

/// Partitions by their members; the first member leads and may continue.
fn free(members: &[&[BrokerIx]]) -> FreeLeads {
    let mut free = FreeLeads::new();
    for members in members {
        free.push(members.iter().copied(), members.first().copied());
    }
    free
}

fn load(free: &FreeLeads, brokers: usize) -> Vec<u64> {
    let mut load = vec![0; brokers];
    for lead in 0..free.len() {
        load[free.leader(lead) as usize] += 1;
    }
    load
}

#[test]
fn leaders_even_out_along_a_chain() {
    // Broker 0 can hand over to 1 only, and 1 to 2 only.
    let mut free = free(&[&[0, 1], &[0, 1], &[1, 2], &[1, 2]]);
    let mut counts = vec![2, 2, 0];
    even(&mut counts, &mut free);
    assert_eq!(counts, load(&free, 3));
    let mut sorted = counts.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [1, 1, 2]);
}

#[test]
fn what_is_even_stays() {
    let mut free = free(&[&[0, 1], &[1, 0]]);
    even(&mut [1, 1], &mut free);
    assert!((0..2).all(|lead| free.incumbent(lead) == Some(free.leader(lead))));
}

#[test]
fn what_cannot_be_evened_out_stays_uneven() {
    // Brokers 0 and 1 share four partitions with no other broker; 2 and 3 share none with them.
    let mut free = free(&[&[0, 1], &[0, 1], &[0, 1], &[0, 1], &[2, 3]]);
    let mut counts = vec![4, 0, 1, 0];
    even(&mut counts, &mut free);
    assert_eq!(counts, [2, 2, 1, 0]);
}

#[test]
fn no_more_leaders_change_than_must() {
    // Broker 0 leads three, 1 leads one, 2 none. The direct way from 0 to 2 is taken, not the longer one over 1.
    let mut free = free(&[&[0, 1], &[0, 1], &[0, 2], &[1, 2]]);
    let mut counts = vec![3, 1, 0];
    even(&mut counts, &mut free);
    assert_eq!(counts, [2, 1, 1]);
    let changed = |lead: &usize| free.incumbent(*lead) != Some(free.leader(*lead));
    assert_eq!((0..4).filter(changed).collect::<Vec<_>>(), [2]);
}

/// The sum of squares, then the changes: the least of all choices.
fn best_of_all(fixed: &[u64], free: &FreeLeads) -> (u64, usize) {
    let mut best = (u64::MAX, usize::MAX);
    let choices: usize = (0..free.len()).map(|lead| free.members(lead).len()).product();
    for mut choice in 0..choices {
        let mut counts = fixed.to_vec();
        let mut changes = 0;
        for lead in 0..free.len() {
            let members = free.members(lead);
            let leader = members[choice % members.len()];
            choice /= members.len();
            counts[leader as usize] += 1;
            changes += usize::from(free.incumbent(lead) != Some(leader));
        }
        best = best.min((counts.iter().map(|count| count * count).sum(), changes));
    }
    best
}

/// For each partition its members, in order of choice, and whether the first of them led before.
fn partitions() -> impl Strategy<Value = Vec<(Vec<BrokerIx>, bool)>> {
    let members = subsequence(vec![0, 1, 2, 3, 4], 1..4).prop_shuffle();
    vec((members, proptest::bool::weighted(0.8)), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn no_choice_is_more_even_and_none_as_even_changes_less(
        partitions in partitions(),
        fixed in vec(0_u64..4, 5),
    ) {
        let mut free = FreeLeads::new();
        for (members, led) in &partitions {
            free.push(members.iter().copied(), members.first().copied().filter(|_| *led));
        }
        let sum = |a: &[u64], b: Vec<u64>| a.iter().zip(b).map(|(a, b)| a + b).collect();
        let mut counts: Vec<u64> = sum(&fixed, load(&free, 5));
        even(&mut counts, &mut free);
        prop_assert_eq!(&counts, &sum(&fixed, load(&free, 5)));
        let changes = (0..free.len()).filter(|l| free.incumbent(*l) != Some(free.leader(*l)));
        let found = (counts.iter().map(|count| count * count).sum(), changes.count());
        prop_assert_eq!(found, best_of_all(&fixed, &free));
    }
}
