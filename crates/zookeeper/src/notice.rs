//! What an operator should know of a capture although it succeeded.

use mapper::{BrokerId, TopicPartition};

/// One such thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Notice {
    /// The topic is not in the snapshot.
    #[error("topic {topic} is left out: it is being deleted")]
    BeingDeleted {
        /// The topic.
        topic: String,
    },
    /// `/admin/reassign_partitions` asks for something that Kafka cannot do; the snapshot ignores it.
    #[error("/admin/reassign_partitions asks for {of}, which is ignored: {why}")]
    UnusableMove {
        /// The partition that it names.
        of: TopicPartition,
        /// Why it is ignored.
        why: Unusable,
    },
    /// Leader and in-sync replicas were left unknown: again and again they named brokers outside of the
    /// replica list, which happens only while the controller is in the middle of a change.
    #[error("leader and ISR of {of} are unknown: they changed while they were read")]
    Unsettled {
        /// The partition.
        of: TopicPartition,
    },
    /// The cluster was moved to `KRaft`, or is being moved: ZooKeeper may hold an old state of it.
    #[error(
        "the cluster is controlled by KRaft controller {controller}: ZooKeeper's facts may be old, use --bootstrap-server"
    )]
    Kraft {
        /// The `KRaft` controller.
        controller: BrokerId,
    },
}

/// Why a requested move is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unusable {
    /// No such topic, or no such partition in it.
    #[error("there is no such partition")]
    NoSuchPartition,
    /// An empty replica list.
    #[error("its replica list is empty")]
    NoReplicas,
    /// A replica list with one broker twice.
    #[error("its replica list names broker {0} twice")]
    BrokerTwice(BrokerId),
}
