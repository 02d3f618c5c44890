//! What was asked for, with every flag, name and count resolved.
//!
//! A request stands in the plan that answers it, so that `check` can hold the plan to it later.

use crate::assignment::Assignment;
use crate::bytes::Ratio;
use crate::ids::{BrokerId, PartitionId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A request, by the command that makes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", content = "request", rename_all = "snake_case")]
pub enum Request {
    /// `rebuild`.
    Rebuild(Rebuild),
    /// `replace`.
    Replace(Replace),
    /// `leaders`.
    Leaders(Leaders),
}

impl Request {
    /// What any plan for this request has to keep to.
    pub fn terms(&self) -> &Terms {
        match self {
            Self::Rebuild(rebuild) => &rebuild.terms,
            Self::Replace(replace) => &replace.terms,
            Self::Leaders(leaders) => &leaders.terms,
        }
    }

    /// The command's name.
    pub fn command(&self) -> &'static str {
        match self {
            Self::Rebuild(_) => "rebuild",
            Self::Replace(_) => "replace",
            Self::Leaders(_) => "leaders",
        }
    }
}

/// What a plan has to keep to, whichever planner made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Which topics may be touched, and where their replicas may live.
    pub assignments: Vec<Assignment>,
    /// Which seats have to move.
    pub mends: Mends,
    /// How replicas spread over racks.
    pub racks: RackRule,
    /// Mend partitions that broke the rack rule before, at the price of moving them.
    #[serde(default)]
    pub fix_racks: bool,
    /// The share of each broker's storage that no plan fills (`--storage-headroom`).
    #[serde(rename = "storage_headroom_ratio")]
    pub storage_headroom: Ratio,
}

/// Which seats a plan has to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mends {
    /// Every seat that is lost or on a broker that its assignment does not name.
    Everything,
    /// Only the seats of this broker; other trouble stays as it is.
    SeatsOf(BrokerId),
    /// None: replicas stay where they are.
    Nothing,
}

/// How the replicas of a partition spread over racks (`broker.rack`, KIP-36).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RackRule {
    /// Over as many racks as there are, as evenly as can be (`--min-rack-ids 0`).
    Spread,
    /// Over at least so many, or as many as there are replicas (`--min-rack-ids N`).
    AtLeast(u32),
}

/// The brokers that lost or leaving replicas go to are chosen by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceBy {
    /// Fewest replicas first; needs no sizes.
    Count,
    /// Least share of storage used first; needs sizes and capacities.
    Storage,
}

/// How placement by storage goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimize {
    /// One replica of every partition before the next replica of any.
    Distribution,
    /// All replicas of the largest partition before the next partition.
    Storage,
}

/// Places topics on brokers, with least movement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rebuild {
    /// What the plan has to keep to.
    #[serde(flatten)]
    pub terms: Terms,
    /// How the brokers of new replicas are chosen.
    pub placement: PlaceBy,
    /// How placement by storage goes about it.
    pub optimize: Optimize,
    /// Drop all replicas in scope and place them anew.
    #[serde(default)]
    pub force: bool,
    /// Pair each outgoing broker with one incoming broker of its rack.
    #[serde(default)]
    pub sub_affinity: bool,
    /// Sizes are multiplied by this when placing by storage (`--partition-size-factor`).
    pub partition_size_factor: Ratio,
    /// Even the preferred leaders of all partitions in scope, not only of those that change.
    #[serde(default)]
    pub optimize_leadership: bool,
    /// Replica lists to start from instead of the cluster's own (`--map-string`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub base: Vec<BaseReplicas>,
}

/// A replica list that the caller gives; an absent broker (-1 in Kafka's JSON) is an empty seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseReplicas {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: PartitionId,
    /// Its seats, in order.
    pub replicas: Vec<Option<BrokerId>>,
}

/// Moves every seat of one broker to one other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replace {
    /// What the plan has to keep to.
    #[serde(flatten)]
    pub terms: Terms,
    /// The broker that goes.
    pub outgoing: BrokerId,
    /// The broker that comes.
    pub incoming: BrokerId,
}

/// Chooses preferred leaders anew. No data moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leaders {
    /// What the plan has to keep to; the brokers that are named are those that may be chosen.
    #[serde(flatten)]
    pub terms: Terms,
    /// What a broker's leadership is measured by.
    pub by: LeadBy,
    /// Even the leaders of each topic by itself, instead of those of all topics together.
    #[serde(default)]
    pub per_topic: bool,
    /// Brokers that are to lead no partition in scope that somebody else can lead.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub evacuate: BTreeSet<BrokerId>,
}

/// What a broker's leadership is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadBy {
    /// The partitions that it leads.
    Count,
    /// The bytes of the partitions that it leads; needs sizes.
    Bytes,
}
