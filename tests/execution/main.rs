//! Executions in a simulated cluster. Brokers die and return, moves end in any order, and the executor is killed at any
//! point. Journals are lost, topics are deleted, and other tools move replicas. The guarantees hold in all cases.

mod cluster;
mod run;
mod swept;
mod world;

use execute::{ExecutionLimits, Pace, PauseOn};
use mapper::{ANY_LOG_DIR, PartitionId, Rate};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use run::Run;
use world::{Event, Shape, World, events, worlds};

/// The same cases in every run. `PROPTEST_RNG_SEED` selects others, `PROPTEST_CASES` more.
fn config() -> Config {
    let asked = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    Config {
        cases: asked("PROPTEST_CASES").and_then(|cases| u32::try_from(cases).ok()).unwrap_or(500),
        rng_seed: RngSeed::Fixed(asked("PROPTEST_RNG_SEED").unwrap_or(20_261_120_u64)),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    }
}

fn executed(world: &World, events: &[Event]) {
    let mut run = Run::of(world);
    for event in events {
        run.happens(event);
    }
    run.calms_down();
    run.ends_as_promised();
}

/// One move at a time. The destination of the first dies for good.
#[test]
fn a_dead_destination_keeps_no_other_move_from_beginning() {
    let shape = |from: [u32; 2], to: [u32; 2]| Shape {
        topic: 0,
        from: from.to_vec(),
        to: Some(to.to_vec()),
        dirs: vec![ANY_LOG_DIR; 2],
    };
    let world = World {
        zookeeper: false,
        lags: false,
        partitions: vec![shape([1, 3], [2, 3]), shape([4, 3], [5, 3])],
        moves_per_step: 2,
        phased: false,
        pace: Pace::Unthrottled,
        pause_on: PauseOn::New,
        limits: ExecutionLimits {
            moves: 1,
            moves_per_broker: Some(1),
            ..ExecutionLimits::default()
        },
        rates: Vec::new(),
        lists: Vec::new(),
    };
    let mut run = Run::of(&world);
    (0..5).for_each(|_| run.happens(&Event::Nothing));
    assert_eq!(run.in_flight(), [PartitionId(0)]);
    run.happens(&Event::BrokerDies(2));
    (0..5).for_each(|_| run.happens(&Event::Nothing));
    assert_eq!(run.in_flight(), [PartitionId(0), PartitionId(1)]);
}

/// Two moves of one step. Another tool cancels the first one in flight, and the second continues.
fn cancelled_by_another_tool(lags: bool) -> Run {
    let shape = |from: [u32; 2], to: [u32; 2]| Shape {
        topic: 0,
        from: from.to_vec(),
        to: Some(to.to_vec()),
        dirs: vec![ANY_LOG_DIR; 2],
    };
    let world = World {
        zookeeper: lags,
        lags,
        partitions: vec![shape([1, 3], [2, 3]), shape([4, 3], [5, 3])],
        moves_per_step: 2,
        phased: false,
        pace: Pace::BytesPerSecond(Rate(1000)),
        pause_on: PauseOn::New,
        limits: ExecutionLimits::default(),
        rates: Vec::new(),
        lists: Vec::new(),
    };
    let mut run = Run::of(&world);
    (0..5).for_each(|_| run.happens(&Event::Nothing));
    assert_eq!(run.in_flight(), [PartitionId(0), PartitionId(1)]);
    run.happens(&Event::CancelledByOthers(0));
    run.happens(&Event::Progress(1));
    run.leaves_what_was_cancelled(0);
    run
}

#[test]
fn what_another_tool_cancels_is_left_until_another_run_tries_it_again() {
    for lags in [false, true] {
        let mut run = cancelled_by_another_tool(lags);
        run.calms_down();
        run.ends_as_promised();
        run.is_complete();
    }
}

/// One move at a time. Another tool moves a third partition to a broker that dies for good.
#[test]
fn a_move_of_another_tool_to_a_dead_broker_is_waited_for_no_longer_than_a_restart() {
    let shape = |from: [u32; 2], to: Option<[u32; 2]>| Shape {
        topic: 0,
        from: from.to_vec(),
        to: to.map(|to| to.to_vec()),
        dirs: vec![ANY_LOG_DIR; 2],
    };
    let world = World {
        zookeeper: false,
        lags: false,
        partitions: vec![
            shape([1, 3], Some([2, 3])),
            shape([4, 3], Some([5, 3])),
            shape([1, 3], None),
        ],
        moves_per_step: 2,
        phased: false,
        pace: Pace::Unthrottled,
        pause_on: PauseOn::Never,
        limits: ExecutionLimits { moves: 1, ..ExecutionLimits::default() },
        rates: Vec::new(),
        lists: Vec::new(),
    };
    let mut run = Run::of(&world);
    (0..5).for_each(|_| run.happens(&Event::Nothing));
    assert_eq!(run.in_flight(), [PartitionId(0)]);
    run.happens(&Event::MovedByOthers(2, vec![6, 3]));
    run.happens(&Event::BrokerDies(6));
    run.happens(&Event::Progress(0));
    (0..55).for_each(|_| run.happens(&Event::Nothing));
    assert_eq!(run.in_flight(), [PartitionId(2)], "it may only be restarting");
    (0..10).for_each(|_| run.happens(&Event::Nothing));
    assert_eq!(run.in_flight(), [PartitionId(1), PartitionId(2)]);
}

proptest! {
    #![proptest_config(config())]

    /// The invariants are in `run.rs`, which checks them after every action.
    #[test]
    fn an_execution_keeps_its_promises_whatever_happens(
        world in worlds(), events in events(),
    ) {
        executed(&world, &events);
    }

    /// Only kills of the executor happen. The plan is carried out completely, and nothing is left behind.
    #[test]
    fn an_execution_that_is_killed_again_and_again_ends_in_the_plan(
        world in worlds(), kills in prop::collection::vec(0_usize..6, 0..40),
    ) {
        let kills: Vec<Event> = kills.into_iter().map(Event::Killed).collect();
        let mut run = Run::of(&world);
        kills.iter().for_each(|kill| run.happens(kill));
        run.calms_down();
        run.ends_as_promised();
        run.is_complete();
    }

    /// During the drain, partitions are created on the drained broker, together with other events.
    #[test]
    fn what_is_left_on_a_drained_broker_is_named_and_swept(world in worlds(), events in events()) {
        let mut run = Run::of(&world);
        events.iter().for_each(|event| run.happens(event));
        run.calms_down();
        run.is_swept();
    }

    /// After `--until` no move begins, and the execution ends by itself.
    #[test]
    fn an_execution_that_is_late_begins_nothing(world in worlds()) {
        let mut world = world;
        world.limits.until_seconds = Some(0);
        let mut run = Run::of(&world);
        run.calms_down();
        run.ends_as_promised();
        run.has_begun_nothing();
    }

    /// A cancel at any moment leaves no move in flight. Every partition is at one end of its move, in its order. The
    /// cancel itself may be killed, too.
    #[test]
    fn a_cancel_at_any_moment_leaves_nothing_in_flight(
        world in worlds(), events in events(), kills in prop::collection::vec(0_usize..6, 0..4),
    ) {
        let mut run = Run::of(&world);
        events.iter().for_each(|event| run.happens(event));
        run.is_cancelled();
        kills.into_iter().for_each(|actions| run.happens(&Event::Killed(actions)));
        run.calms_down();
        run.ends_as_promised();
    }
}
