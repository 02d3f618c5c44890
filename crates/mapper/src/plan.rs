//! A complete plan: what moves, why, in which order, and the result.

mod after;
mod assumption;
mod solver;
mod unasked;

pub(crate) use after::volume_growth;
pub use assumption::Assumption;
pub(crate) use solver::CONSTRUCTIVE;
pub use solver::{BalanceFloor, BoundBy, LeaderBytes, Solver, SolverStatus};
pub use unasked::UnaskedGoal;

use crate::bytes::Bytes;
use crate::figures::Figures;
use crate::ids::{BrokerId, PartitionId, Replicas, TopicPartition};
use crate::request::Request;
use crate::snapshot::{Partition, Snapshot, SnapshotHash};
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
    /// What the plan assumes instead of facts that nothing reports.
    pub assumed: Vec<Assumption>,
    /// The cluster's figures before the first step.
    pub before: Figures,
    /// The cluster's figures after the last step.
    pub after: Figures,
    /// The bytes that any plan has to move; absent where sizes are unknown.
    pub bound_bytes: Option<Bytes>,
    /// The best reachable balance; absent where sizes or capacities are unknown.
    pub floor: Option<BalanceFloor>,
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
            assumed: Vec::new(),
            before: Figures::default(),
            after: Figures::default(),
            bound_bytes: None,
            floor: None,
            solver: Solver::constructive(),
        }
    }

    /// The bytes that all moves copy from broker to broker; `None` if the size of one is unknown.
    pub fn bytes_moved(&self) -> Option<Bytes> {
        self.moves.iter().map(|m| m.bytes).sum()
    }

    /// The replicas that change their volume and stay on their broker, and their bytes.
    pub fn moved_between_volumes(&self) -> (usize, Bytes) {
        let replicas = self.moves.iter().map(|m| m.between_volumes().count()).sum();
        (replicas, self.moves.iter().map(|m| m.disk_bytes).sum())
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
    #[serde(default, skip_serializing_if = "<[Replicas]>::is_empty")]
    pub via: Box<[Replicas]>,
    /// The replica list after.
    pub to: Replicas,
    /// The log dir of each replica after: `any` if it stays in its dir or Kafka chooses; empty: all are `any`. Of a replica
    /// that stays on its broker, it names a dir only if the broker copies it there (AlterReplicaLogDirs, KIP-113).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_dirs: Vec<String>,
    /// The strongest reason of its seats.
    pub reason: Reason,
    /// The bytes to copy from broker to broker; absent if the partition's size is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// The bytes that brokers copy from one of their own volumes to another, for replicas that stay on them.
    #[serde(default, skip_serializing_if = "Bytes::is_zero")]
    pub disk_bytes: Bytes,
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

    /// The bytes that each new replica comes to hold: what it copies, or the whole log if it starts at the last tiered
    /// offset (KIP-1023).
    pub fn held_bytes(&self, partition: Option<&Partition>) -> Option<Bytes> {
        let starts_late = |partition: &&Partition| partition.copied(Bytes(u64::MAX)).0 < u64::MAX;
        let whole = partition.filter(starts_late).and_then(|partition| partition.size);
        let whole = whole.filter(|_| self.added().next().is_some());
        self.copy_bytes().map(|copied| copied.max(whole.unwrap_or_default()))
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

    /// The replicas that stay on their broker and change their log dir there, and the new dirs.
    pub fn between_volumes(&self) -> impl Iterator<Item = (BrokerId, &str)> {
        self.named_log_dirs().filter(|(id, _)| self.from.contains(id))
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

    /// As [`Move::between_volumes`]: replicas change their dir with the last list.
    pub fn between_volumes(&self) -> impl Iterator<Item = (BrokerId, &'p str)> + use<'p> {
        let is_last = *self.to == self.change.to;
        self.change.between_volumes().filter(move |_| is_last)
    }

    /// The bytes of these replicas.
    pub fn disk_bytes(&self) -> Bytes {
        if *self.to == self.change.to { self.change.disk_bytes } else { Bytes(0) }
    }

    /// The log dir of each replica that is submitted, as in [`Move::log_dirs`]; empty where none is named.
    pub fn log_dirs(&self) -> Vec<String> {
        let goes = |id: &BrokerId| {
            !self.from.contains(id) || self.between_volumes().any(|(other, _)| other == *id)
        };
        let dir = |id: &BrokerId| {
            self.change.log_dir(*id).filter(|_| goes(id)).unwrap_or(ANY_LOG_DIR).to_owned()
        };
        let dirs: Vec<String> = match self.change.log_dirs.is_empty() {
            true => Vec::new(),
            false => self.to.iter().map(dir).collect(),
        };
        if dirs.iter().all(|dir| dir == ANY_LOG_DIR) { Vec::new() } else { dirs }
    }

    /// The bytes that it copies from broker to broker; absent if the partition's size is unknown.
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
    /// Its data is not in brokers' logs, and what a move does to it is unknown.
    Diskless {
        /// The topic config that says so.
        config: String,
    },
    /// An evacuated broker leads it, and no other replica may lead: each is evacuated as well, or in a failed log dir.
    NoOtherLeader {
        /// Its preferred leader, which stays.
        leader: BrokerId,
    },
}
