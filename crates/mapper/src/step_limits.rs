//! How a plan is cut into steps: limits beyond the room for both copies of each replica.

use crate::bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The limits of a step, and the order of moves. The default has no limits: as few steps as there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepLimits {
    /// The most bytes that one step copies. A larger partition is a step by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<Bytes>,
    /// The most partitions of one step that a broker receives or sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_moves_per_broker: Option<u32>,
    /// The order of moves.
    #[serde(default)]
    pub order: StepOrder,
    /// The number of brokers that give up replicas at a time, in descending order of id (`--chunk-step-size`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_brokers: Option<u32>,
    /// A leader that leaves stays first in the list until its partition's new replicas are in sync
    /// (`--phased-reassignment`). During that time the partition has one more replica.
    #[serde(default)]
    pub phased: bool,
}

/// The order in which moves go into steps. Equal moves stay in order of topic and partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOrder {
    /// By the reason of the move, the strongest first: lost replicas before moves that even the load.
    #[default]
    ByReason,
    /// The smallest partitions first.
    SmallFirst,
    /// The largest partitions first.
    LargeFirst,
    /// First moves that heal partitions, those with the fewest healthy replicas in front. Then moves that take load off
    /// brokers beyond their limit. Then the smallest moves.
    LeastRiskFirst,
}

impl StepLimits {
    /// Whether there are no limits, and the order is the default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
