//! What was asked for, with every flag, name and count resolved.
//!
//! A request stands in the plan that answers it, so that `check` can hold the plan to it later.

use crate::assignment::Assignment;
use crate::bytes::{Bytes, Ratio};
use crate::ids::{BrokerId, PartitionId};
use crate::pacing::Pacing;
use crate::scope::Scope;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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
    /// `rebalance`.
    Rebalance(Rebalance),
    /// `scale`.
    Scale(Scale),
}

impl Request {
    /// What any plan for this request has to keep to.
    pub fn terms(&self) -> &Terms {
        match self {
            Self::Rebuild(rebuild) => &rebuild.terms,
            Self::Replace(replace) => &replace.terms,
            Self::Leaders(leaders) => &leaders.terms,
            Self::Rebalance(rebalance) => &rebalance.terms,
            Self::Scale(scale) => &scale.terms,
        }
    }

    /// How load is evened, where the command evens any.
    pub fn balance(&self) -> Option<&Balance> {
        match self {
            Self::Rebuild(_) | Self::Replace(_) | Self::Leaders(_) => None,
            Self::Rebalance(rebalance) => Some(&rebalance.balance),
            Self::Scale(scale) => Some(&scale.balance),
        }
    }

    /// The brokers that hold nothing of the request's topics in the end (`--drain`).
    pub fn emptied(&self) -> BTreeSet<BrokerId> {
        self.balance().map(|balance| balance.drain.clone()).unwrap_or_default()
    }

    /// The command's name.
    pub fn command(&self) -> &'static str {
        match self {
            Self::Rebuild(_) => "rebuild",
            Self::Replace(_) => "replace",
            Self::Leaders(_) => "leaders",
            Self::Rebalance(_) => "rebalance",
            Self::Scale(_) => "scale",
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
    /// How the plan is cut into steps.
    #[serde(default, skip_serializing_if = "Pacing::is_default")]
    pub pacing: Pacing,
}

impl Terms {
    /// Every seat that has to move does, over as many racks as there are.
    pub fn new(assignments: Vec<Assignment>, storage_headroom: Ratio) -> Self {
        Self {
            assignments,
            mends: Mends::Everything,
            racks: RackRule::Spread,
            fix_racks: false,
            storage_headroom,
            pacing: Pacing::default(),
        }
    }
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

impl RackRule {
    /// The rule of `--min-rack-ids`: 0 asks for as many racks as there can be.
    pub fn at_least(racks: u32) -> Self {
        if racks == 0 { Self::Spread } else { Self::AtLeast(racks) }
    }
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
    /// Brokers that are not to lead some of the topics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_evacuation: Option<LeaderEvacuation>,
    /// Replica lists to start from instead of the cluster's own (`--map-string`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub base: Vec<BaseReplicas>,
    /// Who looks for the answer.
    #[serde(default, skip_serializing_if = "Engine::is_auto")]
    pub solver: Engine,
}

impl Rebuild {
    /// Asks for nothing beyond its terms.
    pub fn new(terms: Terms, placement: PlaceBy) -> Self {
        Self {
            terms,
            placement,
            optimize: Optimize::Distribution,
            force: false,
            sub_affinity: false,
            partition_size_factor: Ratio::ONE,
            optimize_leadership: false,
            leader_evacuation: None,
            base: Vec::new(),
            solver: Engine::Auto,
        }
    }
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

/// The replica lists that a caller gives, by partition. Where there are any, they are the whole scope.
pub(crate) struct BaseLists<'r>(BTreeMap<(&'r str, PartitionId), &'r [Option<BrokerId>]>);

impl<'r> BaseLists<'r> {
    pub(crate) fn new(lists: &'r [BaseReplicas]) -> Self {
        let entry = |b: &'r BaseReplicas| ((b.topic.as_str(), b.partition), b.replicas.as_slice());
        Self(lists.iter().map(entry).collect())
    }

    pub(crate) fn of(request: &'r Request) -> Self {
        match request {
            Request::Rebuild(rebuild) => Self::new(&rebuild.base),
            Request::Replace(_)
            | Request::Leaders(_)
            | Request::Rebalance(_)
            | Request::Scale(_) => Self::new(&[]),
        }
    }

    pub(crate) fn get(
        &self,
        topic: &str,
        partition: PartitionId,
    ) -> Option<&'r [Option<BrokerId>]> {
        self.0.get(&(topic, partition)).copied()
    }

    /// Whether a partition may be touched.
    pub(crate) fn cover(&self, topic: &str, partition: PartitionId) -> bool {
        self.0.is_empty() || self.0.contains_key(&(topic, partition))
    }
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

/// Takes the leadership of some topics away from some brokers (`--leader-evac-brokers`, `--leader-evac-topics`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderEvacuation {
    /// Brokers that are to lead none of the topics' partitions that somebody else can lead.
    pub brokers: BTreeSet<BrokerId>,
    /// The topics; those out of the request's scope stay as they are.
    pub topics: Scope,
}

/// Evens the load of brokers, with least movement; lost and leaving replicas are placed anew first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rebalance {
    /// What the plan has to keep to.
    #[serde(flatten)]
    pub terms: Terms,
    /// How load is evened.
    #[serde(flatten)]
    pub balance: Balance,
    /// Only brokers with less free storage than this much below the harmonic mean of all give replicas away
    /// (`--storage-threshold`); none: every broker may.
    #[serde(default, rename = "storage_threshold_ratio", skip_serializing_if = "Option::is_none")]
    pub storage_threshold: Option<Ratio>,
    /// Only brokers with less free storage than this give replicas away (`--storage-threshold-gb`); outranks the
    /// other threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_threshold_bytes: Option<Bytes>,
    /// Empty one broker below a mark with the fewest bytes, instead of evening all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relieve: Option<Relieve>,
}

impl Rebalance {
    /// Every broker may give replicas away.
    pub fn new(terms: Terms, balance: Balance) -> Self {
        Self {
            terms,
            balance,
            storage_threshold: None,
            storage_threshold_bytes: None,
            relieve: None,
        }
    }
}

/// Spreads onto new brokers, and off drained ones: ends as even as a rebalance does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// What the plan has to keep to.
    #[serde(flatten)]
    pub terms: Terms,
    /// How load is evened.
    #[serde(flatten)]
    pub balance: Balance,
}

/// One full broker, and how full it may be in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relieve {
    /// The broker.
    pub broker: BrokerId,
    /// The share of its storage that it may use; nor is any other filled beyond it.
    #[serde(rename = "below_ratio")]
    pub below: Ratio,
}

/// How load is evened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    /// What is evened, the most important first.
    pub goals: Vec<Goal>,
    /// What even storage means.
    pub by: Measure,
    /// How far the used storage of any broker may be from its share, as a part of that share; shares are the best
    /// that replicas, racks and scope allow. Zero: as even as can be found.
    #[serde(rename = "tolerance_ratio")]
    pub tolerance: Ratio,
    /// Brokers to be emptied; no assignment's brokers count them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub drain: BTreeSet<BrokerId>,
    /// Only so many of a broker's largest partitions may move for balance (`--partition-limit`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_limit: Option<u32>,
    /// Only partitions of this size or more move for balance (`--partition-size-threshold`).
    #[serde(
        default,
        rename = "partition_size_threshold_bytes",
        skip_serializing_if = "Option::is_none"
    )]
    pub partition_size_threshold: Option<Bytes>,
    /// What moves for balance stays in its rack.
    #[serde(default)]
    pub locality_scoped: bool,
    /// The bytes that the plan copies at most, repairs included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes_moved: Option<Bytes>,
    /// The replicas that the plan copies at most, repairs included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_moves: Option<u64>,
    /// Even the preferred leaders of all partitions in scope.
    #[serde(default)]
    pub optimize_leadership: bool,
    /// Who looks for the answer.
    #[serde(default, skip_serializing_if = "Engine::is_auto")]
    pub solver: Engine,
}

impl Balance {
    /// Half a percent: closer evenness costs bytes that nobody sees in service.
    pub const DEFAULT_TOLERANCE: Ratio = Ratio::from_ppm(5_000);
}

impl Default for Balance {
    fn default() -> Self {
        Self {
            goals: vec![Goal::Storage],
            by: Measure::PercentUsed,
            tolerance: Self::DEFAULT_TOLERANCE,
            drain: BTreeSet::new(),
            partition_limit: None,
            partition_size_threshold: None,
            locality_scoped: false,
            max_bytes_moved: None,
            max_moves: None,
            optimize_leadership: false,
            solver: Engine::Auto,
        }
    }
}

/// Who looks for the answer. All keep to the same rules and the same objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// The heuristic; where its plan copies more than is proven to be needed, a search round it.
    #[default]
    Auto,
    /// The heuristic alone.
    Heuristic,
    /// The heuristic, and then a search of all plans for a better one, with a proof; for small scopes.
    Exact,
}

impl Engine {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// What is evened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Storage used.
    Storage,
    /// Replicas held.
    Replicas,
    /// Partitions led.
    Leaders,
    /// Traffic expected; needs rates.
    Network,
}

/// What even storage means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The same share of each broker's storage is used.
    PercentUsed,
    /// The same number of bytes is free on each broker.
    BytesFree,
}
