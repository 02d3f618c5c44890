//! What a plan assumes instead of unknown facts.

use serde::{Deserialize, Serialize};

/// An assumption of a plan. It replaces a fact that is unknown everywhere; a fact that is known in places is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Assumption {
    /// What consumers read is unknown for each partition.
    #[error("traffic leaves consumers out: no bytes_out_per_second is known")]
    ConsumersNotCounted,
    /// The network of each broker is unknown.
    #[error("all networks count as equal: no network_bytes_per_second is known")]
    EqualNetworks,
    /// The CPU of each broker is unknown.
    #[error("all brokers count as having equal CPU: no cpu_nanocores is known")]
    EqualCpus,
}
