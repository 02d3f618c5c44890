//! How a plan is cut into steps: what the caller asks for beyond room for both copies of everything.

use crate::bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The limits of a step, and the order of what moves. The default asks for nothing: as few steps as there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pacing {
    /// The bytes that one step copies at most; a partition that is larger makes a step by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<Bytes>,
    /// The partitions of one step that a broker takes part in at most: it receives them, or they are copied from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_moves_per_broker: Option<u32>,
    /// What goes first.
    #[serde(default)]
    pub order: StepOrder,
    /// So many brokers at a time give up what they have to, in descending order of id (`--chunk-step-size`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_brokers: Option<u32>,
    /// A leader that leaves stays, first in the list, until its partition's new replicas are in sync
    /// (`--phased-reassignment`): for that long the partition has a replica more.
    #[serde(default)]
    pub phased: bool,
}

/// In which order moves are taken into steps; those that are equal in it stay in order of topic and partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOrder {
    /// By the reason of the move, the strongest first: what is lost before what evens the load.
    #[default]
    ByReason,
    /// The smallest partitions first.
    SmallFirst,
    /// The largest partitions first.
    LargeFirst,
    /// What heals partitions first, those with the fewest sound replicas ahead; then what takes load off brokers
    /// beyond their limit; then the smallest.
    LeastRiskFirst,
}

impl Pacing {
    /// Asks for nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
