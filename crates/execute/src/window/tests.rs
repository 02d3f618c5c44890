use super::*;
use crate::task::{Aim, ExecutionTerms, PauseOn};
use mapper::snapshot::{Leader, Partition, PartitionFacts, Topic};
use mapper::{
    BrokerId, Bytes, LeadBy, Leaders, Mends, PartitionId, Plan, PlanTerms, Ratio, Replicas, Request,
};

const RATE: Rate = Rate(1_000);

pub(crate) fn ids(ids: &[u32]) -> Replicas {
    ids.iter().copied().map(BrokerId).collect()
}

/// A move of this many bytes, from the first broker to the second.
pub(crate) fn change(partition: u32, from: u32, to: u32, bytes: u64) -> Move {
    Move {
        topic: "t".into(),
        partition: PartitionId(partition),
        from: ids(&[from]),
        via: Box::default(),
        disk_bytes: mapper::Bytes(0),
        to: ids(&[to]),
        log_dirs: Vec::new(),
        reason: Reason::Balance,
        bytes: Some(Bytes(bytes)),
    }
}

pub(crate) fn seen(moves: &[Move]) -> Seen {
    let mut topic = Topic { name: "t".to_owned(), ..Topic::default() };
    for change in moves {
        let mut partition = Partition::new(change.partition, change.from.iter().copied());
        partition.facts = Some(Box::new(PartitionFacts {
            isr: Some(change.from.clone()),
            leader: Leader::Broker(change.from[0]),
            ..PartitionFacts::default()
        }));
        topic.partitions.push(partition);
    }
    let live = (0..10).map(BrokerId).collect();
    Seen { live, topics: [("t".to_owned(), topic)].into(), ..Seen::default() }
}

pub(crate) fn plan() -> Plan {
    let terms = PlanTerms { mends: Mends::Nothing, ..PlanTerms::new(Vec::new(), Ratio::ZERO) };
    let (by, evacuate) = (LeadBy::Count, Default::default());
    Plan::empty(Request::Leaders(Leaders { terms, by, per_topic: false, evacuate }))
}

fn task(plan: &Plan, pace: Pace) -> Task<'_> {
    let all = ExecutionTerms::new(Aim::CarryOut, pace);
    let terms = ExecutionTerms { pause_on: PauseOn::New, ..all };
    Task { plan, plan_id: "p", cluster_id: "c", terms }
}

/// The partitions that begin now, and those that come next, with these moves in flight.
fn picked(seen: &Seen, pace: Pace, under_way: &[&Move], moves: &[Move]) -> [Vec<u32>; 2] {
    let plan = plan();
    let task = task(&plan, pace);
    let (mut window, turns) = CopyWindow::of(&task, seen, under_way, moves.iter().enumerate());
    let (mut now, mut next) = (Vec::new(), Vec::new());
    for turn in turns {
        let id = turn.change.partition.0;
        if window.has_place(&turn) {
            now.push(id);
        } else if window.comes_next(&turn) {
            next.push(id);
        } else {
            continue;
        }
        window.take(turn);
    }
    [now, next]
}

/// The partitions that begin now.
fn fit(seen: &Seen, pace: Pace, under_way: &[&Move], moves: &[Move]) -> Vec<u32> {
    let [now, _] = picked(seen, pace, under_way, moves);
    now
}

#[test]
fn a_port_takes_moves_until_its_window_is_full_and_others_go_on() {
    let moves = [
        change(0, 1, 3, 3_000),
        change(1, 1, 4, 3_001),
        change(2, 1, 5, 3_002),
        change(3, 2, 6, 50_000),
        change(4, 7, 6, 60_000),
    ];
    let pace = Pace::BytesPerSecond(RATE);
    // 6 is the busiest: it takes from 2 alone, which fills it.
    let [now, next] = picked(&seen(&moves), pace, &[], &moves);
    assert_eq!((now, next), (vec![3, 0, 1], vec![2]), "out of 1, and into 6, is full");
    let mut slow = seen(&moves);
    slow.look_seconds = 5;
    assert_eq!(fit(&slow, pace, &[], &moves), [3, 0, 1, 2], "three looks, 15 seconds");
}

/// 1 sends to 3 and 4 at once, so each of them is half idle.
#[test]
fn a_port_that_is_held_up_elsewhere_takes_another_move() {
    let two = Move { to: ids(&[3, 4]), bytes: Some(Bytes(100_000)), ..change(0, 1, 3, 0) };
    let moves = [change(1, 2, 3, 20_000), change(2, 2, 4, 30_000), change(3, 5, 3, 40_000)];
    let seen = seen(&[std::slice::from_ref(&two), &moves[..]].concat());
    let pace = Pace::BytesPerSecond(RATE);
    assert_eq!(fit(&seen, pace, &[&two], &moves), [1, 2], "3 is full with two halves");
}

/// 9 has the most to receive. All who send to it are busy with others.
#[test]
fn the_busiest_port_shares_the_other_ends() {
    let busy = [change(0, 1, 3, 20_000), change(1, 2, 4, 20_000)];
    let moves = [change(2, 1, 9, 90_000), change(3, 2, 9, 80_000), change(4, 1, 5, 1)];
    let seen = seen(&[&busy[..], &moves].concat());
    let pace = Pace::BytesPerSecond(RATE);
    let under_way: Vec<&Move> = busy.iter().collect();
    assert_eq!(fit(&seen, pace, &under_way, &moves), [3, 2], "two halves fill it");
}

#[test]
fn a_thousand_small_moves_fit_in() {
    let moves: Vec<Move> = (0..1_001).map(|partition| change(partition, 1, 3, 5)).collect();
    assert_eq!(fit(&seen(&moves), Pace::BytesPerSecond(RATE), &[], &moves).len(), 1_000);
}

#[test]
fn a_fast_port_has_several_large_moves() {
    let moves: Vec<Move> = (0..30).map(|number| change(number, 1, 3, u64::MAX / 100)).collect();
    let many = |pace| fit(&seen(&moves), pace, &[], &moves).len();
    assert_eq!(many(Pace::BytesPerSecond(Rate(50_000_000))), 1);
    assert_eq!(many(Pace::BytesPerSecond(Rate(125_000_000))), 3);
    assert_eq!(many(Pace::Unthrottled), 25);
}

#[test]
fn what_has_arrived_leaves_place() {
    let moves = [change(0, 1, 3, 100_000), change(1, 1, 4, 10)];
    let mut seen = seen(&moves);
    let pace = Pace::BytesPerSecond(RATE);
    let [now, next] = picked(&seen, pace, &[&moves[0]], &moves[1..]);
    assert_eq!((now, next), (vec![], vec![]));
    seen.copies.bytes.insert((moves[0].of(), BrokerId(3)), Bytes(86_000));
    let [now, next] = picked(&seen, pace, &[&moves[0]], &moves[1..]);
    assert_eq!((now, next), (vec![], vec![1]), "configs first");
    seen.copies.bytes.insert((moves[0].of(), BrokerId(3)), Bytes(95_001));
    assert_eq!(fit(&seen, pace, &[&moves[0]], &moves[1..]), [1]);
}

#[test]
fn the_daemon_sets_the_rate_of_each_port() {
    let moves = [change(0, 1, 3, 20_000), change(1, 1, 4, 10), change(2, 2, 4, 10)];
    let mut seen = seen(&moves);
    assert_eq!(fit(&seen, Pace::Auto, &[&moves[0]], &moves[1..]), [1, 2]);
    let rates = [(Key::LeaderRate, "1000".to_owned())].into();
    seen.configs.insert(ThrottleResource::Broker(BrokerId(1)), rates);
    assert_eq!(fit(&seen, Pace::Auto, &[&moves[0]], &moves[1..]), [2]);
}

/// 1 sends to 3 and 4. Nothing arrives at 3.
#[test]
fn a_stalled_move_gives_its_place_where_the_fault_is_at_the_other_end() {
    let stuck = change(0, 1, 3, 20_000);
    let moves = [stuck.clone(), change(1, 1, 4, 10), change(2, 2, 3, 10)];
    let mut seen = seen(&moves);
    let pace = Pace::BytesPerSecond(RATE);
    seen.copies.idle.insert(stuck.of());
    assert_eq!(fit(&seen, pace, &[&stuck], &moves[1..]), [2], "1 may be dead");
    seen.copies.flowing = [CopyPort::Out(BrokerId(1)), CopyPort::In(BrokerId(4))].into();
    assert_eq!(fit(&seen, pace, &[&stuck], &moves[1..]), [1], "3 takes no more");
    seen.copies.flowing = [CopyPort::In(BrokerId(3))].into();
    assert_eq!(fit(&seen, pace, &[&stuck], &moves[1..]), [2], "1 sends no more");
    seen.copies.idle.clear();
    assert_eq!(fit(&seen, pace, &[&stuck], &moves[1..]), [0_u32; 0]);
}

#[test]
fn the_last_copy_comes_first_then_min_isr_then_what_lacks_a_replica_then_the_smallest() {
    let moves: Vec<Move> = [(0, 5), (1, 7), (2, 6), (3, 900), (4, 800), (5, 700)]
        .into_iter()
        .map(|(partition, bytes)| Move {
            from: ids(&[1, 2, 3, 4]),
            to: ids(&[1, 2, 3, 5]),
            ..change(partition, 1, 5, bytes)
        })
        .collect();
    let mut seen = seen(&moves);
    let topic = seen.topics.get_mut("t").unwrap();
    topic.min_insync_replicas = Some(3);
    for (partition, in_sync) in [(3, &[1][..]), (4, &[1, 2]), (5, &[1, 2, 3])] {
        topic.partitions[partition].facts.as_mut().unwrap().isr = Some(ids(in_sync));
    }
    assert_eq!(order(&seen, &moves), [3, 4, 5, 0, 2, 1]);
    let unknown = Move { bytes: None, ..moves[0].clone() };
    let leads = Move { to: ids(&[2, 1, 3, 4]), ..unknown.clone() };
    let moves = [unknown, moves[1].clone(), leads];
    assert_eq!(order(&seen, &moves), [2, 1, 0], "nothing to copy; some bytes; perhaps many");
}

/// The order of the moves' turns, by index.
fn order(seen: &Seen, moves: &[Move]) -> Vec<usize> {
    let plan = plan();
    let task = task(&plan, Pace::Unthrottled);
    let (_, turns) = CopyWindow::of(&task, seen, &[], moves.iter().enumerate());
    turns.iter().map(|turn| turn.index).collect()
}
