//! What brokers carry, as numbers: each replica weighs something, and each broker is built for something.

use super::state::State;
use crate::dense::{BrokerIx, Cluster};
use crate::request::Goal;

/// What is evened by moving replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// Bytes stored, in proportion to storage.
    Storage,
    /// Replicas, as many on each broker: what they cost in memory and requests does not depend on its disks.
    Replicas,
    /// Traffic expected (bytes a second), in proportion to the network card.
    Network,
}

/// One replica: shares are seldom whole numbers, so replicas are counted in parts.
pub(super) const REPLICA: u64 = 1 << 20;

/// Room for sixteen million replicas a broker.
const MOST_REPLICAS: u64 = 1 << 44;

/// Parts of a byte a second, so that slow networks have levels too.
const RATE_PARTS: u32 = 8;

impl Load {
    /// The loads of an ordered list of goals, the most important first; leadership moves no replica.
    pub(super) fn of(goals: &[Goal]) -> Vec<Self> {
        let mut loads = Vec::new();
        for goal in goals {
            let load = match goal {
                Goal::Storage => Self::Storage,
                Goal::Replicas => Self::Replicas,
                Goal::Network => Self::Network,
                Goal::Leaders => continue,
            };
            if !loads.contains(&load) {
                loads.push(load);
            }
        }
        loads
    }

    /// What a broker is built for, in the unit of the load; `None` where unknown.
    pub(super) fn capacity(self, cluster: &Cluster<'_>, broker: BrokerIx) -> Option<u64> {
        match self {
            Self::Storage => cluster.capacity[broker as usize],
            Self::Replicas => Some(MOST_REPLICAS),
            Self::Network => cluster.network(broker),
        }
    }

    /// Levels are parts of a capacity; this many bits more make them fine enough.
    pub(super) fn finer(self) -> u32 {
        match self {
            Self::Storage | Self::Replicas => 0,
            Self::Network => RATE_PARTS,
        }
    }

    /// Whether every replica weighs the same.
    pub(super) fn is_uniform(self) -> bool {
        self == Self::Replicas
    }
}

impl State<'_> {
    /// What each broker carries of a load.
    pub(super) fn carried(&self, load: Load) -> &[u64] {
        match load {
            Load::Storage => &self.used,
            Load::Replicas => &self.replicas,
            Load::Network => &self.traffic,
        }
    }

    /// What a replica of the partition adds to the load of its broker.
    pub(super) fn weight(&self, load: Load, partition: u32) -> u64 {
        match load {
            Load::Storage => self.size[partition as usize],
            Load::Replicas => REPLICA,
            Load::Network => self.rate.get(partition as usize).copied().unwrap_or(0),
        }
    }
}
