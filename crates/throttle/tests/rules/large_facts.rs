//! A cluster of 500 brokers with 20,000 partitions on the move, in any round.

use mapper::{BrokerId, Bytes, PartitionId, Rate, TopicPartition};
use std::time::Duration;
use throttle::{
    BrokerSeen, BrokerTraffic, CopySeen, PerDirection, ReplicaToFill, ThrottleInputs, WhyNotInSync,
};

const MB: u64 = 1_000_000;

pub(crate) fn round(n: u64) -> ThrottleInputs {
    ThrottleInputs {
        at: Duration::from_secs(60 * n),
        brokers: (0..500).map(|id| (BrokerId(id), broker(u64::from(id % 7)))).collect(),
        copies: (0..20_000).map(|index| copy(index, n)).collect(),
        ..ThrottleInputs::default()
    }
}

/// The brokers are not alike, so that the ports are full one after the other.
fn broker(kind: u64) -> BrokerSeen {
    let replication = PerDirection::both(Rate((100 + 20 * kind) * MB));
    let total = PerDirection { tx: Rate((200 + 30 * kind) * MB), rx: Rate((300 + 10 * kind) * MB) };
    BrokerSeen {
        live: true,
        capacity: Some(PerDirection::both(Rate(1_000 * MB))),
        traffic: Some(BrokerTraffic {
            total,
            replication: Some(replication),
            window: Duration::ZERO,
        }),
        ..BrokerSeen::default()
    }
}

fn copy(index: u32, n: u64) -> CopySeen {
    let at = |step: u32| BrokerId((index * 7 + step * (index % 97 + 1)) % 500);
    let done = Some(Bytes(n * u64::from(index % 13) * 10 * MB));
    CopySeen {
        of: TopicPartition {
            topic: format!("topic-{}", index / 40),
            partition: PartitionId(index % 40),
        },
        cause: WhyNotInSync::Reassignment,
        leader: Some(at(0)),
        in_sync: [at(0), at(1), at(2)].into_iter().collect(),
        destinations: vec![ReplicaToFill { broker: at(3), done }],
        min_insync: Some(2),
        leader_bytes: Some(Bytes((10_000 + 6 * n) * MB)),
        ingest: None,
    }
}
