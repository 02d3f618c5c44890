//! The daemon against fixed rates: while clients come and go, a move ends sooner than under the highest fixed rate that
//! leaves clients theirs, which only somebody who knows the future could choose.

use crate::model::{Clients, Cluster, MB};
use crate::run::Run;
use mapper::{BrokerId, PartitionId, Rate};
use throttle::{PerDirection, ReplicationRole, ThrottledReplicas};

/// Of each card, each way, in MB/s.
const CARD: u64 = 30;
const START: u64 = crate::model::WARM_UP;
/// What clients have to get of what they want.
const THEIRS: f64 = 0.95;
/// No move takes longer, in seconds.
const PATIENCE: u64 = 10_000;

/// How a move went.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    seconds: u64,
    clients: f64,
}

/// Everything is led by broker 1, and goes to 3 and 4. Its clients send and fetch.
fn cluster(gigabytes: u64, clients: fn(u64) -> u64) -> Cluster {
    let mut cluster = Cluster::new(&[1, 2, 3, 4].map(|id| (id, CARD)));
    for id in 1..=4 {
        // What is written comes in, and goes out to consumers and to the follower in sync.
        let wanted: Clients = Box::new(move |second| {
            let written = clients(second.saturating_sub(START));
            match id {
                1 => PerDirection { tx: 2 * written, rx: written },
                2 => PerDirection { tx: 0, rx: written },
                _ => PerDirection::both(0),
            }
        });
        let node = cluster.node(id);
        // What a producer's buffer holds; what does not fit in is never sent.
        (node.clients, node.patience) = (wanted, Some(10));
    }
    for _ in 0..2 {
        cluster.moves(&[1, 2], &[3, 4], gigabytes, 0);
    }
    cluster
}

/// `None`: it is not over yet.
fn outcome(cluster: &Cluster) -> Option<Outcome> {
    let end = cluster.seconds();
    let over = usize::try_from(end - START).ok()?;
    let outcome =
        || Outcome { seconds: end - START, clients: cluster.clients_got(START..end, over) };
    cluster.is_done().then(outcome)
}

fn by_daemon(cluster: Cluster) -> (Option<Outcome>, usize) {
    let mut run = Run::within(cluster, 2, |terms| terms.min_rate = Rate(MB / 2));
    run.until(PATIENCE);
    let end = run.cluster.seconds();
    (outcome(&run.cluster), run.most_writes(START..end))
}

fn by_fixed_rate(mut cluster: Cluster, rate: u64) -> Option<Outcome> {
    cluster.warm_up();
    let replicas = |ids: &[u32]| {
        let of = |id: &u32| [0, 1].map(|partition| (PartitionId(partition), BrokerId(*id)));
        ids.iter().flat_map(of).collect()
    };
    cluster.lists = ThrottledReplicas { leaders: replicas(&[1, 2]), followers: replicas(&[3, 4]) };
    for id in 1..=4 {
        cluster.rates.extend(ReplicationRole::ALL.map(|role| ((BrokerId(id), role), rate)));
    }
    while !cluster.is_done() && cluster.seconds() < PATIENCE {
        cluster.tick();
    }
    outcome(&cluster)
}

/// The soonest of all fixed rates, in steps of a twentieth of a card, under which clients keep theirs.
fn safe(gigabytes: u64, clients: fn(u64) -> u64) -> (u64, Outcome) {
    let rates = (3..=16).map(|n| CARD * MB * n / 20);
    let all =
        rates.filter_map(|rate| Some((rate, by_fixed_rate(cluster(gigabytes, clients), rate)?)));
    let safe = all.filter(|(_, outcome)| outcome.clients >= THEIRS);
    safe.min_by_key(|(_, outcome)| outcome.seconds).expect("a low rate leaves clients alone")
}

fn is_sooner(name: &str, gigabytes: u64, clients: fn(u64) -> u64) {
    let (rate, fixed) = safe(gigabytes, clients);
    let (daemon, writes) = by_daemon(cluster(gigabytes, clients));
    let told = format!("{name}: {daemon:?}, {writes} writes; {} kB/s: {fixed:?}", rate / 1000);
    let daemon = daemon.expect("it ends");
    assert!(daemon.clients >= THEIRS, "{told}");
    assert!(daemon.seconds < fixed.seconds, "{told}");
    // A wave has its steps up and down; by itself nothing swings.
    assert!(writes as u64 <= 10 + daemon.seconds / 15, "{told}");
}

/// Whether a wave of so many seconds is high, for so many of them at its beginning.
fn high(second: u64, wave: u64, high: u64) -> bool {
    second % wave < high
}

#[test]
fn when_clients_leave_the_move_has_what_they_had() {
    is_sooner("busy, then quiet", 2, |s| if s < 40 { 9 * MB } else { 2 * MB });
}

#[test]
fn when_clients_come_and_go_by_the_minute() {
    is_sooner("5 and 5 minutes", 6, |s| if high(s, 600, 300) { 9 * MB } else { 2 * MB });
    is_sooner("2 and 4 minutes", 6, |s| if high(s, 360, 120) { 11 * MB } else { MB });
}

#[test]
fn when_clients_burst_now_and_then() {
    is_sooner("30 s in 5 minutes", 6, |s| if high(s, 300, 30) { 11 * MB } else { 3 * MB });
}

#[test]
fn when_clients_rise_and_sink_slowly() {
    // A triangle of 20 minutes between 1 and 11 MB/s.
    is_sooner("a slow wave", 6, |s| {
        let place = (s + 600) % 1200;
        MB + place.min(1200 - place) * 10 * MB / 600
    });
}
