//! The requests that even a load.

use super::{Engine, PlanTerms};
use crate::bytes::{Bytes, Ratio};
use crate::ids::BrokerId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Evens the load of brokers with the least movement. Lost and leaving replicas get new brokers first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rebalance {
    /// The terms that the plan must satisfy.
    #[serde(flatten)]
    pub terms: PlanTerms,
    /// How the load is evened.
    #[serde(flatten)]
    pub balance: Balance,
    /// Only brokers whose free storage is below the harmonic mean by more than this share of it give replicas away
    /// (`--storage-threshold`). `None`: every broker may.
    #[serde(default, rename = "storage_threshold_ratio", skip_serializing_if = "Option::is_none")]
    pub storage_threshold: Option<Ratio>,
    /// Only brokers with less free storage than this give replicas away (`--storage-threshold-gb`). It overrides
    /// `storage_threshold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_threshold_bytes: Option<Bytes>,
    /// Empties one broker below a mark with the fewest bytes, instead of evening all brokers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relieve: Option<Relieve>,
}

impl Rebalance {
    /// A rebalance in which every broker may give replicas away.
    pub fn new(terms: PlanTerms, balance: Balance) -> Self {
        Self {
            terms,
            balance,
            storage_threshold: None,
            storage_threshold_bytes: None,
            relieve: None,
        }
    }
}

/// Spreads replicas onto new brokers, and off drained ones. It ends as evenly as a rebalance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// The terms that the plan must satisfy.
    #[serde(flatten)]
    pub terms: PlanTerms,
    /// How the load is evened.
    #[serde(flatten)]
    pub balance: Balance,
}

/// One full broker, and its allowed share of storage used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relieve {
    /// The broker.
    pub broker: BrokerId,
    /// The share of its storage that it may use in the end. No other broker is filled beyond this share.
    #[serde(rename = "below_ratio")]
    pub below: Ratio,
}

/// How the load is evened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    /// The loads to even, the most important first.
    pub goals: Vec<BalanceGoal>,
    /// The meaning of even storage.
    pub by: Measure,
    /// The allowed distance between a broker's used storage and its share, as a part of that share. The shares are the
    /// best that replicas, racks and scope allow. Zero: as even as the search can find.
    #[serde(rename = "tolerance_ratio")]
    pub tolerance: Ratio,
    /// Brokers to empty. They do not count as brokers of any assignment.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub drain: BTreeSet<BrokerId>,
    /// The number of a broker's largest partitions that may move for balance (`--partition-limit`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_limit: Option<u32>,
    /// The least size of a partition that may move for balance (`--partition-size-threshold`).
    #[serde(
        default,
        rename = "partition_size_threshold_bytes",
        skip_serializing_if = "Option::is_none"
    )]
    pub partition_size_threshold: Option<Bytes>,
    /// Whether moves for balance stay inside a rack.
    #[serde(default)]
    pub locality_scoped: bool,
    /// The most bytes that the plan copies, repairs included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes_moved: Option<Bytes>,
    /// The most replicas that the plan copies, repairs included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_moves: Option<u64>,
    /// Whether to even the preferred leaders of all partitions in scope.
    #[serde(default)]
    pub optimize_leadership: bool,
    /// The rack where producers and consumers are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaders_zone: Option<String>,
    /// The price of a GB (10^9 bytes) between zones, in any currency; only for display.
    #[serde(default, rename = "zone_price_per_gb", skip_serializing_if = "Option::is_none")]
    pub zone_price: Option<Ratio>,
    /// The search for the answer.
    #[serde(default, skip_serializing_if = "Engine::is_auto")]
    pub solver: Engine,
}

impl Balance {
    /// Half a percent. Closer evenness costs bytes, and its effect is not noticeable in service.
    pub const DEFAULT_TOLERANCE: Ratio = Ratio::from_ppm(5_000);
}

impl Default for Balance {
    fn default() -> Self {
        Self {
            goals: vec![BalanceGoal::Storage],
            by: Measure::PercentUsed,
            tolerance: Self::DEFAULT_TOLERANCE,
            drain: BTreeSet::new(),
            partition_limit: None,
            partition_size_threshold: None,
            locality_scoped: false,
            max_bytes_moved: None,
            max_moves: None,
            optimize_leadership: false,
            leaders_zone: None,
            zone_price: None,
            solver: Engine::Auto,
        }
    }
}

/// A load to even.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BalanceGoal {
    /// Storage used.
    Storage,
    /// Replicas held.
    Replicas,
    /// Partitions led.
    Leaders,
    /// The replicas of each topic.
    Topics,
    /// Expected traffic; needs rates.
    Network,
    /// Expected CPU; needs rates, and a model of what it is spent on.
    Cpu,
    /// Leaders in [`Balance::leaders_zone`]. No replica moves.
    LeadersZone,
    /// Storage used on the volumes of each broker. No replica changes its broker.
    Disks,
}

/// The meaning of even storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The same share of each broker's storage is used.
    PercentUsed,
    /// The same number of bytes is free on each broker.
    BytesFree,
}
