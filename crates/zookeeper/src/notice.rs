//! Things that an operator should know about a successful capture.

use mapper::{BrokerId, TopicPartition};

/// One notice about a capture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum ZooKeeperNotice {
    /// The topic is not in the snapshot.
    #[error("topic {topic} is left out: it is being deleted")]
    BeingDeleted {
        /// The topic.
        topic: String,
    },
    /// `/admin/reassign_partitions` requests something that Kafka cannot do. The snapshot ignores it.
    #[error("/admin/reassign_partitions asks for {of}, which is ignored: {why}")]
    UnusableMove {
        /// The partition in the request.
        of: TopicPartition,
        /// Why the snapshot ignores it.
        why: Unusable,
    },
    /// Leader and in-sync replicas stay unknown. Repeated reads named brokers outside the replica list, which happens
    /// only while the controller is changing it.
    #[error("leader and ISR of {of} are unknown: they changed while they were read")]
    Unsettled {
        /// The partition.
        of: TopicPartition,
    },
}

/// Why a requested reassignment is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unusable {
    /// The topic or the partition does not exist.
    #[error("there is no such partition")]
    NoSuchPartition,
    /// An empty replica list.
    #[error("its replica list is empty")]
    NoReplicas,
    /// A replica list with one broker twice.
    #[error("its replica list names broker {0} twice")]
    BrokerTwice(BrokerId),
}
