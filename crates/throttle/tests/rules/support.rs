//! Short words for facts.

use mapper::{BrokerId, Bytes, PartitionId, Rate, TopicPartition};
use std::time::Duration;
use throttle::{
    BrokerSeen, BrokerTraffic, CopySeen, Decided, PerDirection, RateOverride, ReplicaToFill,
    ReplicationRole, Share, ThrottleDecision, ThrottleInputs, ThrottleLimits, ThrottleMemory,
    ThrottleTerms, WhyNotInSync, decide,
};

pub(crate) const MB: u64 = 1_000_000;

pub(crate) fn megabytes(n: u64) -> Rate {
    Rate(n * MB)
}

pub(crate) fn ids<C: FromIterator<BrokerId>>(ids: &[u32]) -> C {
    ids.iter().copied().map(BrokerId).collect()
}

pub(crate) fn of(partition: u32) -> TopicPartition {
    TopicPartition { topic: "events".to_owned(), partition: PartitionId(partition) }
}

/// A broker through which so many MB/s pass.
pub(crate) fn broker(capacity: u64, tx: u64, rx: u64) -> BrokerSeen {
    let total = PerDirection { tx: megabytes(tx), rx: megabytes(rx) };
    BrokerSeen {
        live: true,
        capacity: Some(PerDirection::both(megabytes(capacity))),
        traffic: Some(BrokerTraffic { total, ..BrokerTraffic::default() }),
        ..BrokerSeen::default()
    }
}

/// A partition of a reassignment, its leader first among those in sync.
pub(crate) fn copy(partition: u32, in_sync: &[u32], to: &[u32]) -> CopySeen {
    let to = to.iter().map(|id| ReplicaToFill { broker: BrokerId(*id), done: None });
    CopySeen {
        of: of(partition),
        cause: WhyNotInSync::Reassignment,
        leader: in_sync.first().copied().map(BrokerId),
        in_sync: ids(in_sync),
        destinations: to.collect(),
        min_insync: Some(1),
        leader_bytes: None,
        ingest: None,
    }
}

/// The same with what producers write to it, in MB/s.
pub(crate) fn written(copy: CopySeen, ingest: u64) -> CopySeen {
    CopySeen { ingest: Some(megabytes(ingest)), ..copy }
}

/// A replica that fell behind by so many MB.
pub(crate) fn behind(partition: u32, in_sync: &[u32], to: u32, missing: u64) -> CopySeen {
    let to = ReplicaToFill { broker: BrokerId(to), done: Some(Bytes(1000 * MB)) };
    CopySeen {
        cause: WhyNotInSync::Recovery,
        destinations: vec![to],
        leader_bytes: Some(Bytes((1000 + missing) * MB)),
        ..copy(partition, in_sync, &[])
    }
}

pub(crate) fn seen(brokers: &[(u32, BrokerSeen)], copies: &[CopySeen]) -> ThrottleInputs {
    ThrottleInputs {
        brokers: brokers.iter().map(|(id, seen)| (BrokerId(*id), seen.clone())).collect(),
        copies: copies.to_vec(),
        ..ThrottleInputs::default()
    }
}

/// The same, so many seconds after the start.
pub(crate) fn at(seconds: u64, seen: ThrottleInputs) -> ThrottleInputs {
    ThrottleInputs { at: Duration::from_secs(seconds), ..seen }
}

pub(crate) fn asked(rate: u64) -> RateOverride {
    RateOverride { rate: megabytes(rate), autoremove: false }
}

/// 90 % of both directions, at least 10 MB/s.
pub(crate) fn limits() -> ThrottleLimits {
    ThrottleLimits::default()
}

pub(crate) fn limits_with(change: impl FnOnce(&mut ThrottleTerms)) -> ThrottleLimits {
    let mut terms = ThrottleTerms::default();
    change(&mut terms);
    ThrottleLimits::new(terms).expect("the terms of a test make sense")
}

/// The formula of kafka-kit, without paths.
pub(crate) fn formula(change: impl FnOnce(&mut ThrottleTerms)) -> ThrottleLimits {
    limits_with(|terms| {
        terms.share = Share::Headroom;
        change(terms);
    })
}

pub(crate) fn first(seen: &ThrottleInputs, limits: &ThrottleLimits) -> ThrottleDecision {
    decide(ThrottleMemory::default(), seen, limits).1
}

/// The last decision of several rounds.
pub(crate) fn last(
    rounds: impl IntoIterator<Item = ThrottleInputs>,
    limits: &ThrottleLimits,
) -> ThrottleDecision {
    let mut state = ThrottleMemory::default();
    let mut last = ThrottleDecision::default();
    for seen in rounds {
        (state, last) = decide(state, &seen, limits);
    }
    last
}

pub(crate) fn of_port(decision: &ThrottleDecision, broker: u32, role: ReplicationRole) -> Decided {
    decision.rates[&(BrokerId(broker), role)]
}

/// In whole MB/s.
pub(crate) fn rate(decision: &ThrottleDecision, broker: u32, role: ReplicationRole) -> u64 {
    of_port(decision, broker, role).rate.0 / MB
}
