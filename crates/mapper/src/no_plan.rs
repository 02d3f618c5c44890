//! Explains why there is no plan, as data: "why not 1004?" never needs a debugger.

use crate::bytes::Bytes;
use crate::counted::{counted, plural};
use crate::cpu_model::CpuModel;
use crate::ids::{BrokerId, Seat, TopicPartition, in_words};
use crate::scope::ScopeError;
use serde::Serialize;
use std::collections::BTreeMap;

/// The reason why no plan keeps every promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum NoPlan {
    /// The request names topics that do not exist: the caller's input is wrong, not the cluster.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// A replica finds no broker.
    #[error(
        "no broker can take {seat}: {} refused{}", counted(refusals.len(), "broker"), shortage_text(.shortage)
    )]
    NoBroker {
        /// The replica without a broker.
        seat: Seat,
        /// Its size, where known.
        #[serde(skip_serializing_if = "Option::is_none")]
        size_bytes: Option<Bytes>,
        /// One answer for each broker.
        refusals: BTreeMap<BrokerId, Refusal>,
        /// The racks without enough room for the replicas that have to go there.
        shortage: Vec<Shortage>,
        /// Whether another choice of brokers could find room. In JSON it is the `status` of any refusal.
        #[serde(skip)]
        standing: NoPlanStatus,
    },
    /// The request asks for more replicas than it allows brokers.
    #[error(
        "{of} is to have {replication} replicas, but only {} {} allowed for it: {}{}",
        counted(allowed.len(), "live broker"), plural(allowed.len(), "is", "are"), in_words(.allowed), cordoned_text(.cordoned)
    )]
    TooFewBrokers {
        /// The first such partition.
        of: TopicPartition,
        /// The replication factor of the request.
        replication: usize,
        /// The live brokers that the request allows.
        allowed: Vec<BrokerId>,
        /// The lost brokers that the request allows.
        lost: Vec<BrokerId>,
        /// Allowed, live brokers that get no new replica.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        cordoned: Vec<BrokerId>,
    },
    /// `--min-rack-ids` exceeds the number of racks.
    #[error(
        "{of} is to span {asked} racks, but the live brokers allowed for it are in {}: {}",
        racks.len(), racks.join(", ")
    )]
    TooFewRacks {
        /// The first such partition.
        of: TopicPartition,
        /// The racks that the request asks for.
        asked: u32,
        /// The racks of the allowed, live brokers.
        racks: Vec<String>,
    },
    /// Both copies of moving replicas do not fit at once, in any order.
    #[error(
        "no order of steps leaves room for both copies of {of}: {}broker {broker} lacks {missing_bytes}",
        dir_text(.log_dir)
    )]
    NoRoomForBothCopies {
        /// The first partition that cannot start.
        of: TopicPartition,
        /// The broker without room.
        broker: BrokerId,
        /// Its log dir without room, if the broker as a whole has enough.
        #[serde(skip_serializing_if = "Option::is_none")]
        log_dir: Option<String>,
        /// The bytes that it lacks.
        missing_bytes: Bytes,
    },
    /// The required moves exceed the limits of the request.
    #[error(
        "{bytes} has to be copied in {} before anything is evened, more than allowed",
        counted(*replicas, "replica")
    )]
    BeyondLimit {
        /// The bytes of the replicas that are lost or leave.
        bytes: Bytes,
        /// The number of these replicas.
        replicas: u64,
    },
    /// The exact solver would not finish: the caller's input is wrong, not the cluster.
    #[error("the exact solver weighs {most} seats at most, and here are {binaries}")]
    TooLarge {
        /// Replicas in scope times the brokers that each could be on.
        binaries: usize,
        /// The solver's limit.
        most: usize,
    },
    /// A fact that the request needs is not in the snapshot.
    #[error("{fact} of {what} is not known, and the request needs it")]
    MissingFact {
        /// The fact: `storage_total_bytes`, `size_bytes`, `rack`.
        fact: &'static str,
        /// The broker or partition that lacks it.
        what: String,
    },
    /// The model of brokers' CPU explains it badly: what a plan evens would not be what brokers take.
    #[error(
        "the CPU of brokers is not what their traffic and replicas explain: the model is off by {:.1} %, and {:.0} % is the most",
        .model.error.as_f64() * 100.0, CpuModel::MOST_ERROR.as_f64() * 100.0
    )]
    CoarseCpuModel {
        /// The model, with its error.
        model: CpuModel,
    },
    /// An outgoing broker has no partner among the incoming ones (`--sub-affinity`, `replace --with auto`).
    #[error("no new broker can stand in for {outgoing}: {problem}")]
    NoPartner {
        /// The outgoing broker.
        outgoing: BrokerId,
        /// Why each candidate was refused, or that there is no candidate.
        problem: String,
        /// The new brokers, each with its rack.
        candidates: BTreeMap<BrokerId, String>,
    },
}

impl NoPlan {
    /// Whether it is proven that no plan exists; `None` if the cluster is not the cause of the refusal.
    pub fn standing(&self) -> Option<NoPlanStatus> {
        match self {
            Self::NoBroker { standing, .. } => Some(*standing),
            Self::TooFewBrokers { .. } | Self::TooFewRacks { .. } => Some(NoPlanStatus::Infeasible),
            Self::NoRoomForBothCopies { .. }
            | Self::BeyondLimit { .. }
            | Self::NoPartner { .. } => Some(NoPlanStatus::Unproven),
            Self::Scope(_)
            | Self::TooLarge { .. }
            | Self::MissingFact { .. }
            | Self::CoarseCpuModel { .. } => None,
        }
    }

    /// The same refusal, with the result of a search.
    pub(crate) fn judged(mut self, said: NoPlanStatus) -> Self {
        if let Self::NoBroker { standing, .. } = &mut self {
            *standing = said;
        }
        self
    }
}

/// Whether it is proven that no plan exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoPlanStatus {
    /// Proven: no plan exists.
    Infeasible,
    /// No plan was found within the limits of the search.
    Unproven,
}

fn shortage_text(shortage: &[Shortage]) -> String {
    shortage.iter().map(|s| format!("; {s}")).collect()
}

/// A rack without enough room for the replicas that have to go there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shortage {
    /// The rack. `None`: the brokers without a rack, or all brokers if no rack is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// The bytes of the replicas that have to go there.
    pub needed_bytes: Bytes,
    /// The room of its live, allowed brokers under the storage headroom.
    pub room_bytes: Bytes,
}

impl std::fmt::Display for Shortage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let missing = Bytes(self.needed_bytes.0.saturating_sub(self.room_bytes.0));
        match &self.rack {
            Some(rack) => write!(f, "rack {rack}")?,
            None => f.write_str("the brokers allowed")?,
        }
        write!(
            f,
            " lacks {missing}: {} must go there, {} is free",
            self.needed_bytes, self.room_bytes
        )
    }
}

/// Why a broker was refused for a seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "refused", rename_all = "snake_case")]
pub enum Refusal {
    /// It is not registered, it is fenced, or only replica lists name it.
    #[error("it is not live")]
    NotLive,
    /// The topic may not use it.
    #[error("it is not among the brokers allowed for this topic")]
    NotAllowed,
    /// All its log dirs are cordoned, and it does not hold the replica already.
    #[error("it is cordoned (cordoned.log.dirs), so it gets no new replica")]
    Cordoned,
    /// It has a replica of the partition.
    #[error("it already holds a replica of this partition")]
    Holds,
    /// Its replica of the partition is in a failed log dir.
    #[error("its replica of this partition is in a failed log dir")]
    FailedLogDir,
    /// Another rack has fewer replicas and comes first.
    #[error(
        "rack {rack} already holds {} of this partition, and another rack fewer", counted(*held, "replica")
    )]
    RackTaken {
        /// Its rack.
        rack: String,
        /// The number of replicas in the rack.
        held: usize,
    },
    /// Another host of the rack has no replica and comes first.
    #[error(
        "host {host} already holds a replica of this partition, and another host of the rack none"
    )]
    HostTaken {
        /// Its host.
        host: String,
    },
    /// It would be filled beyond its limit.
    #[error(
        "{} lacks {missing_bytes}: {room_bytes} left under the storage headroom",
        .log_dir.as_ref().map_or_else(|| "it".to_owned(), |dir| format!("its emptiest log dir {dir}"))
    )]
    NoRoom {
        /// Its log dir with the most room, if the broker as a whole has enough.
        #[serde(skip_serializing_if = "Option::is_none")]
        log_dir: Option<String>,
        /// The bytes left under its limit.
        room_bytes: Bytes,
        /// The bytes that it lacks for this replica.
        missing_bytes: Bytes,
    },
}

impl Refusal {
    /// The name of the refusing rule in JSON.
    pub(crate) fn rule(&self) -> &'static str {
        match self {
            Self::NotLive => "not_live",
            Self::NotAllowed => "not_allowed",
            Self::Cordoned => "cordoned",
            Self::Holds => "holds",
            Self::FailedLogDir => "failed_log_dir",
            Self::RackTaken { .. } => "rack_taken",
            Self::HostTaken { .. } => "host_taken",
            Self::NoRoom { .. } => "no_room",
        }
    }
}

fn cordoned_text(cordoned: &[BrokerId]) -> String {
    match cordoned {
        [] => String::new(),
        some => format!("; cordoned, so without new replicas: {}", in_words(some)),
    }
}

fn dir_text(log_dir: &Option<String>) -> String {
    log_dir.as_ref().map_or_else(String::new, |dir| format!("log dir {dir} of "))
}
