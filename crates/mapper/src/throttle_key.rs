//! The names of the configs that pace replication. No other module defines them.

use serde::{Deserialize, Serialize};

/// A config of the throttle (KIP-73).
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
}

impl ThrottleKey {
    /// The broker configs that pace copies between brokers.
    pub const OF_BROKERS: [Self; 2] = [Self::LeaderRate, Self::FollowerRate];
    /// Every rate of a broker.
    pub const RATES: [Self; 3] = [Self::LeaderRate, Self::FollowerRate, Self::LogDirRate];
    /// The topic configs.
    pub const OF_TOPICS: [Self; 2] = [Self::LeaderReplicas, Self::FollowerReplicas];

    /// Whether its value is a list of replicas.
    pub fn is_list(self) -> bool {
        Self::OF_TOPICS.contains(&self)
    }

    /// Kafka's name of the config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LeaderRate => "leader.replication.throttled.rate",
            Self::FollowerRate => "follower.replication.throttled.rate",
            Self::LeaderReplicas => "leader.replication.throttled.replicas",
            Self::FollowerReplicas => "follower.replication.throttled.replicas",
            Self::LogDirRate => "replica.alter.log.dirs.io.max.bytes.per.second",
        }
    }

    /// The config with this name.
    pub fn named(name: &str) -> Option<Self> {
        let all = Self::RATES.into_iter().chain(Self::OF_TOPICS);
        all.into_iter().find(|key| key.as_str() == name)
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
        Self::named(&name).ok_or_else(|| format!("{name} is no config of a throttle"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_their_names() {
        for key in ThrottleKey::RATES.into_iter().chain(ThrottleKey::OF_TOPICS) {
            assert_eq!(ThrottleKey::named(key.as_str()), Some(key));
            let json = serde_json::to_string(&key).unwrap();
            assert_eq!(serde_json::from_str::<ThrottleKey>(&json).unwrap(), key);
        }
    }
}
