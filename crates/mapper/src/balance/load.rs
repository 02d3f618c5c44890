//! The loads of brokers as numbers: each replica has a weight, and each broker has a capacity.

use super::state::BalanceState;
use crate::dense::{BrokerIx, DenseCluster, Supply};
use crate::request::BalanceGoal;

/// A load that moves of replicas can even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BalancedLoad {
    /// Bytes stored, in proportion to storage.
    Storage,
    /// Replicas, the same number on each broker: their cost in memory and requests does not depend on its disks.
    Replicas,
    /// The replicas of each topic. A topic has its own shares and bands, and brokers have none of this load.
    Topics,
    /// Expected traffic (bytes per second), in proportion to the network's capacity, where any is known.
    Network,
    /// Expected CPU (nanocores), in proportion to the broker's CPU, where any is known.
    Cpu,
}

/// The weight of one replica. Replicas are counted in parts, because a share is seldom a whole number.
pub(super) const REPLICA: u64 = 1 << 20;

/// The upper end of the levels: sixteen million replicas on a broker.
const MOST_REPLICAS: u64 = 1 << 44;

/// Levels count traffic in parts of a byte per second (2^8), so that slow networks have enough levels, and CPU likewise.
const RATE_PARTS: u32 = 8;

impl BalancedLoad {
    /// The loads of an ordered list of goals, the most important first. The goals of leaders and disks move no replica to another
    /// broker.
    pub(super) fn of(goals: &[BalanceGoal]) -> Vec<Self> {
        let mut loads = Vec::new();
        for goal in goals {
            let load = match goal {
                BalanceGoal::Storage => Self::Storage,
                BalanceGoal::Replicas => Self::Replicas,
                BalanceGoal::Topics => Self::Topics,
                BalanceGoal::Network => Self::Network,
                BalanceGoal::Cpu => Self::Cpu,
                BalanceGoal::Leaders | BalanceGoal::LeadersZone | BalanceGoal::Disks => continue,
            };
            if !loads.contains(&load) {
                loads.push(load);
            }
        }
        loads
    }

    /// A broker's capacity in the unit of the load; `None` if unknown.
    pub(super) fn capacity(self, cluster: &DenseCluster<'_>, broker: BrokerIx) -> Option<u64> {
        match self {
            Self::Storage => cluster.capacity[broker as usize],
            Self::Replicas | Self::Topics => Some(MOST_REPLICAS),
            Self::Network => cluster.weight_of(Supply::Network, broker),
            Self::Cpu => cluster.weight_of(Supply::Cpu, broker),
        }
    }

    /// Additional bits of a level. A level is a part of a capacity, and these bits make it fine enough.
    pub(super) fn finer(self) -> u32 {
        match self {
            Self::Storage | Self::Replicas | Self::Topics => 0,
            Self::Network | Self::Cpu => RATE_PARTS,
        }
    }

    /// Whether a replica adds its bytes, its traffic or its CPU, so that brokers can hold as much in other replicas.
    pub(super) fn is_by_amount(self) -> bool {
        matches!(self, Self::Storage | Self::Network | Self::Cpu)
    }

    /// Whether every replica has the same weight.
    pub(super) fn is_uniform(self) -> bool {
        self == Self::Replicas
    }
}

impl BalanceState<'_> {
    /// The load of each broker.
    pub(super) fn carried(&self, load: BalancedLoad) -> &[u64] {
        match load {
            BalancedLoad::Storage => &self.used,
            BalancedLoad::Replicas | BalancedLoad::Topics => &self.replicas,
            BalancedLoad::Network => &self.network.of_broker,
            BalancedLoad::Cpu => &self.cpu.of_broker,
        }
    }

    /// The weight that a replica of the partition adds to its broker.
    pub(super) fn weight(&self, load: BalancedLoad, partition: u32) -> u64 {
        match load {
            BalancedLoad::Storage | BalancedLoad::Topics => self.size[partition as usize],
            BalancedLoad::Replicas => REPLICA,
            BalancedLoad::Network => self.network.of(partition as usize),
            BalancedLoad::Cpu => self.cpu.of(partition as usize),
        }
    }
}
