use super::*;
use crate::ledger::Owner;
use crate::others::Others;
use crate::seen::Running;
use mapper::Rate;

fn rate() -> Setting {
    rate_setting(BrokerId(1), Key::LeaderRate)
}

fn wanted(rate_wanted: WantedRate) -> WantedConfigs {
    let rates = [(rate(), rate_wanted)].into();
    WantedConfigs { owner: Owner::Daemon, rates, ..WantedConfigs::default() }
}

/// Another tool moves replicas, and broker 1 has this rate.
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
    let holding =
        reconcile(&wanted(WantedRate::At(Rate(10))), &Ledger::default(), &seen(Some("7")));
    assert_eq!(holding.actions, []);
    assert!(matches!(holding.strays.first(), Some(Stray::UnknownOwner { .. })));
}

#[test]
fn a_rate_that_stood_there_while_nothing_moved_is_put_back_to_the_letter() {
    let mut ledger = Ledger::default();
    let originals = [(rate(), "7".to_owned())].into();
    let wanted = WantedConfigs { originals, ..wanted(WantedRate::At(Rate(10))) };
    let holding = reconcile(&wanted, &ledger, &seen(Some("7")));
    assert!(holding.sets());
    apply(&mut ledger, &holding);
    let holding = reconcile(&WantedConfigs::default(), &ledger, &seen(Some("10")));
    let back = Action::Set { setting: rate(), edit: ConfigEdit::To(Some("7".to_owned())) };
    assert_eq!(holding.actions, [back]);
    let holding = reconcile(&WantedConfigs::default(), &ledger, &seen(Some("7")));
    apply(&mut ledger, &holding);
    assert!(ledger.is_empty() && holding.clean);
}

#[test]
fn a_rate_that_is_wanted_without_a_number_stays_as_it_is() {
    let mut ledger = Ledger::default();
    let holding = reconcile(&wanted(WantedRate::At(Rate(10))), &ledger, &seen(None));
    apply(&mut ledger, &holding);
    let holding = reconcile(&wanted(WantedRate::LeaveAsItIs), &ledger, &seen(Some("10")));
    assert_eq!(holding.actions, []);
    assert!(!holding.clean && !ledger.is_empty());
}

fn list(key: Key) -> Setting {
    Setting { resource: ThrottleResource::Topic("t".to_owned()), key }
}

/// An execution that our ledger does not list moves `t-0` to broker 2. The operator's own entries are of another
/// partition.
#[test]
fn entries_that_others_set_for_a_move_are_nobodys_original() {
    let mut seen = seen(None);
    let set = |seen: &mut Seen, leaders: &str, followers: &str| {
        let lists = [(Key::LeaderReplicas, leaders), (Key::FollowerReplicas, followers)];
        let lists = lists.map(|(key, value)| (key, value.to_owned()));
        seen.configs.insert(ThrottleResource::Topic("t".to_owned()), lists.into());
    };
    set(&mut seen, "7:1,0:1", "7:1,0:2");
    let wanted = |key, text: &str| {
        let now = ThrottledEntries::parse(Some(text)).replicas();
        (list(key), List { ever: now.clone(), now, in_flight: passing(&seen, &list(key)) })
    };
    let lists = [wanted(Key::LeaderReplicas, "0:1"), wanted(Key::FollowerReplicas, "0:2")];
    let wanted = WantedConfigs { lists: lists.into(), ..WantedConfigs::default() };
    let mut ledger = Ledger::default();
    let holding = reconcile(&wanted, &ledger, &seen);
    assert!(!holding.sets(), "all is there already: {:?}", holding.actions);
    apply(&mut ledger, &holding);
    // The execution removes its own entries, and we remove ours.
    set(&mut seen, "7:1", "7:1");
    seen.running.clear();
    let holding = reconcile(&WantedConfigs::default(), &ledger, &seen);
    assert!(!holding.sets(), "nothing of theirs comes back: {:?}", holding.actions);
    apply(&mut ledger, &holding);
    assert!(ledger.is_empty());
}

/// An execution that our ledger does not list moves `t-0` to broker 2 at this rate, and is about to move `t-1`.
fn beside_an_execution(rate: &str) -> Seen {
    let mut seen = seen(Some(rate));
    let lists = [(Key::LeaderReplicas, "0:1,1:1,7:1"), (Key::FollowerReplicas, "0:2,1:2,7:1")];
    let lists = lists.map(|(key, value)| (key, value.to_owned()));
    seen.configs.insert(ThrottleResource::Topic("t".to_owned()), lists.into());
    seen
}

/// What a daemon wants in that situation.
fn wanted_beside(seen: &Seen) -> WantedConfigs {
    let of = |key, text: &str| {
        let now = ThrottledEntries::parse(Some(text)).replicas();
        (list(key), List { ever: now.clone(), now, in_flight: passing(seen, &list(key)) })
    };
    let lists = [of(Key::LeaderReplicas, "0:1"), of(Key::FollowerReplicas, "0:2")];
    WantedConfigs { lists: lists.into(), ..wanted(WantedRate::At(Rate(10))) }
}

#[test]
fn a_rate_of_moves_that_others_pace_is_left_for_as_long_as_they_run() {
    let mut ledger = Ledger::default();
    // A later look, or another process, finds the moves in the ledger. The execution's rate changes in that time.
    for rate in ["7", "7", "8"] {
        let seen = beside_an_execution(rate);
        let holding = reconcile(&wanted_beside(&seen), &ledger, &seen);
        assert!(!holding.sets(), "{:?}", holding.actions);
        assert!(matches!(holding.strays.first(), Some(Stray::UnknownOwner { .. })), "{rate}");
        apply(&mut ledger, &holding);
        ledger = Ledger::replay(ledger.entries());
        assert!(meets(&ledger, &seen));
    }
    // The moves have ended, and their rate goes soon: a process that still wants a rate there waits for that.
    let ended = || Seen { running: BTreeMap::new(), ..beside_an_execution("8") };
    let recovery = WantedConfigs { unsettled: true, ..wanted(WantedRate::At(Rate(10))) };
    let holding = reconcile(&recovery, &ledger, &ended());
    assert!(matches!(holding.strays.first(), Some(Stray::UnknownOwner { .. })));
    assert!(!meets(&ledger, &ended()));
    let holding = reconcile(&wanted(WantedRate::At(Rate(10))), &ledger, &seen(None));
    assert!(holding.sets(), "where nothing stands, it is set");
}

#[test]
fn what_others_take_out_of_a_list_stays_away_and_its_order_is_theirs() {
    let mut ledger = Ledger::default();
    let begun = beside_an_execution("7");
    let holding = reconcile(&wanted_beside(&begun), &ledger, &begun);
    apply(&mut ledger, &holding);
    let set = |leaders: &str, followers: &str| {
        let mut seen = beside_an_execution("7");
        let lists = [(Key::LeaderReplicas, leaders), (Key::FollowerReplicas, followers)];
        let lists = lists.map(|(key, value)| (key, value.to_owned()));
        seen.configs.insert(ThrottleResource::Topic("t".to_owned()), lists.into());
        seen
    };
    // The execution has removed the entries of the move that it had prepared.
    let fewer = set("0:1,7:1", "0:2,7:1");
    let holding = reconcile(&wanted_beside(&fewer), &ledger, &fewer);
    assert!(!holding.sets(), "{:?}", holding.actions);
    // Everything is over, and the execution has restored the operator's entries.
    let mut over = set("7:1,6:1", "7:1,6:1");
    over.running.clear();
    let holding = reconcile(&WantedConfigs::default(), &ledger, &over);
    assert!(!holding.sets(), "{:?}", holding.actions);
    apply(&mut ledger, &holding);
    assert!(ledger.is_empty());
}

/// Nothing moves, and a daemon with these known configs paces a recovery.
fn beside(others: Others, configs: [(Key, &str); 1]) -> Seen {
    let key = configs[0].0;
    let of = if key == Key::LeaderRate { rate().resource } else { list(key).resource };
    let configs = configs.map(|(key, value)| (key, value.to_owned()));
    Seen { running: BTreeMap::new(), configs: [(of, configs.into())].into(), others, ..seen(None) }
}

fn accounts_for(setting: Setting, ours: &str) -> Others {
    Others::of(&Ledger::replay([LedgerEntry::Held {
        setting,
        before: None,
        found: None,
        ours: [ours.into()].into(),
        met: [].into(),
        owner: Owner::Daemon,
    }]))
}

#[test]
fn a_rate_that_a_daemon_accounts_for_is_never_an_original() {
    let own = || beside(accounts_for(rate(), "7"), [(Key::LeaderRate, "7")]);
    let holding = reconcile(&wanted(WantedRate::At(Rate(10))), &Ledger::default(), &own());
    assert_eq!(holding.actions, []);
    assert!(matches!(holding.strays.first(), Some(Stray::OfAnother { .. })));
    assert!(holding.satisfies(&rate()), "what it paces is paced");
    // The operator's own rate, next to the daemon's.
    let seen = Seen {
        configs: [(rate().resource, [(Key::LeaderRate, "6".to_owned())].into())].into(),
        ..own()
    };
    let mut ledger = Ledger::default();
    let holding = reconcile(&wanted(WantedRate::At(Rate(10))), &ledger, &seen);
    apply(&mut ledger, &holding);
    assert_eq!(ledger.get(&rate()).unwrap().before.as_deref(), Some("6"));
}

#[test]
fn where_a_daemons_ledger_cannot_be_read_every_rate_that_stands_is_left() {
    let unread = beside(Others::Unread, [(Key::LeaderRate, "7")]);
    let holding = reconcile(&wanted(WantedRate::At(Rate(10))), &Ledger::default(), &unread);
    assert_eq!(holding.actions, []);
    assert!(matches!(holding.strays.first(), Some(Stray::OfAnother { .. })));
    // If nothing is set, or only our value, unread ledgers change nothing.
    let nothing = Seen { others: Others::Unread, ..seen(None) };
    let mut ledger = Ledger::default();
    let holding = reconcile(&wanted(WantedRate::At(Rate(10))), &ledger, &nothing);
    assert!(holding.sets());
    apply(&mut ledger, &holding);
    let ours = beside(Others::Unread, [(Key::LeaderRate, "10")]);
    let back = Action::Set { setting: rate(), edit: ConfigEdit::To(None) };
    assert_eq!(reconcile(&WantedConfigs::default(), &ledger, &ours).actions, [back]);
}

#[test]
fn entries_of_a_daemons_list_are_kept_while_they_stand_and_not_put_back() {
    let key = Key::FollowerReplicas;
    let now = ThrottledEntries::parse(Some("0:2")).replicas();
    let needs = List { ever: now.clone(), now, ..List::default() };
    let wanted = WantedConfigs { lists: [(list(key), needs)].into(), ..WantedConfigs::default() };
    let others = || accounts_for(list(key), "1:3");
    let mut ledger = Ledger::default();
    let holding = reconcile(&wanted, &ledger, &beside(others(), [(key, "1:3,2:4")]));
    apply(&mut ledger, &holding);
    let held = ledger.get(&list(key)).unwrap();
    assert_eq!(held.before.as_deref(), Some("2:4"), "the operator's, without the daemon's");
    let edit = |add: &[&str], remove: &[&str]| {
        let values = |texts: &[&str]| texts.iter().map(|text| (*text).into()).collect();
        let edit = ConfigEdit::Entries { add: values(add), remove: values(remove) };
        Action::Set { setting: list(key), edit }
    };
    assert!(holding.actions.contains(&edit(&["0:2"], &[])), "{:?}", holding.actions);
    // The daemon has removed its entry: it must not come back, now or at the end.
    let taken = beside(others(), [(key, "0:2,2:4")]);
    assert_eq!(reconcile(&wanted, &ledger, &taken).actions, []);
    let back = edit(&[], &["0:2"]);
    assert_eq!(reconcile(&WantedConfigs::default(), &ledger, &taken).actions, [back]);
}

#[test]
fn a_list_that_brokers_cannot_read_paces_nothing_and_is_set_again() {
    let key = Key::FollowerReplicas;
    let now = ThrottledEntries::parse(Some("0:2")).replicas();
    let needs = List { ever: now.clone(), now, ..List::default() };
    let wanted = WantedConfigs { lists: [(list(key), needs)].into(), ..WantedConfigs::default() };
    let held = LedgerEntry::Held {
        setting: list(key),
        before: None,
        found: None,
        ours: ["0:2".into()].into(),
        met: BTreeSet::new(),
        owner: "p".to_owned().into(),
    };
    let torn = beside(Others::default(), [(key, ",0:2")]);
    let holding = reconcile(&wanted, &Ledger::replay([held]), &torn);
    let whole = Action::Set { setting: list(key), edit: ConfigEdit::To(Some("0:2".to_owned())) };
    assert_eq!(holding.actions, [whole]);
    assert_eq!(holding.lists[&list(key)], ThrottledEntries::parse(None));
}

#[test]
fn an_emptied_list_that_was_not_set_before_is_deleted() {
    let key = Key::FollowerReplicas;
    let ledger = Ledger::replay([LedgerEntry::Held {
        setting: list(key),
        before: None,
        found: None,
        ours: ["0:2".into()].into(),
        met: BTreeSet::new(),
        owner: "p".to_owned().into(),
    }]);
    let emptied = beside(Others::default(), [(key, "")]);
    let deleted = Action::Set { setting: list(key), edit: ConfigEdit::To(None) };
    assert_eq!(reconcile(&WantedConfigs::default(), &ledger, &emptied).actions, [deleted]);
}

#[test]
fn only_a_topic_that_is_gone_for_certain_takes_its_lists_out_of_the_ledger() {
    let resource = ThrottleResource::Topic("t".to_owned());
    let list = Setting { resource, key: Key::FollowerReplicas };
    let ledger = Ledger::replay([LedgerEntry::Held {
        setting: list.clone(),
        before: None,
        found: None,
        ours: ["0:2".into()].into(),
        met: BTreeSet::new(),
        owner: "p".to_owned().into(),
    }]);
    let hidden = reconcile(&WantedConfigs::default(), &ledger, &Seen::default());
    assert_eq!(hidden.actions, [], "nothing tells that it is gone");
    assert_eq!(hidden.strays, [Stray::Unreachable { setting: list.clone() }].into());
    let gone = Seen { gone: ["t".to_owned()].into(), ..Seen::default() };
    let holding = reconcile(&WantedConfigs::default(), &ledger, &gone);
    assert_eq!(holding.actions, [Action::Account(LedgerEntry::Released { setting: list })]);
}
