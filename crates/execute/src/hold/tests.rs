use super::*;
use crate::seen::Running;
use mapper::PartitionId;

fn rate() -> Setting {
    rate_setting(BrokerId(1), Key::LeaderRate)
}

fn wanted(rate_wanted: Option<u64>) -> Wanted {
    let rates = [(rate(), rate_wanted)].into();
    Wanted { plan: "autothrottle".to_owned(), rates, ..Wanted::default() }
}

/// A move of others runs, and broker 1 has this rate.
fn seen(value: Option<&str>) -> Seen {
    let of = TopicPartition { topic: "t".to_owned(), partition: PartitionId(0) };
    let ids = |ids: &[u32]| ids.iter().copied().map(BrokerId).collect();
    let running = Running { target: ids(&[1, 2]), adding: ids(&[2]) };
    let set = value.map(|value| (Key::LeaderRate, value.to_owned()));
    Seen {
        live: [BrokerId(1), BrokerId(2)].into(),
        running: [(of, running)].into(),
        configs: [(rate().resource, set.into_iter().collect())].into(),
        ..Seen::default()
    }
}

fn apply(ledger: &mut Ledger, holding: &Holding) {
    for action in &holding.actions {
        if let Action::Account(entry) = action {
            ledger.apply(entry.clone());
        }
    }
}

#[test]
fn a_rate_met_while_moves_run_that_nobody_accounts_for_is_left_and_reported() {
    let holding = hold(&wanted(Some(10)), &Ledger::default(), &seen(Some("7")));
    assert_eq!(holding.actions, []);
    assert!(matches!(holding.strays.first(), Some(Stray::UnknownOwner { .. })));
}

#[test]
fn a_rate_that_stood_there_while_nothing_moved_is_put_back_to_the_letter() {
    let mut ledger = Ledger::default();
    let originals = [(rate(), "7".to_owned())].into();
    let wanted = Wanted { originals, ..wanted(Some(10)) };
    let holding = hold(&wanted, &ledger, &seen(Some("7")));
    assert!(holding.sets());
    apply(&mut ledger, &holding);
    let holding = hold(&Wanted::default(), &ledger, &seen(Some("10")));
    let back = Action::Set { setting: rate(), value: Some("7".to_owned()) };
    assert_eq!(holding.actions, [back]);
    let holding = hold(&Wanted::default(), &ledger, &seen(Some("7")));
    apply(&mut ledger, &holding);
    assert!(ledger.is_empty() && holding.clean);
}

#[test]
fn a_rate_that_is_wanted_without_a_number_stays_as_it_is() {
    let mut ledger = Ledger::default();
    let holding = hold(&wanted(Some(10)), &ledger, &seen(None));
    apply(&mut ledger, &holding);
    let holding = hold(&wanted(None), &ledger, &seen(Some("10")));
    assert_eq!(holding.actions, []);
    assert!(!holding.clean && !ledger.is_empty());
}

fn list(key: Key) -> Setting {
    Setting { resource: Resource::Topic("t".to_owned()), key }
}

/// An execution of which our ledger knows nothing moves `t-0` to broker 2; the operator's own entries are of another one.
#[test]
fn entries_that_others_set_for_a_move_are_nobodys_original() {
    let mut seen = seen(None);
    let set = |seen: &mut Seen, leaders: &str, followers: &str| {
        let lists = [(Key::LeaderReplicas, leaders), (Key::FollowerReplicas, followers)];
        let lists = lists.map(|(key, value)| (key, value.to_owned()));
        seen.configs.insert(Resource::Topic("t".to_owned()), lists.into());
    };
    set(&mut seen, "7:1,0:1", "7:1,0:2");
    let wanted = |key, text: &str| {
        let now: BTreeSet<String> = [text.to_owned()].into();
        (list(key), List { ever: now.clone(), now, in_flight: passing(&seen, &list(key)) })
    };
    let lists = [wanted(Key::LeaderReplicas, "0:1"), wanted(Key::FollowerReplicas, "0:2")];
    let wanted = Wanted { lists: lists.into(), ..Wanted::default() };
    let mut ledger = Ledger::default();
    let holding = hold(&wanted, &ledger, &seen);
    assert!(!holding.sets(), "all is there already: {:?}", holding.actions);
    apply(&mut ledger, &holding);
    // It takes its own away, and so do we.
    set(&mut seen, "7:1", "7:1");
    seen.running.clear();
    let holding = hold(&Wanted::default(), &ledger, &seen);
    assert!(!holding.sets(), "nothing of theirs comes back: {:?}", holding.actions);
    apply(&mut ledger, &holding);
    assert!(ledger.is_empty());
}
