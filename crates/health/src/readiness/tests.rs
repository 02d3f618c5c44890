use super::*;
use mapper::PartitionId;
use mapper::snapshot::{Partition, PartitionFacts};

const TERMS: ReadinessTerms =
    ReadinessTerms { max_lagging: 0, max_age_seconds: 600, max_behind_ms: 10_000 };
const NOW: u64 = 1_000_000;

fn of(topic: &str, partition: u32) -> TopicPartition {
    TopicPartition { topic: topic.to_owned(), partition: PartitionId(partition) }
}

/// Partitions 0, 1, ... of topic `t` on brokers 1, 2 and 3, with these in-sync replicas.
fn topics(isrs: &[&[u32]]) -> BTreeMap<String, Topic> {
    let ids = |ids: &[u32]| ids.iter().copied().map(BrokerId).collect();
    let partitions = (0..).zip(isrs).map(|(id, isr)| {
        let mut partition = Partition::new(PartitionId(id), ids(&[1, 2, 3]));
        let facts = PartitionFacts { isr: Some(ids(isr)), ..PartitionFacts::default() };
        partition.facts = Some(Box::new(facts));
        partition
    });
    let topic = Topic { name: "t".into(), partitions: partitions.collect(), ..Topic::default() };
    [("t".to_owned(), topic)].into()
}

fn attendance(isrs: &[&[u32]], adding: &[TopicPartition]) -> Attendance {
    let hosted: BTreeSet<_> = (0..).zip(isrs).map(|(id, _)| of("t", id)).collect();
    let adding = adding.iter().cloned().collect();
    let found = Attendance::of(BrokerId(3), &hosted, &topics(isrs), &adding);
    Attendance { registered: true, ..found }
}

fn asked(told: &ReadinessReports, known: Option<&ConfirmedReadiness>, forces: &[Force]) -> String {
    readiness(told, known, forces, NOW, &TERMS).to_string()
}

fn known(ready: bool, age: u64) -> ConfirmedReadiness {
    ConfirmedReadiness { ready, reason: "what was".to_owned(), at_seconds: NOW - age }
}

fn force(scope: &str, until_seconds: u64) -> Force {
    Force {
        scope: scope.to_owned(),
        place: "a file".to_owned(),
        until_seconds,
        until: "then".to_owned(),
        reason: "disk check".to_owned(),
    }
}

#[test]
fn a_broker_is_ready_where_it_is_in_sync_in_all_that_it_hosts() {
    let cases: [(Attendance, &str); 8] = [
        (
            attendance(&[&[1, 3], &[3]], &[]),
            "ready: it is in sync in all 2 partitions that it hosts",
        ),
        (attendance(&[], &[]), "ready: it is registered, and hosts no partition"),
        (attendance(&[&[1, 3], &[1, 2]], &[]), "not ready: it is not in sync in 1 of 2: t-1"),
        (
            attendance(&[&[1_u32][..]; 5], &[]),
            "not ready: it is not in sync in 5 of 5: t-0, t-1, t-2 and 2 more",
        ),
        (
            attendance(&[&[1, 3], &[1, 2]], &[of("t", 1)]),
            "ready: it is in sync in all 1 partitions that it hosts; 1 still being added do not count",
        ),
        (
            Attendance { registered: false, ..attendance(&[&[3]], &[]) },
            "not ready: it is not registered, or fenced: it starts, or the controller does not hear it",
        ),
        (
            Attendance { is_another: true, ..attendance(&[&[3]], &[]) },
            "not ready: another broker answers at its address",
        ),
        (
            Attendance { failed_log_dirs: ["/b".to_owned()].into(), ..attendance(&[&[3]], &[]) },
            "ready: it is in sync in all 1 partitions that it hosts; failed log dirs: /b",
        ),
    ];
    for (attendance, expected) in cases {
        assert_eq!(asked(&ReadinessReports::Broker(attendance), None, &[]), expected);
    }
}

#[test]
fn left_over_logs_do_not_matter() {
    let hosted: BTreeSet<_> = [of("t", 0), of("t", 9), of("gone", 0)].into();
    let found = Attendance::of(BrokerId(9), &hosted, &topics(&[&[1]]), &BTreeSet::new());
    assert_eq!(found, Attendance::default());
}

#[test]
fn so_many_may_lag() {
    let told = ReadinessReports::Broker(attendance(&[&[1], &[1], &[3]], &[]));
    let with =
        |max_lagging| readiness(&told, None, &[], NOW, &ReadinessTerms { max_lagging, ..TERMS });
    assert!(!with(1).ready);
    let two = with(2);
    assert!(two.ready);
    assert_eq!(two.reason, "it is not in sync in 2 of 3: t-0, t-1, and 2 may lag");
}

#[test]
fn while_the_controller_is_away_the_last_known_state_counts_for_a_time() {
    let away = ReadinessReports::Unconfirmed { why: "timeout".to_owned() };
    let cases = [
        (
            None,
            "not ready: the controller does not answer (timeout), and nothing is known from before",
        ),
        (
            Some(known(true, 600)),
            "ready: the controller does not answer (timeout); 600 s ago: what was",
        ),
        (
            Some(known(false, 1)),
            "not ready: the controller does not answer (timeout); 1 s ago: what was",
        ),
        (
            Some(known(true, 601)),
            "not ready: the controller does not answer (timeout), and what it last said is 601 s old: more than 600 s",
        ),
    ];
    for (known, expected) in cases {
        assert_eq!(asked(&away, known.as_ref(), &[]), expected);
    }
}

#[test]
fn only_what_the_controller_confirms_is_remembered() {
    let confirmed = |told: &ReadinessReports, known: Option<&ConfirmedReadiness>| {
        readiness(told, known, &[], NOW, &TERMS).confirmed.map(|known| known.ready)
    };
    let silent = ReadinessReports::Silent { why: "refused".to_owned() };
    let away = ReadinessReports::Unconfirmed { why: "timeout".to_owned() };
    assert_eq!(confirmed(&ReadinessReports::Broker(attendance(&[&[3]], &[])), None), Some(true));
    assert_eq!(confirmed(&ReadinessReports::Broker(attendance(&[&[1]], &[])), None), Some(false));
    assert_eq!(confirmed(&silent, None), None);
    assert_eq!(confirmed(&away, Some(&known(true, 1))), None);
}

#[test]
fn a_broker_that_does_not_answer_is_not_ready_whatever_was_known() {
    let silent = ReadinessReports::Silent { why: "connection refused".to_owned() };
    assert_eq!(asked(&silent, Some(&known(true, 1)), &[]), "not ready: connection refused");
}

#[test]
fn force_holds_until_its_time_and_says_what_is_true() {
    let lagging = ReadinessReports::Broker(attendance(&[&[1]], &[]));
    let until = NOW + 1;
    assert_eq!(
        asked(&lagging, None, &[force("cluster", until), force("map events", until + 1)]),
        "ready by force, map events until then by a file: disk check; in truth: it is not in sync in 1 of 1: t-0"
    );
    assert_eq!(
        asked(&lagging, None, &[force("cluster", NOW)]),
        "not ready: it is not in sync in 1 of 1: t-0; no longer forced, cluster until then by a file: disk check"
    );
    // A ready broker needs no order.
    let ready = ReadinessReports::Broker(attendance(&[&[3]], &[]));
    assert_eq!(readiness(&ready, None, &[force("cluster", until)], NOW, &TERMS).forced, None);
}

#[test]
fn force_is_not_remembered_as_the_state() {
    let told = ReadinessReports::Broker(attendance(&[&[1]], &[]));
    let verdict = readiness(&told, None, &[force("cluster", NOW + 9)], NOW, &TERMS);
    assert!(verdict.ready && !verdict.confirmed.unwrap().ready);
}

#[test]
fn controllers_and_zookeeper_servers_have_rules_of_their_own() {
    let vote = |is_voter, leads, behind_ms| {
        ReadinessReports::Controller(Vote { is_voter, leads, behind_ms })
    };
    let mode = |mode: &str| ReadinessReports::ZooKeeper { mode: mode.to_owned() };
    let cases = [
        (vote(true, true, Some(0)), "ready: it is the active controller"),
        (vote(true, false, Some(900)), "ready: it is in the quorum, and has caught up"),
        (vote(true, false, Some(10_001)), "not ready: it is 10001 ms behind the active controller"),
        (vote(true, false, None), "not ready: the active controller has not heard of it"),
        (vote(false, false, Some(0)), "not ready: it has no vote in the quorum"),
        (mode("leader"), "ready: it is leader"),
        (mode("follower"), "ready: it is follower"),
        (mode("no quorum"), "not ready: it serves nobody: no quorum"),
    ];
    for (told, expected) in cases {
        assert_eq!(asked(&told, None, &[]), expected);
    }
}
