//! The copies in flight: their bytes, and what they have shown of the ports that they go through.

use mapper::{BrokerId, Bytes, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// One direction of a broker's network, or its disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CopyPort {
    /// The bytes that it receives.
    In(BrokerId),
    /// The bytes that it sends as a leader.
    Out(BrokerId),
    /// The bytes that it copies from one of its log dirs to another.
    Dirs(BrokerId),
}

/// The bytes of new replicas, by partition and broker.
pub type Copied = BTreeMap<(TopicPartition, BrokerId), Bytes>;

/// What the copies in flight have shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyProgress {
    /// The size of each new replica so far.
    pub bytes: Copied,
    /// Ports with a copy that has grown lately.
    pub flowing: BTreeSet<CopyPort>,
    /// Partitions whose copies have not grown lately.
    pub idle: BTreeSet<TopicPartition>,
}
