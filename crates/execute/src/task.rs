//! What is to be done: a plan, and how fast it may go.

use crate::seen::Seen;
use mapper::{Move, Plan, Rate};
use serde::{Deserialize, Serialize};

/// A plan on its way into a cluster, or back out of it.
#[derive(Debug, Clone, Copy)]
pub struct Task<'p> {
    /// The plan, as [`legs`](crate::legs) cuts it. Its moves, their order and their steps are carried out as they stand.
    pub plan: &'p Plan,
    /// The whole plan's hash: by it journal and ledger name the plan.
    pub plan_id: &'p str,
    /// The cluster that it is carried out in.
    pub cluster_id: &'p str,
    /// Forward, or stop.
    pub aim: Aim,
    /// The throttle of every broker that takes part.
    pub pace: Pace,
    /// What slows it down.
    pub limits: Limits,
    /// Which illness of the cluster stops new moves.
    pub pause_on: PauseOn,
    /// Go on although other tools move replicas, too (`--join`).
    pub join: bool,
}

impl<'p> Task<'p> {
    /// A move, by its index in the plan.
    pub fn of(&self, index: usize) -> Option<&'p Move> {
        self.plan.moves.get(index)
    }

    /// The moves of the plan that are in flight, whoever submitted them.
    pub(crate) fn running<'s>(
        &self,
        seen: &'s Seen,
    ) -> impl Iterator<Item = &'p Move> + use<'p, 's> {
        self.plan.moves.iter().filter(|change| seen.running.contains_key(&change.of()))
    }
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// Submit every move, step by step.
    CarryOut,
    /// Cancel what is in flight, put the old order of replicas back, submit nothing else.
    Cancel,
}

/// How fast replicas may be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// At most so many bytes per second into each broker, and out of each
    /// (`leader.replication.throttled.rate`, `follower.replication.throttled.rate`).
    BytesPerSecond(Rate),
    /// As fast as the machines can.
    Unthrottled,
    /// As the daemon decides: it sets rates and lists, before the first byte of a move that it was told of and as long as
    /// there is one. Nothing is begun that it does not pace.
    Auto,
}

/// More in flight makes no broker faster, and what is in flight is what a controller has to carry along, and a cancel to
/// undo: a controller with ZooKeeper takes moves sooner than it ends them. It is per broker, so that a slow one keeps only its own
/// moves waiting.
pub const MOVES_PER_BROKER: u32 = 200;

/// What slows an execution down. Never what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Partitions in flight at a time. Those whose destinations are all dead are not counted, here and below.
    pub moves: usize,
    /// Partitions in flight at a time into, and led by, one broker: [`MOVES_PER_BROKER`] unless told.
    pub moves_per_broker: usize,
    /// Partitions submitted in one round, in requests of a [`Batch`](crate::Batch).
    pub batch: usize,
    /// How long moves that cannot be submitted (no live leader, a dead destination, no room) are waited for when
    /// nothing else is left to do, in seconds.
    pub patience_seconds: u64,
    /// From then on nothing new is begun (`--until`), in seconds since 1970; what is in flight is awaited.
    pub until_seconds: Option<u64>,
    /// What becomes of a move whose destination dies.
    pub on_dead_broker: OnDeadBroker,
    /// After so long without a byte, a copy is called stalled, in seconds.
    pub stalled_after_seconds: u64,
}

/// What becomes of a move in flight whose destination dies (`--on-dead-broker`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDeadBroker {
    /// It goes on when the broker returns.
    Wait,
    /// It is cancelled, and submitted again if the broker returns in time.
    Cancel,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            moves: usize::MAX,
            moves_per_broker: usize::try_from(MOVES_PER_BROKER).unwrap_or(usize::MAX),
            batch: 500,
            patience_seconds: 60,
            until_seconds: None,
            on_dead_broker: OnDeadBroker::Wait,
            stalled_after_seconds: 600,
        }
    }
}

/// Which partitions below their min ISR, or without a leader, stop new moves (`--pause-on`). Those that the plan
/// heals never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseOn {
    /// None.
    Never,
    /// Those that were well at the start.
    New,
    /// All.
    Any,
}
