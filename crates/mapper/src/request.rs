//! A request with every flag, name and count resolved.
//!
//! The plan that answers a request contains it, so that `check` can compare both later.

mod balance;

pub use balance::{Balance, BalanceGoal, Measure, Rebalance, Relieve, Scale};

use crate::assignment::Assignment;
use crate::bytes::Ratio;
use crate::ids::{BrokerId, PartitionId};
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::step_limits::StepLimits;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
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
    /// The terms that any plan for this request must satisfy.
    pub fn terms(&self) -> &PlanTerms {
        match self {
            Self::Rebuild(rebuild) => &rebuild.terms,
            Self::Replace(replace) => &replace.terms,
            Self::Leaders(leaders) => &leaders.terms,
            Self::Rebalance(rebalance) => &rebalance.terms,
            Self::Scale(scale) => &scale.terms,
        }
    }

    /// The same, to change them.
    pub fn terms_mut(&mut self) -> &mut PlanTerms {
        match self {
            Self::Rebuild(rebuild) => &mut rebuild.terms,
            Self::Replace(replace) => &mut replace.terms,
            Self::Leaders(leaders) => &mut leaders.terms,
            Self::Rebalance(rebalance) => &mut rebalance.terms,
            Self::Scale(scale) => &mut scale.terms,
        }
    }

    /// How the load is evened, if the command evens it.
    pub fn balance(&self) -> Option<&Balance> {
        match self {
            Self::Rebuild(_) | Self::Replace(_) | Self::Leaders(_) => None,
            Self::Rebalance(rebalance) => Some(&rebalance.balance),
            Self::Scale(scale) => Some(&scale.balance),
        }
    }

    /// The brokers that hold no replica of the request's topics in the end (`--drain`).
    pub fn emptied(&self) -> BTreeSet<BrokerId> {
        self.balance().map(|balance| balance.drain.clone()).unwrap_or_default()
    }

    /// The brokers that give replicas away and get none: drained, swept or replaced.
    pub fn vacated(&self) -> BTreeSet<BrokerId> {
        match self {
            Self::Rebuild(rebuild) => rebuild.sweeps.clone(),
            Self::Replace(replace) => BTreeSet::from([replace.outgoing]),
            Self::Leaders(_) | Self::Rebalance(_) | Self::Scale(_) => self.emptied(),
        }
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

/// The terms that a plan must satisfy, from any planner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanTerms {
    /// The topics that may be touched, and the brokers that their replicas may be on.
    pub assignments: Vec<Assignment>,
    /// The seats that have to move.
    pub mends: Mends,
    /// How replicas spread over racks.
    pub racks: RackRule,
    /// Whether to repair partitions that broke the rack rule before, which moves them.
    #[serde(default)]
    pub fix_racks: bool,
    /// The share of each broker's storage that no plan fills (`--storage-headroom`).
    #[serde(rename = "storage_headroom_ratio")]
    pub storage_headroom: Ratio,
    /// How the plan is cut into steps.
    #[serde(default, skip_serializing_if = "StepLimits::is_default")]
    pub pacing: StepLimits,
    /// Whether cordoned brokers take new replicas, too (`--ignore-cordons`). Kafka accepts that, but it refuses each
    /// request that names a cordoned log dir (KIP-1066), so a single cordoned log dir still takes none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_cordons: bool,
}

impl PlanTerms {
    /// Terms under which every faulty seat moves, with replicas spread over as many racks as possible.
    pub fn new(assignments: Vec<Assignment>, storage_headroom: Ratio) -> Self {
        Self {
            assignments,
            mends: Mends::Everything,
            racks: RackRule::Spread,
            fix_racks: false,
            storage_headroom,
            pacing: StepLimits::default(),
            ignore_cordons: false,
        }
    }

    /// The cluster as a plan under these terms sees it.
    pub(crate) fn view<'s>(&self, snapshot: &'s Snapshot) -> Cow<'s, Snapshot> {
        if self.ignore_cordons {
            Cow::Owned(snapshot.taking_back())
        } else {
            Cow::Borrowed(snapshot)
        }
    }
}

/// The seats that a plan has to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mends {
    /// Every seat that is lost, or on a broker that its assignment does not name.
    Everything,
    /// Only the seats of this broker; other faults stay.
    SeatsOf(BrokerId),
    /// None: replicas stay where they are.
    Nothing,
}

/// How the replicas of a partition spread over racks (`broker.rack`, KIP-36).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RackRule {
    /// Over as many racks as possible, as evenly as possible (`--min-rack-ids 0`).
    Spread,
    /// Over at least this number of racks, or as many as there are replicas (`--min-rack-ids N`).
    AtLeast(u32),
}

impl RackRule {
    /// The rule of `--min-rack-ids`: 0 asks for as many racks as possible.
    pub fn at_least(racks: u32) -> Self {
        if racks == 0 { Self::Spread } else { Self::AtLeast(racks) }
    }
}

/// How the brokers for lost or leaving replicas are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceBy {
    /// The broker with the fewest replicas first; needs no sizes.
    Count,
    /// The broker with the least share of storage used first; needs sizes and capacities.
    Storage,
}

/// The order in which placement by storage fills seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimize {
    /// One replica of every partition before the next replica of any partition.
    Distribution,
    /// All replicas of the largest partition before the next partition.
    Storage,
}

/// Places topics on brokers with the least movement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rebuild {
    /// The terms that the plan must satisfy.
    #[serde(flatten)]
    pub terms: PlanTerms,
    /// How the brokers of new replicas are chosen.
    pub placement: PlaceBy,
    /// The order in which placement by storage fills seats.
    pub optimize: Optimize,
    /// Whether to drop all replicas in scope and place them again.
    #[serde(default)]
    pub force: bool,
    /// Whether to pair each outgoing broker with one incoming broker of its rack.
    #[serde(default)]
    pub sub_affinity: bool,
    /// Placement by storage multiplies sizes by this factor (`--partition-size-factor`).
    pub partition_size_factor: Ratio,
    /// Whether to even the preferred leaders of all partitions in scope, not only of those that change.
    #[serde(default)]
    pub optimize_leadership: bool,
    /// Brokers that must not lead some of the topics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_evacuation: Option<LeaderEvacuation>,
    /// Replica lists to start from instead of the cluster's own (`--map-string`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub base: Vec<BaseReplicas>,
    /// Brokers that an earlier plan has drained, and that this one drains of what came since.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sweeps: BTreeSet<BrokerId>,
    /// The search for the answer.
    #[serde(default, skip_serializing_if = "Engine::is_auto")]
    pub solver: Engine,
}

impl Rebuild {
    /// A rebuild with no options beyond its terms.
    pub fn new(terms: PlanTerms, placement: PlaceBy) -> Self {
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
            sweeps: BTreeSet::new(),
            solver: Engine::Auto,
        }
    }
}

/// A replica list that the caller gives. An absent broker (-1 in Kafka's JSON) is an empty seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseReplicas {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: PartitionId,
    /// Its seats, in order.
    pub replicas: Vec<Option<BrokerId>>,
}

/// The replica lists that the caller gives, by partition. If there are any, they are the whole scope.
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

/// Moves every seat of one broker to one other broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replace {
    /// The terms that the plan must satisfy.
    #[serde(flatten)]
    pub terms: PlanTerms,
    /// The broker that loses its seats.
    pub outgoing: BrokerId,
    /// The broker that gets them.
    pub incoming: BrokerId,
}

/// Chooses new preferred leaders. No data moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leaders {
    /// The terms that the plan must satisfy. Only the brokers in them may be chosen.
    #[serde(flatten)]
    pub terms: PlanTerms,
    /// How a broker's leadership is measured.
    pub by: LeadBy,
    /// Whether to even the leaders of each topic separately, instead of those of all topics together.
    #[serde(default)]
    pub per_topic: bool,
    /// Brokers that must lead no partition in scope that another broker can lead.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub evacuate: BTreeSet<BrokerId>,
}

/// How a broker's leadership is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadBy {
    /// By the number of partitions that it leads.
    Count,
    /// By the bytes of the partitions that it leads; needs sizes.
    Bytes,
}

/// Takes the leadership of some topics away from some brokers (`--leader-evac-brokers`, `--leader-evac-topics`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderEvacuation {
    /// Brokers that must lead no partition of the topics that another broker can lead.
    pub brokers: BTreeSet<BrokerId>,
    /// The topics. Those outside the request's scope stay as they are.
    pub topics: Scope,
}

/// The search for the answer. All searches follow the same rules and the same objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// The heuristic. If its plan copies more than the proven least, also a search near that plan.
    #[default]
    Auto,
    /// The heuristic alone.
    Heuristic,
    /// The heuristic, and then a search of all plans for a better one, with a proof. For small scopes.
    Exact,
}

impl Engine {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}
