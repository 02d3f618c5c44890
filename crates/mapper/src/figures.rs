//! What a cluster's load comes to, before and after a plan.

use crate::bytes::Bytes;
use crate::ids::BrokerId;
use serde::{Deserialize, Serialize};

/// The load of each broker, and how even it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// The fullest broker's share of storage used; absent where a capacity is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_used_ratio: Option<f64>,
    /// The emptiest broker's share of storage used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_used_ratio: Option<f64>,
    /// Partitions in scope that do not keep the rack rule.
    pub rack_violations: usize,
    /// Replicas in scope that are lost.
    pub lost_replicas: usize,
    /// The brokers that hold or may hold replicas in scope, in order of id.
    pub brokers: Vec<BrokerFigures>,
}

/// The load of one broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerFigures {
    /// The broker.
    pub id: BrokerId,
    /// Registered and not fenced at capture.
    pub live: bool,
    /// Its replicas of all topics.
    pub replicas: u64,
    /// The partitions of all topics of which it is the preferred leader.
    pub leaders: u64,
    /// Storage used by all topics; absent where unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_bytes: Option<Bytes>,
    /// Storage there is; absent where unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_bytes: Option<Bytes>,
    /// What the plan copies onto it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub incoming_bytes: Bytes,
    /// What the plan copies from it, if every copy is taken from the preferred leader before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub outgoing_bytes: Bytes,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(bytes: &Bytes) -> bool {
    bytes.0 == 0
}
