use super::super::{KeepMode, Trigger, TriggerTerms};
use super::clairvoyant::lasting;
use super::*;
use mapper::snapshot::{Leader, LogDir, LogDirIndex, Partition, PartitionFacts, Topic};
use mapper::{Rate, Ratio, TopicSelection};
use proptest::prelude::*;

const HOUR: u64 = 3_600;
const NOON: u64 = 20_000 * DAY_SECONDS + 12 * HOUR;
const GB: u64 = 1_000_000_000;
/// The size of a partition at the start.
const SIZE: u64 = 1_300_000_000;
const WEEK: (u64, u64, u64) = (NOON, NOON + 7 * DAY_SECONDS, HOUR);

/// Six brokers of 100 GB in three racks, and 60 partitions of 1.3 GB.
fn cluster() -> Snapshot {
    let broker = |at: u32| Broker {
        rack: Some(format!("r{}", at % 3)),
        storage_total: Some(Bytes(100 * GB)),
        // Two of six topics are on the first three brokers alone.
        storage_free: Some(Bytes(100 * GB - if at < 3 { 40 } else { 20 } * SIZE)),
        ..Broker::new(BrokerId(at))
    };
    let partition = |topic: u32, at: u32| {
        // On the first three brokers only, of some topics.
        let (first, of) = (topic + at, if topic < 2 { 3 } else { 6 });
        let mut partition =
            Partition::new(PartitionId(at), (0..3).map(|seat| BrokerId((first + seat) % of)));
        partition.size = Some(Bytes(SIZE));
        partition
    };
    let topic = |at: u32| Topic {
        name: format!("t{at}"),
        partitions: (0..10).map(|id| partition(at, id)).collect(),
        ..Topic::default()
    };
    let parts = Parts {
        brokers: (0..6).map(broker).collect(),
        topics: (0..6).map(topic).collect(),
        ..Parts::default()
    };
    Snapshot::new(parts).unwrap()
}

/// Each topic grows by its own part a day, with a season of a day.
struct Growth {
    permille_a_day: [u64; 6],
    season_percent: u64,
    happenings: Vec<(u64, Happening)>,
}

impl Growth {
    /// How full all live brokers of a week together are at their fullest hour, in percent. One of six is lost, and one joins,
    /// after so many hours.
    fn fullest_percent(&self, lost: u64, joined: u64) -> u64 {
        let percent = |hour: u64| {
            let sizes = |topic: u64| self.sizes(&format!("t{topic}"), NOON + hour * HOUR);
            let bytes: u64 = (0..6)
                .flat_map(|topic| sizes(topic).into_owned())
                .flatten()
                .map(|size| 3 * size.0)
                .sum();
            let live = 6 - u64::from(hour >= lost) + u64::from(hour >= joined);
            bytes / (live * GB)
        };
        (0..7 * 24).map(percent).max().unwrap()
    }
}

impl Course for Growth {
    fn sizes(&self, topic: &str, at_seconds: u64) -> Cow<'_, [Option<Bytes>]> {
        let at: usize = topic.strip_prefix('t').unwrap().parse().unwrap();
        let gone = at_seconds - NOON;
        let trend = SIZE + SIZE * self.permille_a_day[at] * gone / DAY_SECONDS / 1_000;
        // From nothing at noon to the whole at midnight.
        let hour = (at_seconds / HOUR) % 24;
        let season = hour.abs_diff(12) * self.season_percent / 12;
        vec![Some(Bytes(trend + trend * season / 100)); 10].into()
    }

    fn happenings(&self, after: u64, until: u64) -> Vec<(u64, Happening)> {
        between(&self.happenings, after, until)
    }
}

fn policy(triggers: &[Trigger]) -> KeepPolicy {
    let terms = |trigger: Trigger| TriggerTerms {
        mode: KeepMode::Act,
        for_seconds: if trigger == Trigger::FullDisk { 0 } else { 2 * HOUR },
        rest_seconds: if trigger.is_for_evenness() { DAY_SECONDS } else { 0 },
        max_bytes: None,
    };
    KeepPolicy {
        triggers: triggers.iter().map(|trigger| (*trigger, terms(*trigger))).collect(),
        throttle: Rate(20_000_000),
        full: Ratio::from_percent(80),
        relieved: Ratio::from_percent(70),
        ..KeepPolicy::default()
    }
}

fn everywhere(snapshot: &Snapshot) -> Vec<Assignment> {
    let live = snapshot.brokers().iter().filter(|broker| broker.live);
    vec![Assignment::new(TopicSelection::Rest, live.map(|broker| broker.id).collect())]
}

fn week(course: &Growth, policy: &KeepPolicy) -> Replayed {
    replay(&cluster(), course, WEEK, policy, &everywhere).unwrap()
}

fn at(hours: u64, what: Happening) -> (u64, Happening) {
    (NOON + hours * HOUR, what)
}

const STILL: [u64; 6] = [0; 6];

/// What calls for plans without a forecast.
const OF_NOW: [Trigger; 6] = [
    Trigger::LostBroker,
    Trigger::LeavingBroker,
    Trigger::FullDisk,
    Trigger::Drift,
    Trigger::NewBroker,
    Trigger::Imbalance,
];

#[test]
fn a_lost_broker_is_replaced_once_after_its_time() {
    let happenings = vec![at(10, Happening::Lost(BrokerId(5)))];
    let course = Growth { permille_a_day: STILL, season_percent: 0, happenings };
    let replayed = week(&course, &policy(&Trigger::ALL[..1]));
    let [plan] = replayed.plans.as_slice() else { panic!("{replayed:?}") };
    assert_eq!(plan.need.to_string(), "lost-broker 5");
    let lost_for = plan.at_seconds - NOON - 10 * HOUR;
    assert!((2 * HOUR..=3 * HOUR).contains(&lost_for), "{lost_for}");
}

#[test]
fn a_broker_that_returns_in_time_costs_nothing() {
    let happenings = (1..20).flat_map(|day| {
        let hour = day * 8;
        [
            at(hour, Happening::Lost(BrokerId(5))),
            (NOON + hour * HOUR + 1_000, Happening::Back(BrokerId(5))),
        ]
    });
    let course =
        Growth { permille_a_day: STILL, season_percent: 0, happenings: happenings.collect() };
    assert_eq!(
        week(&course, &policy(&Trigger::ALL)).plans.len(),
        1,
        "only the imbalance of the start"
    );
}

#[test]
fn a_disk_that_fills_is_relieved_and_no_season_moves_data_to_and_fro() {
    let course =
        Growth { permille_a_day: [400, 0, 0, 0, 0, 0], season_percent: 10, happenings: Vec::new() };
    let without = week(&course, &KeepPolicy { triggers: BTreeMap::new(), ..policy(&[]) });
    let with = week(&course, &policy(&[Trigger::FullDisk]));
    assert!(without.broker_seconds_over_mark > DAY_SECONDS, "{without:?}");
    assert!(
        with.broker_seconds_over_mark * 20 <= without.broker_seconds_over_mark,
        "{with:?} {without:?}"
    );
    assert_eq!(with.bytes_back, Bytes(0));
}

#[test]
fn a_disk_that_fills_is_relieved_before_it_is_full_as_soon_as_records_tell_it() {
    let course =
        Growth { permille_a_day: [400, 0, 0, 0, 0, 0], season_percent: 0, happenings: Vec::new() };
    let ahead = KeepPolicy { ahead_days: 3, ..policy(&[Trigger::FillingDisk]) };
    let with = week(&course, &ahead);
    let first = with.plans.first().expect("a plan");
    assert_eq!(first.need.trigger, Trigger::FillingDisk);
    assert!(first.at_seconds >= NOON + 48 * HOUR, "{first:?}: not without records of two days");
    assert_eq!((with.broker_seconds_over_mark, with.bytes_back), (0, Bytes(0)));
    let late = week(&course, &policy(&[Trigger::FullDisk]));
    assert!(late.broker_seconds_over_mark > 0, "{late:?}");
}

#[test]
fn leaders_and_disks_of_a_real_cluster_are_followed() {
    let mut parts = cluster().into_parts();
    for broker in &mut parts.brokers {
        let (total, free) = (broker.storage_total, broker.storage_free);
        broker.log_dirs = vec![LogDir { path: "/data".to_owned(), total, free }];
    }
    for topic in &mut parts.topics {
        topic.log_dir_paths = vec!["/data".to_owned()];
        for partition in &mut topic.partitions {
            let isr = Some(partition.replicas.clone());
            let leader = Leader::Broker(partition.replicas[0]);
            let replica_sizes = partition.replicas.iter().map(|_| partition.size).collect();
            let log_dirs = partition.replicas.iter().map(|_| Some(LogDirIndex(0))).collect();
            let facts = PartitionFacts {
                isr,
                leader,
                replica_sizes,
                log_dirs,
                ..PartitionFacts::default()
            };
            partition.facts = Some(Box::new(facts));
        }
    }
    let start = Snapshot::new(parts).unwrap();
    let course =
        Growth { permille_a_day: [400, 0, 0, 0, 0, 0], season_percent: 0, happenings: Vec::new() };
    let all = policy(&[Trigger::FullDisk]);
    let told = replay(&start, &course, WEEK, &all, &everywhere).unwrap();
    assert_eq!(told, week(&course, &all), "as where nothing but sizes is told");
    assert!(!told.plans.is_empty());
}

#[test]
fn a_plan_that_takes_data_back_waits_for_an_approval() {
    let policy = policy(&[Trigger::Imbalance]);
    let [need, drift]: [Need; 2] = ["imbalance", "drift"].map(|text| text.parse().unwrap());
    let snapshot = cluster();
    let request = need.request(everywhere(&snapshot), PlaceBy::Storage, &policy);
    let there = plan(&snapshot, &request).unwrap();
    let mut back = there.clone();
    back.moves.iter_mut().for_each(|change| std::mem::swap(&mut change.from, &mut change.to));
    let warnings =
        |earlier: &[Plan]| drift.planned("id".to_owned(), &back, earlier, &policy).warnings;
    assert!(warnings(&[]).is_empty());
    assert_eq!(warnings(std::slice::from_ref(&there)), ["moves-back".to_owned()].into());
    assert_eq!(bytes_back(&back, [&there]), there.bytes_moved().unwrap());
    assert_eq!(bytes_back(&there, [&there]), Bytes(0));
    let what = drift.planned("id".to_owned(), &there, [], &policy).what;
    assert_eq!(what, "12 partitions of t0, t5, from broker 0, 1, 2 to 3, 4, 5");
}

#[test]
fn a_plan_mends_its_own_need_only() {
    let mut parts = cluster().into_parts();
    parts.brokers[4].live = false;
    let snapshot = Snapshot::new(parts).unwrap();
    // Broker 0 is outside of the map of t3, and keeps its replicas until a plan for drift.
    let all =
        |topics, ids: &[u32]| Assignment::new(topics, ids.iter().copied().map(BrokerId).collect());
    let own = TopicSelection::Named(["t3".to_owned()].into());
    let maps = vec![all(own, &[1, 2, 3, 5]), all(TopicSelection::Rest, &[0, 1, 2, 3, 5])];
    let drifts = |text: &str| {
        let need: Need = text.parse().unwrap();
        let request = need.request(maps.clone(), PlaceBy::Storage, &policy(&Trigger::ALL));
        let plan = plan(&snapshot, &request).unwrap();
        plan.moves.iter().any(|it| &*it.topic == "t3" && it.removed().any(|id| id == BrokerId(0)))
    };
    for text in ["lost-broker 4", "leaving-broker 5", "full-disk 1", "new-broker", "imbalance"] {
        assert!(!drifts(text), "{text}");
    }
    assert!(drifts("drift"));
}

/// Twelve brokers of 100 GB in three racks, half full.
fn twelve() -> Snapshot {
    let broker = |at: u32| Broker {
        rack: Some(format!("r{}", at % 3)),
        storage_total: Some(Bytes(100 * GB)),
        storage_free: Some(Bytes(100 * GB)),
        ..Broker::new(BrokerId(at))
    };
    let partition = |topic: u32, at: u32| {
        let first = topic * 5 + at;
        let mut partition =
            Partition::new(PartitionId(at), (0..3).map(|seat| BrokerId((first + seat) % 12)));
        partition.size = Some(Bytes(u64::from(topic % 4 + 1) * GB / 2));
        partition
    };
    let topic = |at: u32| Topic {
        name: format!("t{at}"),
        partitions: (0..6).map(|id| partition(at, id)).collect(),
        ..Topic::default()
    };
    let parts = Parts {
        brokers: (0..12).map(broker).collect(),
        topics: (0..28).map(topic).collect(),
        ..Parts::default()
    };
    Snapshot::new(parts).unwrap()
}

#[test]
fn seeded_weeks_thrash_nothing() {
    for seed in 0..4 {
        let course = SeededWeek::new(&twelve(), seed, NOON);
        let ahead = policy(&Trigger::ALL);
        let ahead = replay(&twelve(), &course, WEEK, &ahead, &everywhere).unwrap();
        assert_eq!(ahead.bytes_back, Bytes(0), "{seed}: {:?}", ahead.plans);
        let all = policy(&OF_NOW);
        let with = replay(&twelve(), &course, WEEK, &all, &everywhere).unwrap();
        let none = KeepPolicy { triggers: BTreeMap::new(), ..all.clone() };
        let without = replay(&twelve(), &course, WEEK, &none, &everywhere).unwrap();
        assert_eq!(with.bytes_back, Bytes(0), "{seed}: {:?}", with.plans);
        let over = [&with, &without].map(|replayed| replayed.broker_seconds_over_mark);
        assert!(over[0] * 20 <= over[1], "{seed}: {over:?}");
        let needs: Vec<&str> = with.plans.iter().map(|plan| plan.need.trigger.name()).collect();
        assert_eq!(needs, ["lost-broker", "new-broker", "leaving-broker"], "{seed}");
        let (from, until, _) = WEEK;
        let least = clairvoyant(&twelve(), &course, (from, until), &all, &everywhere).unwrap();
        assert!(with.bytes.0 * 10 <= least.0 * 13, "{seed}: {with:?}, {least}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever grows, and whichever brokers come and go: no replica returns within a day.
    #[test]
    fn nothing_is_moved_back_within_a_day(
        permille_a_day in [0..400_u64, 0..400, 0..100, 0..100, 0..100, 0..100],
        season_percent in 0..60_u64,
        lost in 1..160_u64,
        joined in 1..160_u64,
    ) {
        let new = Broker {
            rack: Some("r1".to_owned()),
            storage_total: Some(Bytes(100 * GB)),
            storage_free: Some(Bytes(100 * GB)),
            ..Broker::new(BrokerId(6))
        };
        let mut happenings =
            vec![at(lost, Happening::Lost(BrokerId(4))), at(joined, Happening::Joined(Box::new(new)))];
        happenings.sort_by_key(|(at, _)| *at);
        let course = Growth { permille_a_day, season_percent, happenings };
        let ahead = week(&course, &policy(&Trigger::ALL));
        prop_assert_eq!(ahead.bytes_back, Bytes(0), "{:?}", ahead.plans);
        let mut policy = policy(&OF_NOW);
        // As many plans as there are needs, but not one for each hour in which a disk cannot be relieved far enough.
        policy.triggers.values_mut().for_each(|terms| terms.rest_seconds = DAY_SECONDS);
        let replayed = week(&course, &policy);
        prop_assert_eq!(replayed.bytes_back, Bytes(0), "{:?}", replayed.plans);
        for trigger in OF_NOW {
            let own = replayed.plans.iter().filter(|plan| plan.need.trigger == trigger);
            let own: Vec<&ReplayedPlan> = own.collect();
            let rests = |two: &[&ReplayedPlan]| {
                two[0].at_seconds + two[0].seconds + DAY_SECONDS <= two[1].at_seconds
            };
            prop_assert!(own.windows(2).all(rests), "{:?}", replayed.plans);
        }
        // Where the brokers together are too full, disks call for a plan each day, whatever is planned.
        let has_room = course.fullest_percent(lost, joined) <= 80;
        prop_assert!(replayed.plans.len() <= 8 || !has_room, "{:?}", replayed.plans);
    }
}

/// A record of the cluster, changed.
fn record(change: impl FnOnce(&mut Parts)) -> Snapshot {
    let mut parts = cluster().into_parts();
    change(&mut parts);
    Snapshot::new(parts).unwrap()
}

#[test]
fn records_are_replayed_with_the_cluster_that_they_show() {
    let mut course = RecordedCourse::default();
    course.see(NOON, &cluster());
    let grown = |parts: &mut Parts| {
        parts.topics[0].partitions.iter_mut().for_each(|one| one.size = Some(Bytes(2 * SIZE)));
    };
    course.see(NOON + HOUR, &record(grown));
    course.see(NOON + 2 * HOUR, &record(|parts| parts.brokers[5].live = false));
    course.see(
        NOON + 10 * HOUR,
        &record(|parts| {
            parts.brokers.truncate(5);
            parts.topics.remove(5);
            parts.topics[1].partitions.push(Partition::new(PartitionId(10), [BrokerId(0)]));
            parts.topics.push(Topic { name: "t9".to_owned(), ..parts.topics[0].clone() });
        }),
    );
    let size = |hours: u64| course.sizes("t0", NOON + hours * HOUR)[3].unwrap().0 / SIZE;
    assert_eq!([0, 1, 2].map(size), [1, 2, 1]);
    let all = course.happenings(NOON, NOON + 10 * HOUR);
    let all: Vec<Happening> = all.into_iter().map(|(_, what)| what).collect();
    let [
        Happening::Lost(lost),
        Happening::Grown(more),
        Happening::Grown(new),
        Happening::Deleted(gone),
    ] = all.as_slice()
    else {
        panic!("{all:?}")
    };
    assert_eq!((lost.0, &*more.name, &*new.name, &**gone), (5, "t1", "t9", "t5"));

    let until = NOON + 12 * HOUR;
    let lost = policy(&[Trigger::LostBroker]);
    let replayed = replay(&cluster(), &course, (NOON, until, HOUR), &lost, &everywhere).unwrap();
    let [plan] = replayed.plans.as_slice() else { panic!("{replayed:?}") };
    assert_eq!(
        (plan.need.to_string().as_str(), plan.at_seconds),
        ("lost-broker 5", NOON + 4 * HOUR)
    );
}

#[test]
fn a_clairvoyant_answers_only_what_lasts() {
    let [lost, flaps] = [BrokerId(4), BrokerId(5)];
    let happenings = vec![
        at(1, Happening::Back(lost)),
        at(2, Happening::Lost(flaps)),
        at(3, Happening::Back(flaps)),
        at(4, Happening::Lost(lost)),
        at(5, Happening::Cordoned(flaps)),
    ];
    let left: Vec<Happening> = lasting(happenings).into_iter().map(|(_, what)| what).collect();
    let lasts = [Happening::Back(lost), Happening::Lost(lost), Happening::Cordoned(flaps)];
    assert_eq!(left, lasts);

    // A disk that is nearly full holds up every other plan, and a lost broker the one that makes room: not for a clairvoyant.
    let mut parts = cluster().into_parts();
    parts.brokers[0].storage_total = Some(Bytes(54 * GB));
    parts.brokers[0].storage_free = Some(Bytes(2 * GB));
    let happenings = vec![at(1, Happening::Lost(lost))];
    let course = Growth { permille_a_day: STILL, season_percent: 0, happenings };
    let all = policy(&[Trigger::LostBroker, Trigger::FullDisk]);
    let start = Snapshot::new(parts).unwrap();
    let bytes =
        clairvoyant(&start, &course, (NOON, NOON + DAY_SECONDS), &all, &everywhere).unwrap();
    let repaired = 20 * SIZE;
    assert!(bytes.0 > repaired, "{bytes}: both are done");
}
