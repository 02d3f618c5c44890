//! What to do: a plan, and how fast it may go.

use crate::seen::Seen;
use mapper::{Move, Plan, Rate};
use serde::{Deserialize, Serialize};

/// A plan that is carried out, or cancelled.
#[derive(Debug, Clone, Copy)]
pub struct Task<'p> {
    /// The plan, as [`legs`](crate::legs) cuts it. Its moves, their order and their steps are carried out unchanged.
    pub plan: &'p Plan,
    /// The hash of the whole plan, by which the journal and the ledger name it.
    pub plan_id: &'p str,
    /// The cluster in which it is carried out.
    pub cluster_id: &'p str,
    /// What the run was asked for.
    pub terms: ExecutionTerms,
}

/// Direction, throttle and limits of a run.
#[derive(Debug, Clone, Copy)]
pub struct ExecutionTerms {
    /// Forward, or stop.
    pub aim: Aim,
    /// The throttle of every broker of a move.
    pub pace: Pace,
    /// The limits that slow it down.
    pub limits: ExecutionLimits,
    /// Which unhealthy partitions stop new moves (`--pause-on`).
    pub pause_on: PauseOn,
    /// Continue although other tools move replicas as well (`--join`).
    pub join: bool,
    /// Leave a cordon that this plan has set, if every move is done (`--keep-cordons`).
    pub keep_cordons: bool,
}

impl ExecutionTerms {
    /// Terms under which only the moves of other tools stop new moves.
    #[must_use]
    pub fn new(aim: Aim, pace: Pace) -> Self {
        Self {
            aim,
            pace,
            limits: ExecutionLimits::default(),
            pause_on: PauseOn::Never,
            join: false,
            keep_cordons: false,
        }
    }
}

impl<'p> Task<'p> {
    /// A move, by its index in the plan.
    pub fn of(&self, index: usize) -> Option<&'p Move> {
        self.plan.moves.get(index)
    }

    /// The moves of the plan that are in flight, no matter which tool submitted them.
    pub(crate) fn running<'s>(
        &self,
        seen: &'s Seen,
    ) -> impl Iterator<Item = &'p Move> + use<'p, 's> {
        self.plan.moves.iter().filter(|change| seen.running.contains_key(&change.of()))
    }
}

/// Whether to carry the plan out or to cancel it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// Submit every move, step by step.
    CarryOut,
    /// Cancel the moves in flight, restore the old order of their replicas, and submit nothing else.
    Cancel,
}

/// How fast replicas may be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// At most this rate, in bytes per second, into each broker, and out of each (`leader.replication.throttled.rate`,
    /// `follower.replication.throttled.rate`).
    BytesPerSecond(Rate),
    /// As fast as the machines can.
    Unthrottled,
    /// As the daemon decides. The daemon sets rates and lists before the first byte of an announced move, and keeps
    /// them until it ends. A move that the daemon does not pace does not begin.
    Auto,
}

/// More moves in flight do not make a broker faster. The controller has to track every move in flight, and a cancel has
/// to undo it. A controller with ZooKeeper accepts moves faster than it ends them. The bound is per broker, so that a
/// slow broker delays only its own moves.
pub const MOVES_PER_BROKER: usize = 200;

/// What slows an execution down. It never changes what the execution does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutionLimits {
    /// Partitions in flight at a time. Those whose destinations are all dead are not counted, here and below.
    pub moves: usize,
    /// Partitions in flight at a time into, and led by, one broker. `None`: a window of bytes for each of its ports, and
    /// at most [`MOVES_PER_BROKER`].
    pub moves_per_broker: Option<usize>,
    /// Partitions submitted in one round, in requests of a [`Batch`](crate::Batch).
    pub batch: usize,
    /// How long to wait for moves that cannot be submitted (no live leader, a dead destination, no room), in seconds.
    /// The wait begins when nothing else is left to do.
    pub patience_seconds: u64,
    /// After this time nothing new is begun (`--until`), in seconds since 1970. Moves in flight are awaited.
    pub until_seconds: Option<u64>,
    /// What happens to a move whose destination dies.
    pub on_dead_broker: OnDeadBroker,
    /// A copy counts as stalled after this long without a byte, in seconds.
    pub stalled_after_seconds: u64,
    /// The run ends when a broker that the plan does not replace has been lost for this long, in seconds. Moves in flight and
    /// their throttle stay.
    pub leave_when_lost_seconds: Option<u64>,
}

/// What happens to a move in flight whose destination dies (`--on-dead-broker`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDeadBroker {
    /// It continues when the broker returns.
    Wait,
    /// It is cancelled, and submitted again if the broker returns in time.
    Cancel,
}

impl Default for ExecutionLimits {
    fn default() -> Self {
        Self {
            moves: usize::MAX,
            moves_per_broker: None,
            batch: 500,
            patience_seconds: 60,
            until_seconds: None,
            on_dead_broker: OnDeadBroker::Wait,
            stalled_after_seconds: 600,
            leave_when_lost_seconds: None,
        }
    }
}

/// Which partitions below their min ISR, or without a leader, stop new moves (`--pause-on`). Partitions that the plan
/// heals never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseOn {
    /// None.
    Never,
    /// Those that were healthy at the start.
    New,
    /// All.
    Any,
}
