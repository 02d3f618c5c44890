//! A complete plan: what moves, why, in which order, and the result.

use crate::bytes::Bytes;
use crate::figures::Figures;
use crate::ids::{BrokerId, PartitionId, Replicas, TopicPartition};
use crate::request::Request;
use crate::snapshot::{Snapshot, SnapshotHash};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A plan. It leaves no choice to the tool that carries it out.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The cluster that it was made for, if the snapshot has its id.
    pub cluster_id: Option<String>,
    /// The snapshot that it was made from.
    pub snapshot: SnapshotHash,
    /// The request.
    pub request: Request,
    /// Every partition whose replica list changes, in order of topic and partition.
    pub moves: Vec<Move>,
    /// The moves that may be submitted together, in order; each entry is an index into `moves`. A move with lists on
    /// its way ([`Move::via`]) is in one step for each of them, and in one more for its last list.
    pub steps: Vec<Vec<usize>>,
    /// Partitions in scope that have to stay as they are, although something is wrong with them.
    pub left_out: Vec<LeftOut>,
    /// The cluster's figures before the first step.
    pub before: Figures,
    /// The cluster's figures after the last step.
    pub after: Figures,
    /// The bytes that any plan has to move; absent where sizes are unknown.
    pub bound_bytes: Option<Bytes>,
    /// The best reachable balance; absent where sizes or capacities are unknown.
    pub floor: Option<Floor>,
    /// How the answer was found.
    pub solver: Solver,
}

impl Plan {
    /// A plan that changes nothing, for no cluster. Tests fill in the fields that they need.
    pub fn empty(request: Request) -> Self {
        Self {
            cluster_id: None,
            snapshot: Snapshot::empty().hash(),
            request,
            moves: Vec::new(),
            steps: Vec::new(),
            left_out: Vec::new(),
            before: Figures::default(),
            after: Figures::default(),
            bound_bytes: None,
            floor: None,
            solver: Solver::constructive(),
        }
    }

    /// The bytes that all moves copy; `None` if the size of one is unknown.
    pub fn bytes_moved(&self) -> Option<Bytes> {
        self.moves.iter().map(|m| m.bytes).sum()
    }

    /// The replicas that are copied to a broker that does not hold them.
    pub fn replicas_moved(&self) -> usize {
        self.moves.iter().map(|m| m.added().count()).sum()
    }

    /// The submissions of each step. Indices without a move, or beyond its last list, are left out: `check` reports
    /// them.
    pub fn stages(&self) -> Vec<Vec<Stage<'_>>> {
        let mut taken = vec![0_usize; self.moves.len()];
        let mut stage = |index: &usize| {
            let at = taken.get_mut(*index)?;
            *at += 1;
            self.moves[*index].stage(*at - 1)
        };
        self.steps.iter().map(|step| step.iter().filter_map(&mut stage).collect()).collect()
    }
}

/// The engine's name in plans whose answer was built without a search.
pub(crate) const CONSTRUCTIVE: &str = "constructive";

/// Kafka's word for the log dir of a replica that stays where it is, or that Kafka places.
pub const ANY_LOG_DIR: &str = "any";

/// One partition's change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: PartitionId,
    /// The replica list before.
    pub from: Replicas,
    /// The lists that are submitted on the way, each in a separate step; none: one submission makes the change. A list
    /// may have one more replica than `from` and `to`. Its submission has to allow that (KIP-860's
    /// `AllowReplicationFactorChange`, which Kafka's own tool sets by default).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub via: Vec<Replicas>,
    /// The replica list after.
    pub to: Replicas,
    /// The log dir of each replica after: `any` if it stays in its dir or Kafka chooses; empty: all are `any`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_dirs: Vec<String>,
    /// The strongest reason of its seats.
    pub reason: Reason,
    /// The bytes to copy; absent if the partition's size is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
}

impl Move {
    /// Brokers that get a replica.
    pub fn added(&self) -> impl Iterator<Item = BrokerId> {
        self.to.iter().copied().filter(|id| !self.from.contains(id))
    }

    /// Brokers that lose their replica.
    pub fn removed(&self) -> impl Iterator<Item = BrokerId> {
        self.from.iter().copied().filter(|id| !self.to.contains(id))
    }

    /// The partition.
    pub fn of(&self) -> TopicPartition {
        TopicPartition { topic: self.topic.to_string(), partition: self.partition }
    }

    /// The bytes of one copy; absent if the partition's size is unknown, 0 if nothing is copied.
    pub fn copy_bytes(&self) -> Option<Bytes> {
        let copies = self.added().count() as u64;
        self.bytes.map(|bytes| Bytes(bytes.0 / copies.max(1)))
    }

    /// The log dir that is named for a broker's replica.
    pub fn log_dir(&self, broker: BrokerId) -> Option<&str> {
        let at = self.to.iter().position(|id| *id == broker)?;
        self.log_dirs.get(at).map(String::as_str).filter(|path| *path != ANY_LOG_DIR)
    }

    /// The replicas for which a log dir is named, and their dirs.
    pub fn named_log_dirs(&self) -> impl Iterator<Item = (BrokerId, &str)> {
        let both = self.to.iter().copied().zip(self.log_dirs.iter().map(String::as_str));
        both.filter(|(_, path)| *path != ANY_LOG_DIR)
    }

    /// One of its submissions, from 0; `None` beyond the last.
    pub fn stage(&self, index: usize) -> Option<Stage<'_>> {
        let from = index.checked_sub(1).map_or(Some(&self.from), |before| self.via.get(before))?;
        let to = self.via.get(index).unwrap_or(&self.to);
        (index <= self.via.len()).then_some(Stage { change: self, from, to })
    }
}

/// One submission of a move: the part of it that a step carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage<'p> {
    /// The move.
    pub change: &'p Move,
    /// The replica list that it starts from.
    pub from: &'p Replicas,
    /// The replica list that is submitted.
    pub to: &'p Replicas,
}

impl<'p> Stage<'p> {
    /// Brokers that get a replica.
    pub fn added(&self) -> impl Iterator<Item = BrokerId> + use<'p> {
        let Self { from, to, .. } = *self;
        to.iter().copied().filter(|id| !from.contains(id))
    }

    /// Brokers that lose their replica.
    pub fn removed(&self) -> impl Iterator<Item = BrokerId> + use<'p> {
        let Self { from, to, .. } = *self;
        from.iter().copied().filter(|id| !to.contains(id))
    }

    /// The log dir of each replica that is submitted, as in [`Move::log_dirs`]; empty where none is named.
    pub fn log_dirs(&self) -> Vec<String> {
        let dir = |id: &BrokerId| {
            let named = self.change.log_dir(*id).filter(|_| !self.from.contains(id));
            named.unwrap_or(ANY_LOG_DIR).to_owned()
        };
        let dirs: Vec<String> = match self.change.log_dirs.is_empty() {
            true => Vec::new(),
            false => self.to.iter().map(dir).collect(),
        };
        if dirs.iter().all(|dir| dir == ANY_LOG_DIR) { Vec::new() } else { dirs }
    }

    /// The bytes that it copies; absent if the partition's size is unknown.
    pub fn bytes(&self) -> Option<Bytes> {
        self.change.copy_bytes().map(|each| each.times(self.added().count()))
    }
}

/// Why a seat moves; the first is the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its broker or log dir is lost.
    Lost,
    /// Its broker is to be emptied.
    Leaving,
    /// Its broker does not belong to its map.
    Map,
    /// The replication factor changes.
    Replication,
    /// It breaks the rack rule.
    Rack,
    /// The request places everything in scope again, or gives the list.
    Forced,
    /// It evens the load.
    Balance,
    /// No data moves: only the order of the replicas changes.
    Leader,
}

impl Reason {
    /// The word in plans.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Leaving => "leaving",
            Self::Map => "map",
            Self::Replication => "replication",
            Self::Rack => "rack",
            Self::Forced => "forced",
            Self::Balance => "balance",
            Self::Leader => "leader",
        }
    }
}

/// A partition that a plan leaves unchanged in one respect, although something is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: PartitionId,
    /// Its replica list, which stays.
    pub replicas: Replicas,
    /// What is wrong.
    #[serde(flatten)]
    pub why: WhyLeftOut,
}

/// Why a partition is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum WhyLeftOut {
    /// It has no live leader. Kafka would accept a reassignment, but it would never progress. In KRaft it could not
    /// even be cancelled.
    NoLeader {
        /// The brokers of which one has to return: in sync, or eligible (KIP-966); all replicas if neither is known.
        heals: Vec<BrokerId>,
    },
    /// It is being reassigned: a second submission over a running move loses replicas in KRaft.
    Reassigning {
        /// The brokers that the running move adds.
        adding: Vec<BrokerId>,
        /// The brokers that it removes.
        removing: Vec<BrokerId>,
    },
    /// One of its replicas is lost. Kafka refuses a new order of a list that names a lost broker (ZooKeeper mode), or
    /// one that is no longer registered (KRaft).
    LostReplica {
        /// The lost brokers in its list.
        lost: Vec<BrokerId>,
    },
    /// An evacuated broker leads it, and no other replica may lead: each is evacuated as well, or in a failed log dir.
    NoOtherLeader {
        /// Its preferred leader, which stays.
        leader: BrokerId,
    },
}

/// The best balance that any plan of this scope could reach.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Floor {
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
    /// The partitions that the broker with most must lead; only if the plan evens leaders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_leaders: Option<u64>,
    /// The share of its network that the busiest broker must use; only if the plan evens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_network_ratio: Option<f64>,
    /// The most that the least busy broker can use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_network_ratio: Option<f64>,
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
    /// The bytes that brokers and racks have too many or too few of.
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
