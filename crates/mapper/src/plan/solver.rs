//! How the answer was found, and what is proven about it.

use crate::bytes::Bytes;
use crate::figures::DiskFigures;
use serde::{Deserialize, Serialize};

/// The engine's name in plans whose answer was built without a search.
pub(crate) const CONSTRUCTIVE: &str = "constructive";

/// The best balance that any plan of this scope could reach.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct BalanceFloor {
    /// The least share of its storage that the fullest broker must use.
    pub max_used_ratio: f64,
    /// The most that the emptiest broker can use; only if the plan evens storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_used_ratio: Option<f64>,
    /// The least deviation of the worst broker from the mean of all, as a fraction of that mean; only if the plan evens
    /// storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_deviation: Option<f64>,
    /// The replicas that the broker with most must have; only if the plan evens replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_replicas: Option<u64>,
    /// The replicas that the broker with fewest can have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_replicas: Option<u64>,
    /// The topics that no plan evens over their brokers; only if the plan evens topics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uneven_topics: Option<u64>,
    /// The replicas of those topics that are too many on their broker, or missing on another one, in every plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misplaced_replicas: Option<u64>,
    /// The partitions that the broker with most must lead; only if the plan evens leaders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_leaders: Option<u64>,
    /// The share of its network that the busiest broker must use; only if the plan evens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_network_ratio: Option<f64>,
    /// The most that the least busy broker can use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_network_ratio: Option<f64>,
    /// The traffic that the busiest broker must have; only if the plan evens it and no network is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_traffic_bytes_per_second: Option<u64>,
    /// The most that the least busy broker can have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_traffic_bytes_per_second: Option<u64>,
    /// The share of its CPU that the busiest broker must use; only if the plan evens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cpu_ratio: Option<f64>,
    /// The most that the least busy broker can use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_cpu_ratio: Option<f64>,
    /// The CPU that the busiest broker must use, in nanocores; only if the plan evens it and the CPU of no broker is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cpu_nanocores: Option<u64>,
    /// The most that the least busy broker can use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_cpu_nanocores: Option<u64>,
    /// How full the volumes of brokers with several must be; only if the plan evens them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<DiskFigures>,
    /// The bytes that brokers have to copy from one of their volumes to another, once all replicas are on their brokers;
    /// only if the plan evens volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<Bytes>,
}

/// How an answer was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Solver {
    /// `constructive`, or the exact solver's name.
    pub engine: String,
    /// What is proven about the bytes moved; in a plan of `leaders`, about its evenness.
    pub status: SolverStatus,
    /// What is proven about the worst broker's distance from its share; absent without a search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evenness: Option<SolverStatus>,
    /// The storage that the fullest broker uses above the floor, as a fraction of the floor; only if a search examined
    /// that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evenness_gap_ratio: Option<f64>,
    /// The origin of the lower bound of the bytes moved; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<BoundBy>,
    /// The bytes moved above the lower bound, as a fraction of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_ratio: Option<f64>,
    /// The integer columns of the solved program; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binaries: Option<u64>,
    /// Pivots of the simplex algorithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterations: Option<u64>,
    /// The nodes of the search tree; also absent if HiGHS searched, because it does not report them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u64>,
    /// How even the leaders' bytes are; absent unless requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_bytes: Option<LeaderBytes>,
}

impl Solver {
    /// The solver of an answer that was built without a search.
    #[must_use]
    pub fn constructive() -> Self {
        Self {
            engine: CONSTRUCTIVE.to_owned(),
            status: SolverStatus::Unproven,
            evenness: None,
            evenness_gap_ratio: None,
            bound: None,
            gap_ratio: None,
            binaries: None,
            iterations: None,
            nodes: None,
            leader_bytes: None,
        }
    }
}

/// The origin of the lower bound of the bytes moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoundBy {
    /// The bytes that brokers and racks have too many or too few of, or the replicas of a topic.
    Loads,
    /// The linear relaxation of all plans: replicas may be cut into parts.
    Linear,
    /// A search of all plans.
    Search,
}

/// The bytes of the partitions that one broker leads, for the broker that leads most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderBytes {
    /// Before the plan.
    #[serde(rename = "max_before_bytes")]
    pub before: Bytes,
    /// After the plan.
    #[serde(rename = "max_after_bytes")]
    pub after: Bytes,
    /// The least that any choice of leaders can reach.
    #[serde(rename = "max_floor_bytes")]
    pub floor: Bytes,
}

/// What is proven about a plan's bytes moved, or about the evenness of a plan of `leaders`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SolverStatus {
    /// The bytes equal the lower bound. Or no choice of leaders is more even, and none that is as even changes fewer.
    Optimal,
    /// The bytes, or the unevenness, are above the lower bound, by the gap that the plan prints.
    Feasible,
    /// Sizes are unknown: nothing is proven.
    Unproven,
}
