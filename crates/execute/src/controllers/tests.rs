use super::*;
use proptest::prelude::*;

fn member(id: u32, directory: &str, ms: Option<u64>) -> QuorumMember {
    let directory = Some(DirectoryId(directory.to_owned()));
    QuorumMember { id: BrokerId(id), directory, behind_ms: ms, silent_ms: ms }
}

fn live(id: u32) -> QuorumMember {
    member(id, &format!("d{id}"), Some(200))
}

fn dead(id: u32) -> QuorumMember {
    member(id, &format!("d{id}"), None)
}

/// A quorum whose first voter leads; every observer is a controller.
fn scene(voters: Vec<QuorumMember>, observers: Vec<QuorumMember>) -> QuorumScene {
    let leader = voters.first().map(|voter| voter.id);
    let reachable = observers.iter().map(|one| one.id).collect();
    QuorumScene { leader, voters, observers, brokers: BTreeSet::new(), reachable }
}

fn key(id: u32, directory: &str) -> VoterKey {
    VoterKey { id: BrokerId(id), directory: DirectoryId(directory.to_owned()) }
}

fn add(id: u32) -> NextVoterChange {
    NextVoterChange::Make(VoterChange::Add(key(id, &format!("d{id}"))))
}

fn remove(id: u32) -> NextVoterChange {
    NextVoterChange::Make(VoterChange::Remove(key(id, &format!("d{id}"))))
}

const ADD_4: VotersGoal = VotersGoal::Add(BrokerId(4));
const REMOVE_2: VotersGoal = VotersGoal::Remove(BrokerId(2));
const REPLACE_2: VotersGoal = VotersGoal::Replace { old: BrokerId(2), new: BrokerId(4) };
const RENEW_2: VotersGoal = VotersGoal::Replace { old: BrokerId(2), new: BrokerId(2) };

#[test]
fn a_controller_gets_its_vote_when_it_has_caught_up() {
    let three = || vec![live(1), live(2), live(3)];
    assert_eq!(next(&scene(three(), vec![live(4)]), ADD_4), add(4));
    let late = member(4, "d4", Some(9_000));
    let waits = next(&scene(three(), vec![late]), ADD_4);
    let behind = VoterHindrance::Behind(BrokerId(4), Some(9_000), Some(9_000));
    assert_eq!(waits, NextVoterChange::Wait(behind));
    let absent = next(&scene(three(), vec![]), ADD_4);
    assert_eq!(absent, NextVoterChange::Wait(VoterHindrance::NotFollowing(BrokerId(4))));
    let four = vec![live(1), live(2), live(3), live(4)];
    assert_eq!(next(&scene(four, vec![]), ADD_4), NextVoterChange::Done);
}

#[test]
fn a_broker_gets_no_vote() {
    let mut with_broker = scene(vec![live(1), live(2), live(3)], vec![live(4)]);
    with_broker.brokers = [BrokerId(4)].into();
    with_broker.reachable.clear();
    let refused = NextVoterChange::Refuse(VotersRefusal::IsBroker(BrokerId(4)));
    assert_eq!(next(&with_broker, ADD_4), refused);
    with_broker.brokers.clear();
    let waits = NextVoterChange::Wait(VoterHindrance::NotRegistered(BrokerId(4)));
    assert_eq!(next(&with_broker, ADD_4), waits);
}

#[test]
fn a_vote_is_taken_only_while_a_majority_stays() {
    assert_eq!(next(&scene(vec![live(1), live(2), live(3)], vec![]), REMOVE_2), remove(2));
    let refused = |left, needed| {
        NextVoterChange::Refuse(VotersRefusal::NoMajorityLeft(BrokerId(2), left, needed))
    };
    assert_eq!(next(&scene(vec![live(1), live(2), dead(3)], vec![]), REMOVE_2), refused(1, 2));
    assert_eq!(next(&scene(vec![live(1), dead(2), live(3)], vec![]), REMOVE_2), remove(2));
    let last = NextVoterChange::Refuse(VotersRefusal::LastVoter(BrokerId(2)));
    assert_eq!(next(&scene(vec![live(2)], vec![]), REMOVE_2), last);
    let gone = scene(vec![live(1), live(3)], vec![live(2)]);
    assert_eq!(next(&gone, REMOVE_2), NextVoterChange::Done);
}

#[test]
fn a_replacement_adds_waits_and_removes() {
    let three = || vec![live(1), live(2), live(3)];
    assert_eq!(next(&scene(three(), vec![live(4)]), REPLACE_2), add(4));
    let with = |new| [three(), vec![new]].concat();
    assert_eq!(next(&scene(with(live(4)), vec![]), REPLACE_2), remove(2));
    // The new voter died: the old one keeps its vote, although three of four would do.
    let waits = NextVoterChange::Wait(VoterHindrance::Behind(BrokerId(4), None, None));
    assert_eq!(next(&scene(with(dead(4)), vec![]), REPLACE_2), waits);
    let done = scene(vec![live(1), live(3), live(4)], vec![live(2)]);
    assert_eq!(next(&done, REPLACE_2), NextVoterChange::Done);
    let refused = NextVoterChange::Refuse(VotersRefusal::NoVote(BrokerId(2)));
    assert_eq!(next(&scene(vec![live(1), live(3)], vec![live(4)]), REPLACE_2), refused);
}

#[test]
fn a_lost_log_dir_is_replaced_under_the_same_id() {
    let new = || member(2, "new", Some(100));
    let lost = scene(vec![live(1), dead(2), live(3)], vec![new()]);
    assert_eq!(next(&lost, RENEW_2), remove(2));
    let killed_between = scene(vec![live(1), live(3)], vec![dead(2), new()]);
    let renewed = NextVoterChange::Make(VoterChange::Add(key(2, "new")));
    assert_eq!(next(&killed_between, RENEW_2), renewed);
    let done = scene(vec![live(1), new(), live(3)], vec![dead(2)]);
    assert_eq!(next(&done, RENEW_2), NextVoterChange::Done);
    let not_back = scene(vec![live(1), dead(2), live(3)], vec![]);
    let waits = NextVoterChange::Wait(VoterHindrance::NotFollowing(BrokerId(2)));
    assert_eq!(next(&not_back, RENEW_2), waits);
    let twice = scene(vec![live(1), live(2), live(3)], vec![new()]);
    let refused = NextVoterChange::Refuse(VotersRefusal::Twice(BrokerId(2)));
    assert_eq!(next(&twice, RENEW_2), refused);
    let added = next(&lost, VotersGoal::Add(BrokerId(2)));
    assert!(matches!(added, NextVoterChange::Refuse(VotersRefusal::OtherDirectory(..))));
}

#[test]
fn what_may_fail_is_counted_from_the_voters_that_have_caught_up() {
    assert_eq!(scene(vec![live(1), live(2), live(3)], vec![]).may_fail(), Some(1));
    assert_eq!(scene(vec![live(1), live(2), dead(3)], vec![]).may_fail(), Some(0));
    assert_eq!(scene(vec![live(1), dead(2), dead(3)], vec![]).may_fail(), None);
    assert_eq!(scene(vec![live(1), live(2), live(3), live(4)], vec![]).may_fail(), Some(1));
}

/// A delay, mostly a good one.
fn delay() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![4 => (0..=CAUGHT_UP_MS).prop_map(Some), 1 => (0..60_000_u64).prop_map(Some), 1 => Just(None)]
}

fn any_member(id: u32) -> impl Strategy<Value = QuorumMember> {
    (delay(), delay(), prop_oneof![3 => Just(""), 1 => Just("-new")]).prop_map(
        move |(behind_ms, silent_ms, suffix)| QuorumMember {
            behind_ms,
            silent_ms,
            ..member(id, &format!("d{id}{suffix}"), None)
        },
    )
}

fn any_scene() -> impl Strategy<Value = QuorumScene> {
    let ids = || proptest::sample::subsequence((1..=7_u32).collect::<Vec<_>>(), 0..=6);
    let members = |ids: Vec<u32>| ids.into_iter().map(any_member).collect::<Vec<_>>();
    let set = || ids().prop_map(|ids| ids.into_iter().map(BrokerId).collect::<BTreeSet<_>>());
    (ids().prop_flat_map(members), ids().prop_flat_map(members), set(), set(), 0..8_usize).prop_map(
        |(voters, observers, brokers, reachable, leader)| {
            // Kafka tells a voter and an observer with one id apart by their log dirs.
            let is_voter = |one: &QuorumMember| {
                voters.iter().any(|v| v.id == one.id && v.directory == one.directory)
            };
            let observers = observers.iter().filter(|one| !is_voter(one)).cloned().collect();
            let leader = voters.get(leader).map(|voter| voter.id);
            QuorumScene { leader, voters, observers, brokers, reachable }
        },
    )
}

fn any_goal() -> impl Strategy<Value = VotersGoal> {
    let id = || (1..=7_u32).prop_map(BrokerId);
    prop_oneof![
        id().prop_map(VotersGoal::Add),
        id().prop_map(VotersGoal::Remove),
        (id(), id()).prop_map(|(old, new)| VotersGoal::Replace { old, new }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_change_leaves_less_than_a_majority(scene in any_scene(), goal in any_goal()) {
        let NextVoterChange::Make(change) = next(&scene, goal) else { return Ok(()) };
        let after = scene.after(&change);
        prop_assert!(after.caught_up() >= majority(after.voters.len()), "{change}: {after:?}");
        prop_assert!(!after.voters.is_empty());
        match (&change, goal) {
            (VoterChange::Add(key), _) => {
                prop_assert_eq!(goal.candidate(), Some(key.id));
                prop_assert!(scene.voter(key.id).is_none() && scene.reachable.contains(&key.id));
                prop_assert!(after.voter(key.id).is_some_and(QuorumMember::is_caught_up));
            }
            (VoterChange::Remove(key), VotersGoal::Remove(old)) => prop_assert_eq!(key.id, old),
            (VoterChange::Remove(key), VotersGoal::Replace { old, new }) if old != new => {
                prop_assert_eq!(key.id, old);
                prop_assert!(scene.voter(new).is_some_and(QuorumMember::is_caught_up));
            }
            (VoterChange::Remove(key), VotersGoal::Replace { old, .. }) => {
                prop_assert_eq!(key.id, old);
                prop_assert!(!scene.voter(old).unwrap().is_live());
                prop_assert!(scene.observer(old).is_some_and(QuorumMember::is_caught_up));
            }
            (VoterChange::Remove(_), VotersGoal::Add(_)) => prop_assert!(false, "{change}"),
        }
    }

    /// Where members die and return between the looks, a goal is reached once all run, by the fewest changes.
    #[test]
    fn a_goal_is_reached_when_all_run(
        voters in 1..6_u32,
        goal in any_goal(),
        fates in proptest::collection::vec((0..10_u32, any::<bool>()), 0..12),
    ) {
        let ids = 1..=7_u32;
        let voting: Vec<QuorumMember> = ids.clone().take(voters as usize).map(live).collect();
        let observing = ids.skip(voters as usize).map(live).collect();
        let mut now = scene(voting, observing);
        now.reachable = (1..=7).map(BrokerId).collect();
        let mut made = 0;
        let calm = std::iter::repeat_n((99, true), 9);
        for (id, up) in fates.into_iter().chain(calm) {
            let members = now.voters.iter_mut().chain(&mut now.observers);
            for one in members.filter(|one| id == 99 || one.id == BrokerId(id)) {
                (one.behind_ms, one.silent_ms) = if up { (Some(0), Some(0)) } else { (None, None) };
            }
            let elected = now.voters.iter().find(|voter| voter.is_caught_up()).map(|one| one.id);
            now.leader = elected.filter(|_| now.may_fail().is_some());
            if let NextVoterChange::Make(change) = next(&now, goal) {
                now = now.after(&change);
                made += 1;
            }
        }
        match next(&now, goal) {
            NextVoterChange::Done => {}
            NextVoterChange::Refuse(VotersRefusal::LastVoter(_) | VotersRefusal::NoVote(_)) => {
                prop_assert_eq!(made, 0);
            }
            other @ (NextVoterChange::Make(_)
            | NextVoterChange::Wait(_)
            | NextVoterChange::Refuse(_)) => {
                prop_assert!(false, "{other:?} after {made}: {now:?}");
            }
        }
        prop_assert!(made <= 2);
    }
}
