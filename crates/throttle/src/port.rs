//! The two directions of a broker's network, and the two roles in which it replicates.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The role in which a broker's replication is throttled (KIP-73). A leader sends, a follower receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicationRole {
    /// `leader.replication.throttled.rate`: what it sends, through tx.
    Leader,
    /// `follower.replication.throttled.rate`: what it receives, through rx.
    Follower,
}

impl ReplicationRole {
    /// Both roles.
    pub const ALL: [Self; 2] = [Self::Leader, Self::Follower];
}

impl fmt::Display for ReplicationRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
        })
    }
}

/// A value for each direction of a broker's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct PerDirection<T> {
    /// Out of the broker: leaders send through it.
    pub tx: T,
    /// Into the broker: followers receive through it.
    pub rx: T,
}

impl<T> PerDirection<T> {
    /// The same for both directions.
    pub fn both(value: T) -> Self
    where
        T: Clone,
    {
        Self { tx: value.clone(), rx: value }
    }

    /// The direction that a role uses.
    pub const fn of(&self, role: ReplicationRole) -> &T {
        match role {
            ReplicationRole::Leader => &self.tx,
            ReplicationRole::Follower => &self.rx,
        }
    }

    /// The direction that a role uses.
    pub const fn of_mut(&mut self, role: ReplicationRole) -> &mut T {
        match role {
            ReplicationRole::Leader => &mut self.tx,
            ReplicationRole::Follower => &mut self.rx,
        }
    }
}
