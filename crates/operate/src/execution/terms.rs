//! What a run was asked for.

use execute::{Aim, ExecutionLimits, Pace, PauseOn};

/// Direction, throttle and limits of a run.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Execute the plan, or cancel it.
    pub aim: Aim,
    /// Replication throttle: a rate, none, or set by autothrottle.
    pub pace: Pace,
    /// How many moves at a time, and how long to wait.
    pub limits: ExecutionLimits,
    /// Which offline partitions, or partitions below min ISR, stop new moves (`--pause-on`).
    pub pause_on: PauseOn,
    /// Go on although other tools also move replicas (`--join`).
    pub join: bool,
    /// Leave the cordons of vacated brokers after a complete run (`--keep-cordons`).
    pub keep_cordons: bool,
}
