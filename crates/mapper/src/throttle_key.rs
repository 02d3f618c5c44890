//! The names of the configs that our processes set for a time. No other module defines them.

use serde::{Deserialize, Serialize};

/// A config of the throttle (KIP-73), or the cordon of a broker that is being emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum ThrottleKey {
    /// On a broker: bytes per second that it sends of the replicas in the leaders' list.
    LeaderRate,
    /// On a broker: bytes per second that it receives of the replicas in the followers' list.
    FollowerRate,
    /// On a topic: the replicas that count when they lead, `PARTITION:BROKER,...`.
    LeaderReplicas,
    /// On a topic: the replicas that count when they follow.
    FollowerReplicas,
    /// On a broker: bytes per second that it copies from one of its log dirs to another (KIP-113).
    LogDirRate,
    /// On a broker: its log dirs that get no new partitions, `*` for all (KIP-1066). It paces nothing.
    CordonedLogDirs,
}

impl ThrottleKey {
    /// The broker configs that pace copies between brokers.
    pub const OF_BROKERS: [Self; 2] = [Self::LeaderRate, Self::FollowerRate];
    /// Every rate of a broker.
    pub const RATES: [Self; 3] = [Self::LeaderRate, Self::FollowerRate, Self::LogDirRate];
    /// The topic configs.
    pub const OF_TOPICS: [Self; 2] = [Self::LeaderReplicas, Self::FollowerReplicas];
    /// Every config of a broker that an execution may set.
    pub const ON_BROKERS: [Self; 4] =
        [Self::LeaderRate, Self::FollowerRate, Self::LogDirRate, Self::CordonedLogDirs];
    const ALL: [Self; 6] = [
        Self::LeaderRate,
        Self::FollowerRate,
        Self::LogDirRate,
        Self::LeaderReplicas,
        Self::FollowerReplicas,
        Self::CordonedLogDirs,
    ];

    /// Whether its value is a list of replicas.
    pub fn is_list(self) -> bool {
        Self::OF_TOPICS.contains(&self)
    }

    /// Kafka's name of the config.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeaderRate => "leader.replication.throttled.rate",
            Self::FollowerRate => "follower.replication.throttled.rate",
            Self::LeaderReplicas => "leader.replication.throttled.replicas",
            Self::FollowerReplicas => "follower.replication.throttled.replicas",
            Self::LogDirRate => "replica.alter.log.dirs.io.max.bytes.per.second",
            Self::CordonedLogDirs => "cordoned.log.dirs",
        }
    }

    /// The config with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == name)
    }
}

impl From<ThrottleKey> for &'static str {
    fn from(key: ThrottleKey) -> Self {
        key.as_str()
    }
}

impl TryFrom<String> for ThrottleKey {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::named(&name).ok_or_else(|| format!("{name} is no config that this version sets"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_their_names() {
        for key in ThrottleKey::ALL {
            assert_eq!(ThrottleKey::named(key.as_str()), Some(key));
            let json = serde_json::to_string(&key).unwrap();
            assert_eq!(serde_json::from_str::<ThrottleKey>(&json).unwrap(), key);
        }
    }
}
